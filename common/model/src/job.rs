//! What an operator asks for.

use crate::{JobName, Selection};
use serde::{Deserialize, Serialize};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? } default $default:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }
    };
}

choice! {
    /// What happens when the target already has a collection of the wanted name.
    OnConflict {
        /// The job does not start.
        Fail,
        /// The collection is left out.
        Skip,
        /// The target's collection is dropped and made anew.
        Replace,
        /// Rows are added to the target's collection, as upserts.
        Append,
    } default Fail
}

choice! {
    /// What becomes of primary keys that the source's server made.
    AutoId {
        /// They are kept; where the target can't take them, its schema has autoID off.
        Preserve,
        /// The target makes new ones.
        Regenerate,
    } default Preserve
}

choice! {
    /// What becomes of indexes.
    Indexes {
        /// The same indexes with the same parameters.
        Keep,
        /// AUTOINDEX on every vector field, with the source's metric; scalar indexes as they are.
        Auto,
        /// None.
        None,
    } default Keep
}

choice! {
    /// Whether the target's collections are loaded in the end.
    Load {
        /// As on the source.
        Keep,
        /// Yes.
        Yes,
        /// No.
        No,
    } default Keep
}

choice! {
    /// How the target is compared with the source.
    Verify {
        /// Every value of every row.
        Content,
        /// The number of rows only.
        Counts,
        /// Not at all.
        None,
    } default Content
}

choice! {
    /// What happens with a source collection that is not loaded, and so can't be read.
    Unloaded {
        /// The job does not start.
        Refuse,
        /// The agent loads it for the job, and releases it afterwards.
        Load,
    } default Refuse
}

choice! {
    /// How rows are read on the source.
    CopyBy {
        /// By files that the target imports, where that can be and is worth it; else by queries where the collection is loaded, else from
        /// the files of its segments where those can be read.
        Auto,
        /// By queries.
        Rows,
        /// From the files of segments, which the agent reads in Milvus's own storage: imported by the target where it can, else as rows.
        Segments,
    } default Auto
}

choice! {
    /// Whether the source may be written to while the job runs.
    Mode {
        /// It is not: what is there when the job begins is copied.
        Copy,
        /// It may: changes are followed in Milvus's log until the job is told to cut over.
        Live,
    } default Copy
}

choice! {
    /// Who sees to it that nobody writes to the source while a job cuts over.
    Fence {
        /// The operator.
        Operator,
        /// The agent, which has the source's Milvus deny writes.
        DenyWrites,
    } default Operator
}

/// How a job that follows changes is to cut over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cutover {
    /// It begins only if the target lags behind the source by no more, in milliseconds.
    pub max_lag_ms: u64,
    /// It is given up, and the job goes on following, if it is not done after so many milliseconds.
    pub timeout_ms: u64,
    /// Who keeps writers away.
    pub fence: Fence,
}

impl Default for Cutover {
    fn default() -> Self {
        Self {
            max_lag_ms: 1_000,
            timeout_ms: 30_000,
            fence: Fence::default(),
        }
    }
}

impl Cutover {
    /// The same, but for what an order says.
    #[must_use]
    pub fn ordered(self, order: CutoverOptions) -> Self {
        Self {
            max_lag_ms: order.max_lag_ms.unwrap_or(self.max_lag_ms),
            timeout_ms: order.timeout_ms.unwrap_or(self.timeout_ms),
            ..self
        }
    }
}

/// An order to cut over: what is to be otherwise than the job says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CutoverOptions {
    /// In place of [`Cutover::max_lag_ms`].
    pub max_lag_ms: Option<u64>,
    /// In place of [`Cutover::timeout_ms`].
    pub timeout_ms: Option<u64>,
    /// Only says whether it could begin.
    pub dry_run: bool,
}

/// A job as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The job's name.
    pub name: JobName,
    /// The collections and their names on the target.
    pub selection: Selection,
    /// Whether changes are followed.
    pub mode: Mode,
    /// How rows are read.
    pub copy: CopyBy,
    /// When the target has the name already.
    pub on_conflict: OnConflict,
    /// Primary keys made by the server.
    pub auto_id: AutoId,
    /// Indexes.
    pub indexes: Indexes,
    /// Loading.
    pub load: Load,
    /// Verification.
    pub verify: Verify,
    /// Source collections that are not loaded.
    pub unloaded: Unloaded,
    /// How a job that follows changes cuts over.
    pub cutover: Cutover,
    /// Preflight only: nothing is changed.
    pub dry_run: bool,
}
