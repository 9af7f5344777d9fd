//! Disks that fill up, or that an agent may no longer read or write, while segments are shipped: the job names that and waits, and goes on
//! once it is mended, with nothing lost and nothing left behind.

use crate::bad_files::{cause, is_staged, spec, written};
use crate::fleet;
use crate::milvus_client::place::Place;
use anyhow::Result;
use harness::agents::{Pair, Side};
use harness::disk::Disk;
use harness::oracle::Comparison;
use harness::servers::Server;
use harness::{jobs, wait};
use model::codes;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Less than the files take, and more than it takes to try the storage.
const ROOM: u32 = 10_000;

/// So slow that the files take a while.
const BYTES_PER_SECOND: u64 = 64 << 10;

/// A job by files, of which either agent's disk is ours.
struct Shipping {
    place: Place,
    pair: Pair,
    disk: Disk,
    name: &'static str,
}

impl Shipping {
    async fn new(name: &'static str, side: Side) -> Result<Self> {
        let server = fleet::target().await?;
        let place = written(server, name).await?;
        let mut pair = Pair::new(server, server).await?;
        pair.give_storage(server, server);
        let disk = Disk::of(pair.agent_mut(side), &server.objects()).await?;
        Ok(Self {
            place,
            pair,
            disk,
            name,
        })
    }

    /// Waits until the job names this, and gives what it says.
    async fn waits_for(&self, code: &str) -> Result<String> {
        cause(&jobs::stuck_with(&self.pair.source, self.name, code, LIMIT).await?)
    }

    /// Begins, and bars the disk once files have arrived.
    async fn begin_and_bar(&mut self) -> Result<()> {
        let server = fleet::target().await?;
        self.pair.link.slow_to(BYTES_PER_SECOND);
        self.pair.start().await?;
        jobs::begin(&self.pair.source, &spec(self.name)).await?;
        wait::until("files to be staged", LIMIT, || async {
            Ok(is_staged(server, self.name).then_some(()))
        })
        .await?;
        self.disk.bar(true)?;
        self.pair.link.slow_to(0);
        Ok(())
    }

    /// It is mended: every row arrives, and no file stays.
    async fn arrives(self, server: &Server) -> Result<()> {
        let status = jobs::wait(&self.pair.source, self.name, LIMIT).await?;
        jobs::ensure_completed(&self.pair.source, &status).await?;
        Comparison::of(server, server)
            .only(&[self.name])
            .renamed(&["default.*=arrived.*"])
            .assert_equal(1)
            .await?;
        assert!(!is_staged(server, self.name));
        self.place.drop().await
    }
}

#[test]
fn a_disk_of_the_target_that_is_full_is_waited_for_until_there_is_room() -> Result<()> {
    fleet::run(async {
        let mut shipping = Shipping::new("full_disk", Side::Target).await?;
        shipping.disk.leave_room(Some(ROOM))?;
        shipping.pair.start().await?;
        jobs::begin(&shipping.pair.source, &spec("full_disk")).await?;
        let told = shipping.waits_for(codes::STORAGE_FULL).await?;
        assert!(told.contains("No space left on device"), "{told}");
        // It fills up once more.
        shipping.disk.leave_room(Some(ROOM))?;
        shipping.waits_for(codes::STORAGE_FULL).await?;
        shipping.disk.leave_room(None)?;
        shipping.arrives(fleet::target().await?).await
    })
}

/// A job of which one agent may no longer use the disk: what it names must hold this.
fn barred(name: &'static str, side: Side, named: &str) -> Result<()> {
    fleet::run(async {
        let mut shipping = Shipping::new(name, side).await?;
        shipping.begin_and_bar().await?;
        let told = shipping.waits_for(codes::STORAGE_DENIED).await?;
        assert!(told.contains(named), "{told}");
        shipping.disk.bar(false)?;
        shipping.arrives(fleet::target().await?).await
    })
}

#[test]
fn a_disk_that_the_targets_agent_may_no_longer_write_is_named_and_files_go_on_afterwards()
-> Result<()> {
    barred("barred_target", Side::Target, "Permission denied")
}

#[test]
fn a_disk_that_the_sources_agent_may_no_longer_read_is_named_and_files_go_on_afterwards()
-> Result<()> {
    barred("barred_source", Side::Source, "insert_log")
}
