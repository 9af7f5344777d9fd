//! Where each value comes from: a flag, the environment, the file, or a default, in this order of precedence.

use std::collections::BTreeMap;
use std::fmt;

/// What stands before every environment variable that is a setting: `channel.tls.cert` is `PASSAGE_CHANNEL_TLS_CERT`.
pub const ENVIRONMENT_PREFIX: &str = "PASSAGE_";

/// The variables in which every program of a machine is told of its HTTP proxy.
const OF_PROXIES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Values that stand above the file's. Debug shows none of them: the usual variables of proxies may hold a password.
#[derive(Clone, Default)]
pub struct Overrides {
    /// By path, such as `agent.state_dir`.
    flags: BTreeMap<String, String>,
    /// By variable.
    environment: BTreeMap<String, String>,
}

impl Overrides {
    /// No flags, and the variables of the environment that may be settings, or tell of a proxy. Others with the prefix are let be:
    /// container platforms make such variables on their own.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let environment = variables
            .into_iter()
            .filter(|(name, _)| {
                name.starts_with(ENVIRONMENT_PREFIX) || OF_PROXIES.contains(&name.as_str())
            })
            .collect();
        Self {
            flags: BTreeMap::new(),
            environment,
        }
    }

    /// With a flag for the setting of this path.
    #[must_use]
    pub fn with_flag(mut self, path: &str, value: impl Into<String>) -> Self {
        self.flags.insert(path.to_owned(), value.into());
        self
    }

    /// The first of these variables that is set and not empty, and its value.
    pub(super) fn variable(&self, names: [&'static str; 2]) -> Option<(&'static str, &str)> {
        let of = |name| {
            let value = self.environment.get(name).map(|value| value.trim());
            value.filter(|value| !value.is_empty())
        };
        names
            .into_iter()
            .find_map(|name| of(name).map(|value| (name, value)))
    }

    /// The value above the file's, and where it comes from.
    pub(super) fn find(&self, path: &str) -> Option<(String, Origin)> {
        if let Some(value) = self.flags.get(path) {
            return Some((value.clone(), Origin::Flag));
        }
        let variable = variable_of(path);
        let value = self.environment.get(&variable)?;
        Some((value.clone(), Origin::Environment { variable }))
    }

    /// Whether there is a value for this section or one below it. For sections only: in a variable's name the mark between the
    /// parts of a path is also a letter of keys.
    pub(super) fn reach(&self, path: &str) -> bool {
        let below = |name: &String, whole: &str, mark: char| {
            name == whole
                || name
                    .strip_prefix(whole)
                    .is_some_and(|rest| rest.starts_with(mark))
        };
        let variable = variable_of(path);
        self.flags.keys().any(|name| below(name, path, '.'))
            || self
                .environment
                .keys()
                .any(|name| below(name, &variable, '_'))
    }
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides")
            .field("flags", &self.flags.keys())
            .field("environment", &self.environment.keys())
            .finish()
    }
}

fn variable_of(path: &str) -> String {
    format!(
        "{ENVIRONMENT_PREFIX}{}",
        path.replace('.', "_").to_uppercase()
    )
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag,
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// The file.
    File {
        /// The line, from 1.
        line: usize,
    },
    /// Nobody gave one.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::File { line } => write!(f, "file, line {line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One value in force. Secrets are not settings: only the place where one is kept is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key with its path.
    pub path: String,
    /// The value as it was written.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}
