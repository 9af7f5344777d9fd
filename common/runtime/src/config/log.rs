//! Milvus's log, from which the source's agent follows changes.

use super::section::Section;
use super::values;
use std::path::PathBuf;

/// Where Milvus keeps its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSection {
    /// In a folder beside it: the default of a standalone Milvus.
    RocksMq {
        /// The folder, `rocksmq.path` in milvus.yaml.
        path: PathBuf,
        /// The RocksDB library to read it with; by default the system's.
        library: Option<PathBuf>,
    },
}

pub(super) fn log(section: &mut Section<'_>) -> Option<LogSection> {
    section.required("kind", |text| match text {
        "nats" | "kafka" | "pulsar" => Err(format!(
            "{text} is not built yet: this version follows changes in rocksmq, the log of a standalone Milvus"
        )),
        text => values::choice([("rocksmq", ())])(text),
    });
    let folder = |text: &str| Ok(PathBuf::from(text));
    let path = section.required("path", folder);
    let library = section.optional("library", folder);
    Some(LogSection::RocksMq {
        path: path?,
        library,
    })
}
