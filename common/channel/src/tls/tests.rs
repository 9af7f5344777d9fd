//! Credentials that can't be used are refused before anything listens or dials.

use super::{CredentialPaths, Trust};
use crate::fixture::{Office, TARGET, rule};
use model::{Class, Fault, codes};
use std::fs;

fn refusal(paths: CredentialPaths) -> Fault {
    let fault: Fault = Trust::load(paths, vec![rule("target", TARGET)])
        .unwrap_err()
        .into();
    assert_eq!(fault.class, Class::Operator);
    assert!(!fault.hint.is_empty());
    fault
}

#[test]
fn a_key_of_another_certificate_is_named_with_both_files() {
    let office = Office::open();
    let mut paths = office.paths(&office.pair.source);
    paths.key = office.pair.target.key.clone();
    let fault = refusal(paths);
    assert_eq!(fault.code, codes::CERTIFICATE_INVALID);
    for part in ["agent-target.key", "does not belong", "agent-source.pem"] {
        assert!(fault.message.contains(part), "{fault}");
    }
}

#[test]
fn an_expired_certificate_of_ones_own_is_refused_at_the_start() {
    let office = Office::open();
    let fault = refusal(office.paths(&office.expired()));
    assert_eq!(fault.code, codes::CERTIFICATE_EXPIRED);
    assert!(fault.message.contains("late.pem expired on"), "{fault}");
}

#[test]
fn a_certificate_of_tomorrow_is_refused_at_the_start() {
    let office = Office::open();
    let from = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
    let early = office.leaf("early", TARGET, crate::certs::Validity { from, days: 3 });
    let fault = refusal(office.paths(&early));
    assert_eq!(fault.code, codes::CERTIFICATE_EXPIRED);
    assert!(fault.message.contains("not valid before"), "{fault}");
}

#[test]
fn a_file_that_is_missing_or_holds_something_else_is_named() {
    let office = Office::open();
    let good = office.paths(&office.pair.source);
    let missing = office.dir.path().join("missing.pem");
    let junk = office.dir.path().join("junk.pem");
    fs::write(
        &junk,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let cases = [
        (
            CredentialPaths {
                cert: missing.clone(),
                ..good.clone()
            },
            "the certificate can't be read",
        ),
        (
            CredentialPaths {
                key: missing.clone(),
                ..good.clone()
            },
            "the private key can't be read",
        ),
        (
            CredentialPaths {
                peer_ca: missing,
                ..good.clone()
            },
            "the peers' CA can't be read",
        ),
        (
            CredentialPaths {
                cert: junk.clone(),
                ..good.clone()
            },
            "junk.pem",
        ),
        (
            CredentialPaths {
                peer_ca: junk,
                ..good.clone()
            },
            "junk.pem",
        ),
        (
            CredentialPaths {
                cert: good.key.clone(),
                ..good.clone()
            },
            "there is none in it",
        ),
        (
            CredentialPaths {
                key: good.cert.clone(),
                ..good.clone()
            },
            "there is none in it",
        ),
    ];
    for (paths, message) in cases {
        let fault = refusal(paths);
        assert_eq!(fault.code, codes::CERTIFICATE_INVALID);
        assert!(
            fault.message.contains(message),
            "{fault} does not say {message:?}"
        );
        assert!(!fault.message.contains("PRIVATE KEY"), "{fault}");
    }
}
