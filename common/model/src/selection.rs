//! Which collections a job or an agent means, and what they are called on the other side.

use crate::CollectionName;
use serde::{Deserialize, Serialize};

/// A pattern for collection names: `db.collection`, where `*` stands for any run of characters inside its part; no dot means the
/// database `default`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern(CollectionName);

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self(CollectionName::from(text))
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(CollectionName::from(text))
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.to_string()
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Pattern {
    /// The one database that the pattern names; `None` when it has stars.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        Some(self.0.database.as_str()).filter(|name| !name.contains('*'))
    }

    /// The one collection name that the pattern gives; `None` when it has stars.
    #[must_use]
    pub fn collection(&self) -> Option<&str> {
        Some(self.0.collection.as_str()).filter(|name| !name.contains('*'))
    }

    /// Whether the pattern means this collection.
    #[must_use]
    pub fn matches(&self, name: &CollectionName) -> bool {
        captures(&self.0.database, &name.database).is_some()
            && captures(&self.0.collection, &name.collection).is_some()
    }

    /// The name's part that each `*` stands for, database first; `None` when the pattern does not mean it.
    fn captures(&self, name: &CollectionName) -> Option<Vec<String>> {
        let mut found = captures(&self.0.database, &name.database)?;
        found.extend(captures(&self.0.collection, &name.collection)?);
        Some(found)
    }
}

/// What each `*` of the pattern stands for in the text, shortest first; `None` when they don't fit.
fn captures(pattern: &str, text: &str) -> Option<Vec<String>> {
    match pattern.split_once('*') {
        None => (pattern == text).then(Vec::new),
        Some((head, tail)) => {
            let rest = text.strip_prefix(head)?;
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .find_map(|at| {
                    let behind = captures(tail, &rest[at..])?;
                    Some([vec![rest[..at].to_owned()], behind].concat())
                })
        }
    }
}

/// One rule of renaming: collections that `from` means get the name `to`, each `*` of which stands for what it stood for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The pattern of the source's name.
    pub from: Pattern,
    /// The target's name.
    pub to: Pattern,
}

/// Which collections are meant, and their names on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Selection {
    /// Patterns of collections that are meant.
    pub include: Vec<Pattern>,
    /// Patterns of collections that are not, though included.
    pub exclude: Vec<Pattern>,
    /// Rules of renaming; the first that fits holds.
    pub rename: Vec<Rename>,
}

impl Selection {
    /// Whether this collection is meant.
    #[must_use]
    pub fn means(&self, name: &CollectionName) -> bool {
        self.include.iter().any(|pattern| pattern.matches(name))
            && !self.exclude.iter().any(|pattern| pattern.matches(name))
    }

    /// The included patterns that mean none of these collections.
    #[must_use]
    pub fn idle_patterns<'a>(
        &self,
        names: impl IntoIterator<Item = &'a CollectionName> + Clone,
    ) -> Vec<Pattern> {
        self.include
            .iter()
            .filter(|pattern| !names.clone().into_iter().any(|name| pattern.matches(name)))
            .cloned()
            .collect()
    }

    /// The collection's name on the target.
    #[must_use]
    pub fn target_name(&self, name: &CollectionName) -> CollectionName {
        let fitting = self
            .rename
            .iter()
            .find_map(|rule| Some((rule, rule.from.captures(name)?)));
        let Some((rule, found)) = fitting else {
            return name.clone();
        };
        let mut found = found.into_iter();
        let mut fill = |part: &str| {
            part.chars()
                .map(|c| {
                    if c == '*' {
                        found.next().unwrap_or_default()
                    } else {
                        c.to_string()
                    }
                })
                .collect::<String>()
        };
        CollectionName::new(fill(&rule.to.0.database), fill(&rule.to.0.collection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renaming(from: &str, to: &str) -> Selection {
        Selection {
            include: vec!["*.*".into()],
            exclude: vec![],
            rename: vec![Rename {
                from: from.into(),
                to: to.into(),
            }],
        }
    }

    #[test]
    fn a_star_stays_inside_its_part() {
        assert!(Pattern::from("sales.*").matches(&"sales.docs".into()));
        assert!(!Pattern::from("sales*").matches(&"sales.docs".into()));
        assert!(Pattern::from("*_v2").matches(&"docs_v2".into()));
        assert!(!Pattern::from("*_v2").matches(&"docs_v2x".into()));
    }

    #[test]
    fn what_is_excluded_is_not_meant() {
        let selection = Selection {
            include: vec!["sales.*".into()],
            exclude: vec!["sales.tmp_*".into()],
            rename: vec![],
        };
        assert!(selection.means(&"sales.docs".into()));
        assert!(!selection.means(&"sales.tmp_1".into()));
        let names = [CollectionName::from("docs")];
        assert_eq!(
            selection.idle_patterns(&names),
            vec![Pattern::from("sales.*")]
        );
    }

    #[test]
    fn a_renamed_collection_keeps_what_its_stars_stood_for() {
        assert_eq!(
            renaming("sales.*", "acme_sales.*").target_name(&"sales.docs".into()),
            "acme_sales.docs".into()
        );
        assert_eq!(
            renaming("*.tmp_*", "x.*_*").target_name(&"a.tmp_b".into()),
            "x.a_b".into()
        );
        assert_eq!(
            renaming("sales.*", "acme.*").target_name(&"docs".into()),
            "docs".into()
        );
    }
}
