//! The servers that tests share. Each is started by the first test that needs it and ends with the process.
//!
//! A real Milvus costs some seconds and some hundred megabytes; so tests keep out of each other's way by the names of their
//! collections and databases, not by servers of their own. Only who kills a server has one to itself.

use anyhow::Result;
use harness::servers::{Kind, Server};
use std::future::Future;
use std::ops::Deref;
use std::sync::LazyLock;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// All tests run on one runtime: what one test starts and others share must not end with that one.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime can be had"));

/// A server that holds everything it can.
pub(crate) struct Seeded {
    pub(crate) server: Server,
    /// Names of its collections, with their database.
    pub(crate) collections: Vec<String>,
    /// How many rows they have together.
    pub(crate) rows: u64,
    busy: Mutex<()>,
}

/// A seeded server, for one test alone: a job, and the oracle, may load its collections for a while, and others would see that.
pub(crate) struct Turn {
    seeded: &'static Seeded,
    _busy: MutexGuard<'static, ()>,
}

impl Deref for Turn {
    type Target = Seeded;

    fn deref(&self) -> &Seeded {
        self.seeded
    }
}

/// Runs a test.
pub(crate) fn run(test: impl Future<Output = Result<()>>) -> Result<()> {
    RUNTIME.block_on(test)
}

async fn seeded(kind: Kind) -> Result<Seeded> {
    let server = Server::start(kind).await?;
    let done = server.seed_full(&[]).await?;
    assert_eq!(
        done["notes"],
        serde_json::json!([]),
        "the {} server holds all that is said of it",
        kind.name()
    );
    let names = done["collections"].as_array().into_iter().flatten();
    let collections = names
        .filter_map(|name| name.as_str())
        .map(str::to_owned)
        .collect();
    Ok(Seeded {
        server,
        collections,
        rows: done["rows"].as_u64().unwrap_or_default(),
        busy: Mutex::default(),
    })
}

async fn turn(cell: &'static OnceCell<Seeded>, kind: Kind) -> Result<Turn> {
    let seeded = cell.get_or_try_init(|| seeded(kind)).await?;
    Ok(Turn {
        seeded,
        _busy: seeded.busy.lock().await,
    })
}

/// A 2.3.5 that holds everything it can; tests leave it as it is.
pub(crate) async fn full() -> Result<Turn> {
    static CELL: OnceCell<Seeded> = OnceCell::const_new();
    turn(&CELL, Kind::V2_3_5).await
}

/// A 2.2.16 that holds everything it can; tests leave it as it is.
pub(crate) async fn full_old() -> Result<Turn> {
    static CELL: OnceCell<Seeded> = OnceCell::const_new();
    turn(&CELL, Kind::V2_2_16).await
}

/// A Lite that holds everything it can; tests leave it as it is.
pub(crate) async fn full_lite() -> Result<Turn> {
    static CELL: OnceCell<Seeded> = OnceCell::const_new();
    turn(&CELL, Kind::Lite).await
}

/// A 2.3.5 to write to.
pub(crate) async fn target() -> Result<&'static Server> {
    static CELL: OnceCell<Server> = OnceCell::const_new();
    CELL.get_or_try_init(|| Server::start(Kind::V2_3_5)).await
}

/// A Lite to write to.
pub(crate) async fn lite_target() -> Result<&'static Server> {
    static CELL: OnceCell<Server> = OnceCell::const_new();
    CELL.get_or_try_init(|| Server::start(Kind::Lite)).await
}

/// A Lite for sources that tests make themselves, each under names of its own.
pub(crate) async fn lite_source() -> Result<&'static Server> {
    static CELL: OnceCell<Server> = OnceCell::const_new();
    CELL.get_or_try_init(|| Server::start(Kind::Lite)).await
}

/// A 2.3.5 that asks who calls, and takes no message of more than [`NARROW_BYTES`].
pub(crate) async fn guarded() -> Result<&'static Server> {
    static CELL: OnceCell<Server> = OnceCell::const_new();
    let narrow = format!("proxy.grpc.serverMaxRecvSize={NARROW_BYTES}");
    CELL.get_or_try_init(|| async {
        Server::start_with(Kind::V2_3_5, &["--auth", "--set", &narrow]).await
    })
    .await
}

/// The largest message that the guarded server takes.
pub(crate) const NARROW_BYTES: u64 = 64 << 10;
