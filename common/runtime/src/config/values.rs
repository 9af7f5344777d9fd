//! Single values: sizes, durations, addresses. Each parser says in plain words what it wanted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A host and a port to dial. The host is a name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// The name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A size such as `256MiB`: B, KiB, MiB, GiB, TiB, or KB, MB, GB, TB by thousands; without a unit, bytes.
///
/// # Errors
/// In words, when it is none.
pub fn byte_size(text: &str) -> Result<u64, String> {
    let units: [(&str, u64); 10] = [
        ("", 1),
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    scaled(text, &units).ok_or_else(|| format!("must be a size such as 256MiB, and is {text:?}"))
}

/// A duration such as `30s`: ms, s, m, h, d; the unit must be given.
///
/// # Errors
/// In words, when it is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let units: [(&str, u64); 5] = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    scaled(text, &units)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("must be a duration such as 30s, and is {text:?}"))
}

/// Digits with a unit behind them, perhaps after a space.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

pub(super) fn text(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    self::text(text).map(PathBuf::from)
}

/// A whole number between these two.
pub(super) fn number(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!(
            "must be a whole number from {least} to {most}, and is {text:?}"
        )),
    }
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("must be true or false, and is {text:?}")),
    }
}

/// One of these words.
pub(super) fn choice<T: Copy, const N: usize>(
    words: [(&'static str, T); N],
) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let known = || words.map(|(word, _)| word).join(", ");
        let found = words.iter().find(|(word, _)| *word == text);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("must be one of {}, and is {text:?}", known()))
    }
}

/// A size that is a rate: at least one byte per second.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    match byte_size(text)? {
        0 => Err("must be more than 0; leave the key out for no limit".to_owned()),
        bytes => Ok(bytes),
    }
}

/// An address to listen on.
pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("must be an address and a port such as 0.0.0.0:7443, and is {text:?}"))
}

/// A host and a port to dial.
pub(super) fn host_port(text: &str) -> Result<HostPort, String> {
    let refusal =
        || format!("must be a host and a port such as agent.example:7443, and is {text:?}");
    let (host, port) = text.rsplit_once(':').ok_or_else(refusal)?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let fits = !host.is_empty()
        && (bare.is_some() || !host.contains(':'))
        && !host.contains(|c: char| matches!(c, '/' | '@') || c.is_whitespace() || c.is_control());
    match port.parse() {
        Ok(port) if fits && port != 0 => Ok(HostPort {
            host: host.to_owned(),
            port,
        }),
        _ => Err(refusal()),
    }
}

/// An `http://` or `https://` URI of a server. One with a user or password in it is refused without repeating it.
pub(super) fn uri(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err("must not hold a user or password".to_owned());
    }
    let refusal =
        || format!("must begin with http:// or https:// and name a host, and is {text:?}");
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or_else(refusal)?;
    let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
    if host.is_empty() && !rest.starts_with('[') {
        Err(refusal())
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(byte_size("256MiB"), Ok(256 << 20));
        assert_eq!(byte_size("200 MB"), Ok(200_000_000));
        assert_eq!(byte_size("17"), Ok(17));
        for wrong in ["", "MiB", "1.5GiB", "-1", "1mib", "99999999999TiB"] {
            assert!(byte_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_need_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        for wrong in ["30", "s", "1 week", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_may_be_a_name_or_an_address() {
        assert_eq!(
            host_port("a.example:7443").unwrap().to_string(),
            "a.example:7443"
        );
        assert_eq!(host_port("[::1]:7443").unwrap().to_string(), "[::1]:7443");
        for wrong in [
            "a.example",
            ":7443",
            "a:0",
            "::1:7443",
            "http://a:1",
            "u@a:1",
            "a\r\nX:1",
            "a\0:1",
        ] {
            assert!(host_port(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_in_a_uri_is_refused_and_not_repeated() {
        let refusal = uri("http://root:canary@milvus:19530").unwrap_err();
        assert!(!refusal.contains("canary"), "{refusal}");
        assert!(uri("http://milvus:19530").is_ok() && uri("https://[::1]:19530").is_ok());
        assert!(uri("milvus:19530").is_err() && uri("http://").is_err());
    }
}
