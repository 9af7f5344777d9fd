//! Why telemetry can't start.

use model::{Class, Fault, codes};

/// Telemetry that can't start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is none. The operator's.
    #[error("telemetry.filter {filter:?} is not valid: {cause}")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The endpoint can't be used. The operator's.
    #[error("telemetry.otlp_endpoint can't be used: {cause}")]
    Endpoint {
        /// What is wrong with it.
        cause: String,
    },
    /// The address of the metrics can't be listened on. The operator's.
    #[error("metrics.listen {listen} can't be used: {cause}")]
    Listen {
        /// The address.
        listen: std::net::SocketAddr,
        /// The system's words.
        cause: String,
    },
    /// The system gives no thread. The operator's.
    #[error("telemetry can't start a thread: {cause}")]
    Thread {
        /// The system's words.
        cause: String,
    },
    /// Telemetry was started twice. Ours.
    #[error("telemetry was started before in this process")]
    AlreadyStarted,
}

impl TelemetryError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::AlreadyStarted => Class::Bug,
            Self::Filter { .. }
            | Self::Endpoint { .. }
            | Self::Listen { .. }
            | Self::Thread { .. } => Class::Operator,
        }
    }

    /// The remedy.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Filter { .. } => "give directives such as info,passage_channel=debug",
            Self::Endpoint { .. } => {
                "give the collector's gRPC address, such as http://127.0.0.1:4317"
            }
            Self::Listen { .. } => "give a free address of this machine, or off",
            Self::Thread { .. } => "raise the limit on this user's processes",
            Self::AlreadyStarted => "restart the agent and report this",
        }
    }
}

impl From<TelemetryError> for Fault {
    fn from(error: TelemetryError) -> Self {
        let code = if error.class() == Class::Bug {
            codes::BUG
        } else {
            codes::CONFIG_INVALID
        };
        Fault::new(code, error.class(), error.to_string(), error.hint())
    }
}
