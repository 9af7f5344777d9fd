//! An emulated line: two network namespaces, and a relay of packets between them that has them wait their turn, takes its time, and loses
//! some. What runs in the namespaces is the kernel's own TCP and UDP.
//!
//! ```text
//!  namespace a ── tun ─► relay: loss ─► queue at the line's rate ─► delay ─► tun ── namespace b        and the same back
//! ```
//! It takes root, iproute2 and TUN devices, all of them Linux's.

use anyhow::{Context, Result, ensure};
use harness::agents::Side;
use harness::faults::Random;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tun_rs::{DeviceBuilder, SyncDevice};

/// What a packet may hold.
const MTU: u16 = 1500;

/// How long what waits for its turn may take to get on the line; what would wait for longer is lost.
const MOST_QUEUED: Duration = Duration::from_millis(50);

/// What the line does to each direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) bytes_per_second: u64,
    pub(crate) delay: Duration,
    /// Packets lost of ten thousand.
    pub(crate) lost: u64,
}

/// A line, for as long as it lives.
pub(crate) struct Line([Namespace; 2]);

/// A network namespace, removed when it is dropped, with the device in it.
struct Namespace(String);

impl Line {
    /// Sets one up.
    ///
    /// # Errors
    /// Where the rights or tools for it are missing.
    pub(crate) fn set_up(terms: Terms) -> Result<Self> {
        let ends = [end(Side::Source)?, end(Side::Target)?];
        let [(a, source), (b, target)] = ends;
        for (seed, from, to) in [(1, &source, &target), (2, &target, &source)] {
            let (arrived, leaving) = channel();
            let (from, to) = (from.clone(), to.clone());
            thread::spawn(move || take(&from, terms, Random::new(seed), &arrived));
            thread::spawn(move || give(&to, &leaving));
        }
        Ok(Self([a, b]))
    }

    /// The words before a command that is to run at one of its ends.
    pub(crate) fn at(&self, side: Side) -> [&str; 4] {
        ["ip", "netns", "exec", &self.0[number(side)].0]
    }
}

/// An end's address.
pub(crate) fn address(side: Side) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 7, number(side) as u8 + 1)
}

fn number(side: Side) -> usize {
    match side {
        Side::Source => 0,
        Side::Target => 1,
    }
}

/// A namespace with a device, of which the other end is ours.
fn end(side: Side) -> Result<(Namespace, Arc<SyncDevice>)> {
    let name = format!("line{}x{}", std::process::id(), number(side));
    ip(&["netns", "add", &name])?;
    let namespace = Namespace(name.clone());
    let device = DeviceBuilder::new().name(&name).mtu(MTU).build_sync();
    let device = device.context("a TUN device")?;
    let here = format!("{}/24", address(side));
    ip(&["link", "set", "dev", &name, "netns", &name])?;
    ip(&["-n", &name, "addr", "add", &here, "dev", &name])?;
    ip(&[
        "-n",
        &name,
        "link",
        "set",
        "dev",
        &name,
        "txqueuelen",
        "10000",
        "up",
    ])?;
    ip(&["-n", &name, "link", "set", "dev", "lo", "up"])?;
    // Whoever wants another controller than this asks for it.
    let reno = "net.ipv4.tcp_congestion_control=reno";
    ip(&["netns", "exec", &name, "sysctl", "-qw", reno])?;
    Ok((namespace, Arc::new(device)))
}

fn ip(words: &[&str]) -> Result<()> {
    let done = Command::new("ip").args(words).output().context("ip")?;
    let told = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "ip {}: {}",
        words.join(" "),
        told.trim()
    );
    Ok(())
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The device goes with it, and so do the threads that read and write it.
        if let Err(error) = ip(&["netns", "delete", &self.0]) {
            eprintln!("{error:#}");
        }
    }
}

/// Takes packets off a device until it is gone, and says when each arrives at the other end.
fn take(from: &SyncDevice, terms: Terms, mut random: Random, arrived: &Sender<(Instant, Vec<u8>)>) {
    let mut packet = [0; MTU as usize];
    let mut busy_until = Instant::now();
    while let Ok(bytes) = from.recv(&mut packet) {
        let now = Instant::now();
        let turn = busy_until.max(now);
        if random.below(10_000) < terms.lost || turn - now > MOST_QUEUED {
            continue;
        }
        let takes = Duration::from_secs_f64(bytes as f64 / terms.bytes_per_second as f64);
        busy_until = turn + takes;
        if arrived
            .send((busy_until + terms.delay, packet[..bytes].to_vec()))
            .is_err()
        {
            return;
        }
    }
}

/// Puts packets on a device, each when it arrives.
#[expect(clippy::disallowed_methods, reason = "it has a thread of its own")]
fn give(to: &SyncDevice, leaving: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, packet)) = leaving.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.send(&packet).is_err() {
            return;
        }
    }
}
