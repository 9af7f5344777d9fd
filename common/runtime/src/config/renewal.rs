//! What of a configuration is taken while the agent runs, when it is read again: who may be at the other end, and how fast it may go. All
//! else waits for the agent's next start.

use super::{AdminSection, Config, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What is taken while the agent runs: these keys.
const TAKEN: [&str; 5] = [
    "channel.peers",
    "admin.peers",
    "limits.bytes_per_second",
    "limits.rows_per_second",
    "limits.channel",
];

/// What became of the keys that a configuration has otherwise than the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Renewal {
    /// Those that are in force now.
    pub taken: BTreeSet<String>,
    /// Those that are taken at the agent's next start.
    pub left: BTreeSet<String>,
}

impl Config {
    /// Takes over what may change while the agent runs, and leaves the rest as it was.
    pub fn renew(&mut self, newer: Self) -> Renewal {
        let mut taken: BTreeSet<String> = changed(&self.settings, &newer.settings);
        let mut left: BTreeSet<String> = taken
            .iter()
            .filter(|key| !TAKEN.contains(&key.as_str()))
            .cloned()
            .collect();
        self.channel.peers = newer.channel.peers;
        self.limits.bytes_per_second = newer.limits.bytes_per_second;
        self.limits.rows_per_second = newer.limits.rows_per_second;
        self.limits.channel_bytes_per_second = newer.limits.channel_bytes_per_second;
        match (&mut self.admin, newer.admin) {
            (AdminSection::Tcp { peers, .. }, AdminSection::Tcp { peers: newer, .. }) => {
                *peers = newer;
            }
            // Where the admin API is served otherwise, its operators are, too.
            _ if taken.contains("admin.peers") => {
                left.insert("admin.peers".to_owned());
            }
            _ => {}
        }
        taken.retain(|key| !left.contains(key));
        let is_taken = |setting: &Setting| taken.contains(key_of(&setting.path));
        self.settings.retain(|setting| !is_taken(setting));
        self.settings
            .extend(newer.settings.into_iter().filter(is_taken));
        Renewal { taken, left }
    }
}

/// The keys of which the values differ.
fn changed(former: &[Setting], newer: &[Setting]) -> BTreeSet<String> {
    let (former, newer) = (values(former), values(newer));
    former
        .keys()
        .chain(newer.keys())
        .filter(|key| former.get(*key) != newer.get(*key))
        .map(|key| (*key).to_owned())
        .collect()
}

/// The values of each key, in their order, each with its path.
fn values(settings: &[Setting]) -> BTreeMap<&str, Vec<(&str, &str)>> {
    let mut values = BTreeMap::<_, Vec<_>>::new();
    for setting in settings {
        let value = (setting.path.as_str(), setting.value.as_str());
        values.entry(key_of(&setting.path)).or_default().push(value);
    }
    values
}

/// The key of a setting; of an entry of a list, the list's.
fn key_of(path: &str) -> &str {
    path.split_once('[').map_or(path, |(key, _)| key)
}

/// The configuration in force, told anew each time that something of it was taken over while the agent runs.
#[derive(Debug, Clone)]
pub struct Renewals(watch::Receiver<Arc<Config>>);

impl Renewals {
    /// What is sent there, from the next on.
    #[must_use]
    pub fn of(sender: &watch::Sender<Arc<Config>>) -> Self {
        Self(sender.subscribe())
    }

    /// Has each of them taken, until `stop`, or until no more can come.
    ///
    /// # Cancel safety
    /// Dropping the future takes no more.
    pub async fn take(mut self, stop: CancellationToken, take: impl Fn(&Config)) {
        while let Some(Ok(())) = stop.run_until_cancelled(self.0.changed()).await {
            let config = self.0.borrow_and_update().clone();
            take(&config);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Overrides;
    use super::*;

    const FORMER: &str = r#"
agent: { name: acme, state_dir: /state }
milvus: { uri: "http://milvus:19530" }
channel:
  dial: "globex.example:7443"
  tls: { cert: /cert, key: /key, peer_ca: /ca }
  peers:
    - { name: one, id: "dns:one.example" }
    - { name: two, id: "dns:two.example" }
scope: { allow: ["*.*"] }
limits: { channel: 1MiB, rows_per_second: 5 }
"#;

    fn parse(text: &str) -> Config {
        Config::parse("agent.yaml", text, Overrides::default()).unwrap()
    }

    /// What becomes of the former configuration when these parts of it are replaced.
    fn renewed(parts: &[(&str, &str)]) -> (Config, Vec<String>, Vec<String>) {
        let mut text = FORMER.to_owned();
        for (part, other) in parts {
            assert!(text.contains(part), "{part}");
            text = text.replace(part, other);
        }
        let mut config = parse(FORMER);
        let Renewal { taken, left } = config.renew(parse(&text));
        (
            config,
            taken.into_iter().collect(),
            left.into_iter().collect(),
        )
    }

    #[test]
    fn what_has_not_changed_is_not_named_wherever_it_stands_now() {
        let (config, taken, left) = renewed(&[("\nagent:", "\n\n# A comment.\nagent:")]);
        assert!(taken.is_empty() && left.is_empty());
        assert_eq!(config, parse(FORMER));
    }

    #[test]
    fn peers_and_rates_are_taken_and_the_rest_is_left_as_it_was() {
        let (config, taken, left) = renewed(&[
            ("    - { name: one, id: \"dns:one.example\" }\n", ""),
            (
                "channel: 1MiB, rows_per_second: 5",
                "bytes_per_second: 7, channel: 2MiB, memory: 128MiB",
            ),
            ("http://milvus:19530", "http://other:19530"),
        ]);
        let names: Vec<&str> = config
            .channel
            .peers
            .iter()
            .map(|peer| &*peer.name)
            .collect();
        assert_eq!(names, ["two"]);
        assert_eq!(config.limits.channel_bytes_per_second, Some(2 << 20));
        assert_eq!(config.limits.bytes_per_second, Some(7));
        assert_eq!(config.limits.rows_per_second, None);
        assert_eq!(config.limits.memory_bytes, 256 << 20);
        assert_eq!(config.milvus.uri, "http://milvus:19530");
        let expected = [
            "channel.peers",
            "limits.bytes_per_second",
            "limits.channel",
            "limits.rows_per_second",
        ];
        assert_eq!(taken, expected);
        assert_eq!(left, ["limits.memory", "milvus.uri"]);
        // What was left is told of again, what was taken is not.
        let mut again = config;
        let newer = again.clone();
        assert_eq!(again.renew(newer), Renewal::default());
    }

    #[test]
    fn operators_are_taken_where_the_admin_api_stays_what_it_is() {
        let admin = |name: &str| {
            format!(
                "\nadmin: {{ listen: \"127.0.0.1:1\", tls: {{ cert: /c, key: /k, peer_ca: /p }}, peers: [ {{ name: {name}, id: \"dns:x.example\" }} ] }}\n"
            )
        };
        let mut config = parse(&(FORMER.to_owned() + &admin("olga")));
        let renewal = config.renew(parse(&(FORMER.to_owned() + &admin("ivan"))));
        assert!(renewal.taken.contains("admin.peers"), "{renewal:?}");
        let AdminSection::Tcp { peers, .. } = &config.admin else {
            panic!("{:?}", config.admin);
        };
        assert_eq!(peers[0].name, "ivan");
        let renewal = config.renew(parse(FORMER));
        assert!(renewal.taken.is_empty(), "{renewal:?}");
        assert!(renewal.left.contains("admin.peers"), "{renewal:?}");
    }

    #[tokio::test]
    async fn whoever_takes_renewals_is_given_each_that_comes_after() {
        let sender = watch::Sender::new(Arc::new(parse(FORMER)));
        let renewals = Renewals::of(&sender);
        let newer = FORMER.replace("channel: 1MiB", "channel: 3MiB");
        sender.send_replace(Arc::new(parse(&newer)));
        drop(sender);
        let seen = std::sync::Mutex::new(Vec::new());
        let take = |config: &Config| {
            seen.lock()
                .unwrap()
                .push(config.limits.channel_bytes_per_second);
        };
        renewals.take(CancellationToken::new(), take).await;
        assert_eq!(*seen.lock().unwrap(), [Some(3 << 20)]);
    }
}
