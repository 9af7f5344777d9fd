//! What is in `deploy/` fits the program: examples are accepted, and the documentation knows every code and metric.

use runtime::Config;
use runtime::config::{Overrides, job_file};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const AGENTS: [&str; 2] = ["agent-source.yaml", "agent-target.yaml"];

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(deploy(path)).expect("deploy/ lies two floors up")
}

fn example(name: &str) -> String {
    text(&format!("examples/{name}"))
}

/// The text with one of its disabled keys enabled, for each of them: lines on which a key follows the `#` without a space.
fn with_each_disabled_key(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_disabled = |line: &str| {
        line.trim_start()
            .strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    let places = (0..lines.len()).filter(|place| is_disabled(lines[*place]));
    places
        .map(|place| {
            let mut enabled: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            enabled[place] = enabled[place].replacen('#', "", 1);
            (lines[place].trim().to_owned(), enabled.join("\n"))
        })
        .collect()
}

#[test]
fn the_example_configurations_are_accepted_and_their_pair_fits() {
    let [source, target] =
        AGENTS.map(|name| Config::parse(name, &example(name), Overrides::default()).unwrap());
    assert_eq!(source.channel.peers[0].name, target.agent.name.as_str());
    assert_eq!(target.channel.peers[0].name, source.agent.name.as_str());
}

#[test]
fn every_key_in_the_examples_is_known_whether_or_not_it_is_commented_out() {
    for name in AGENTS {
        let disabled = with_each_disabled_key(&example(name));
        assert!(disabled.len() > 10, "{name}");
        for (line, enabled) in disabled {
            if let Err(refusal) = Config::parse(name, &enabled, Overrides::default()) {
                // Alternatives exclude each other, and so may be refused beside what the example has chosen.
                let refusal = refusal.to_string();
                let is_known = !refusal.contains("unknown key")
                    || refusal.contains("has no meaning on a unix socket");
                assert!(is_known, "{line}: {refusal}");
            }
        }
    }
}

#[test]
fn every_setting_in_force_is_in_the_examples() {
    for name in AGENTS {
        let config = Config::parse(name, &example(name), Overrides::default()).unwrap();
        for setting in config.origins() {
            let key = setting.path.rsplit('.').next().unwrap();
            assert!(
                example(name).contains(&format!("{key}:")),
                "{name} does not mention {}",
                setting.path
            );
        }
    }
}

#[test]
fn the_example_job_is_accepted_and_its_comments_are_its_defaults() {
    let given = example("job.yaml");
    let job = job_file::parse("job.yaml", &given).unwrap();
    let disabled = with_each_disabled_key(&given);
    assert_eq!(disabled.len(), 10);
    for (line, enabled) in disabled {
        let parse = |text: &str| job_file::parse("job.yaml", text);
        if line.contains("cutover:") {
            // It is of live jobs alone.
            let live = enabled.replace("#mode: copy", "mode: live");
            assert_eq!(parse(&live).unwrap().cutover, job.cutover, "{line}");
        } else {
            assert_eq!(parse(&enabled).as_ref(), Ok(&job), "{line}");
        }
    }
}

#[test]
fn every_code_is_documented_with_a_remedy_and_no_other_code_is() {
    let text = text("docs/errors.md");
    let mut documented = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        assert!(cells[1..].iter().all(|cell| !cell.is_empty()), "{row}");
        assert!(
            documented.insert(cells[0].trim_matches('`').to_owned()),
            "twice: {row}"
        );
    }
    let known: BTreeSet<String> = model::codes::ALL
        .iter()
        .map(|code| (*code).to_owned())
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn every_metric_is_documented() {
    let text = text("docs/operating.md");
    for metric in runtime::telemetry::metric_names::ALL {
        assert!(
            text.contains(&format!("| `{}` |", metric.name)),
            "{}",
            metric.name
        );
    }
}

#[test]
fn the_units_start_and_reload_the_agents_as_their_examples_expect_it() {
    for side in ["source", "target"] {
        let unit = text(&format!("systemd/passage-{side}.service"));
        let file = format!("agent-{side}.yaml");
        assert!(unit.contains(&format!(
            "ExecStart=/usr/bin/agent-{side} serve --config /etc/passage/{file}\n"
        )));
        assert!(unit.contains("ExecReload=/bin/kill -HUP $MAINPID\n"));
        let config = Config::parse(&file, &example(&file), Overrides::default()).unwrap();
        let key = config.channel.tls.key.display().to_string();
        assert!(
            unit.contains(&format!("LoadCredential=tls.key:{key}\n")),
            "{key}"
        );
    }
}
