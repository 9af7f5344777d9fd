//! How fast batches are sent, and what does not wait for it.

use crate::fixture::hello;
use crate::limited::Limited;
use crate::link::{Link, Transport};
use crate::memory;
use bytes::Bytes;
use protocol::frame::Piece;
use protocol::{Frame, Role};
use runtime::RateLimit;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const MIB: usize = 1 << 20;

fn piece(bytes: usize) -> Frame {
    let parts = vec![Bytes::from(vec![7; bytes])];
    Frame::Piece(Piece { parts })
}

/// Both ends of a link, the first of which is held to a rate of bytes.
async fn limited(rate: &RateLimit) -> (Link, Link) {
    let (near, far) = memory::pair(hello(Role::Source), hello(Role::Target));
    let near = Limited::new(Arc::new(near), rate.clone());
    let (near, far) = tokio::join!(near.next_link(), far.next_link());
    (near.unwrap(), far.unwrap())
}

/// Takes whatever arrives on these lanes.
fn drain(link: Link) {
    for mut lane in link.data.into_iter().chain([link.control]) {
        tokio::spawn(async move {
            let _open = lane.tx;
            while let Ok(Some(_)) = lane.rx.recv().await {}
        });
    }
}

#[tokio::test(start_paused = true)]
async fn the_lanes_of_a_link_share_its_rate_and_nothing_else_waits_for_it() {
    let rate = RateLimit::per_second(Some(MIB as u64));
    let (near, far) = limited(&rate).await;
    drain(far);
    let begun = Instant::now();
    let batches = async {
        for number in 0..20 {
            let lane = &near.data[number % near.data.len()];
            lane.tx.send(piece(MIB / 2)).await.unwrap();
        }
        begun.elapsed()
    };
    let others = async {
        for number in 0..200 {
            near.control.tx.send(Frame::Heartbeat).await.unwrap();
            let lane = &near.data[number % near.data.len()];
            lane.tx.send(Frame::Credit(1)).await.unwrap();
        }
        begun.elapsed()
    };
    let (batches, others) = tokio::join!(batches, others);
    // 10 MiB at 1 MiB a second, less what the bucket held and what is still to be paid.
    let expected = Duration::from_millis(9_000)..Duration::from_millis(9_800);
    assert!(expected.contains(&batches), "{batches:?}");
    assert!(others < Duration::from_millis(100), "{others:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_is_taken_away_lets_a_batch_go_on_that_waits() {
    let rate = RateLimit::per_second(Some(1));
    let (near, far) = limited(&rate).await;
    drain(far);
    let begun = Instant::now();
    let lane = &near.data[0];
    lane.tx.send(piece(MIB)).await.unwrap();
    let sent = async {
        lane.tx.send(piece(MIB)).await.unwrap();
        begun.elapsed()
    };
    let lifted = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        rate.change(None);
    };
    let (sent, ()) = tokio::join!(sent, lifted);
    let expected = Duration::from_secs(3)..Duration::from_millis(3_100);
    assert!(expected.contains(&sent), "{sent:?}");
}
