//! Certificates for those who have none.

use super::args::{CertsSub, Placing};
use super::exit::Exit;
use super::terminal::{Failure, Terminal};
use super::units;
use channel::certs::{
    self, CertDescription, CertsError, Existing, LeafRequest, Made, Pair, RenewedKey, Validity,
};
use model::Fault;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::SystemTime;

pub(super) fn run(command: &CertsSub, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let (value, lines) = outcome(command).map_err(Fault::from)?;
    terminal.show(&value, |_| lines)?;
    Ok(Exit::Done)
}

/// What was made or read, for programs and for people.
fn outcome(command: &CertsSub) -> Result<(Value, Vec<String>), CertsError> {
    match command {
        CertsSub::Ca {
            placing,
            name,
            days,
        } => {
            let made = certs::make_authority(
                &placing.dir,
                name,
                Validity::days(*days),
                existing(placing),
            )?;
            Ok((json_of(&made), authority_lines(&made)))
        }
        CertsSub::Leaf {
            placing,
            name,
            spiffe,
            hosts,
            days,
        } => {
            let request = LeafRequest {
                name: name.clone(),
                spiffe: spiffe.clone(),
                hosts: hosts.clone(),
                validity: Validity::days(*days),
            };
            let made = certs::make_leaf(&placing.dir, &request, existing(placing))?;
            Ok((json_of(&made), leaf_lines("this agent", &made)))
        }
        CertsSub::Renew {
            dir,
            name,
            days,
            new_key,
        } => {
            let key = if *new_key {
                RenewedKey::New
            } else {
                RenewedKey::Same
            };
            let made = certs::renew_leaf(dir, name, *days, key)?;
            if *new_key {
                return Ok((json_of(&made), leaf_lines("this agent", &made)));
            }
            let mut value = json_of_description(&made.description);
            value["cert"] = made.cert.display().to_string().into();
            let place = format!("{}  of the same key as before", made.cert.display());
            let lines = [vec![place], description_lines(&made.description)];
            Ok((value, lines.concat()))
        }
        CertsSub::Pair { placing, domain } => {
            let pair = certs::make_pair(&placing.dir, domain, existing(placing))?;
            let Pair {
                authority,
                source,
                target,
            } = &pair;
            let value = json!({ "authority": json_of(authority), "source": json_of(source), "target": json_of(target) });
            let lines = [
                authority_lines(authority),
                leaf_lines("agent-source", source),
                leaf_lines("agent-target", target),
            ];
            Ok((value, lines.concat()))
        }
        CertsSub::Show { file } => {
            let description = certs::describe(file)?;
            Ok((
                json_of_description(&description),
                description_lines(&description),
            ))
        }
    }
}

fn existing(placing: &Placing) -> Existing {
    if placing.replace {
        Existing::Replace
    } else {
        Existing::Keep
    }
}

fn json_of(made: &Made) -> Value {
    let mut value = json_of_description(&made.description);
    value["cert"] = made.cert.display().to_string().into();
    value["key"] = made.key.display().to_string().into();
    value
}

fn json_of_description(description: &CertDescription) -> Value {
    json!({
        "subject": description.subject,
        "names": names(description),
        "fingerprint": fingerprint(description),
        "not_after": end(description),
    })
}

/// The certificate's names as `channel.peers` writes them, and its addresses.
fn names(description: &CertDescription) -> Vec<String> {
    let written = |name: &String| match name.parse::<IpAddr>() {
        Err(_) if !name.contains("://") => format!("dns:{name}"),
        _ => name.clone(),
    };
    description.sans.iter().map(written).collect()
}

fn fingerprint(description: &CertDescription) -> String {
    format!("sha256:{}", description.fingerprint)
}

fn end(description: &CertDescription) -> String {
    let since_epoch = description
        .not_after
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    units::moment(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

fn authority_lines(made: &Made) -> Vec<String> {
    vec![
        format!(
            "{}  the CA; give it to the other side, for channel.tls.peer_ca",
            made.cert.display()
        ),
        format!(
            "{}  its key; keep it, but on neither agent's machine",
            made.key.display()
        ),
    ]
}

fn leaf_lines(of: &str, made: &Made) -> Vec<String> {
    let mut lines = vec![
        format!("{}  for {of}: channel.tls.cert", made.cert.display()),
        format!("{}  for {of}: channel.tls.key", made.key.display()),
    ];
    lines.extend(
        description_lines(&made.description)
            .into_iter()
            .map(|line| format!("  {line}")),
    );
    lines
}

fn description_lines(description: &CertDescription) -> Vec<String> {
    let mut lines = vec![format!("subject      {}", description.subject)];
    lines.extend(
        names(description)
            .into_iter()
            .map(|name| format!("name         {name}")),
    );
    lines.push(format!("fingerprint  {}", fingerprint(description)));
    lines.push(format!("valid until  {}", end(description)));
    lines
}
