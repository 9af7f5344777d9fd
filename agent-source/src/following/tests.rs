use super::*;

fn row(key: i64, partition: &str) -> ChangedRow {
    (Key::Int64(key), Some(partition.to_owned()))
}

fn waiting(following: &Following) -> Vec<ChangedRow> {
    let touched = following.oldest_touched(10).into_iter();
    let mut rows: Vec<_> = touched.map(|(row, _)| row).collect();
    rows.sort();
    rows
}

#[test]
fn a_row_of_which_the_key_has_changed_since_is_looked_at_again_and_not_repaired() {
    let following = Following::default();
    following.begin_pass();
    following.end_pass();
    following.touch([row(1, "p"), row(2, "p")]);
    let differing = BTreeSet::from([1, 2].map(Key::Int64));
    let found = following.settle(following.oldest_touched(10), &differing);
    assert_eq!(found, [row(1, "p"), row(2, "p")]);
    assert!(waiting(&following).is_empty());
    // It moves.
    following.touch([row(1, "q")]);
    assert_eq!(following.begin_repair(found), [row(1, "p")]);
    assert_eq!(following.status(None).repaired, 1);
    assert_eq!(waiting(&following), [row(1, "p"), row(1, "q")]);
}

#[test]
fn what_was_to_be_repaired_when_a_session_ended_is_looked_at_in_the_next() {
    let following = Following::default();
    following.begin_pass();
    following.end_pass();
    following.touch([row(1, "p"), row(2, "p")]);
    let differing = BTreeSet::from([Key::Int64(2)]);
    following.settle(following.oldest_touched(10), &differing);
    assert!(waiting(&following).is_empty());
    following.resume_repairs();
    assert_eq!(waiting(&following), [row(2, "p")]);
}

#[test]
fn a_surplus_has_every_row_compared_again_unless_a_comparison_left_it() {
    let following = Following::default();
    let compare_all = || {
        following.begin_pass();
        following.end_pass();
        assert_eq!(following.proof(), Proof::Passed);
    };
    compare_all();
    assert!(!following.handle_surplus(0));
    assert!(following.handle_surplus(3), "an import's");
    assert_eq!(following.proof(), Proof::NotBegun);
    compare_all();
    assert!(!following.handle_surplus(3), "several rows of one key");
    assert!(!following.handle_surplus(1));
    assert!(following.handle_surplus(2), "one that came since");
}
