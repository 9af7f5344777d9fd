//! Commands that need no agent.

use super::plain_command;
use crate::cli::exit::Exit;

const CONFIG: &str = "\
agent: { name: acme, state_dir: DIR/state }
milvus: { uri: 'http://127.0.0.1:1', user: root, password_file: DIR/password }
channel:
  dial: 'globex.example:7443'
  tls: { cert: DIR/agent-source.pem, key: DIR/agent-source.key, peer_ca: DIR/ca.pem }
  peers: [ { name: globex, id: 'spiffe://example.org/passage/target' } ]
scope: { allow: ['*.*'] }
";

#[tokio::test]
async fn made_certificates_and_a_configuration_that_names_them_pass_the_check() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().display().to_string();
    let file = format!("{dir}/agent.yaml");
    std::fs::write(&file, CONFIG.replace("DIR", &dir)).unwrap();
    std::fs::write(format!("{dir}/password"), "canary").unwrap();
    let check = format!("config check --config {file}");
    let told = plain_command(&check).await;
    assert_eq!(told.exit, Exit::Refused);
    assert!(told.err.contains("[certificate_invalid]"), "{}", told.err);

    let told = plain_command(&format!(
        "certs pair --dir {dir} --domain example.org -o json"
    ))
    .await;
    assert_eq!(told.exit, Exit::Done, "{}", told.err);
    assert_eq!(
        told.json()[0]["target"]["names"][0],
        "spiffe://example.org/passage/target"
    );
    assert_eq!(plain_command(&check).await.exit, Exit::Done);
    let again = plain_command(&format!("certs pair --dir {dir} --domain example.org")).await;
    assert_eq!(again.exit, Exit::Refused);

    let shown = plain_command(&format!("config show --origin --config {file}")).await;
    assert!(
        shown.out.contains("milvus.password_file") && shown.out.contains("file, line 2"),
        "{}",
        shown.out
    );
    assert!(
        shown.out.contains("limits.memory") && shown.out.contains("default"),
        "{}",
        shown.out
    );
    assert!(!shown.out.contains("canary"));
}

#[tokio::test]
async fn a_shown_certificate_tells_what_the_other_sides_list_must_say() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().display().to_string();
    plain_command(&format!("certs ca --dir {dir}")).await;
    let made = plain_command(&format!(
        "certs leaf --dir {dir} --spiffe spiffe://a.example/x --host a.example"
    ))
    .await;
    assert_eq!(made.exit, Exit::Done, "{}", made.err);
    let shown = plain_command(&format!("certs show {dir}/agent-source.pem")).await;
    for part in [
        "spiffe://a.example/x",
        "dns:a.example",
        "fingerprint  sha256:",
        "valid until  2",
    ] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
}

#[tokio::test]
async fn a_renewed_certificate_takes_the_place_of_the_former_one() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().display().to_string();
    plain_command(&format!("certs pair --dir {dir} --domain example.org")).await;
    let show = format!("certs show {dir}/agent-source.pem -o json");
    let former = plain_command(&show).await.json();
    let renewed = plain_command(&format!("certs renew --dir {dir} --days 9")).await;
    assert_eq!(renewed.exit, Exit::Done, "{}", renewed.err);
    assert!(
        renewed.out.contains("of the same key as before"),
        "{}",
        renewed.out
    );
    let now = plain_command(&show).await.json();
    assert_eq!(now[0]["names"], former[0]["names"]);
    assert_ne!(now[0]["fingerprint"], former[0]["fingerprint"]);
    let rekeyed = plain_command(&format!("certs renew --dir {dir} --new-key -o json")).await;
    let key = format!("{dir}/agent-source.key");
    assert_eq!(rekeyed.json()[0]["key"], key, "{}", rekeyed.err);
    let absent = plain_command(&format!("certs renew --dir {dir} --name other")).await;
    assert_eq!(absent.exit, Exit::Refused);
    assert!(absent.err.contains("other.pem"), "{}", absent.err);
}

#[tokio::test]
async fn a_check_reads_the_password_of_a_proxy_and_says_which_proxy_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().display().to_string();
    let file = format!("{dir}/agent.yaml");
    let proxy = "dial: 'globex.example:7443'\n  proxy: { uri: 'http://proxy.example:3128', user: passage, password_file: DIR/proxy.pw }";
    let config = CONFIG.replace("dial: 'globex.example:7443'", proxy);
    std::fs::write(&file, config.replace("DIR", &dir)).unwrap();
    std::fs::write(format!("{dir}/password"), "canary").unwrap();
    plain_command(&format!("certs pair --dir {dir} --domain example.org")).await;
    let check = format!("config check --config {file}");
    let told = plain_command(&check).await;
    assert_eq!(told.exit, Exit::Refused);
    assert!(told.err.contains("proxy.pw"), "{}", told.err);

    std::fs::write(format!("{dir}/proxy.pw"), "canary").unwrap();
    let told = plain_command(&check).await;
    assert_eq!(told.exit, Exit::Done, "{}", told.err);
    let line = "dialled through the proxy http://proxy.example:3128 (file, line 5)";
    assert!(told.out.contains(line), "{}", told.out);
    let told = plain_command(&format!("{check} -o json")).await;
    let used = &told.json()[0]["proxy"];
    assert_eq!(used["uri"], "http://proxy.example:3128", "{used}");
    let shown = plain_command(&format!("config show --config {file}")).await;
    assert!(shown.out.contains("channel.proxy.user"), "{}", shown.out);
    assert!(!format!("{}{}", told.out, shown.out).contains("canary"));
}
