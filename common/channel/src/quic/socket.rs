//! A UDP socket, as QUIC wants it.

use quinn::{AsyncUdpSocket, Endpoint, EndpointConfig, Runtime, ServerConfig, TokioRuntime};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Once};

/// How much the system may hold for the socket, each way. With less, a burst is lost on the last metre.
const BUFFER_BYTES: usize = 4 << 20;

/// Binds an endpoint; one without a server's configuration only dials.
///
/// # Errors
/// The system's.
pub fn endpoint(
    address: SocketAddr,
    config: EndpointConfig,
    server: Option<ServerConfig>,
) -> io::Result<Endpoint> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    // The system cuts these down to what it allows.
    let _ = (
        socket.set_recv_buffer_size(BUFFER_BYTES),
        socket.set_send_buffer_size(BUFFER_BYTES),
    );
    // Linux tells twice what there is for packets.
    let buffers = (
        socket.recv_buffer_size().unwrap_or_default() / 2,
        socket.send_buffer_size().unwrap_or_default() / 2,
    );
    socket.bind(&address.into())?;
    let runtime = Arc::new(TokioRuntime);
    let socket = runtime.wrap_udp_socket(socket.into())?;
    tell_once(socket.as_ref(), buffers);
    Endpoint::new_with_abstract_socket(config, server, socket, runtime)
}

/// Says once in the life of a process what the system gives, since all of it decides what QUIC costs and carries.
fn tell_once(socket: &dyn AsyncUdpSocket, (receive, send): (usize, usize)) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let segments = socket.max_transmit_segments();
        tracing::info!(
            segmentation_offload = segments > 1,
            segments,
            receive_buffer_bytes = receive,
            send_buffer_bytes = send,
            "QUIC's socket is bound"
        );
        if segments <= 1 {
            tracing::warn!(
                "the system sends UDP packets one by one (no segmentation offload): QUIC will use about three times the CPU"
            );
        }
        if receive.min(send) < BUFFER_BYTES {
            tracing::info!(
                "the system gives UDP less buffer than {BUFFER_BYTES} bytes: raise net.core.rmem_max and net.core.wmem_max on a fast line"
            );
        }
    });
}
