//! Log lines, for people or for programs.

use super::TelemetryError;
use crate::config::{LogFormat, TelemetrySection};
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

/// Libraries whose every trouble reaches the agent as an error, and is logged by it where it matters. A filter that names one brings its
/// own words back.
const QUIET: &str = "async_nats=off,rskafka=off";

/// The layer that writes log lines as the section wants them.
pub(super) fn layer<S, W>(
    section: &TelemetrySection,
    writer: W,
) -> Result<Box<dyn Layer<S> + Send + Sync>, TelemetryError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = format!("{QUIET},{}", section.filter);
    let filter = EnvFilter::try_new(filter).map_err(|error| TelemetryError::Filter {
        filter: section.filter.clone(),
        cause: error.to_string(),
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(match section.log {
        LogFormat::Text => lines.with_ansi(false).with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged under these settings.
    fn logged(log: LogFormat, filter: &str, act: impl FnOnce()) -> String {
        let lines = Lines::default();
        let section = TelemetrySection {
            otlp_endpoint: None,
            log,
            filter: filter.to_owned(),
        };
        let writer = lines.clone();
        let layer = layer(&section, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_secret_reaches_no_log_line() {
        let secret = Secret::new("canary");
        for log in [LogFormat::Text, LogFormat::Json] {
            let lines = logged(log, "trace", || {
                let span = tracing::info_span!("job", password = %secret, token = ?secret);
                span.in_scope(
                    || tracing::error!(key = ?Some(&secret), "refused {secret} {secret:?}"),
                );
            });
            assert!(
                lines.contains("refused") && !lines.contains("canary"),
                "{lines}"
            );
        }
    }

    #[test]
    fn json_lines_are_one_object_each_with_their_span() {
        let lines = logged(LogFormat::Json, "info", || {
            tracing::info_span!("job", job = "sales")
                .in_scope(|| tracing::info!(rows = 3, "copied"));
            tracing::info!("second\nline");
        });
        let objects: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(objects.len(), 2);
        assert_eq!(
            (&objects[0]["message"], &objects[0]["span"]["job"]),
            (&"copied".into(), &"sales".into())
        );
        assert_eq!(objects[0]["rows"].to_string(), "3");
    }

    #[test]
    fn the_filter_says_what_is_logged() {
        let act = || {
            tracing::debug!(target: "passage_channel", "shown");
            tracing::debug!("hidden");
        };
        let lines = logged(LogFormat::Text, "info,passage_channel=debug", act);
        assert!(
            lines.contains("shown") && !lines.contains("hidden"),
            "{lines}"
        );
    }

    #[test]
    fn quiet_libraries_speak_only_when_they_are_asked() {
        let act = || tracing::error!(target: "rskafka::connection", "refused");
        assert_eq!(logged(LogFormat::Text, "debug", act), "");
        assert!(logged(LogFormat::Text, "info,rskafka=info", act).contains("refused"));
    }
}
