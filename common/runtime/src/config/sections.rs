//! The smaller sections: what each key means, and its default.

use super::channel::{TlsFiles, tls_files};
use super::peer::{Peer, peers};
use super::section::Section;
use super::values;
use model::selection::Pattern;
use model::{AgentName, Selection};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Who the agent is and where it keeps its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSection {
    /// Its name.
    pub name: AgentName,
    /// The directory of its journal.
    pub state_dir: PathBuf,
}

/// Where operators reach the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminSection {
    /// On a unix socket; the file's rights say who may.
    Unix(PathBuf),
    /// On TCP, for peers with a certificate.
    Tcp {
        /// The address.
        listen: SocketAddr,
        /// The agent's identity.
        tls: TlsFiles,
        /// Who may operate it.
        peers: Vec<Peer>,
    },
}

/// Where metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsSection {
    /// The address; `None` when they are off.
    pub listen: Option<SocketAddr>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// Logs and traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetrySection {
    /// Where traces go, by OTLP over gRPC; absent, nowhere.
    pub otlp_endpoint: Option<String>,
    /// The form of log lines.
    pub log: LogFormat,
    /// What is logged, as directives such as `info,passage_channel=debug`.
    pub filter: String,
}

/// What the agent may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsSection {
    /// Memory of the whole agent, in bytes.
    pub memory_bytes: u64,
    /// Bytes per second over all jobs; `None` for no limit.
    pub bytes_per_second: Option<u64>,
    /// Rows per second over all jobs; `None` for no limit.
    pub rows_per_second: Option<u64>,
    /// Bytes per second of batches that this agent sends over the channel; `None` for no limit.
    pub channel_bytes_per_second: Option<u64>,
    /// Units that are read at the same time.
    pub readers: u16,
    /// Batches that are written at the same time.
    pub writers: u16,
    /// About how many bytes of files are imported at once.
    pub import_bytes: u64,
}

pub(super) fn agent(section: &mut Section<'_>) -> Option<AgentSection> {
    let name = section.required("name", |text| {
        text.parse::<AgentName>().map_err(|error| error.to_string())
    });
    let state_dir = section.required("state_dir", values::path);
    Some(AgentSection {
        name: name?,
        state_dir: state_dir?,
    })
}

pub(super) fn admin(section: &mut Section<'_>, state_dir: Option<&Path>) -> Option<AdminSection> {
    let default = state_dir.map_or_else(
        || "unix:admin.sock".to_owned(),
        |dir| format!("unix:{}", dir.join("admin.sock").display()),
    );
    let listen = section.or("listen", &default, values::text);
    let (has_tls, has_peers) = (section.has_section("tls"), section.has("peers"));
    if let Some(path) = listen.as_deref()?.strip_prefix("unix:") {
        // Asked for, so that they are known keys, and refused by what they mean here.
        section.within_given("tls", tls_files);
        if has_peers {
            peers(section, "peers");
        }
        for key in [("tls", has_tls), ("peers", has_peers)]
            .into_iter()
            .filter_map(|(key, given)| given.then_some(key))
        {
            section.refuse(
                key,
                "has no meaning on a unix socket: its file's rights say who may connect",
            );
        }
        return values::path(path).ok().map(AdminSection::Unix);
    }
    let address = values::socket(listen.as_deref()?);
    if let Err(cause) = &address {
        section.refuse("listen", format!("{cause}; or unix:/path"));
    }
    let tls = section.within("tls", tls_files);
    let peers = peers(section, "peers");
    Some(AdminSection::Tcp {
        listen: address.ok()?,
        tls: tls?,
        peers,
    })
}

pub(super) fn metrics(section: &mut Section<'_>) -> Option<MetricsSection> {
    let listen = section.or("listen", "127.0.0.1:9464", |text| match text {
        "off" => Ok(None),
        text => values::socket(text)
            .map(Some)
            .map_err(|cause| format!("{cause}; or off")),
    });
    Some(MetricsSection { listen: listen? })
}

pub(super) fn telemetry(section: &mut Section<'_>) -> Option<TelemetrySection> {
    let otlp_endpoint = section.optional("otlp_endpoint", values::uri);
    let log = section.or(
        "log",
        "text",
        values::choice([("text", LogFormat::Text), ("json", LogFormat::Json)]),
    );
    let filter = section.or(
        "filter",
        "info",
        |text| match tracing_subscriber::EnvFilter::try_new(text) {
            Ok(_) => values::text(text),
            Err(error) => Err(format!(
                "must be log directives such as info,passage_channel=debug: {error}"
            )),
        },
    );
    Some(TelemetrySection {
        otlp_endpoint,
        log: log?,
        filter: filter?,
    })
}

/// What this side gives or takes. It must be said: nothing is in scope by default.
pub(super) fn scope(section: &mut Section<'_>) -> Option<Selection> {
    let include = section.list("allow", pattern);
    let exclude = section.list("deny", pattern).unwrap_or_default();
    if include.as_ref().is_none_or(Vec::is_empty) {
        section.refuse("allow", r#"must name the collections that jobs may use, such as ["sales.*", "docs"], or ["*.*"] for all"#);
    }
    Some(Selection {
        include: include?,
        exclude,
        rename: Vec::new(),
    })
}

/// A pattern for collections: `db.collection` or `collection`, of the letters that Milvus allows in names, and stars.
pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    let fits = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '*' | '$'))
    };
    let mut parts = text.split('.');
    let known = parts.by_ref().take(2).all(fits) && parts.next().is_none();
    if known {
        Ok(Pattern::from(text))
    } else {
        Err(format!(
            "must be a pattern such as sales.* or docs, and is {text:?}"
        ))
    }
}

pub(super) fn limits(section: &mut Section<'_>) -> Option<LimitsSection> {
    let memory = section.or("memory", "256MiB", |text| match values::byte_size(text)? {
        bytes if bytes >= 64 << 20 => Ok(bytes),
        _ => Err(format!("must be at least 64MiB, and is {text:?}")),
    });
    let bytes_per_second = section.optional("bytes_per_second", values::rate);
    let rows_per_second = section.optional("rows_per_second", values::number(1, u64::MAX));
    let channel_bytes_per_second = section.optional("channel", values::rate);
    let readers = section.or("readers", "4", values::number(1, 256));
    let writers = section.or("writers", "4", values::number(1, 256));
    let import_bytes = section.or("import", "1GiB", |text| match values::byte_size(text)? {
        bytes if bytes >= 1 << 20 => Ok(bytes),
        _ => Err(format!("must be at least 1MiB, and is {text:?}")),
    });
    Some(LimitsSection {
        memory_bytes: memory?,
        bytes_per_second,
        rows_per_second,
        channel_bytes_per_second,
        readers: u16::try_from(readers?).ok()?,
        writers: u16::try_from(writers?).ok()?,
        import_bytes: import_bytes?,
    })
}
