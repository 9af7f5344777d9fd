//! A link in use beside a thousand strangers, who begin a handshake and never finish it.
//!
//! Over gRPC a stranger connects and says nothing, over QUIC it sends a first packet and hears no answer. Each begins anew every ten seconds,
//! whether it was let go by then or not: a hundred attempts a second, of which the strangers' own processor time is next to nothing.

use crate::way::{self, Way};
use crate::{Run, median, process, run};
use anyhow::{Context, Result, bail};
use harness::agents::Side;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::version::TLS13;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::process::Child;
use tokio::time::sleep;

const STRANGERS: usize = 1000;

/// How soon the next stranger comes: at first, and once all are there.
const COME: Duration = Duration::from_millis(1);
const AGAIN: Duration = Duration::from_millis(10);

/// What is sent at a time.
const BATCH_BYTES: usize = 1 << 20;

/// What their process says when all are there.
const ALL_HERE: &str = "all here";

/// Tells what either transport carries alone and beside strangers, in turns.
pub(crate) async fn compare(folder: &Path) -> Result<()> {
    println!("beside {STRANGERS} strangers: MB/s, and the receiver's CPU s/GiB");
    for way in [Way::Grpc, Way::Quic] {
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..way::number("RUNS", 3) {
            alone.push(run(way, folder, BATCH_BYTES, None, false).await?);
            beside.push(run(way, folder, BATCH_BYTES, None, true).await?);
        }
        let [alone, beside] = [alone, beside].map(|runs| median(&runs));
        let told = |run: Run| format!("{:.0} ({:.2})", run.megabytes_per_second, run.cpu.1);
        println!(
            "{:<18} alone {}, beside them {}: {:.2} of it",
            way.about(),
            told(alone),
            told(beside),
            beside.megabytes_per_second / alone.megabytes_per_second
        );
    }
    println!();
    Ok(())
}

/// The process of strangers at a receiver's door, once all are there. They leave with it.
pub(crate) async fn gathered(way: Way, address: &str) -> Result<Child> {
    let mut crowd = process(&["crowd", way.name(), address], Side::Source, None)?;
    let told = BufReader::new(crowd.stdout.take().context("an output")?)
        .lines()
        .next_line()
        .await?;
    match told.as_deref() {
        Some(ALL_HERE) => Ok(crowd),
        other => bail!("the strangers are not there: {other:?}"),
    }
}

/// Is those strangers, until the process is ended.
pub(crate) async fn gather(way: Way, to: SocketAddr) -> Result<()> {
    match way {
        Way::Grpc => silent(to).await,
        Way::Quic => deaf(to).await,
        other => bail!("{other:?} lets nobody in but its one sender"),
    }
}

async fn silent(to: SocketAddr) -> Result<()> {
    let mut strangers = Vec::with_capacity(STRANGERS);
    for _ in 0..STRANGERS {
        strangers.push(Some(TcpStream::connect(to).await?));
        sleep(COME).await;
    }
    println!("{ALL_HERE}");
    loop {
        for stranger in &mut strangers {
            sleep(AGAIN).await;
            // When the receiver has gone there is nobody to disturb.
            *stranger = TcpStream::connect(to).await.ok();
        }
    }
}

async fn deaf(to: SocketAddr) -> Result<()> {
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"passage/1".to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config)?));
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    let mut strangers = Vec::with_capacity(STRANGERS);
    for _ in 0..STRANGERS {
        // A packet is only made for somebody: for the stranger itself, who passes it on.
        let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let itself = stranger.local_addr()?;
        let connecting = endpoint.connect_with(config.clone(), itself, "localhost")?;
        let mut word = vec![0; 2048];
        let (length, _) = stranger.recv_from(&mut word).await?;
        drop(connecting);
        word.truncate(length);
        stranger.send_to(&word, to).await?;
        strangers.push((stranger, word));
        sleep(COME).await;
    }
    println!("{ALL_HERE}");
    loop {
        for (stranger, word) in &strangers {
            sleep(AGAIN).await;
            stranger.send_to(word, to).await.ok();
        }
    }
}
