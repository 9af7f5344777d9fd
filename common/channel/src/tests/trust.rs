//! Who is let in, and how both sides learn of it when not.

use crate::certs::{self, Existing, Validity};
use crate::error::LinkError;
use crate::fixture::{Office, SOURCE, TARGET, Target, over_both, rule};
use crate::tls::{TlsError, Trust, Verdict};
use model::{Fault, codes};

/// Dials, fails, and says why as the operator is told.
async fn dialled_in_vain(target: &Target, trust: Trust) -> Fault {
    target.dialer(trust).next_link().await.unwrap_err().into()
}

fn assert_told(fault: &Fault, code: &str, parts: &[&str]) {
    assert_eq!(fault.code, code, "{fault}");
    let told = fault.to_string();
    for part in parts {
        assert!(told.contains(part), "{told:?} does not say {part:?}");
    }
}

#[tokio::test]
async fn a_peer_that_is_not_on_the_list_is_named_so_that_it_can_be_pasted_there() {
    over_both(async |over| {
        let mut target = Target::listen(over).await;
        let other = target
            .office
            .leaf("other", "spiffe://acme.example/other", Validity::days(3));
        let fingerprint = format!("sha256:{}", other.description.fingerprint);
        let told = dialled_in_vain(&target, target.office.trust(&other, TARGET)).await;
        assert_told(
            &told,
            codes::PEER_NOT_ALLOWED,
            &[
                "refused this agent's certificate",
                &fingerprint,
                "ask the peer's operator",
            ],
        );
        let refusal = target.refused().await;
        let pasted = "channel.peers: { name: <name>, id: \"spiffe://acme.example/other\" }";
        assert_told(
            &refusal.fault,
            codes::PEER_NOT_ALLOWED,
            &[
                "not on this agent's list",
                "dns:agent.example",
                &fingerprint,
                pasted,
            ],
        );
        assert!(refusal.address.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_is_not_on_the_diallers_list_is_refused_and_told() {
    over_both(async |over| {
        let mut target = Target::listen(over).await;
        let trust = target.office.trust(
            &target.office.pair.source,
            "spiffe://acme.example/somebody-else",
        );
        let told = dialled_in_vain(&target, trust).await;
        assert_told(
            &told,
            codes::PEER_NOT_ALLOWED,
            &["not on this agent's list", TARGET],
        );
        let refusal = target.refused().await;
        assert_told(
            &refusal.fault,
            codes::PEER_NOT_ALLOWED,
            &["refused this agent's certificate", TARGET],
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_is_let_in_by_an_empty_list() {
    over_both(async |over| {
        let mut target = Target::listen(over).await;
        let trust =
            Trust::load(target.office.paths(&target.office.pair.source), Vec::new()).unwrap();
        let error = target.dialer(trust).next_link().await.unwrap_err();
        assert!(
            matches!(
                error,
                LinkError::Tls {
                    error: TlsError::NotAllowed { .. },
                    ..
                }
            ),
            "{error:?}"
        );
        target.refused().await;
    })
    .await;
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused_whatever_it_says() {
    over_both(async |over| {
        let mut target = Target::listen(over).await;
        let elsewhere = Office::open();
        // It trusts our CA, and claims the very name that is on our list.
        let mut paths = elsewhere.paths(&elsewhere.pair.source);
        paths.peer_ca = target.office.pair.authority.cert.clone();
        let trust = Trust::load(paths, vec![rule("target", TARGET)]).unwrap();
        let told = dialled_in_vain(&target, trust).await;
        assert_told(
            &told,
            codes::PEER_UNTRUSTED,
            &["the peer's peer_ca did not sign it", "channel.tls.peer_ca"],
        );
        let refusal = target.refused().await;
        assert_told(
            &refusal.fault,
            codes::PEER_UNTRUSTED,
            &["not signed by this agent's peer_ca", SOURCE],
        );
    })
    .await;
}

#[tokio::test]
async fn a_listener_of_another_ca_is_refused_by_the_dialler() {
    over_both(async |over| {
        let mut target = Target::listen(over).await;
        let elsewhere = Office::open();
        let mut paths = target.office.paths(&target.office.pair.source);
        paths.peer_ca = elsewhere.pair.authority.cert.clone();
        let trust = Trust::load(paths, vec![rule("target", TARGET)]).unwrap();
        let error = target.dialer(trust).next_link().await.unwrap_err();
        assert!(
            matches!(
                error,
                LinkError::Tls {
                    error: TlsError::OtherAuthority { .. },
                    ..
                }
            ),
            "{error:?}"
        );
        let refusal = target.refused().await;
        let verdict = TlsError::RefusedByPeer {
            verdict: Verdict::OtherAuthority,
            ours: target.trust.own().0,
        };
        assert!(
            refusal.fault.message.contains(&verdict.to_string()),
            "{}",
            refusal.fault
        );
    })
    .await;
}

#[tokio::test]
async fn a_peer_may_be_named_by_its_dns_name_or_pinned() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let other = target
            .office
            .leaf("other", "spiffe://acme.example/other", Validity::days(3));
        let pinned = format!("sha256:{}", other.description.fingerprint);
        for id in ["dns:agent.example", "dns:AGENT.Example", &pinned] {
            target
                .trust
                .replace_peers(vec![rule("nobody", SOURCE), rule("the other", id)]);
            let dialer = target.dialer(target.office.trust(&other, TARGET));
            let (_dialled, link) = tokio::join!(dialer.next_link(), target.listener.next_link());
            assert_eq!(link.unwrap().peer.name, "the other");
        }
    })
    .await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_from_the_next_link_on() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (before, _far) = target.link().await;
        let authority = target.office.dir.path();
        let name = "agent-target".parse().unwrap();
        let request = certs::LeafRequest {
            name,
            spiffe: Some(TARGET.into()),
            hosts: Vec::new(),
            validity: Validity::days(1),
        };
        let renewed = certs::make_leaf(authority, &request, Existing::Replace).unwrap();
        target.trust.reload().unwrap();
        let (after, _far) = target.link().await;
        assert_ne!(before.peer.fingerprint, after.peer.fingerprint);
        assert_eq!(after.peer.fingerprint, renewed.description.fingerprint);
        assert_eq!(after.peer.not_after, renewed.description.not_after);
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_reloaded_leaves_what_was_there() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        std::fs::write(&target.office.pair.target.cert, "nothing").unwrap();
        let fault: Fault = target.trust.reload().unwrap_err().into();
        assert_told(&fault, codes::CERTIFICATE_INVALID, &["agent-target.pem"]);
        target.link().await;
    })
    .await;
}
