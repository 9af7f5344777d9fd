use super::*;
use bytes::Bytes;
use model::{Column, DataType, Offset, Payload, Tick};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn primary() -> Field {
    Field {
        id: 100,
        name: "pk".into(),
        description: String::new(),
        data_type: DataType::INT64,
        element_type: None,
        is_primary: true,
        auto_id: false,
        is_partition_key: false,
        is_clustering_key: false,
        is_dynamic: false,
        nullable: false,
        default_value: None,
        is_function_output: false,
        params: BTreeMap::new(),
        sub_fields: vec![],
    }
}

/// Rows of a key and a number beside it.
fn rows(rows: &[(i64, i64)]) -> Batch {
    let column = |name: &str, values: Vec<i64>| {
        let keys: Vec<Key> = values.into_iter().map(Key::Int64).collect();
        let field = Field {
            name: name.into(),
            ..primary()
        };
        gather::of_keys(&field, &keys).columns.remove(0)
    };
    Batch {
        rows: rows.len() as u32,
        columns: vec![
            column("pk", rows.iter().map(|row| row.0).collect()),
            column("value", rows.iter().map(|row| row.1).collect()),
        ],
    }
}

fn read(batch: &Batch) -> Vec<(i64, Option<i64>)> {
    let numbers = |name| -> Vec<i64> {
        let keys = keys(batch, name).unwrap().into_iter();
        keys.map(|key| match key {
            Key::Int64(number) => number,
            Key::VarChar(_) => panic!("numbers only"),
        })
        .collect()
    };
    let values = batch.column("value").map(|_| numbers("value"));
    let value = |row: usize| values.as_ref().map(|values| values[row]);
    (0..)
        .zip(numbers("pk"))
        .map(|(row, key)| (key, value(row)))
        .collect()
}

fn insert(partition: &str, values: &[(i64, i64)]) -> ChangeKind {
    ChangeKind::Insert {
        partition: partition.into(),
        batch: rows(values),
    }
}

fn delete(keys: &[i64]) -> ChangeKind {
    ChangeKind::Delete {
        partition: None,
        keys: keys.iter().copied().map(Key::Int64).collect(),
    }
}

fn delete_from(partition: &str, keys: &[i64]) -> ChangeKind {
    match delete(keys) {
        ChangeKind::Delete { keys, .. } => ChangeKind::Delete {
            partition: Some(partition.into()),
            keys,
        },
        other => other,
    }
}

fn merged(has_partitions: bool, kinds: Vec<ChangeKind>) -> Merged {
    let mut merging = Merging::new(primary(), has_partitions);
    for (tick, kind) in (1..).zip(kinds) {
        let change = Change {
            tick: Tick::new(tick),
            offset: Offset::new(tick),
            kind,
        };
        merging.take(change).unwrap();
    }
    merging.merged().unwrap()
}

/// A collection as a target has it: the partition and the value of each row.
type Held = BTreeMap<i64, (Option<String>, i64)>;

fn apply(state: &mut Held, portions: &[Portion]) {
    for portion in portions {
        match portion.verb {
            Verb::Upsert => {
                for (key, value) in read(&portion.rows) {
                    state.insert(key, (portion.partition.clone(), value.unwrap()));
                }
            }
            Verb::Delete => {
                for (key, _) in read(&portion.rows) {
                    let is_there = |at: &(Option<String>, i64)| {
                        portion.partition.is_none() || at.0 == portion.partition
                    };
                    if state.get(&key).is_some_and(is_there) {
                        state.remove(&key);
                    }
                }
            }
            Verb::DropPartition => state.retain(|_, at| at.0 != portion.partition),
            Verb::CreatePartition => {}
        }
    }
}

/// A change, as the log has it: an upsert is a delete and an insert.
fn any_change() -> impl Strategy<Value = Vec<ChangeKind>> {
    let partition = || prop::sample::select(vec!["a", "b"]);
    let values = prop::collection::vec((0i64..6, any::<i64>()), 1..4);
    let upsert = |(partition, values): (&str, Vec<(i64, i64)>)| {
        let keys: Vec<i64> = values.iter().map(|row| row.0).collect();
        vec![
            delete(&keys),
            delete_from(partition, &keys),
            insert(partition, &values),
        ]
    };
    let drop = |partition: &str| ChangeKind::DropPartition {
        partition: partition.into(),
    };
    let create = |partition: &str| ChangeKind::CreatePartition {
        partition: partition.into(),
    };
    prop_oneof![
        4 => (partition(), values).prop_map(upsert),
        3 => prop::collection::vec(0i64..6, 1..4).prop_map(|keys| vec![delete(&keys)]),
        2 => (partition(), prop::collection::vec(0i64..6, 1..4))
            .prop_map(|(partition, keys)| vec![delete_from(partition, &keys)]),
        1 => partition().prop_map(move |partition| vec![drop(partition)]),
        1 => partition().prop_map(move |partition| vec![create(partition)]),
    ]
}

#[test]
fn keys_that_are_left_out_stay_as_they_are() {
    let mut merging = Merging::new(primary(), true);
    for kind in [
        delete_from("p", &[1, 2, 3]),
        insert("p", &[(1, 10), (2, 20)]),
    ] {
        let change = Change {
            tick: Tick::default(),
            offset: Offset::default(),
            kind,
        };
        merging.take(change).unwrap();
    }
    merging.leave_out(&[1, 3].map(Key::Int64));
    let merged = merging.merged().unwrap();
    let [upsert] = &merged.portions[..] else {
        panic!("{merged:?}");
    };
    assert_eq!(
        (upsert.verb, read(&upsert.rows)),
        (Verb::Upsert, vec![(2, Some(20))])
    );
    assert_eq!(merged.touched.len(), 1);
}

proptest! {
    #[test]
    fn merged_changes_lead_where_the_changes_lead_one_by_one(
        changes in prop::collection::vec(any_change(), 0..12),
        cut in 0usize..24,
    ) {
        let kinds = changes.concat();
        let mut one_by_one = Held::new();
        for kind in kinds.clone() {
            apply(&mut one_by_one, &merged(true, vec![kind]).portions);
        }
        let (before, after) = kinds.split_at(cut.min(kinds.len()));
        let mut at_once = Held::new();
        apply(&mut at_once, &merged(true, before.to_vec()).portions);
        let step = merged(true, after.to_vec()).portions;
        apply(&mut at_once, &step);
        prop_assert_eq!(&at_once, &one_by_one);
        apply(&mut at_once, &step);
        prop_assert_eq!(at_once, one_by_one, "a step that is applied twice");
    }
}

#[test]
fn of_several_changes_of_a_row_the_last_is_sent() {
    let merged = merged(
        false,
        vec![
            insert("p", &[(1, 10), (2, 20)]),
            delete(&[1, 3]),
            insert("q", &[(2, 21)]),
        ],
    );
    let told: Vec<_> = merged
        .portions
        .iter()
        .map(|portion| (portion.verb, portion.partition.clone(), read(&portion.rows)))
        .collect();
    assert_eq!(
        told,
        vec![
            (Verb::Delete, None, vec![(1, None), (3, None)]),
            (Verb::Upsert, None, vec![(2, Some(21))]),
        ]
    );
    assert_eq!((merged.upserts, merged.deletes), (3, 2));
    let touched = [1, 2, 3].map(|key| (Key::Int64(key), None));
    assert_eq!(merged.touched, touched.into());
}

#[test]
fn a_row_that_moves_is_looked_at_in_both_partitions() {
    let kinds = vec![delete_from("p", &[1]), insert("q", &[(1, 10)])];
    let row = |partition: &str| (Key::Int64(1), Some(partition.to_owned()));
    assert_eq!(merged(true, kinds).touched, [row("p"), row("q")].into());
}

#[test]
fn a_delete_from_one_partition_leaves_a_row_of_another() {
    let kinds = vec![insert("p", &[(1, 10), (2, 20)]), delete_from("q", &[1])];
    let merged = merged(true, kinds);
    let told: Vec<_> = merged
        .portions
        .iter()
        .map(|portion| {
            (
                portion.verb,
                portion.partition.as_deref(),
                read(&portion.rows),
            )
        })
        .collect();
    let (gone, rows) = (vec![(1, None)], vec![(1, Some(10)), (2, Some(20))]);
    assert_eq!(
        told,
        [
            (Verb::Delete, Some("q"), gone),
            (Verb::Upsert, Some("p"), rows)
        ]
    );
}

#[test]
fn an_upsert_is_no_delete_unless_the_row_may_have_moved() {
    let verbs = |from: ChangeKind| -> Vec<Verb> {
        let merged = merged(true, vec![from, insert("p", &[(1, 10)])]);
        merged.portions.iter().map(|portion| portion.verb).collect()
    };
    assert_eq!(verbs(delete_from("p", &[1])), [Verb::Upsert]);
    assert_eq!(verbs(delete_from("q", &[1])), [Verb::Delete, Verb::Upsert]);
    assert_eq!(verbs(delete(&[1])), [Verb::Delete, Verb::Upsert]);
}

#[test]
fn rows_are_not_sent_into_a_partition_that_is_dropped_behind_them() {
    let drop = ChangeKind::DropPartition {
        partition: "p".into(),
    };
    let merged = merged(
        true,
        vec![insert("p", &[(1, 1)]), insert("q", &[(2, 2)]), drop],
    );
    let verbs: Vec<_> = merged
        .portions
        .iter()
        .map(|portion| (portion.verb, portion.partition.as_deref()))
        .collect();
    assert_eq!(
        verbs,
        [(Verb::Upsert, Some("q")), (Verb::DropPartition, Some("p"))]
    );
}

#[test]
fn columns_that_are_no_columns_are_refused() {
    let mut broken = rows(&[(1, 1)]);
    broken.columns[1] = Column {
        payload: Payload::Scalars(Bytes::from_static(&[0xff])),
        ..broken.columns[1].clone()
    };
    let mut merging = Merging::new(primary(), false);
    let kind = ChangeKind::Insert {
        partition: "p".into(),
        batch: broken,
    };
    let change = Change {
        tick: Tick::new(1),
        offset: Offset::new(1),
        kind,
    };
    merging.take(change).unwrap();
    assert!(merging.merged().is_err());
}
