//! The configuration's file while the agent runs: what may change is taken without a restart.
//!
//! Invariants:
//! - **What is in force was read whole and found right.** A file that can't be used is named in the log, and changes nothing.
//! - **A file that is being written is not read.** It is looked at every few seconds, and read once it has looked the same twice; at SIGHUP
//!   it is read at once, for whoever sends that has written it.
//! - **It is told what became of it**: the keys that were taken, and those that wait for the next start.
//!
//! Not here: what may change ([`Config::renew`]), and who takes it ([`runtime::config::Renewals`]).

use super::config;
use crate::Program;
use model::Fault;
use runtime::Config;
use runtime::config::Renewal;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::sync::watch;

/// How often the file is looked at. Two looks, and a name that left the list is out well within a minute.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A file's content; `None` while it can't be read.
type Content = Option<String>;

/// What was seen of a file.
#[derive(Debug)]
struct Looks {
    /// What was read last, whatever came of it.
    read: Content,
    /// What the last look saw.
    seen: Content,
}

impl Looks {
    /// Of a file that was read just now.
    fn after(read: String) -> Self {
        Self {
            read: Some(read.clone()),
            seen: Some(read),
        }
    }

    /// Whether this content is to be read: it is another one, and was already there at the last look; or somebody asks.
    fn handle_look(&mut self, content: Content, is_asked: bool) -> bool {
        let is_settled = self.seen == content;
        let is_due = is_asked || (is_settled && self.read != content);
        if is_due {
            self.read.clone_from(&content);
        }
        self.seen = content;
        is_due
    }
}

/// The configuration's file, and what is in force of it.
pub(super) struct Watched {
    program: Program,
    file: PathBuf,
    looks: Looks,
    in_force: watch::Sender<Arc<Config>>,
}

impl Watched {
    /// A file of this content, which is in force.
    pub(super) fn new(program: Program, file: PathBuf, content: String, config: Config) -> Self {
        Self {
            program,
            file,
            looks: Looks::after(content),
            in_force: watch::Sender::new(Arc::new(config)),
        }
    }

    /// What is in force, told anew each time that something was taken.
    pub(super) fn in_force(&self) -> &watch::Sender<Arc<Config>> {
        &self.in_force
    }

    /// Keeps what is in force up to date, for ever.
    ///
    /// # Cancel safety
    /// Dropping the future leaves what is in force as it is.
    pub(super) async fn keep(mut self, mut hangups: Signal) {
        loop {
            let is_asked = tokio::select! {
                _ = hangups.recv() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            // What can't be read is named when it is read.
            let content = tokio::fs::read_to_string(&self.file).await.ok();
            if !self.looks.handle_look(content.clone(), is_asked) {
                continue;
            }
            match self.take(content) {
                Ok(renewal) => tell(&renewal, is_asked),
                Err(fault) => tracing::warn!(
                    error = %fault,
                    "the configuration was read again and can't be used; what was read before stays"
                ),
            }
        }
    }

    /// Takes what may change from this content, and gives what became of it.
    fn take(&self, content: Content) -> Result<Renewal, Fault> {
        let content = match content {
            Some(content) => content,
            None => config::read(&self.file)?,
        };
        let newer = config::parse_of(self.program, &self.file, &content)?;
        let mut renewed = Config::clone(&self.in_force.borrow());
        let renewal = renewed.renew(newer);
        if !renewal.taken.is_empty() {
            self.in_force.send_replace(Arc::new(renewed));
        }
        Ok(renewal)
    }
}

fn tell(renewal: &Renewal, is_asked: bool) {
    let Renewal { taken, left } = renewal;
    let list = |keys: &BTreeSet<String>| keys.iter().cloned().collect::<Vec<_>>().join(", ");
    if !taken.is_empty() {
        tracing::info!(
            keys = list(taken),
            "the configuration was read again, and is taken"
        );
    }
    if !left.is_empty() {
        tracing::warn!(
            keys = list(left),
            "the configuration was read again, and needs a restart for some of it"
        );
    }
    if is_asked && taken.is_empty() && left.is_empty() {
        tracing::info!("the configuration was read again, and says what it said before");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::codes;
    use std::path::Path;

    const TEXT: &str = "\
agent: { name: acme, state_dir: /state }
milvus: { uri: 'http://127.0.0.1:1' }
channel:
  listen: '127.0.0.1:1'
  tls: { cert: /cert, key: /key, peer_ca: /ca }
  peers: [ { name: globex, id: 'dns:globex.example' } ]
scope: { allow: ['*.*'] }
limits: { channel: 1MiB }
";

    fn watched(program: Program) -> Watched {
        let file = Path::new("/nonexistent/agent.yaml");
        let config = config::parse_of(program, file, TEXT).unwrap();
        Watched::new(program, file.to_owned(), TEXT.to_owned(), config)
    }

    fn content(text: &str) -> Content {
        Some(text.to_owned())
    }

    #[test]
    fn a_file_is_read_once_it_has_looked_the_same_twice_and_not_again() {
        let mut looks = Looks::after("a".to_owned());
        for (seen, is_due) in [
            (content("a"), false),
            (content("b"), false),
            (content("bc"), false),
            (content("bc"), true),
            (content("bc"), false),
            // It is replaced, and away for a moment.
            (None, false),
            (content("bc"), false),
            (content("bc"), false),
            // It stays away.
            (None, false),
            (None, true),
            (None, false),
            (content("bc"), false),
            (content("bc"), true),
        ] {
            assert_eq!(looks.handle_look(seen.clone(), false), is_due, "{seen:?}");
        }
    }

    #[test]
    fn a_file_is_read_at_once_when_somebody_asks() {
        let mut looks = Looks::after("a".to_owned());
        assert!(looks.handle_look(content("a"), true));
        assert!(looks.handle_look(content("b"), true));
        assert!(!looks.handle_look(content("b"), false));
        assert!(looks.handle_look(None, true));
    }

    #[test]
    fn what_may_change_is_in_force_at_once_and_the_rest_is_named() {
        let watched = watched(Program::Target);
        let newer = TEXT
            .replace("channel: 1MiB", "channel: 2MiB")
            .replace("globex.example", "other.example")
            .replace("name: acme,", "name: another,");
        let renewal = watched.take(content(&newer)).unwrap();
        let keys = |keys: &BTreeSet<String>| keys.iter().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&renewal.taken), ["channel.peers", "limits.channel"]);
        assert_eq!(keys(&renewal.left), ["agent.name"]);
        let config = watched.in_force().borrow().clone();
        assert_eq!(config.limits.channel_bytes_per_second, Some(2 << 20));
        assert_eq!(config.channel.peers[0].id.to_string(), "dns:other.example");
        assert_eq!(config.agent.name.as_str(), "acme");
    }

    #[test]
    fn a_file_that_can_not_be_used_is_named_and_changes_nothing() {
        let watched = watched(Program::Target);
        let before = watched.in_force().borrow().clone();
        let broken = TEXT.replace("channel: 1MiB", "channel: lots");
        let of_the_other_side = format!("{TEXT}log: {{ kind: nats, url: 'nats://127.0.0.1:1' }}\n");
        for (content, expected) in [
            (content(&broken), "agent.yaml:8: limits.channel: must be"),
            (content(&of_the_other_side), "only the source's agent"),
            (content("peers: ["), "is not YAML"),
            (None, "/nonexistent/agent.yaml: can't be read"),
        ] {
            let fault = watched.take(content).unwrap_err();
            assert_eq!(fault.code, codes::CONFIG_INVALID);
            assert!(fault.message.contains(expected), "{fault}");
            assert_eq!(*watched.in_force().borrow(), before);
        }
    }
}
