//! Claims about Milvus's log on the disk, read beside a Milvus that writes it.

use crate::fleet;
use anyhow::{Context, Result, ensure};
use harness::servers::{Bulk, Kind, Server};
use harness::{places, wait};
use rocksdb::{Error, Library, Secondary};
use std::path::Path;
use std::time::Duration;

/// How long a tick may take. Milvus writes five a second.
const SOON: Duration = Duration::from_secs(2);

/// How long a server may take to be itself again, and to delete what it no longer keeps.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first key of every seeded collection.
const NEEDLE: &[u8] = b"00000000-0";

/// The log of a server.
struct Log {
    secondary: Secondary,
    _scratch: tempfile::TempDir,
}

impl Log {
    fn open(folder: &Path) -> Result<Self> {
        let library = Library::load(Some(&places::rocksdb_library()))?;
        let scratch = tempfile::tempdir()?;
        Ok(Self {
            secondary: Secondary::open(&library, folder, scratch.path())?,
            _scratch: scratch,
        })
    }

    /// The keys of the messages that hold a seeded collection's first row.
    fn needles(&self) -> Result<Vec<Vec<u8>>> {
        self.secondary.catch_up()?;
        let entries = self.secondary.scan(&[], &[u8::MAX], usize::MAX)?;
        let holds = |value: &[u8]| value.windows(NEEDLE.len()).any(|part| part == NEEDLE);
        let found = entries.into_iter().filter(|(_, value)| holds(value));
        Ok(found.map(|(key, _)| key).collect())
    }

    fn newest(&self, topic: &Topic) -> Result<Vec<u8>> {
        self.secondary.catch_up()?;
        let entry = self.secondary.last_before(&topic.start, &topic.end)?;
        Ok(entry.context("the topic is empty")?.0)
    }

    fn keys(&self, topic: &Topic) -> Result<Vec<Vec<u8>>> {
        self.secondary.catch_up()?;
        let entries = self.secondary.scan(&topic.start, &topic.end, usize::MAX)?;
        Ok(entries.into_iter().map(|(key, _)| key).collect())
    }

    /// Waits for a message that the topic does not have yet.
    async fn see_a_newer_one(&self, topic: &Topic, limit: Duration) -> Result<()> {
        let last = self.newest(topic)?;
        let newer = || async { Ok((self.newest(topic)? > last).then_some(())) };
        wait::until("a newer message", limit, newer).await
    }
}

/// The keys between which the messages of a topic stand.
struct Topic {
    start: Vec<u8>,
    end: Vec<u8>,
}

impl Topic {
    fn of(key: &[u8]) -> Result<Self> {
        let slash = key.iter().position(|byte| *byte == b'/');
        let topic = &key[..slash.context("a message's key has a slash")?];
        Ok(Self {
            start: [topic, b"/"].concat(),
            end: [topic, b"/:"].concat(),
        })
    }
}

async fn seed(server: &Server, collection: &str) -> Result<()> {
    let bulk = Bulk {
        database: "default",
        collection,
        rows: 500,
        dim: 8,
        flags: &["--keys", "varchar"],
    };
    server.seed_bulk(&bulk).await?;
    Ok(())
}

/// Rows and ticks are seen soon after Milvus wrote them, also by a view that was open before.
async fn what_is_written_is_seen(server: &Server) -> Result<(Log, Topic)> {
    seed(server, "before").await?;
    let log = Log::open(&server.rocksmq())?;
    let before = log.needles()?;
    let topic = Topic::of(before.first().context("the row is not in the log")?)?;
    for _ in 0..3 {
        log.see_a_newer_one(&topic, SOON).await?;
    }
    seed(server, "after").await?;
    let later = || async { Ok((log.needles()?.len() > before.len()).then_some(())) };
    wait::until("the second collection's row", SOON, later).await?;
    Ok((log, topic))
}

#[test]
fn what_2_3_5_writes_is_seen_beside_it_though_it_is_killed() -> Result<()> {
    fleet::run(async {
        let server = Server::start(Kind::V2_3_5).await?;
        let (log, topic) = what_is_written_is_seen(&server).await?;
        server.kill().await?;
        server.restart().await?;
        log.see_a_newer_one(&topic, PATIENCE).await?;
        server.stop().await
    })
}

#[test]
fn what_2_2_16_writes_is_seen_beside_it_until_it_is_taken_away() -> Result<()> {
    fleet::run(async {
        let server = Server::start(Kind::V2_2_16).await?;
        let (log, _) = what_is_written_is_seen(&server).await?;
        server.stop().await?;
        let gone = log.secondary.catch_up().err().context("it is not missed")?;
        ensure!(matches!(gone, Error::Folder { .. }), "{gone}");
        Ok(())
    })
}

/// Milvus deletes a topic's messages from the oldest on: while one is there, all behind it are.
#[test]
fn messages_are_deleted_from_the_oldest_on() -> Result<()> {
    let settings = [
        "rocksmq.rocksmqPageSize=256",
        "rocksmq.retentionTimeInMinutes=0",
        "rocksmq.timtickerInterval=1",
    ];
    let flags: Vec<_> = settings.iter().flat_map(|value| ["--set", value]).collect();
    fleet::run(async {
        let server = Server::start_with(Kind::V2_3_5, &flags).await?;
        seed(&server, "short_lived").await?;
        let log = Log::open(&server.rocksmq())?;
        let topic = Topic::of(b"by-dev-rootcoord-dml_0/")?;
        let several = || async { Ok(Some(log.keys(&topic)?).filter(|keys| keys.len() > 4)) };
        let read = wait::until("some messages", PATIENCE, several).await?;
        let most_gone = || async {
            let now = log.keys(&topic)?;
            let gone = read.iter().take_while(|key| !now.contains(key)).count();
            ensure!(
                now.starts_with(&read[gone..]),
                "a message in the midst is gone"
            );
            Ok((gone > read.len() / 2).then_some(()))
        };
        wait::until("messages to be deleted", PATIENCE, most_gone).await?;
        server.stop().await
    })
}

#[test]
fn a_folder_that_holds_no_log_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let refused = |folder: &Path| Log::open(folder).err().map(|error| error.downcast());
    let empty = refused(folder.path()).context("it was opened")??;
    ensure!(matches!(empty, Error::NotRocksDb { .. }), "{empty}");
    let missing = refused(&folder.path().join("missing")).context("it was opened")??;
    ensure!(matches!(missing, Error::Folder { .. }), "{missing}");
    Ok(())
}
