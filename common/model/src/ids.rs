//! Names and numbers that identify things. Each is a type of its own, so that none is taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} {given:?} must be 1 to 64 characters out of a-z, A-Z, 0-9, '.', '_' and '-', and begin with a letter or digit"
)]
pub struct InvalidName {
    what: &'static str,
    given: String,
}

fn checked(what: &'static str, given: &str) -> Result<String, InvalidName> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let begins_well = given
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    if begins_well && given.len() <= 64 && given.chars().all(allowed) {
        Ok(given.to_owned())
    } else {
        Err(InvalidName {
            what,
            given: given.to_owned(),
        })
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                checked($what, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// The name of a job: unique on a pair of agents, chosen by the operator.
    JobName,
    "job name"
);
name_type!(
    /// The name of an agent, as its configuration gives it.
    AgentName,
    "agent name"
);

/// Counts the claims on a job. A side that claims a job again (after a restart) does so under a higher epoch;
/// a peer that speaks under a lower one is refused.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with this number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The epoch of the next claim.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The number of this epoch.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A random number of one run of an agent's process: tells two processes apart that claim the same epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Incarnation(u128);

impl Incarnation {
    /// The incarnation with this number; take a random one for every start of a process.
    #[must_use]
    pub fn new(number: u128) -> Self {
        Self(number)
    }

    /// The number of this incarnation.
    #[must_use]
    pub fn number(self) -> u128 {
        self.0
    }
}

/// The place of a collection in its job's list, fixed when the job is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CollectionIndex(u32);

impl CollectionIndex {
    /// The collection at this place.
    #[must_use]
    pub fn new(place: u32) -> Self {
        Self(place)
    }

    /// The place as a number, from 0.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for CollectionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slash_is_refused_and_named() {
        let refusal = "a/b".parse::<JobName>().unwrap_err();
        assert!(refusal.to_string().contains("\"a/b\""));
    }

    #[test]
    fn a_later_claim_has_a_higher_epoch() {
        assert!(Epoch::default().next() > Epoch::default());
    }
}
