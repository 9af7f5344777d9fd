use super::*;

const COMPLETE: &str = r#"
name: sales-to-globex
collections: ["sales.*", "docs"]
exclude: ["sales.tmp_*"]
rename: { "sales.*": "acme_sales.*" }
mode: copy
copy: segments
on_conflict: append
auto_id: regenerate
indexes: none
load: no
verify: counts
unloaded: load
dry_run: true
"#;

fn refusal(text: &str) -> String {
    parse("job.yaml", text).unwrap_err().to_string()
}

#[test]
fn a_complete_job_is_taken_word_for_word() {
    let spec = parse("job.yaml", COMPLETE).unwrap();
    assert_eq!(spec.name.as_str(), "sales-to-globex");
    assert_eq!(
        spec.selection.target_name(&"sales.docs".into()),
        "acme_sales.docs".into()
    );
    assert!(spec.selection.means(&"docs".into()) && !spec.selection.means(&"sales.tmp_1".into()));
    assert_eq!(
        (spec.copy, spec.on_conflict, spec.auto_id, spec.indexes),
        (
            CopyBy::Segments,
            OnConflict::Append,
            AutoId::Regenerate,
            Indexes::None
        )
    );
    assert_eq!(
        (spec.load, spec.verify, spec.unloaded, spec.dry_run),
        (Load::No, Verify::Counts, Unloaded::Load, true)
    );
}

#[test]
fn what_is_left_out_has_the_cautious_default() {
    let spec = parse("job.yaml", "name: a\ncollections: [docs]").unwrap();
    assert_eq!(
        (spec.copy, spec.on_conflict, spec.auto_id, spec.indexes),
        (
            CopyBy::Auto,
            OnConflict::Fail,
            AutoId::Preserve,
            Indexes::Keep
        )
    );
    assert_eq!(
        (spec.load, spec.verify, spec.unloaded, spec.dry_run),
        (Load::Keep, Verify::Content, Unloaded::Refuse, false)
    );
}

#[test]
fn a_job_says_how_it_cuts_over_if_it_is_live() {
    let live = "name: a\ncollections: [docs]\nmode: live\n";
    let usual = parse("job.yaml", live).unwrap();
    assert_eq!(usual.cutover, Cutover::default());
    let text = format!("{live}cutover: {{ max_lag: 250ms, timeout: 2m, fence: deny_writes }}\n");
    let expected = Cutover {
        max_lag_ms: 250,
        timeout_ms: 120_000,
        fence: Fence::DenyWrites,
    };
    assert_eq!(parse("job.yaml", &text).unwrap().cutover, expected);
    let refused = refusal(&(COMPLETE.to_owned() + "cutover: { max_lag: 1s }\n"));
    let expected = "job.yaml:15: cutover: is of a job with `mode: live`";
    assert!(refused.contains(expected), "{refused}");
    let refused = refusal(&format!("{live}cutover: {{ max_lag: 1, fence: none }}\n"));
    for expected in [
        "cutover.max_lag: must be a duration",
        "cutover.fence: must be one of operator, deny_writes",
    ] {
        assert!(refused.contains(expected), "{expected}\n in\n{refused}");
    }
}

#[test]
fn all_faults_of_a_job_are_told_at_once() {
    let refusal = refusal(
        "name: a b\ncollections: [\"a.b.c\"]\nrename: { \"a.*\": \"*.*\", \"b\": [c] }\nverfy: none\nload: maybe\ndry_run: yes\n",
    );
    for expected in [
        "job.yaml:1: name: job name \"a b\" must be",
        "job.yaml:2: collections: must be a pattern",
        "job.yaml:3: rename: \"*.*\" has more stars than \"a.*\"",
        "job.yaml:3: rename: \"b\" must have a single value, and has a list",
        "job.yaml:4: verfy: unknown key; did you mean verify?",
        "job.yaml:5: load: must be one of keep, yes, no, and is \"maybe\"",
        "job.yaml:6: dry_run: must be true or false",
    ] {
        assert!(refusal.contains(expected), "{expected}\n in\n{refusal}");
    }
}

#[test]
fn a_job_without_collections_is_refused() {
    assert!(refusal("name: a").contains("collections: must name at least one collection"));
    assert!(refusal("collections: [docs]").contains("name: must be given"));
}

#[test]
fn rules_of_renaming_keep_their_order() {
    let text = "name: a\ncollections: [\"*.*\"]\nrename:\n  \"z.docs\": first\n  \"z.*\": \"y.*\"\n  \"a.*\": \"b.*\"\n";
    let spec = parse("job.yaml", text).unwrap();
    assert_eq!(spec.selection.target_name(&"z.docs".into()), "first".into());
    assert_eq!(
        spec.selection.target_name(&"z.other".into()),
        "y.other".into()
    );
}
