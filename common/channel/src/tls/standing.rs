//! Whether a peer that was let in would be let in still: its certificate may expire, its CA may be taken out of the bundle, and its name off
//! the list, while its link goes on.

use super::credentials::Trust;
use super::error::TlsError;
use super::identity::PeerIdentity;
use super::verify::Judge;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{IpAddr, Ipv4Addr, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use std::time::SystemTime;

impl Trust {
    /// Why a peer that was let in would be refused at this time, if it would. One that showed no certificate was let in by no judge, and is
    /// not judged here.
    pub(crate) fn doubt(&self, peer: &PeerIdentity, now: SystemTime) -> Option<TlsError> {
        let (own, intermediates) = peer.shown.chain.split_first()?;
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = UnixTime::since_unix_epoch(since.unwrap_or_default());
        let (loaded, peers) = self.now();
        let (judge, finding) = Judge::new(loaded, peers);
        let judged = if peer.shown.listens {
            // The name in the request is no part of the judgement.
            let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0; 4])));
            judge
                .verify_server_cert(own, intermediates, &name, &[], now)
                .map(|_| ())
        } else {
            judge
                .verify_client_cert(own, intermediates, now)
                .map(|_| ())
        };
        let found = finding.get().cloned();
        match (judged, found) {
            (_, Some(Err(error))) => Some(error),
            (Err(error), _) => Some(TlsError::Unfit(error.to_string())),
            (Ok(()), _) => None,
        }
    }
}
