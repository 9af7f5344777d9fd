//! Checking and showing an agent's configuration.

use super::args::ConfigSub;
use super::exit::Exit;
use super::render::Table;
use super::terminal::{Failure, Terminal};
use crate::Program;
use model::{Class, Fault, codes};
use runtime::Config;
use runtime::config::{
    AdminSection, LogSection, MilvusCredentials, Overrides, ProxyUse, Setting, TransportKind,
};
use serde_json::{Value, json};
use std::path::Path;

/// The configuration in force: the file, under the environment.
pub(super) fn load(file: &Path) -> Result<Config, Fault> {
    parse(file, &read(file)?)
}

/// The same, as this program is to use it.
pub(super) fn load_of(program: Program, file: &Path) -> Result<Config, Fault> {
    parse_of(program, file, &read(file)?)
}

/// The text in the file.
pub(super) fn read(file: &Path) -> Result<String, Fault> {
    Ok(Config::text(file)?)
}

fn parse(file: &Path, text: &str) -> Result<Config, Fault> {
    // A variable that is no text is no setting of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let overrides = Overrides::from_environment(variables);
    Ok(Config::parse(&file.display().to_string(), text, overrides)?)
}

/// The configuration in this text of the file, under the environment, as this program is to use it.
pub(super) fn parse_of(program: Program, file: &Path, text: &str) -> Result<Config, Fault> {
    let config = parse(file, text)?;
    if program == Program::Target && config.log.is_some() {
        let message = format!(
            "{}: log: only the source's agent follows a log",
            file.display()
        );
        let hint = "put the section into the configuration of the agent beside the source Milvus";
        let fault = Fault::new(codes::CONFIG_INVALID, Class::Operator, message, hint);
        return Err(fault);
    }
    Ok(config)
}

pub(super) fn run(
    program: Program,
    command: &ConfigSub,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    match command {
        ConfigSub::Check { config } => {
            let checked = load_of(program, &config.config)?;
            check(&checked)?;
            let file = config.config.display().to_string();
            let proxy = &checked.channel.proxy;
            let controller = without_bbr(&checked);
            let shown = json!({
                "file": file, "valid": true, "proxy": proxy_json(proxy), "without_bbr": controller,
            });
            terminal.show(&shown, |_| {
                let right = format!("{file}: complete and right");
                let notes = [proxy_line(&checked), controller.clone()];
                std::iter::once(right)
                    .chain(notes.into_iter().flatten())
                    .collect()
            })?;
        }
        ConfigSub::Show { config, origin } => {
            let config = load_of(program, &config.config)?;
            let settings: Vec<Value> = config
                .origins()
                .iter()
                .map(|setting| json_of(setting, *origin))
                .collect();
            terminal.show(&settings, |_| lines(config.origins(), *origin))?;
        }
    }
    Ok(Exit::Done)
}

/// What can be checked without the network: that secrets can be read, and that certificates and keys fit.
fn check(config: &Config) -> Result<(), Fault> {
    channel::trust(&config.channel.tls, &config.channel.peers)?;
    if let AdminSection::Tcp { tls, peers, .. } = &config.admin {
        channel::trust(tls, peers)?;
    }
    let milvus = config.milvus.credentials.as_ref();
    let log = config.log.as_ref();
    let proxy = match &config.channel.proxy {
        ProxyUse::Through(proxy) => proxy.login.as_ref(),
        ProxyUse::None | ProxyUse::Unused { .. } => None,
    };
    let secrets = [
        milvus.map(MilvusCredentials::source),
        log.and_then(LogSection::secret),
        proxy.and_then(|login| login.password.as_ref()),
    ];
    for source in secrets.into_iter().flatten() {
        source.read()?;
    }
    Ok(())
}

/// The proxy that is used, or why one that the environment names is not; never who calls it.
fn proxy_json(proxy: &ProxyUse) -> Value {
    match proxy {
        ProxyUse::None => Value::Null,
        ProxyUse::Unused { variable, why } => {
            json!({ "used": false, "variable": variable, "why": why })
        }
        ProxyUse::Through(proxy) => json!({ "used": true, "uri": proxy.to_string() }),
    }
}

/// The same for people, and who named it.
fn proxy_line(config: &Config) -> Option<String> {
    match &config.channel.proxy {
        ProxyUse::None => None,
        ProxyUse::Unused { variable, why } => Some(format!(
            "channel: the proxy in {variable} is not used: {why}"
        )),
        ProxyUse::Through(proxy) => {
            let mut settings = config.origins().iter();
            let named = settings.find(|setting| setting.path == "channel.proxy.uri");
            let origin = named.map(|setting| format!(" ({})", setting.origin));
            Some(format!(
                "channel: the peer is dialled through the proxy {proxy}{}",
                origin.unwrap_or_default()
            ))
        }
    }
}

/// What gRPC lacks on this machine for a long line, if anything.
fn without_bbr(config: &Config) -> Option<String> {
    let is_grpc = config.channel.transport == TransportKind::Grpc;
    let lacking = is_grpc.then(channel::tcp::has_bbr)?.err()?;
    Some(format!(
        "channel: {} ({lacking})",
        channel::tcp::WITHOUT_BBR
    ))
}

fn json_of(setting: &Setting, with_origin: bool) -> Value {
    let mut shown = json!({ "key": setting.path, "value": setting.value });
    if with_origin {
        shown["origin"] = setting.origin.to_string().into();
    }
    shown
}

fn lines(settings: &[Setting], with_origin: bool) -> Vec<String> {
    let mut table = Table::new(if with_origin {
        &["KEY", "VALUE", "ORIGIN"]
    } else {
        &["KEY", "VALUE"]
    });
    for setting in settings {
        let mut cells = vec![setting.path.clone(), setting.value.clone()];
        cells.extend(with_origin.then(|| setting.origin.to_string()));
        table.row(cells);
    }
    table.lines(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
agent: { name: acme, state_dir: /state }
milvus: { uri: "http://127.0.0.1:1" }
channel:
  transport: grpc
  dial: "globex.example:7443"
  tls: { cert: /cert, key: /key, peer_ca: /ca }
  peers: [ { name: globex, id: "dns:globex.example" } ]
scope: { allow: ["*.*"] }
"#;

    /// What a check says of the proxy that the environment names.
    fn told(text: &str, variables: &[(&str, &str)]) -> (Option<String>, Value) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let overrides = Overrides::from_environment(variables.iter().map(owned));
        let config = Config::parse("agent.yaml", text, overrides).unwrap();
        (proxy_line(&config), proxy_json(&config.channel.proxy))
    }

    #[test]
    fn a_check_tells_which_proxy_of_the_environment_is_used_or_why_not_and_never_who_calls() {
        let proxy = ("HTTPS_PROXY", "http://canary:canary@proxy.example:3128");
        assert_eq!(told(TEXT, &[]), (None, Value::Null));
        let quic = TEXT.replace("transport: grpc", "transport: quic");
        for (text, variables, line, used) in [
            (
                TEXT,
                &[proxy][..],
                "through the proxy http://proxy.example:3128 (environment HTTPS_PROXY)",
                true,
            ),
            (
                &quic,
                &[proxy],
                "the proxy in HTTPS_PROXY is not used: QUIC",
                false,
            ),
            (
                TEXT,
                &[proxy, ("NO_PROXY", "*")],
                "is not used: NO_PROXY exempts globex.example:7443",
                false,
            ),
        ] {
            let (told, json) = told(text, variables);
            let told = told.unwrap_or_default();
            assert!(told.contains(line), "{told}");
            assert_eq!(json["used"], used, "{json}");
            assert!(!format!("{told}{json}").contains("canary"), "{told} {json}");
        }
    }
}
