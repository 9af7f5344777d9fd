//! Expressions over primary keys, with every key escaped right.
//!
//! An expression for Milvus is pure ASCII: some versions rewrite Chinese characters before they parse and lose what does not fit
//! into 16 bits, and a backslash sequence that their own escaping does not know stops that rewriting altogether. Milvus Lite has
//! a parser of its own, which takes everything raw except quotes, backslashes and line ends.
//!
//! The number -2^63 can't be written as a literal for Milvus: its parser reads the digits before the sign. So it is written as
//! a difference. The key 2^63-1 can be written, but Milvus 2.2 and 2.3 answer no query with such a row (they keep it and count
//! it): their reduction takes it for "no row".

use model::{Key, KeyRange};
use std::fmt::Write as _;

/// How expressions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// For Milvus and Zilliz Cloud.
    Milvus,
    /// For Milvus Lite.
    Lite,
}

/// The type of a primary key, for a range without bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// Int64.
    Int64,
    /// VarChar.
    VarChar,
}

/// Which rows: those with a key in the range. Never empty, because Milvus wants a limit with an empty expression.
#[must_use]
pub fn in_range(dialect: Dialect, field: &str, key_type: KeyType, range: &KeyRange) -> String {
    let after = range.after.as_ref().map(|key| above(dialect, field, key));
    let upto = range.upto.as_ref().map(|key| up_to(dialect, field, key));
    match (after, upto) {
        (Some(after), Some(upto)) => format!("{after} and {upto}"),
        (Some(bound), None) | (None, Some(bound)) => bound,
        (None, None) => match key_type {
            KeyType::Int64 => format!("{field} <= {}", i64::MAX),
            KeyType::VarChar => format!("{field} >= \"\""),
        },
    }
}

/// Which rows: those with one of these keys.
#[must_use]
pub fn one_of<'a>(
    dialect: Dialect,
    field: &str,
    keys: impl IntoIterator<Item = &'a Key>,
) -> String {
    let mut expression = format!("{field} in [");
    for (place, key) in keys.into_iter().enumerate() {
        if place > 0 {
            expression.push(',');
        }
        push_key(&mut expression, dialect, key);
    }
    expression.push(']');
    expression
}

fn above(dialect: Dialect, field: &str, key: &Key) -> String {
    match key {
        Key::Int64(i64::MIN) => format!("{field} >= {}", i64::MIN + 1),
        key => compared(dialect, field, ">", key),
    }
}

fn up_to(dialect: Dialect, field: &str, key: &Key) -> String {
    match key {
        Key::Int64(i64::MIN) => format!("{field} < {}", i64::MIN + 1),
        key => compared(dialect, field, "<=", key),
    }
}

fn compared(dialect: Dialect, field: &str, operator: &str, key: &Key) -> String {
    let mut expression = format!("{field} {operator} ");
    push_key(&mut expression, dialect, key);
    expression
}

fn push_key(out: &mut String, dialect: Dialect, key: &Key) {
    match key {
        Key::Int64(i64::MIN) if dialect == Dialect::Milvus => {
            push_number(out, i64::MIN + 1);
            out.push_str(" - 1");
        }
        Key::Int64(number) => push_number(out, *number),
        Key::VarChar(text) => push_text(out, dialect, text),
    }
}

fn push_number(out: &mut String, number: i64) {
    write!(out, "{number}").expect("writing to a String never fails");
}

fn push_text(out: &mut String, dialect: Dialect, text: &str) {
    out.push('"');
    for c in text.chars() {
        match (c, dialect) {
            ('"' | '\\', _) => out.extend(['\\', c]),
            ('\n', Dialect::Lite) => out.push_str("\\n"),
            ('\r', Dialect::Lite) => out.push_str("\\r"),
            (_, Dialect::Lite) | (' '..='~', Dialect::Milvus) => out.push(c),
            (_, Dialect::Milvus) => push_code_point(out, u32::from(c)),
        }
    }
    out.push('"');
}

fn push_code_point(out: &mut String, code_point: u32) {
    let written = if code_point > 0xffff {
        write!(out, "\\U{code_point:08x}")
    } else {
        write!(out, "\\u{code_point:04x}")
    };
    written.expect("writing to a String never fails");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(dialect: Dialect, key: &str) -> String {
        let key = Key::VarChar(key.to_owned());
        one_of(dialect, "pk", [&key])
    }

    #[test]
    fn milvus_gets_pure_ascii() {
        let expression = text(Dialect::Milvus, "a\"b\\\n\0é漢𠮷😀'");
        assert_eq!(
            expression,
            r#"pk in ["a\"b\\\u000a\u0000\u00e9\u6f22\U00020bb7\U0001f600'"]"#
        );
        assert!(expression.is_ascii());
    }

    #[test]
    fn lite_gets_everything_raw_but_quotes_backslashes_and_line_ends() {
        assert_eq!(
            text(Dialect::Lite, "a\"b\\\n\r\t\0é"),
            "pk in [\"a\\\"b\\\\\\n\\r\t\0é\"]"
        );
    }

    #[test]
    fn the_least_number_is_never_written_as_a_literal_for_milvus() {
        let least = Key::Int64(i64::MIN);
        let range = |after: Option<&Key>, upto: Option<&Key>| KeyRange {
            after: after.cloned(),
            upto: upto.cloned(),
        };
        let of = |range| in_range(Dialect::Milvus, "pk", KeyType::Int64, &range);
        assert_eq!(of(range(Some(&least), None)), "pk >= -9223372036854775807");
        assert_eq!(of(range(None, Some(&least))), "pk < -9223372036854775807");
        assert_eq!(
            one_of(Dialect::Milvus, "pk", [&least, &Key::Int64(7)]),
            "pk in [-9223372036854775807 - 1,7]"
        );
        assert_eq!(
            one_of(Dialect::Lite, "pk", [&least]),
            "pk in [-9223372036854775808]"
        );
    }

    #[test]
    fn a_range_without_bounds_has_an_expression_all_the_same() {
        let all = KeyRange::all();
        assert_eq!(
            in_range(Dialect::Milvus, "pk", KeyType::Int64, &all),
            "pk <= 9223372036854775807"
        );
        assert_eq!(
            in_range(Dialect::Lite, "pk", KeyType::VarChar, &all),
            "pk >= \"\""
        );
    }

    #[test]
    fn both_bounds_are_joined() {
        let range = KeyRange {
            after: Some(Key::VarChar("a".into())),
            upto: Some(Key::VarChar("b".into())),
        };
        let expression = in_range(Dialect::Milvus, "pk", KeyType::VarChar, &range);
        assert_eq!(expression, "pk > \"a\" and pk <= \"b\"");
    }
}
