//! A link ends when its peer is trusted no longer, and files that change are read again.

use crate::certs::{self, Existing, LeafRequest, Validity};
use crate::error::LaneError;
use crate::fixture::{Office, SOURCE, TARGET, Target, over_both, rule};
use crate::guarded::Guarded;
use crate::link::{Link, Transport};
use crate::settings::LinkSettings;
use crate::tls::{CredentialPaths, TlsError, Trust};
use model::{Fault, codes};
use std::time::{Duration, SystemTime};

const OFTEN: Duration = Duration::from_millis(20);

/// Both ends of a link whose listening side keeps up its trust.
async fn guarded(target: &Target, dialler: Trust) -> (Guarded, Link, Link) {
    looked_at(OFTEN, target, dialler).await
}

async fn looked_at(every: Duration, target: &Target, dialler: Trust) -> (Guarded, Link, Link) {
    let listener = Guarded::looking_every(every, target.listener.clone(), target.trust.clone());
    let dialer = target.dialer(dialler);
    let (theirs, ours) = tokio::join!(dialer.next_link(), listener.next_link());
    (listener, ours.unwrap(), theirs.unwrap())
}

async fn end_of(mut link: Link) -> TlsError {
    let mut data = link.data.remove(0);
    match (link.control.rx.recv().await, data.rx.recv().await) {
        (Err(LaneError::Distrusted(error)), Err(LaneError::Distrusted(also))) => {
            assert_eq!(error, also);
            error
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_link_ends_when_its_peers_certificate_expires() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let day = Duration::from_secs(86_400);
        let validity = Validity {
            from: SystemTime::now() + Duration::from_secs(3) - day,
            days: 1,
        };
        let short = target.office.leaf("short", SOURCE, validity);
        let trust = target.office.trust(&short, TARGET);
        let (_listener, link, _theirs) = guarded(&target, trust).await;
        let error = end_of(link).await;
        assert!(matches!(error, TlsError::Expired { .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_when_its_peers_name_leaves_the_list_and_no_look_is_waited_for() {
    const NEVER: Duration = Duration::from_hours(24);
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (_listener, mut link, _theirs) = looked_at(NEVER, &target, target.good_trust()).await;
        // A list that still has it ends nothing.
        target.trust.replace_peers(vec![
            rule("the other side", SOURCE),
            rule("another", "dns:another.example"),
        ]);
        let still = tokio::time::timeout(5 * OFTEN, link.control.rx.recv()).await;
        assert!(still.is_err(), "{still:?}");
        target
            .trust
            .replace_peers(vec![rule("another", "dns:another.example")]);
        let error = end_of(link).await;
        assert!(matches!(error, TlsError::NotAllowed { .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_when_its_peers_ca_is_taken_out_of_the_bundle() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (_listener, link, _theirs) = guarded(&target, target.good_trust()).await;
        let another = tempfile::tempdir().unwrap();
        let other = certs::make_pair(another.path(), "other.example", Existing::Keep).unwrap();
        std::fs::copy(&other.authority.cert, &target.office.pair.authority.cert).unwrap();
        let error = end_of(link).await;
        assert!(matches!(error, TlsError::OtherAuthority { .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_renewed_in_its_place_is_shown_by_the_next_link_and_ends_none() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (listener, mut link, theirs) = guarded(&target, target.good_trust()).await;
        let request = LeafRequest {
            name: "agent-target".parse().unwrap(),
            spiffe: Some(TARGET.into()),
            hosts: Vec::new(),
            validity: Validity::days(1),
        };
        let place = target.office.dir.path();
        let renewed = certs::make_leaf(place, &request, Existing::Replace).unwrap();
        let accepted = async {
            loop {
                listener.next_link().await.unwrap();
            }
        };
        let shown = async {
            loop {
                // A link whose connections show both certificates does not come about.
                let Ok(far) = target.good_dialer().next_link().await else {
                    continue;
                };
                let fingerprint = far.peer.fingerprint;
                if fingerprint == renewed.description.fingerprint {
                    return;
                }
                assert_eq!(fingerprint, theirs.peer.fingerprint);
            }
        };
        tokio::select! {
            () = shown => {}
            () = accepted => {}
            () = tokio::time::sleep(Duration::from_secs(30)) => panic!("it is not shown"),
        }
        let still = tokio::time::timeout(5 * OFTEN, link.control.rx.recv()).await;
        assert!(still.is_err(), "{still:?}");
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_when_its_peers_certificate_is_revoked_and_a_revoked_one_gets_none() {
    over_both(async |over| {
        let office = Office::open();
        let paths = CredentialPaths {
            crl: Some(office.revoked(&[])),
            ..office.paths(&office.pair.target)
        };
        let peers = vec![rule("the other side", SOURCE)];
        let trust = Trust::load(paths, peers).unwrap();
        let target = Target::trusting(over, LinkSettings::default(), office, trust).await;
        let (_listener, link, _theirs) = guarded(&target, target.good_trust()).await;
        target.office.revoked(&[&target.office.pair.source]);
        let error = end_of(link).await;
        assert!(matches!(error, TlsError::Revoked { .. }), "{error}");
        let refused = target.good_dialer().next_link().await.unwrap_err();
        let fault: Fault = refused.into();
        assert_eq!(fault.code, codes::CERTIFICATE_REVOKED, "{fault}");
    })
    .await;
}

#[tokio::test]
async fn a_dialler_refuses_a_listener_that_is_revoked() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let revoked = target.office.revoked(&[&target.office.pair.target]);
        let paths = CredentialPaths {
            crl: Some(revoked),
            ..target.office.paths(&target.office.pair.source)
        };
        let trust = Trust::load(paths, vec![rule("the other side", TARGET)]).unwrap();
        let fault: Fault = target.dialer(trust).next_link().await.unwrap_err().into();
        assert_eq!(fault.code, codes::CERTIFICATE_REVOKED, "{fault}");
    })
    .await;
}
