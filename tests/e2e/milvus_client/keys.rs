//! Claims about keys: that every one of them survives being written into an expression.

use super::place::Place;
use super::rows::KeyKind;
use anyhow::{Result, ensure};
use model::{Key, KeyRange};

/// Texts that break one parser or another.
const NASTY: [&str; 72] = [
    "",
    " ",
    "a",
    "Z",
    "z",
    "'",
    "\"",
    "\\",
    "\\\\",
    "\\n",
    "\n",
    "\r",
    "\t",
    "\r\n",
    "\0",
    "a\0b",
    "\u{1}",
    "\u{7}",
    "\u{8}",
    "\u{b}",
    "\u{c}",
    "\u{1b}",
    "\u{1f}",
    "\u{7f}",
    "\u{80}",
    "\u{a0}",
    "\u{ad}",
    "é",
    "e\u{301}",
    "ß",
    "İ",
    "日本語",
    "𠮷野家",
    "漢\\漢",
    "\\漢",
    "😀",
    "👩\u{200d}👩\u{200d}👧",
    "\u{200b}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{d7ff}",
    "\u{e000}",
    "a\"b",
    "a'b",
    "a\\\"b",
    "a\\'b",
    "\"; drop",
    "%",
    "_",
    "{",
    "{{x}}",
    "$meta",
    "\\x41",
    "\\u0041",
    "\\U00000041",
    "\\101",
    "\\0",
    "?",
    "`",
    "pk",
    "in",
    "a,b",
    "a]b",
    "/*",
    "--",
    "true",
    "ends\\",
    "\"\\",
    " lead and trail ",
];

fn nasty() -> Vec<Key> {
    let long = ["x".repeat(10_000), "é😀\\\"".repeat(500)];
    let texts = NASTY.iter().map(|text| (*text).to_owned()).chain(long);
    let mut keys: Vec<Key> = texts.map(Key::VarChar).collect();
    keys.sort();
    keys
}

/// Every bound gives exactly the keys beyond it, in the order of their bytes.
pub(super) async fn nasty_keys_survive_every_range(uri: &str) -> Result<()> {
    let place = Place::make(uri, "nasty_ranges", KeyKind::VarChar, 2).await?;
    let keys = nasty();
    place.insert(&keys, 1.0).await?;
    let seen = place.client.read_point().await?;
    ensure!(
        place.keys_at(&KeyRange::all(), seen).await? == keys,
        "a range without bounds"
    );
    for key in &keys {
        let (lower, upper) = KeyRange::all().split_at(key.clone());
        for range in [
            lower,
            upper,
            KeyRange {
                after: Some(key.clone()),
                upto: keys.last().cloned(),
            },
        ] {
            let expected: Vec<Key> = keys
                .iter()
                .filter(|key| range.contains(key))
                .cloned()
                .collect();
            ensure!(
                place.keys_at(&range, seen).await? == expected,
                "range {range}"
            );
        }
    }
    place.drop().await
}

/// A delete of a key deletes that row and no other.
pub(super) async fn nasty_keys_survive_every_delete(uri: &str) -> Result<()> {
    let place = Place::make(uri, "nasty_deletes", KeyKind::VarChar, 2).await?;
    let mut left = nasty();
    place.insert(&left, 1.0).await?;
    while let Some(key) = left.pop() {
        place
            .client
            .delete(
                &place.name,
                None,
                place.primary(),
                std::slice::from_ref(&key),
            )
            .await?;
        // Each look waits for the server's next tick.
        if left.len().is_multiple_of(8) {
            ensure!(
                place.keys(&KeyRange::all()).await? == left,
                "deleting {key}"
            );
        }
    }
    place.insert(&nasty(), 2.0).await?;
    place
        .client
        .delete(&place.name, None, place.primary(), &nasty())
        .await?;
    ensure!(
        place.keys(&KeyRange::all()).await?.is_empty(),
        "deleting all of them at once"
    );
    place.drop().await
}

/// The least number survives ranges and deletes; so does all but the greatest, which no query of Milvus 2.2 and 2.3 answers.
pub(super) async fn numbers_at_the_ends_survive_every_expression(uri: &str) -> Result<()> {
    let place = Place::make(uri, "number_ends", KeyKind::Int64, 2).await?;
    let numbers = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1];
    let keys = numbers.map(Key::Int64).to_vec();
    place.insert(&keys, 1.0).await?;
    for key in &keys {
        let (lower, upper) = KeyRange::all().split_at(key.clone());
        for range in [lower, upper] {
            let expected: Vec<Key> = keys
                .iter()
                .filter(|key| range.contains(key))
                .cloned()
                .collect();
            ensure!(place.keys(&range).await? == expected, "range {range}");
        }
    }
    place
        .client
        .delete(&place.name, None, place.primary(), &keys[..1])
        .await?;
    ensure!(
        place.keys(&KeyRange::all()).await? == keys[1..],
        "deleting the least number"
    );
    place.drop().await
}
