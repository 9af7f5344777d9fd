//! Metrics in Prometheus's text form, and the page that serves them.

use super::TelemetryError;
use super::metric_names::{ALL, Kind, PROCESS_RESIDENT, PROCESS_RESIDENT_PEAK};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Bounds of the ranges of times, in seconds: from a write to the journal to a slow call to Milvus.
const TIME_BOUNDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// How often histograms are folded, so that they don't grow while nobody reads them.
const UPKEEP: Duration = Duration::from_secs(5);

/// The metrics of this process.
#[derive(Debug, Clone)]
pub struct Metrics {
    page: PrometheusHandle,
}

impl Metrics {
    /// Starts counting. Once per process.
    ///
    /// # Errors
    /// When it was started before: ours.
    pub fn start() -> Result<Self, TelemetryError> {
        let recorder = recorder();
        let page = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::AlreadyStarted)?;
        describe();
        Ok(Self { page })
    }

    /// The page: every metric with its description.
    #[must_use]
    pub fn render(&self) -> String {
        record_memory();
        self.page.render()
    }

    /// Opens the page at `/metrics`, and `/healthz`, which answers while the process lives. Nothing is served before [`MetricsServer::run`].
    ///
    /// # Errors
    /// When the address can't be listened on: the operator's.
    pub async fn listen(&self, listen: SocketAddr) -> Result<MetricsServer, TelemetryError> {
        let refusal = |error: std::io::Error| TelemetryError::Listen {
            listen,
            cause: error.to_string(),
        };
        let listener = TcpListener::bind(listen).await.map_err(refusal)?;
        let address = listener.local_addr().map_err(refusal)?;
        Ok(MetricsServer {
            metrics: self.clone(),
            listener,
            address,
        })
    }

    async fn keep_up(&self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.page.run_upkeep();
        }
    }
}

/// The page of metrics, about to be served.
#[derive(Debug)]
pub struct MetricsServer {
    metrics: Metrics,
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsServer {
    /// Where it is served: the port that was given, or the one that the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to stop.
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener; answers under way are cut off.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            metrics, listener, ..
        } = self;
        let page = metrics.clone();
        let render = move || {
            let body = page.render();
            async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], body).into_response() }
        };
        let routes = Router::new()
            .route("/metrics", get(render))
            .route("/healthz", get(|| async { "ok\n" }));
        let served = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        tokio::select! {
            ended = served => if let Err(error) = ended {
                tracing::error!(%error, "metrics are no longer served");
            },
            () = metrics.keep_up() => {}
        }
    }
}

fn recorder() -> metrics_exporter_prometheus::PrometheusRecorder {
    let builder = PrometheusBuilder::new();
    match builder.set_buckets(&TIME_BOUNDS) {
        Ok(builder) => builder.build_recorder(),
        // Only for no bounds at all.
        Err(_) => PrometheusBuilder::new().build_recorder(),
    }
}

fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.unit, metric.about),
            Kind::Gauge => describe_gauge!(metric.name, metric.unit, metric.about),
            Kind::Histogram => describe_histogram!(metric.name, metric.unit, metric.about),
        }
    }
}

/// What Linux says in `/proc/self/status` (proc(5)): `VmRSS` and `VmHWM`, in kB.
fn record_memory() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return;
    };
    for (field, name) in [
        ("VmRSS:", PROCESS_RESIDENT),
        ("VmHWM:", PROCESS_RESIDENT_PEAK),
    ] {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kilobytes = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .and_then(|number| number.parse::<u32>().ok());
        if let Some(kilobytes) = kilobytes {
            metrics::gauge!(name).set(f64::from(kilobytes) * 1024.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::metric_names::{JOURNAL_COMMIT, JOURNAL_STEPS};
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn local() -> (metrics_exporter_prometheus::PrometheusRecorder, Metrics) {
        let recorder = recorder();
        let page = recorder.handle();
        (recorder, Metrics { page })
    }

    #[test]
    fn a_metric_is_shown_with_what_it_counts() {
        let (recorder, metrics) = local();
        let page = metrics::with_local_recorder(&recorder, || {
            describe();
            metrics::counter!(JOURNAL_STEPS).increment(3);
            metrics::histogram!(JOURNAL_COMMIT).record(0.004);
            metrics.render()
        });
        for line in [
            "# HELP passage_journal_steps_total steps that the journal was given",
            "passage_journal_steps_total 3",
            "passage_journal_commit_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line}\n in\n{page}"
            );
        }
        assert!(
            page.contains("passage_process_resident_peak_bytes "),
            "{page}"
        );
    }

    async fn fetch(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_page_is_served_until_it_is_told_to_stop() {
        let (recorder, metrics) = local();
        metrics::with_local_recorder(&recorder, || metrics::counter!(JOURNAL_STEPS).increment(7));
        let server = metrics
            .listen("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let (address, stop) = (server.address(), CancellationToken::new());
        let running = tokio::spawn(server.run(stop.clone()));
        assert!(
            fetch(address, "/metrics")
                .await
                .contains("passage_journal_steps_total 7")
        );
        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(fetch(address, "/other").await.starts_with("HTTP/1.1 404"));
        stop.cancel();
        running.await.unwrap();
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let refusal = local().1.listen(address).await.unwrap_err();
        assert!(
            refusal.to_string().contains(&address.to_string()),
            "{refusal}"
        );
    }
}
