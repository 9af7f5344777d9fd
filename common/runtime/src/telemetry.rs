//! Logs, metrics and traces of an agent.
//!
//! Invariants: nothing here ever holds up the path of the data (a trace that can't be delivered is dropped); no secret can get
//! here but by [`crate::Secret::expose`]; a trace begun by one agent goes on in the other.

mod error;
mod logging;
pub mod metric_names;
mod metrics;
mod traces;

pub use error::TelemetryError;
pub use metrics::{Metrics, MetricsServer};
pub use traces::{current_traceparent, remote_span};

use crate::config::TelemetrySection;
use model::AgentName;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What runs for telemetry until the process ends.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<traces::Traces>,
}

impl Telemetry {
    /// Starts logs on standard error, and traces where an endpoint is configured. Once per process. `service` is the program,
    /// such as `agent-source`.
    ///
    /// # Errors
    /// When the filter or the endpoint is wrong (the operator's), or telemetry has been started before (ours).
    pub fn start(
        section: &TelemetrySection,
        service: &'static str,
        agent: &AgentName,
    ) -> Result<Self, TelemetryError> {
        let traces = match &section.otlp_endpoint {
            Some(endpoint) => Some(traces::Traces::start(endpoint, service, agent)?),
            None => None,
        };
        tracing_subscriber::registry()
            .with(traces.as_ref().map(traces::Traces::layer))
            .with(logging::layer(section, std::io::stderr)?)
            .try_init()
            .map_err(|_| TelemetryError::AlreadyStarted)?;
        Ok(Self { traces })
    }

    /// Delivers the traces that are still here, for at most five seconds. Blocks: call it outside of any runtime, as the last thing.
    pub fn finish(self) {
        if let Some(traces) = self.traces {
            traces.finish();
        }
    }
}
