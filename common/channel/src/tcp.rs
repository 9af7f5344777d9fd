//! TCP as gRPC wants it.

use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::sync::Once;
use tokio::net::TcpStream;

/// What decides how fast is sent. Where a long line loses packets, it decides what gRPC carries at all: at 1 Gbit/s, 50 ms and a loss of 0.1 to
/// 1 %, one connection came to 1 to 3 MB/s with Linux's default (cubic) and to some 100 with this.
#[cfg(target_os = "linux")]
const CONTROLLER: &[u8] = b"bbr";

/// Sets up a connection: small frames are sent at once, and BBR decides how fast. Where the system does not let it be chosen, that is
/// logged once, and the system's own stays.
pub(crate) fn set_up(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    if let Err(error) = choose(&SockRef::from(tcp)) {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| tracing::info!(%error, "{WITHOUT_BBR}"));
    }
    Ok(())
}

/// What it means that BBR can't be chosen, and what to do.
pub const WITHOUT_BBR: &str = "the system does not let this process choose BBR for TCP: over a long line that loses packets gRPC will be slow; have \
     Linux load tcp_bbr, and add bbr to net.ipv4.tcp_allowed_congestion_control, or use `transport: quic`";

/// Makes sure that BBR can be chosen.
///
/// # Errors
/// The system's, when it can't.
pub fn has_bbr() -> io::Result<()> {
    choose(&SockRef::from(&Socket::new(
        Domain::IPV4,
        Type::STREAM,
        None,
    )?))
}

#[cfg(target_os = "linux")]
fn choose(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_congestion(CONTROLLER)
}

#[cfg(not(target_os = "linux"))]
fn choose(_: &SockRef<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_connection_has_bbr_where_the_system_lets_it_be_chosen_and_works_either_way() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await;
        let tcp = tcp.unwrap();
        set_up(&tcp).unwrap();
        assert!(tcp.nodelay().unwrap());
        #[cfg(target_os = "linux")]
        {
            let name = SockRef::from(&tcp).tcp_congestion().unwrap();
            let is_bbr = name.starts_with(CONTROLLER);
            assert!(is_bbr || has_bbr().is_err());
        }
    }
}
