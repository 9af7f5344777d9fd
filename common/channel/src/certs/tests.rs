use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

fn days_left(description: &CertDescription) -> u64 {
    description
        .not_after
        .duration_since(SystemTime::now())
        .unwrap()
        .as_secs()
        / 86_400
}

fn request(name: &str, days: u32) -> LeafRequest {
    LeafRequest {
        name: name.parse().unwrap(),
        spiffe: Some("spiffe://acme.example/a".into()),
        hosts: vec!["agent.example".into(), "10.0.0.7".into(), "::1".into()],
        validity: Validity::days(days),
    }
}

#[test]
fn a_pair_is_made_with_private_keys_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let pair = make_pair(&dir.path().join("new/pki"), "acme.example", Existing::Keep).unwrap();
    for made in [&pair.authority, &pair.source, &pair.target] {
        assert_eq!(
            fs::metadata(&made.key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(
            fs::read_to_string(&made.key)
                .unwrap()
                .contains("PRIVATE KEY")
        );
        assert_eq!(describe(&made.cert).unwrap(), made.description);
        assert!(!fs::read_to_string(&made.cert).unwrap().contains("PRIVATE"));
    }
    assert_eq!(
        pair.source.description.sans,
        ["spiffe://acme.example/passage/source"]
    );
    assert_eq!(pair.target.description.subject, "CN=agent-target");
    assert!(days_left(&pair.authority.description) > 3640);
    assert!((360..=365).contains(&days_left(&pair.source.description)));
    assert_eq!(
        fs::read_dir(dir.path().join("new/pki")).unwrap().count(),
        6,
        "nothing is left beside them"
    );
}

#[test]
fn a_leaf_says_what_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    make_authority(dir.path(), "acme", Validity::days(30), Existing::Keep).unwrap();
    let made = make_leaf(dir.path(), &request("agent", 9), Existing::Keep).unwrap();
    assert_eq!(
        made.description.sans,
        [
            "spiffe://acme.example/a",
            "agent.example",
            "10.0.0.7",
            "::1"
        ]
    );
    assert_eq!(days_left(&made.description), 8);
    assert_eq!(made.description.fingerprint.to_string().len(), 64);
}

#[test]
fn what_exists_is_kept_unless_its_replacement_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let first = make_authority(dir.path(), "acme", Validity::days(30), Existing::Keep).unwrap();
    let refusal =
        make_authority(dir.path(), "acme", Validity::days(30), Existing::Keep).unwrap_err();
    assert!(
        matches!(&refusal, CertsError::Exists(path) if path.ends_with("ca.pem")),
        "{refusal}"
    );
    assert_eq!(describe(&first.cert).unwrap(), first.description);
    let second = make_authority(dir.path(), "acme", Validity::days(30), Existing::Replace).unwrap();
    assert_ne!(
        first.description.fingerprint,
        second.description.fingerprint
    );
    assert_eq!(
        fs::metadata(&second.key).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_lone_key_is_not_overwritten_either() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ca.key"), "precious").unwrap();
    assert!(matches!(
        make_authority(dir.path(), "acme", Validity::days(30), Existing::Keep),
        Err(CertsError::Exists(_))
    ));
    assert_eq!(
        fs::read_to_string(dir.path().join("ca.key")).unwrap(),
        "precious"
    );
}

#[test]
fn what_can_not_be_is_refused_by_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let missing = make_leaf(dir.path(), &request("agent", 9), Existing::Keep).unwrap_err();
    assert!(missing.to_string().contains("ca.pem"), "{missing}");
    make_authority(dir.path(), "acme", Validity::days(30), Existing::Keep).unwrap();
    let long = make_leaf(dir.path(), &request("agent", 31), Existing::Keep).unwrap_err();
    assert!(matches!(long, CertsError::Outlives { .. }));
    let spiffe = Some("spiffe://ä".to_owned());
    let odd = make_leaf(
        dir.path(),
        &LeafRequest {
            spiffe,
            ..request("agent", 9)
        },
        Existing::Keep,
    )
    .unwrap_err();
    assert_eq!(odd, CertsError::Invalid("spiffe://ä".into()));
    assert!(make_authority(dir.path(), "acme", Validity::days(0), Existing::Replace).is_err());
    let other = tempfile::tempdir().unwrap();
    make_authority(other.path(), "other", Validity::days(30), Existing::Keep).unwrap();
    fs::copy(other.path().join("ca.key"), dir.path().join("ca.key")).unwrap();
    let foreign = make_leaf(dir.path(), &request("agent", 9), Existing::Keep).unwrap_err();
    assert!(foreign.to_string().contains("does not belong"), "{foreign}");
}

/// What a certificate is for, and who it is of.
fn says(path: &Path) -> (String, Vec<String>, String) {
    let der = files::read_certificate(path).unwrap();
    let parsed = certificate::parse(&der).unwrap();
    let uses = (parsed.key_usage(), parsed.extended_key_usage());
    let names = certificate::alternative_names(&parsed).unwrap();
    (parsed.subject().to_string(), names, format!("{uses:?}"))
}

#[test]
fn a_renewed_certificate_says_what_the_former_one_said_for_as_long_again() {
    let dir = tempfile::tempdir().unwrap();
    make_authority(dir.path(), "acme", Validity::days(30), Existing::Keep).unwrap();
    let mut asked = request("agent", 9);
    asked.validity.from -= 8 * DAY;
    let former = make_leaf(dir.path(), &asked, Existing::Keep).unwrap();
    let (said, key) = (says(&former.cert), fs::read(&former.key).unwrap());
    assert_eq!(days_left(&former.description), 0);
    // It lies on the agent's machine alone.
    fs::remove_file(&former.key).unwrap();

    let renewed = renew_leaf(dir.path(), &asked.name, None, RenewedKey::Same).unwrap();
    assert_eq!((&renewed.cert, &renewed.key), (&former.cert, &former.key));
    assert_eq!(days_left(&renewed.description), 8);
    assert_ne!(
        renewed.description.fingerprint,
        former.description.fingerprint
    );
    assert_eq!(says(&renewed.cert), said);
    assert!(!renewed.key.exists());
    let der = files::read_certificate(&renewed.cert).unwrap();
    let renewed_key = certificate::parse(&der).unwrap().public_key().raw.to_vec();
    let former_key = KeyPair::from_pem(&String::from_utf8(key.clone()).unwrap()).unwrap();
    assert_eq!(renewed_key, former_key.subject_public_key_info());

    let rekeyed = renew_leaf(dir.path(), &asked.name, Some(3), RenewedKey::New).unwrap();
    assert_eq!(days_left(&rekeyed.description), 2);
    assert_eq!(says(&rekeyed.cert), said);
    assert_ne!(fs::read(&rekeyed.key).unwrap(), key);
    assert_eq!(
        fs::metadata(&rekeyed.key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 4, "nothing is left beside them");
}

#[test]
fn what_can_not_be_renewed_is_refused_by_its_cause_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    make_authority(dir.path(), "acme", Validity::days(30), Existing::Keep).unwrap();
    let made = make_leaf(dir.path(), &request("agent", 9), Existing::Keep).unwrap();
    let cert = fs::read(&made.cert).unwrap();
    let renew = |days| {
        let name = "agent".parse().unwrap();
        let error = renew_leaf(dir.path(), &name, days, RenewedKey::Same).unwrap_err();
        assert_eq!(fs::read(&made.cert).unwrap(), cert);
        error
    };
    assert!(matches!(renew(Some(31)), CertsError::Outlives { .. }));
    // Another CA of the same name.
    make_authority(dir.path(), "acme", Validity::days(30), Existing::Replace).unwrap();
    assert_eq!(renew(None), CertsError::Foreign(made.cert.clone()));
    // It names itself, and signs others.
    let name = "ca".parse().unwrap();
    let own = renew_leaf(dir.path(), &name, None, RenewedKey::Same).unwrap_err();
    assert!(matches!(own, CertsError::Foreign(_)), "{own}");
    let absent = "absent".parse().unwrap();
    let absent = renew_leaf(dir.path(), &absent, None, RenewedKey::Same).unwrap_err();
    assert!(absent.to_string().contains("absent.pem"), "{absent}");
}
