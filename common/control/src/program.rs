//! Which of the two agents this is.

use std::fmt;

/// One of the two programs: what they are called, and what help texts say about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `agent-source`, beside the Milvus that is read.
    Source,
    /// `agent-target`, beside the Milvus that is written.
    Target,
}

impl Program {
    /// The name of the command.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "agent-source",
            Self::Target => "agent-target",
        }
    }

    /// Which side of a migration it is on.
    #[must_use]
    pub fn side(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    /// The name of the other agent's command.
    #[must_use]
    pub fn peer(self) -> &'static str {
        match self {
            Self::Source => "agent-target",
            Self::Target => "agent-source",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
