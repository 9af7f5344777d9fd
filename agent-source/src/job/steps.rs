//! How a step of a job can fail.

use channel::conversation::CallError;
use model::Fault;
use runtime::journal::JournalError;

/// Why a step of a job did not come to its end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum StepError {
    /// The session is over; the step is taken again in the next one.
    #[error("the link to the target is gone")]
    Disconnected,
    /// Something is wrong; its class says whose turn it is.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl StepError {
    /// Whether the step may be taken again: at once in the next session, or after a while.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Disconnected => true,
            Self::Fault(fault) => fault.may_pass(),
        }
    }

    /// What to tell an operator who waits for the step.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Self::Disconnected => crate::session::no_link(),
            Self::Fault(fault) => fault,
        }
    }
}

impl From<CallError> for StepError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(fault) => Self::Fault(fault),
            CallError::Disconnected => Self::Disconnected,
        }
    }
}

impl From<crate::outbox::Closed> for StepError {
    fn from(_: crate::outbox::Closed) -> Self {
        Self::Disconnected
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        Self::Fault(error.into())
    }
}
