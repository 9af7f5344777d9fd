//! Traces, delivered by OTLP over gRPC from a runtime of their own, and carried over to the other agent as a W3C traceparent.

use super::TelemetryError;
use model::AgentName;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::collections::HashMap;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

const FINISH_LIMIT: Duration = Duration::from_secs(5);
const EXPORT_LIMIT: Duration = Duration::from_secs(10);
const TRACEPARENT: &str = "traceparent";

/// Crates whose spans would tell of the delivery of spans.
const CARRIERS: [&str; 5] = ["h2", "hyper", "tonic", "tower", "opentelemetry"];

/// The delivery of traces.
#[derive(Debug)]
pub(super) struct Traces {
    provider: SdkTracerProvider,
    runtime: OwnRuntime,
}

impl Traces {
    pub(super) fn start(
        endpoint: &str,
        service: &'static str,
        agent: &AgentName,
    ) -> Result<Self, TelemetryError> {
        let runtime = OwnRuntime::start()?;
        let exporter = runtime.within(|| {
            let mut exporter = SpanExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .with_timeout(EXPORT_LIMIT);
            if endpoint.starts_with("https://") {
                exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
            }
            exporter.build()
        });
        let exporter = exporter.map_err(|error| TelemetryError::Endpoint {
            cause: error.to_string(),
        })?;
        let agent = KeyValue::new("service.instance.id", agent.to_string());
        let resource = Resource::builder_empty()
            .with_service_name(service)
            .with_attribute(agent)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Self { provider, runtime })
    }

    pub(super) fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        layer(&self.provider)
    }

    pub(super) fn finish(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FINISH_LIMIT) {
            tracing::warn!(%error, "traces could not be delivered");
        }
        drop(self.runtime);
    }
}

/// A runtime with one thread, apart from the one that moves data. May be dropped anywhere: it ends without being waited for.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn start() -> Result<Self, TelemetryError> {
        let built = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build();
        built
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| TelemetryError::Thread {
                cause: error.to_string(),
            })
    }

    /// Does something that needs a runtime around it.
    fn within<R>(&self, act: impl FnOnce() -> R) -> R {
        let _entered = self.0.as_ref().map(Runtime::enter);
        act()
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn layer<S>(provider: &SdkTracerProvider) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let is_ours = |target: &str| {
        !CARRIERS
            .iter()
            .any(|carrier| target.split("::").next() == Some(carrier))
    };
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("passage"))
        .with_filter(filter_fn(move |metadata| {
            *metadata.level() <= Level::INFO && is_ours(metadata.target())
        }))
        .boxed()
}

/// The current span's place in its trace, as a W3C `traceparent`; `None` when it is in no trace. Send it with a request, so that
/// the other agent's spans belong to the same trace.
#[must_use]
pub fn current_traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// A span of this name under the one that the peer's `traceparent` names. Without one (empty, or none that can be read) and where
/// this agent keeps no traces, it is a span like any other.
#[must_use]
pub fn remote_span(traceparent: &str, name: &'static str) -> Span {
    // The field is what names the span in traces; a span's own name belongs to its place in the code.
    let span = tracing::info_span!("remote", otel.name = name);
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    if parent.span().span_context().is_valid() {
        // Refused only where no traces are kept.
        let _ = span.set_parent(parent);
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData};
    use tracing_subscriber::layer::SubscriberExt;

    /// The spans that an agent would deliver.
    fn delivered(act: impl FnOnce()) -> Vec<SpanData> {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(layer(&provider)),
            act,
        );
        exporter.get_finished_spans().unwrap()
    }

    #[test]
    fn one_trace_spans_both_agents() {
        let mut carried = None;
        let source =
            delivered(|| tracing::info_span!("unit").in_scope(|| carried = current_traceparent()));
        let carried = carried.unwrap();
        let target = delivered(|| {
            let inner = || tracing::info_span!("write").in_scope(|| ());
            remote_span(&carried, "answer").in_scope(inner);
        });
        let names: Vec<_> = target.iter().map(|span| span.name.as_ref()).collect();
        assert_eq!(names, ["write", "answer"]);
        for span in &target {
            assert_eq!(
                span.span_context.trace_id(),
                source[0].span_context.trace_id()
            );
        }
        assert_eq!(target[1].parent_span_id, source[0].span_context.span_id());
    }

    #[test]
    fn a_text_that_names_no_span_begins_a_trace_of_its_own() {
        let spans = delivered(|| {
            for text in [
                "",
                "00-0-0-01",
                "canary",
                "00-00000000000000000000000000000000-0000000000000000-01",
            ] {
                remote_span(text, "answer").in_scope(|| ());
            }
        });
        assert_eq!(spans.len(), 4);
        assert!(
            spans
                .iter()
                .all(|span| span.parent_span_id == opentelemetry::trace::SpanId::INVALID)
        );
    }

    #[test]
    fn without_traces_there_is_no_traceparent() {
        assert_eq!(current_traceparent(), None);
        let span = remote_span(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "answer",
        );
        assert_eq!(span.in_scope(current_traceparent), None);
    }

    #[test]
    fn the_delivery_of_spans_is_not_traced() {
        let spans = delivered(|| {
            tracing::info_span!(target: "h2::client", "send").in_scope(|| ());
            tracing::debug_span!("detail").in_scope(|| ());
            tracing::info_span!("unit").in_scope(|| ());
        });
        assert_eq!(
            spans
                .iter()
                .map(|span| span.name.as_ref())
                .collect::<Vec<_>>(),
            ["unit"]
        );
    }

    /// What is left of a span when the agent ends: it is delivered before the process goes.
    #[test]
    fn a_span_is_on_its_way_when_traces_are_finished() {
        let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let greeted = std::thread::spawn(move || {
            let mut greeting = [0; 24];
            std::io::Read::read_exact(&mut collector.accept().unwrap().0, &mut greeting).unwrap();
            greeting
        });
        let traces = Traces::start(&endpoint, "agent-source", &"acme".parse().unwrap()).unwrap();
        let registry = tracing_subscriber::registry().with(traces.layer());
        tracing::subscriber::with_default(registry, || tracing::info_span!("unit").in_scope(|| ()));
        traces.finish();
        // The connection preface of HTTP/2 (RFC 9113, section 3.4).
        assert_eq!(
            &greeted.join().unwrap(),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        );
    }

    #[test]
    fn an_endpoint_that_nobody_listens_on_holds_nothing_up() {
        let agent = "acme".parse().unwrap();
        let traces = Traces::start("http://127.0.0.1:1", "agent-source", &agent).unwrap();
        let registry = tracing_subscriber::registry().with(traces.layer());
        tracing::subscriber::with_default(registry, || tracing::info_span!("unit").in_scope(|| ()));
        drop(traces);
        assert!(matches!(
            Traces::start("no uri", "agent-source", &agent),
            Err(TelemetryError::Endpoint { .. })
        ));
    }
}
