//! What an operator is told of a spool that can't be used.

use model::{Class, Fault, Offset, codes};
use std::io;
use std::path::Path;

/// Its folder can't be read or written.
pub(super) fn unusable(folder: &Path, error: &io::Error) -> Fault {
    let message = format!("the spool in {} can't be used: {error}", folder.display());
    let hint = "let the agent's user write the folder of `log.spool.path`, and see that its disk has room and is well";
    Fault::new(codes::SPOOL_UNUSABLE, Class::Operator, message, hint)
}

/// Another process has it.
pub(super) fn taken(folder: &Path) -> Fault {
    let message = format!("the spool in {} is another agent's", folder.display());
    let hint = "give each agent a `log.spool.path` of its own";
    Fault::new(codes::SPOOL_UNUSABLE, Class::Operator, message, hint)
}

/// What it held is damaged: as if the log had lost it.
pub(super) fn damaged(folder: &Path, topic: &str, behind: Offset) -> Fault {
    let message = format!(
        "the spool in {} is damaged: its messages of topic {topic} behind {behind} can't be read",
        folder.display()
    );
    let hint = "nothing for this job: every row is compared again; see that the disk is well";
    Fault::new(codes::LOG_TRUNCATED, Class::Transient, message, hint)
}
