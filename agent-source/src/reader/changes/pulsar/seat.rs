//! How one comes to a broker.

use super::error::Error;
use runtime::config::{HostPort, Secret};
use rustls::pki_types::ServerName;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How one comes to a broker, and who calls.
pub(super) struct Seat {
    /// The configured address.
    pub(super) address: HostPort,
    pub(super) tls: Option<TlsConnector>,
    /// Whether a certificate of ours is shown.
    pub(super) has_certificate: bool,
    pub(super) token: Option<Secret>,
}

/// A line to a broker, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

impl Seat {
    /// Opens a line to a broker.
    pub(super) async fn dial(&self, address: &HostPort) -> Result<Box<dyn Stream>, Error> {
        let failed = |cause| Error::Dial {
            address: address.to_string(),
            cause,
        };
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
        let stream = stream.map_err(failed)?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other);
        let secured = tls.connect(name.map_err(failed)?, stream).await;
        Ok(Box::new(secured.map_err(failed)?))
    }
}
