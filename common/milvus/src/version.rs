//! Which Milvus answers. Versions come in many spellings; all of them are read leniently, and none is an error.

use std::fmt;

/// Which engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// Milvus itself, standalone or distributed.
    Milvus,
    /// Milvus Lite, an engine of its own behind the same API.
    Lite,
    /// Zilliz Cloud.
    Zilliz,
}

/// A server's version, as far as its text tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerVersion {
    product: Product,
    number: Option<(u32, u32, u32)>,
    text: String,
}

impl ServerVersion {
    /// Reads the version out of a server's own words, such as `v2.3.5-lite` (which is not Milvus Lite), `2.6-20260301-1a2b`,
    /// `milvus_lite-3.2.2` or `Zilliz Cloud Vector Database(Compatible with Milvus 2.6)`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let product = if lower.contains("zilliz") {
            Product::Zilliz
        } else if lower.starts_with("milvus_lite") || lower.starts_with("milvus-lite") {
            Product::Lite
        } else {
            Product::Milvus
        };
        Self {
            product,
            number: first_number(text),
            text: text.trim().to_owned(),
        }
    }

    /// Which engine this is.
    #[must_use]
    pub fn product(&self) -> Product {
        self.product
    }

    /// Major, minor and patch; a patch that the text does not tell is 0. `None` when the text tells no version.
    #[must_use]
    pub fn number(&self) -> Option<(u32, u32, u32)> {
        self.number
    }

    /// The server's own words.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether this is at least that version. A version that is not known is at least no version.
    #[must_use]
    pub fn at_least(&self, major: u32, minor: u32, patch: u32) -> bool {
        self.number
            .is_some_and(|number| number >= (major, minor, patch))
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = match self.product {
            Product::Milvus => "Milvus",
            Product::Lite => "Milvus Lite",
            Product::Zilliz => "Zilliz Cloud",
        };
        match self.number {
            Some((major, minor, patch)) => write!(f, "{product} {major}.{minor}.{patch}"),
            None => write!(f, "{product} of unknown version"),
        }
    }
}

/// The first run of digits that a point joins to another one.
fn first_number(text: &str) -> Option<(u32, u32, u32)> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    text.split(|c| !is_part(c)).find_map(|word| {
        let mut parts = word.split('.').map(str::parse::<u32>);
        let major = parts.next()?.ok()?;
        let minor = parts.next()?.ok()?;
        let patch = parts.next().and_then(Result::ok).unwrap_or(0);
        Some((major, minor, patch))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_seen_is_read() {
        let cases = [
            ("v2.3.5-lite", Product::Milvus, Some((2, 3, 5))),
            ("v2.2.16", Product::Milvus, Some((2, 2, 16))),
            ("2.6-20260301-1a2b3c", Product::Milvus, Some((2, 6, 0))),
            ("milvus_lite-3.2.2", Product::Lite, Some((3, 2, 2))),
            ("milvus_lite", Product::Lite, None),
            (
                "Zilliz Cloud Vector Database(Compatible with Milvus 2.6)",
                Product::Zilliz,
                Some((2, 6, 0)),
            ),
            ("unknown-20260301", Product::Milvus, None),
            ("", Product::Milvus, None),
        ];
        for (text, product, number) in cases {
            let version = ServerVersion::parse(text);
            assert_eq!(
                (version.product(), version.number()),
                (product, number),
                "{text}"
            );
        }
    }

    #[test]
    fn an_unknown_version_is_at_least_nothing() {
        assert!(!ServerVersion::parse("unknown-20260301").at_least(0, 0, 0));
        assert!(ServerVersion::parse("v2.10.0").at_least(2, 9, 9));
    }
}
