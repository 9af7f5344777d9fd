//! The parts of an address.

use crate::ConnectError;
use hyper::Uri;
use std::fmt;

/// `http://host:port` or `https://host:port`, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) is_tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads an address. Without a port it is the scheme's.
    pub(super) fn parse(uri: &str) -> Result<Self, ConnectError> {
        let invalid = |cause: &str| ConnectError::Address {
            uri: uri.rsplit('@').next().unwrap_or_default().to_owned(),
            cause: cause.to_owned(),
        };
        let parsed: Uri = uri.parse().map_err(|_| invalid("it is no address"))?;
        let is_tls = match parsed.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(invalid("it must begin with http:// or https://")),
        };
        if uri.contains('@') {
            return Err(invalid(
                "user and password belong into settings of their own",
            ));
        }
        let host = parsed.host().ok_or_else(|| invalid("it names no host"))?;
        Ok(Self {
            is_tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: parsed.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
        })
    }

    /// What a request calls the server.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let cases = [
            ("http://milvus:19530", (false, "milvus", 19530)),
            ("https://[::1]:8443", (true, "::1", 8443)),
            ("https://milvus.example", (true, "milvus.example", 443)),
        ];
        for (uri, (is_tls, host, port)) in cases {
            let address = Address::parse(uri).unwrap();
            let told = (address.is_tls, address.host.as_str(), address.port);
            assert_eq!(told, (is_tls, host, port), "{uri}");
        }
        assert_eq!(
            Address::parse("http://[::1]:1").unwrap().to_string(),
            "http://[::1]:1"
        );
        assert!(Address::parse("milvus:19530").is_err());
        let refused = Address::parse("http://root:canary@milvus:1").unwrap_err();
        assert!(!refused.to_string().contains("canary"));
    }
}
