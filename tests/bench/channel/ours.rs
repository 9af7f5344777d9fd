//! The channel: lanes of pieces, as the agents fill them.

use crate::cpu;
use crate::streams::joined;
use crate::way::{Counted, LANES, Place, Way, seconds, tell_address};
use anyhow::Result;
use bytes::Bytes;
use channel::grpc::{GrpcDialer, GrpcListener};
use channel::quic::{QuicDialer, QuicListener};
use channel::{Lane, LinkSettings, Transport};
use harness::agents::Side;
use model::Incarnation;
use protocol::frame::{MAX_PIECE_BYTES, Piece};
use protocol::handshake::PROTOCOL;
use protocol::{Frame, Hello, Role};
pub(crate) use runtime::config::Peer;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::task::JoinSet;

fn hello(role: Role) -> Result<Hello> {
    Ok(Hello {
        version: PROTOCOL,
        role,
        agent: "bench".parse()?,
        software: env!("CARGO_PKG_VERSION").into(),
        incarnation: Incarnation::new(1),
        data_lanes: LANES as u32,
    })
}

fn settings(place: &Place) -> LinkSettings {
    LinkSettings {
        data_connections: place.connections,
        ..LinkSettings::default()
    }
}

pub(crate) async fn receive(way: Way, place: &Place, counted: &Counted) -> Result<()> {
    let (at, words) = (format!("{}:0", place.at), hello(Role::Target)?);
    let trust = place.trust(Side::Target)?;
    let listener: Box<dyn Transport> = if way == Way::Grpc {
        let bound = GrpcListener::bind(&at, words, trust, settings(place)).await?;
        tell_address(bound.address());
        Box::new(bound)
    } else {
        let bound = QuicListener::bind(&at, words, trust, settings(place)).await?;
        tell_address(bound.address());
        Box::new(bound)
    };
    let link = listener.next_link().await?;
    let mut tasks = JoinSet::new();
    for lane in link.data {
        tasks.spawn(read(lane, counted.clone()));
    }
    joined(tasks).await?;
    part(link.control).await;
    Ok(())
}

/// Leaves once the other side leaves, too.
async fn part(control: Lane) {
    let Lane { tx, mut rx } = control;
    drop(tx);
    while let Ok(Some(_)) = rx.recv().await {}
}

async fn read(mut lane: Lane, counted: Counted) -> Result<()> {
    while let Some(frame) = lane.rx.recv().await? {
        if let Frame::Piece(piece) = frame {
            counted.add(piece.parts.iter().map(Bytes::len).sum());
        }
    }
    Ok(())
}

pub(crate) async fn send(way: Way, place: &Place, to: SocketAddr) -> Result<f64> {
    let (to, words) = (to.to_string(), hello(Role::Source)?);
    let trust = place.trust(Side::Source)?;
    let dialer: Box<dyn Transport> = if way == Way::Grpc {
        Box::new(GrpcDialer::new(to, words, trust, settings(place)))
    } else {
        Box::new(QuicDialer::new(to, words, trust, settings(place)))
    };
    let link = dialer.next_link().await?;
    let used = cpu()?;
    let mut tasks = JoinSet::new();
    for lane in link.data {
        tasks.spawn(write(lane, place.batch.clone()));
    }
    joined(tasks).await?;
    part(link.control).await;
    Ok(used)
}

async fn write(lane: Lane, batch: Bytes) -> Result<()> {
    let Lane { tx, mut rx } = lane;
    let until = Instant::now() + seconds();
    while Instant::now() < until {
        let mut rest = batch.clone();
        while !rest.is_empty() {
            let part = rest.split_to(rest.len().min(MAX_PIECE_BYTES));
            let piece = Piece { parts: vec![part] };
            tx.send(Frame::Piece(piece)).await?;
        }
    }
    drop(tx);
    while let Ok(Some(_)) = rx.recv().await {}
    Ok(())
}
