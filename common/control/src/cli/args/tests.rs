//! What can be said on the command line, and what its help says.

use super::*;
use clap::error::ErrorKind;

fn parse(words: &str) -> Result<Cli, clap::Error> {
    Cli::parse_for(Program::Target, words.split(' ').map(OsString::from))
}

/// The help texts of a command and of everything below it.
fn all_help(command: &mut Command, found: &mut Vec<String>) {
    found.push(command.render_long_help().to_string());
    for sub in command.get_subcommands_mut() {
        all_help(sub, found);
    }
}

#[test]
fn clap_finds_nothing_wrong_with_the_command_line() {
    for program in [Program::Source, Program::Target] {
        command(program).debug_assert();
    }
}

#[test]
fn help_names_the_program_that_runs_and_its_peer() {
    let mut texts = Vec::new();
    all_help(&mut command(Program::Target), &mut texts);
    let text = texts.join("\n");
    assert!(
        text.contains("agent-target runs beside the target Milvus and is joined to agent-source"),
        "{text}"
    );
    assert!(!text.contains('{'), "a placeholder is left: {text}");
    assert!(
        text.contains("spiffe://acme.example/passage/target"),
        "{text}"
    );
}

#[test]
fn every_command_that_waits_for_a_job_documents_its_exit_codes() {
    let mut command = command(Program::Source);
    let job = command.find_subcommand_mut("job").unwrap();
    for name in ["create", "watch", "verify", "report"] {
        let help = job
            .find_subcommand_mut(name)
            .unwrap()
            .render_long_help()
            .to_string();
        assert!(help.contains("Exit codes"), "{name}: {help}");
    }
}

#[test]
fn the_output_form_may_stand_anywhere() {
    for words in [
        "agent-target -o json job list",
        "agent-target job list -o json",
        "agent-target job -o json list",
    ] {
        assert_eq!(parse(words).unwrap().output, Output::Json, "{words}");
    }
}

#[test]
fn a_job_is_created_from_a_file_and_the_agent_named_by_its_socket() {
    let cli =
        parse("agent-target job create -f job.yaml --dry-run --admin unix:/run/a.sock").unwrap();
    let Sub::Job(JobSub::Create {
        file,
        dry_run,
        watch,
        reach,
    }) = cli.command
    else {
        panic!("{cli:?}")
    };
    assert_eq!(
        (file, dry_run, watch),
        (PathBuf::from("job.yaml"), true, false)
    );
    assert_eq!(reach.admin, Some(Address::Unix("/run/a.sock".into())));
}

#[test]
fn a_job_name_with_a_slash_and_a_relative_socket_are_refused_with_their_cause() {
    let refusal = parse("agent-target job show a/b").unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::ValueValidation);
    assert!(
        refusal.to_string().contains("must be 1 to 64 characters"),
        "{refusal}"
    );
    let refusal = parse("agent-target job list --admin unix:run/a.sock").unwrap_err();
    assert!(
        refusal.to_string().contains("unix:/path/of/the/socket"),
        "{refusal}"
    );
}

#[test]
fn a_leaf_is_named_after_the_program_unless_told_otherwise() {
    let cli = parse("agent-target certs leaf --spiffe spiffe://a/b").unwrap();
    let Sub::Certs(CertsSub::Leaf { name, .. }) = cli.command else {
        panic!("{cli:?}")
    };
    assert_eq!(name.as_str(), "agent-target");
}

#[test]
fn no_secret_can_be_given_as_a_flag() {
    let mut texts = Vec::new();
    all_help(&mut command(Program::Source), &mut texts);
    // The one flag about a key names its file.
    let texts: Vec<String> = texts
        .iter()
        .map(|text| text.replace("--admin-key <FILE>", ""))
        .collect();
    for word in ["password", "token", "secret", "-key "] {
        let flag = format!("--{word}");
        let is_flag = |text: &String| {
            text.lines()
                .any(|line| line.trim_start().starts_with("-") && line.contains(&flag))
        };
        assert!(!texts.iter().any(is_flag), "{word}");
    }
}
