//! Which collections one side gives or takes, whatever a job asks for.

use crate::selection::Pattern;
use crate::{Class, CollectionName, Fault, codes};

/// An agent's own bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Patterns of what may pass; every collection where there are none.
    pub allow: Vec<Pattern>,
    /// Patterns of what may not, though allowed.
    pub deny: Vec<Pattern>,
}

impl Scope {
    /// Lets a collection pass.
    ///
    /// # Errors
    /// `scope_denied`: the operator's.
    pub fn admit(&self, name: &CollectionName) -> Result<(), Fault> {
        let allowed =
            self.allow.is_empty() || self.allow.iter().any(|pattern| pattern.matches(name));
        if allowed && !self.deny.iter().any(|pattern| pattern.matches(name)) {
            return Ok(());
        }
        let message = format!("collection {name} is outside of this agent's scope");
        let hint = "see `scope` in the agent's configuration; exclude the collection from the job, or have the scope widened";
        Err(Fault::new(
            codes::SCOPE_DENIED,
            Class::Permanent,
            message,
            hint,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_does_not_pass_though_allowed() {
        let scope = Scope {
            allow: vec!["sales.*".into()],
            deny: vec!["sales.secret".into()],
        };
        assert!(scope.admit(&"sales.docs".into()).is_ok());
        assert_eq!(
            scope.admit(&"sales.secret".into()).unwrap_err().code,
            codes::SCOPE_DENIED
        );
        assert!(scope.admit(&"docs".into()).is_err());
        assert!(
            Scope::default().admit(&"docs".into()).is_ok(),
            "no bounds, nothing denied"
        );
    }
}
