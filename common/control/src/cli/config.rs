//! Checking and showing an agent's configuration.

use super::args::ConfigSub;
use super::exit::Exit;
use super::render::Table;
use super::terminal::{Failure, Terminal};
use model::Fault;
use runtime::Config;
use runtime::config::{AdminSection, LogSection, MilvusCredentials, Overrides, Setting};
use serde_json::{Value, json};
use std::path::Path;

/// The configuration in force: the file, under the environment.
pub(super) fn load(file: &Path) -> Result<Config, Fault> {
    // A variable that is no text is no setting of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Config::load(file, Overrides::from_environment(variables))?)
}

pub(super) fn run(command: &ConfigSub, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        ConfigSub::Check { config } => {
            check(&load(&config.config)?)?;
            let file = config.config.display().to_string();
            terminal.show(&json!({ "file": file, "valid": true }), |_| {
                vec![format!("{file}: complete and right")]
            })?;
        }
        ConfigSub::Show { config, origin } => {
            let config = load(&config.config)?;
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
    let secrets = [
        milvus.map(MilvusCredentials::source),
        log.and_then(LogSection::secret),
    ];
    for source in secrets.into_iter().flatten() {
        source.read()?;
    }
    Ok(())
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
