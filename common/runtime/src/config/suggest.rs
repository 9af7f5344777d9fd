//! The known key that an unknown one was probably meant to be.

/// The known key that lies nearest, when at most a third of its letters differ.
pub(super) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let (letters, key) = known.iter().map(|key| (distance(given, key), *key)).min()?;
    (letters <= key.len().max(given.len()).div_ceil(3)).then_some(key)
}

/// How many letters must be put in, taken out or changed to get from one word to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *wanted);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_key_that_was_meant() {
        let known = ["dial", "listen", "connections", "tls"];
        assert_eq!(nearest("dail", &known), Some("dial"));
        assert_eq!(nearest("conections", &known), Some("connections"));
        assert_eq!(nearest("password", &known), None);
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("ab", "ab"), 0);
    }
}
