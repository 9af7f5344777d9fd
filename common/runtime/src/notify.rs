//! What systemd is told (`Type=notify`, sd_notify(3)). Where no systemd listens, nothing happens.

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// The agent has started: it can be reached.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The agent is ending.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// What the agent does, in a line for `systemctl status`.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
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
        ready();
        status("copying");
        let watchdog = tokio::spawn(feed_watchdog(stop.clone()));
        tokio::time::sleep(std::time::Duration::from_secs(31)).await;
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
            heard.push(
                String::from_utf8_lossy(&message[..length])
                    .trim()
                    .to_owned(),
            );
        }
        // Of a period of 60 seconds, 31 went by.
        let expected = [
            "READY=1",
            "STATUS=copying",
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
