//! Real Milvus servers: started, killed, started again on the same data.

use crate::ports::Ports;
use crate::process::Process;
use crate::{places, python};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

/// A first start unpacks nothing but may be tried three times.
const START_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How long a seeding may take.
const SEED_LIMIT: Duration = Duration::from_secs(600);

/// The key of every bucket here, and its secret.
const BUCKET_KEY: &str = "test";

/// The password of `root` on a server with users, until it is changed.
pub const ROOT_PASSWORD: &str = "Milvus";

/// Which Milvus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The real server 2.3.5.
    V2_3_5,
    /// The real server 2.2.16.
    V2_2_16,
    /// Milvus Lite 3.2.
    Lite,
}

impl Kind {
    /// As the testbed calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V2_3_5 => "2.3.5",
            Self::V2_2_16 => "2.2.16",
            Self::Lite => "lite",
        }
    }
}

/// A running server. It is ended with this test process at the latest; its data survive kills and restarts.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    folder: PathBuf,
    ports: Ports,
    flags: Vec<String>,
    uri: String,
    /// The host and port of its message queue, where that has one.
    queue: Option<String>,
    /// The host and port of the bucket that it keeps its files in, where it does.
    bucket: Option<String>,
    process: Mutex<Process>,
}

/// One large collection to make.
#[derive(Debug, Clone)]
pub struct Bulk<'a> {
    /// The database.
    pub database: &'a str,
    /// The collection's name.
    pub collection: &'a str,
    /// How many rows.
    pub rows: u64,
    /// The dimension of the vectors.
    pub dim: u32,
    /// More flags of `testbed bulk`.
    pub flags: &'a [&'a str],
}

impl Server {
    /// Starts a server and waits until it serves calls.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(kind: Kind) -> Result<Self> {
        Self::start_with(kind, &[]).await
    }

    /// As [`Server::start`], with more flags of `testbed serve`, such as `--auth`, `--mq` and the kind of its message queue, or
    /// `--storage s3`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_with(kind: Kind, flags: &[&str]) -> Result<Self> {
        let folder = places::new_folder(&format!("milvus-{}", kind.name()))?;
        let ports = Ports::take()?;
        let flags: Vec<_> = flags.iter().map(ToString::to_string).collect();
        let record = serve(kind, &folder, &ports, &flags).await?;
        let uri = record["uri"]
            .as_str()
            .context("a server has a uri")?
            .to_owned();
        let queue = record["queue"].as_str().map(str::to_owned);
        let bucket = record["bucket"].as_str().map(str::to_owned);
        let process = Mutex::new(process_of(&record)?);
        let server = Self {
            kind,
            folder,
            ports,
            flags,
            uri,
            queue,
            bucket,
            process,
        };
        if server.bucket.is_some() {
            std::fs::write(server.bucket_secret(), BUCKET_KEY)?;
        }
        Ok(server)
    }

    fn bucket_secret(&self) -> PathBuf {
        self.folder.join("bucket.secret")
    }

    /// Where clients find it.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// A client of it. Whether two servers are equal is not asked of it: that is the oracle's business.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn client(&self) -> Result<milvus::Client> {
        Ok(milvus::Client::connect(&milvus::Endpoint::new(&self.uri)).await?)
    }

    /// Which Milvus it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its process as it is now.
    #[must_use]
    pub fn process(&self) -> Process {
        *self
            .process
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The folder that a real server keeps its log in.
    #[must_use]
    pub fn rocksmq(&self) -> PathBuf {
        self.folder.join("rocksmq")
    }

    /// The folder that a real server keeps its objects in, where it keeps them on this machine.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The host and port of the bucket that it keeps its files in, where it does.
    #[must_use]
    pub fn bucket(&self) -> Option<&str> {
        self.bucket.as_deref()
    }

    /// The section `storage` of an agent that reads its files.
    #[must_use]
    pub fn storage_config(&self) -> Value {
        match &self.bucket {
            None => json!({ "kind": "local", "path": self.objects() }),
            Some(address) => json!({
                "kind": "s3",
                "endpoint": format!("http://{address}"),
                "region": "us-east-1",
                "accessKeyID": BUCKET_KEY,
                "secretAccessKey_file": self.bucket_secret(),
            }),
        }
    }

    /// The section `log` of an agent that reads its log.
    #[must_use]
    pub fn log_config(&self) -> Value {
        match &self.queue {
            None => json!({
                "kind": "rocksmq",
                "path": self.rocksmq(),
                "library": places::rocksdb_library(),
            }),
            Some(address) if self.flags.iter().any(|flag| flag == "natsmq") => {
                json!({ "kind": "nats", "url": format!("nats://{address}") })
            }
            Some(address) => json!({ "kind": "kafka", "brokers": [address] }),
        }
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// When it does not go.
    pub async fn kill(&self) -> Result<()> {
        self.process().kill().await
    }

    /// Starts it again on the same data and the same port.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&self) -> Result<()> {
        let record = serve(self.kind, &self.folder, &self.ports, &self.flags).await?;
        *self
            .process
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = process_of(&record)?;
        Ok(())
    }

    /// Ends it, and takes its data away.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(self) -> Result<()> {
        python::testbed_done(
            &["stop", "--dir", &self.folder.display().to_string()],
            STOP_LIMIT,
        )
        .await?;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }

    /// Fills it with every type and attribute that it holds, or with some of those collections.
    ///
    /// # Errors
    /// When the server refuses more than the testbed knows of.
    pub async fn seed_full(&self, collections: &[&str]) -> Result<Value> {
        let mut words = vec!["seed", "full", "--uri", &self.uri];
        for collection in collections {
            words.extend(["--collection", collection]);
        }
        python::testbed_done(&words, SEED_LIMIT).await
    }

    /// Compacts a collection. Gives the segments that it had and has no more.
    ///
    /// # Errors
    /// When the server does not.
    pub async fn compact(&self, collection: &str) -> Result<Vec<i64>> {
        let words = ["compact", "--uri", &self.uri, "--collection", collection];
        let done = python::testbed_done(&words, SEED_LIMIT).await?;
        let of = |key: &str| serde_json::from_value::<Vec<i64>>(done[key].clone());
        let (mut before, after) = (of("before")?, of("after")?);
        before.retain(|segment| !after.contains(segment));
        Ok(before)
    }

    /// Imports rows into a collection that [`Self::seed_bulk`] made, with keys from `first` on.
    ///
    /// # Errors
    /// When the server does not.
    pub async fn import(&self, collection: &str, first: u64, rows: u64) -> Result<()> {
        let (first, count) = (first.to_string(), rows.to_string());
        let folder = self.folder.display().to_string();
        let words = [
            "import",
            "--uri",
            &self.uri,
            "--collection",
            collection,
            "--first",
            &first,
            "--rows",
            &count,
            "--folder",
            &folder,
        ];
        let done = python::testbed_done(&words, SEED_LIMIT).await?;
        ensure!(done["rows"] == rows, "{done}");
        Ok(())
    }

    /// Makes one large collection; how many bytes it has.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn seed_bulk(&self, bulk: &Bulk<'_>) -> Result<u64> {
        let (rows, dim) = (bulk.rows.to_string(), bulk.dim.to_string());
        let mut words = vec![
            "bulk",
            "--uri",
            &self.uri,
            "--db",
            bulk.database,
            "--collection",
            bulk.collection,
        ];
        words.extend(["--rows", &rows, "--dim", &dim]);
        words.extend(bulk.flags);
        let done = python::testbed_done(&words, SEED_LIMIT).await?;
        done["bytes"].as_u64().context("a seeding tells its bytes")
    }
}

async fn serve(
    kind: Kind,
    folder: &std::path::Path,
    ports: &Ports,
    flags: &[String],
) -> Result<Value> {
    let (folder, port, owner) = (
        folder.display().to_string(),
        ports.port(0).to_string(),
        std::process::id().to_string(),
    );
    let mut words = vec![
        "serve",
        "--kind",
        kind.name(),
        "--dir",
        &folder,
        "--port",
        &port,
        "--die-with",
        &owner,
    ];
    words.extend(flags.iter().map(String::as_str));
    python::testbed_done(&words, START_LIMIT).await
}

fn process_of(record: &Value) -> Result<Process> {
    let pid = record["pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok());
    Process::of(pid.context("a server has a pid")?)
}
