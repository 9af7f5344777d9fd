//! The proxy that the channel is dialled through: from the configuration, from the environment, or none.

use super::*;

const DIAL: &str = "  dial: \"globex.example:7443\"\n";

/// The complete configuration with these lines in its section `channel`.
fn with(lines: &str) -> String {
    COMPLETE.replace(DIAL, &format!("{DIAL}{lines}\n"))
}

fn under(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let overrides = Overrides::from_environment(variables.iter().map(owned));
    Config::parse("agent.yaml", text, overrides)
}

fn used(text: &str, variables: &[(&str, &str)]) -> ProxyUse {
    under(text, variables).unwrap().channel.proxy
}

fn through(found: ProxyUse) -> ProxySection {
    match found {
        ProxyUse::Through(section) => section,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_word_there_is_no_proxy() {
    assert_eq!(used(COMPLETE, &[]), ProxyUse::None);
}

#[test]
fn a_proxy_that_is_configured_is_taken_with_where_its_password_is_kept() {
    let lines = "  proxy: { uri: \"https://proxy.example:3129/\", user: passage, password_file: /pw, ca_pem_path: /ca.pem }";
    let found = through(used(&with(lines), &[]));
    let password = Some(SecretSource::File("/pw".into()));
    let user = "passage".to_owned();
    let expected = ProxySection {
        scheme: ProxyScheme::Https,
        address: values::host_port("proxy.example:3129").unwrap(),
        login: Some(ProxyLogin { user, password }),
        ca_pem_path: Some("/ca.pem".into()),
    };
    assert_eq!(found, expected);
    assert_eq!(found.to_string(), "https://proxy.example:3129");
}

#[test]
fn what_can_not_be_a_proxy_is_named_with_its_line() {
    for (lines, expected) in [
        (
            "  proxy: { uri: \"socks5://proxy:1080\" }",
            "agent.yaml:11: channel.proxy.uri: must be http:// or https:// with a host and a port",
        ),
        ("  proxy: { uri: \"http://proxy\" }", "a host and a port"),
        ("  proxy: { uri: proxy:3128 }", "a host and a port"),
        ("  proxy: {}", "channel.proxy.uri: must be given"),
        (
            "  proxy: { uri: \"http://u:canary@proxy:1\" }",
            "must not hold a user or password",
        ),
        (
            "  proxy: { uri: \"http://proxy:1\", password: canary }",
            "a secret is not written here",
        ),
        (
            "  proxy: { uri: \"http://proxy:1\", user: a }",
            "channel.proxy.user: needs password_file",
        ),
        (
            "  proxy: { uri: \"http://proxy:1\", password_file: /pw }",
            "channel.proxy.user: must be given",
        ),
        (
            "  proxy: { uri: \"http://proxy:1\", user: \"a:b\", password_file: /pw }",
            "must hold no colon",
        ),
        (
            "  proxy: { uri: \"http://proxy:1\", ca_pem_path: /ca.pem }",
            "needs an https:// uri",
        ),
        (
            "  proxy: { uri: none, ca_pem_path: /ca.pem }",
            "names no proxy",
        ),
        ("  proxy: { url: \"http://proxy:1\" }", "did you mean uri?"),
    ] {
        let refusal = under(&with(lines), &[]).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{expected}\n in\n{refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn a_proxy_is_refused_where_udp_or_a_listener_would_have_to_pass_it() {
    let lines = "  proxy: { uri: \"http://proxy:3128\" }";
    for (part, other, expected) in [
        (
            "transport: grpc",
            "transport: quic",
            "channel.transport: grpc",
        ),
        (DIAL, "  listen: \"0.0.0.0:1\"\n", "this agent listens"),
    ] {
        let refusal = under(&with(lines).replace(part, other), &[]).unwrap_err();
        assert!(refusal.to_string().contains(expected), "{refusal}");
        let unused = with("  proxy: { uri: none }").replace(part, other);
        assert_eq!(used(&unused, &[]), ProxyUse::None);
    }
}

#[test]
fn the_environment_names_a_proxy_where_the_configuration_does_not() {
    let everything = ("ALL_PROXY", "http://all:1");
    for (variables, address, variable) in [
        (&[everything][..], "http://all:1", "ALL_PROXY"),
        (
            &[everything, ("https_proxy", "http://small:1")],
            "http://small:1",
            "https_proxy",
        ),
        (
            &[
                ("https_proxy", "http://small:1"),
                ("HTTPS_PROXY", "http://large:1"),
            ],
            "http://large:1",
            "HTTPS_PROXY",
        ),
        (
            &[everything, ("HTTPS_PROXY", "")],
            "http://all:1",
            "ALL_PROXY",
        ),
    ] {
        let config = under(COMPLETE, variables).unwrap();
        let shown = config.origins().iter().find_map(|setting| {
            let is_it = setting.path == "channel.proxy.uri";
            is_it.then(|| format!("{} ({})", setting.value, setting.origin))
        });
        assert_eq!(shown, Some(format!("{address} (environment {variable})")));
        assert_eq!(through(config.channel.proxy).to_string(), address);
    }
    // What is meant for unencrypted pages is not asked.
    assert_eq!(
        used(COMPLETE, &[("HTTP_PROXY", "http://a:1")]),
        ProxyUse::None
    );
}

#[test]
fn the_configuration_stands_above_the_environment_and_can_say_none() {
    let variables = [("HTTPS_PROXY", "http://env:1")];
    let own = with("  proxy: { uri: \"http://own:1\" }");
    assert_eq!(through(used(&own, &variables)).to_string(), "http://own:1");
    let none = with("  proxy: { uri: none }");
    assert_eq!(used(&none, &variables), ProxyUse::None);
    let above = [variables[0], ("PASSAGE_CHANNEL_PROXY_URI", "none")];
    assert_eq!(used(&own, &above), ProxyUse::None);
}

#[test]
fn a_login_of_the_environment_is_shown_nowhere() {
    let variables = [("HTTPS_PROXY", "http://canary:canary@proxy:3128")];
    let config = under(COMPLETE, &variables).unwrap();
    let shown = format!("{:?}", config.origins());
    assert!(!shown.contains("canary"), "{shown}");
    let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let shown = format!("{:?}", Overrides::from_environment(owned));
    assert!(!shown.contains("canary"), "{shown}");
    let login = through(config.channel.proxy).login.unwrap();
    let kept = SecretSource::ProxyVariable("HTTPS_PROXY".to_owned());
    assert_eq!(login.password, Some(kept));
    let wrong = [("HTTPS_PROXY", "socks5://u:canary@proxy:1080")];
    let refusal = under(COMPLETE, &wrong).unwrap_err().to_string();
    assert!(!refusal.contains("canary"), "{refusal}");
    assert!(
        refusal.contains("(from environment HTTPS_PROXY)"),
        "{refusal}"
    );
}

#[test]
fn a_proxy_of_the_environment_is_not_used_where_it_can_not_be_or_is_not_meant() {
    let quic = COMPLETE.replace("transport: grpc", "transport: quic");
    let near = COMPLETE.replace("globex.example:7443", "127.0.0.1:7443");
    let proxy = ("HTTPS_PROXY", "http://proxy:3128");
    let exempt = ("no_proxy", "acme.example,.globex.example");
    for (text, variables, expected) in [
        (quic.as_str(), &[proxy][..], "QUIC is UDP"),
        (&near, &[proxy], "is on this machine"),
        (
            COMPLETE,
            &[proxy, exempt],
            "no_proxy exempts globex.example:7443",
        ),
    ] {
        match used(text, variables) {
            ProxyUse::Unused { variable, why } => {
                assert_eq!(variable, "HTTPS_PROXY");
                assert!(why.contains(expected), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    let listens = COMPLETE.replace(DIAL, "  listen: \"0.0.0.0:1\"\n");
    assert_eq!(used(&listens, &[proxy]), ProxyUse::None);
}
