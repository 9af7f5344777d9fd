//! What the usual variables of the environment say of a proxy, read as curl and Go's `net/http` read them. Where the two differ:
//! - a name in the list of exemptions means itself and all names below it, with or without a dot before it, as curl has it;
//! - a `*.` before it means the names below it alone, and a port behind it that port alone, as Go has it;
//! - a proxy without a port is at its scheme's, 80 or 443, as Go has it;
//! - this machine is never reached through a proxy, as Go has it.

use super::{ProxyScheme, scheme_of};
use crate::config::values::{self, HostPort};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use std::net::IpAddr;

/// Variables, the first of which that is set counts: of what is encrypted, of everything, and of what goes straight.
pub(super) const PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
pub(super) const ANY_PROXY: [&str; 2] = ["ALL_PROXY", "all_proxy"];
pub(super) const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A proxy as a variable names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) scheme: ProxyScheme,
    pub(super) address: HostPort,
    pub(super) user: Option<String>,
    pub(super) has_password: bool,
}

/// Reads a variable's URI; without a scheme it is http's. The refusal repeats nothing of it, for it may hold a password.
pub(super) fn parse(uri: &str) -> Result<Named, String> {
    let refusal = || {
        "must be http:// or https:// with a host and a port; set channel.proxy.uri to the proxy that this agent is to use, or to none"
            .to_owned()
    };
    let (scheme, rest) = if uri.contains("://") {
        scheme_of(uri).ok_or_else(refusal)?
    } else {
        (ProxyScheme::Http, uri)
    };
    let (login, address) = divided(rest);
    let address = match scheme {
        _ if has_port(address) => address.to_owned(),
        ProxyScheme::Http => format!("{address}:80"),
        ProxyScheme::Https => format!("{address}:443"),
    };
    let address = values::host_port(&address).map_err(|_| refusal())?;
    let (user, password) = login.map(parted).unwrap_or_default();
    Ok(Named {
        scheme,
        address,
        user: login.map(|_| user),
        has_password: !password.is_empty(),
    })
}

/// The password in a proxy's URI; empty where there is none.
pub(in crate::config) fn password_of(uri: &str) -> String {
    let rest = uri.trim();
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
    let (login, _) = divided(rest);
    login.map(parted).unwrap_or_default().1
}

/// What stands before the host, if anything does, and the host with its port.
fn divided(rest: &str) -> (Option<&str>, &str) {
    let (login, behind) = match rest.rsplit_once('@') {
        Some((login, behind)) => (Some(login), behind),
        None => (None, rest),
    };
    let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
    (login, &behind[..end])
}

/// A user and a password.
fn parted(login: &str) -> (String, String) {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    (decoded(user), decoded(password))
}

fn has_port(address: &str) -> bool {
    let behind_brackets = address.rsplit_once(']').map_or(address, |(_, rest)| rest);
    behind_brackets.contains(':')
}

/// Whether a host is this machine by its very name.
pub(super) fn is_this_machine(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

/// Whether a list of exemptions, divided by commas or spaces, has a peer. No name is resolved for it.
pub(super) fn exempts(list: &str, peer: &HostPort) -> bool {
    list.split([',', ' ', '\t'])
        .filter(|entry| !entry.is_empty())
        .any(|entry| entry == "*" || is_meant(entry, peer))
}

fn is_meant(entry: &str, peer: &HostPort) -> bool {
    let host = peer.host.trim_end_matches('.');
    if let Ok(network) = entry.parse::<IpNet>() {
        return host
            .parse::<IpAddr>()
            .is_ok_and(|address| network.contains(&address.to_canonical()));
    }
    let (name, port) = with_port(entry);
    if port.is_some_and(|port| port != peer.port) {
        return false;
    }
    match (name.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        (Ok(named), Ok(address)) => named.to_canonical() == address.to_canonical(),
        (Err(_), Err(_)) => is_name_meant(name, host),
        _ => false,
    }
}

/// An entry's name or address, and its port if it has one.
fn with_port(entry: &str) -> (&str, Option<u16>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => (name, port.parse().ok()),
        _ => (entry, None),
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    (bare.unwrap_or(name), port)
}

fn is_name_meant(name: &str, host: &str) -> bool {
    let (name, is_itself_meant) = match name.strip_prefix("*.") {
        Some(name) => (name, false),
        None => (name.strip_prefix('.').unwrap_or(name), true),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    let is_below = host
        .strip_suffix(&name)
        .is_some_and(|above| above.ends_with('.'));
    !name.is_empty() && (is_below || (is_itself_meant && host == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> HostPort {
        values::host_port(text).unwrap()
    }

    #[test]
    fn a_variable_may_leave_out_scheme_and_port_and_hold_a_login() {
        let named = |uri: &str| {
            let named = parse(uri).unwrap();
            (
                named.scheme,
                named.address.to_string(),
                named.user,
                named.has_password,
            )
        };
        let http = |address: &str, user: Option<&str>, has_password| {
            (
                ProxyScheme::Http,
                address.to_owned(),
                user.map(str::to_owned),
                has_password,
            )
        };
        assert_eq!(named("proxy:3128"), http("proxy:3128", None, false));
        assert_eq!(named("http://proxy"), http("proxy:80", None, false));
        assert_eq!(named("HTTP://proxy:1/"), http("proxy:1", None, false));
        assert_eq!(named("http://[::1]"), http("[::1]:80", None, false));
        assert_eq!(named("http://u@proxy"), http("proxy:80", Some("u"), false));
        let login = named("http://acme%5Cu:p%40s%3As@proxy:3128/x?y");
        assert_eq!(login, http("proxy:3128", Some("acme\\u"), true));
        let (scheme, address, ..) = named("https://proxy");
        assert_eq!(
            (scheme, address.as_str()),
            (ProxyScheme::Https, "proxy:443")
        );
    }

    #[test]
    fn the_password_of_a_variable_is_decoded() {
        for (uri, password) in [
            ("http://u:p%40s%3As@proxy:3128", "p@s:s"),
            ("u:a@b@proxy:3128", "a@b"),
            ("http://u@proxy", ""),
            ("http://proxy:3128", ""),
        ] {
            assert_eq!(password_of(uri), password, "{uri}");
        }
    }

    #[test]
    fn what_is_no_http_proxy_is_refused_and_not_repeated() {
        for uri in [
            "socks5://u:canary@proxy:1080",
            "ftp://canary",
            "http://u:canary@",
            "http://canary:0",
            "http://can ary:1",
        ] {
            let refusal = parse(uri).unwrap_err();
            assert!(!refusal.contains("canary"), "{refusal}");
            assert!(refusal.contains("channel.proxy.uri"), "{refusal}");
        }
    }

    #[test]
    fn names_addresses_networks_and_the_star_are_exempted() {
        for (list, host, is_meant) in [
            ("*", "a.example:1", true),
            ("a.example", "a.example:1", true),
            ("a.example", "A.EXAMPLE.:1", true),
            ("a.example", "b.a.example:1", true),
            ("a.example", "ba.example:1", false),
            (".a.example", "a.example:1", true),
            (".a.example", "b.a.example:1", true),
            ("*.a.example", "b.a.example:1", true),
            ("*.a.example", "a.example:1", false),
            ("x, a.example", "a.example:1", true),
            ("x a.example", "a.example:1", true),
            ("a.example:7443", "a.example:7443", true),
            ("a.example:7443", "a.example:1", false),
            ("10.1.2.3", "10.1.2.3:1", true),
            ("10.1.2.3", "10.1.2.4:1", false),
            ("10.0.0.0/8", "10.1.2.4:1", true),
            ("10.0.0.0/8", "11.1.2.4:1", false),
            ("10.0.0.0/8", "10.example:1", false),
            ("10.1.2.3:7443", "10.1.2.3:7443", true),
            ("::1", "[::1]:1", true),
            ("[fd00::1]:7443", "[fd00::1]:7443", true),
            ("fd00::/8", "[fd12::1]:1", true),
            ("fd00::/8", "[fe12::1]:1", false),
            (".", "a.example:1", false),
            (",, ,", "a.example:1", false),
        ] {
            assert_eq!(exempts(list, &peer(host)), is_meant, "{list} {host}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "128.0.0.1"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
