//! What systemd is told (`Type=notify`, sd_notify(3)). Where no systemd listens, nothing happens.

use sd_notify::NotifyState;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The agent has started: it can be reached.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The agent is ending.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The agent is not ready yet, and waits for something that is to come within `at_most` or be told of again: a line for
/// `systemctl status`. Without it systemd ends a unit that is not ready within `TimeoutStartSec=`.
pub fn waiting(line: &str, at_most: Duration) {
    let micros = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Status(line),
        NotifyState::ExtendTimeoutUsec(micros),
    ]);
}

/// Shows systemd's watchdog, where the unit sets `WatchdogSec=`, that this runtime still turns, twice in each of its periods.
/// Returns at once where there is none.
///
/// # Cancel safety
/// When the future is dropped, the watchdog will have the agent killed: let it run as long as the agent.
pub async fn feed_watchdog(stop: CancellationToken) {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut ticks = tokio::time::interval(period / 2);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => tell(&[NotifyState::Watchdog]),
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    /// The body of the process that [`systemd_hears_the_life_of_the_agent`] starts.
    #[tokio::test(start_paused = true)]
    #[ignore = "speaks to systemd's socket; run by systemd_hears_the_life_of_the_agent"]
    async fn lives() {
        let stop = CancellationToken::new();
        waiting("no Milvus yet", Duration::from_secs(30));
        ready();
        let watchdog = tokio::spawn(feed_watchdog(stop.clone()));
        tokio::time::sleep(Duration::from_secs(31)).await;
        stop.cancel();
        watchdog.await.unwrap();
        stopping();
    }

    #[test]
    fn systemd_hears_the_life_of_the_agent() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("notify");
        let systemd = UnixDatagram::bind(&socket).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "notify::tests::lives", "--ignored"])
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "60000000")
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        systemd.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        let mut message = [0; 256];
        while let Ok(length) = systemd.recv(&mut message) {
            let told = String::from_utf8_lossy(&message[..length]);
            heard.extend(told.trim().lines().map(str::to_owned));
        }
        // Of a period of 60 seconds, 31 went by.
        let expected = [
            "STATUS=no Milvus yet",
            "EXTEND_TIMEOUT_USEC=30000000",
            "READY=1",
            "STATUS=serving",
            "WATCHDOG=1",
            "WATCHDOG=1",
            "STOPPING=1",
        ];
        assert_eq!(heard, expected);
    }

    #[tokio::test]
    async fn without_systemd_nothing_happens() {
        ready();
        feed_watchdog(CancellationToken::new()).await;
        stopping();
    }
}
