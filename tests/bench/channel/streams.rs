//! Bytes over TCP, with TLS or without: no frames, no flow control but the system's.

use crate::cpu;
use crate::way::{CONNECTIONS, Counted, seconds, tell_address};
use anyhow::Result;
use bytes::Bytes;
use channel::secure;
use channel::tls::Trust;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What is read at a time.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

pub(crate) async fn receive(trust: Option<Trust>, counted: &Counted) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    tell_address(listener.local_addr()?);
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (socket, _) = listener.accept().await?;
        let (trust, counted) = (trust.clone(), counted.clone());
        tasks.spawn(async move {
            socket.set_nodelay(true)?;
            match trust {
                Some(trust) => read(secure::accept(&trust, socket).await?.0, &counted).await,
                None => read(socket, &counted).await,
            }
        });
    }
    joined(tasks).await
}

async fn read(mut from: impl AsyncRead + AsyncWrite + Unpin, counted: &Counted) -> Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match from.read(&mut chunk).await? {
            0 => break,
            bytes => counted.add(bytes),
        }
    }
    Ok(from.shutdown().await?)
}

pub(crate) async fn send(trust: Option<Trust>, to: SocketAddr, batch: Bytes) -> Result<f64> {
    let mut tasks = JoinSet::new();
    let used = cpu()?;
    for _ in 0..CONNECTIONS {
        let (trust, batch) = (trust.clone(), batch.clone());
        tasks.spawn(async move {
            let socket = TcpStream::connect(to).await?;
            socket.set_nodelay(true)?;
            match trust {
                Some(trust) => {
                    let (io, _) = secure::connect(&trust, "localhost", socket).await?;
                    write(io, &batch).await
                }
                None => write(socket, &batch).await,
            }
        });
    }
    joined(tasks).await?;
    Ok(used)
}

async fn write(mut to: impl AsyncRead + AsyncWrite + Unpin, batch: &Bytes) -> Result<()> {
    let until = Instant::now() + seconds();
    while Instant::now() < until {
        to.write_all(batch).await?;
    }
    to.shutdown().await?;
    // The other side ends once it has read all.
    to.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Waits for all; the first failure is told.
pub(crate) async fn joined(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
