//! Reads one mapping of a file: each key is asked for once; what nobody asked for is not known.
//!
//! Nothing here fails: what is wrong is noted and the reading goes on, so that all faults are found in one go.

mod lists;

use super::error::ConfigFault;
use super::origin::{Origin, Overrides, Setting};
use super::suggest::nearest;
use super::yaml::{Entry, Node, Value};

/// What a reading has found so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) overrides: Overrides,
    pub(super) faults: Vec<ConfigFault>,
    pub(super) settings: Vec<Setting>,
}

/// A mapping being read; its path is empty for the whole file.
pub(super) struct Section<'a> {
    reading: &'a mut Reading,
    entries: &'a [Entry],
    line: Option<usize>,
    path: String,
    asked: Vec<&'static str>,
    forbidden: Vec<&'static str>,
    is_unread: bool,
}

struct Found {
    text: String,
    origin: Origin,
}

impl<'a> Section<'a> {
    /// Reads a whole file.
    pub(super) fn root<R>(
        reading: &mut Reading,
        node: &Node,
        read: impl FnOnce(&mut Section<'_>) -> R,
    ) -> R {
        Section::read(reading, Some(node), String::new(), read)
    }

    fn read<R>(
        reading: &mut Reading,
        node: Option<&Node>,
        path: String,
        read: impl FnOnce(&mut Section<'_>) -> R,
    ) -> R {
        let entries = match node.map(|node| &node.value) {
            None | Some(Value::Nothing) => &[][..],
            Some(Value::Mapping(entries)) => entries,
            Some(_) => {
                let node_line = node.map(|node| node.line);
                let kind = node.map_or("nothing", Node::kind);
                reading.faults.push(ConfigFault {
                    line: node_line,
                    path: path.clone(),
                    cause: format!("must be a mapping, and is {kind}"),
                });
                &[]
            }
        };
        let mut section = Section {
            reading,
            entries,
            line: node.map(|node| node.line),
            path,
            asked: Vec::new(),
            forbidden: Vec::new(),
            is_unread: false,
        };
        let result = read(&mut section);
        if !section.is_unread {
            section.refuse_unknown();
        }
        result
    }

    /// Notes that something is wrong with a key, at its line if it has one.
    pub(super) fn refuse(&mut self, key: &str, cause: impl Into<String>) {
        let line = self
            .entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| entry.line)
            .or(self.line);
        let path = self.path_of(key);
        self.reading.faults.push(ConfigFault {
            line,
            path,
            cause: cause.into(),
        });
    }

    /// Notes that something is wrong with a key, at this line.
    pub(super) fn refuse_at(&mut self, line: usize, key: &str, cause: impl Into<String>) {
        let path = self.path_of(key);
        self.reading.faults.push(ConfigFault::at(line, path, cause));
    }

    /// Notes that a key must be given.
    pub(super) fn refuse_absence(&mut self, key: &str) {
        self.refuse(key, "must be given");
    }

    /// Whether a key has a value, from the file or above it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.is_in_file(key) || self.reading.overrides.find(&self.path_of(key)).is_some()
    }

    /// Whether anything of a section below this one is given.
    pub(super) fn has_section(&self, key: &str) -> bool {
        self.is_in_file(key) || self.reading.overrides.reach(&self.path_of(key))
    }

    fn is_in_file(&self, key: &str) -> bool {
        let is_given =
            |entry: &Entry| entry.key == key && !matches!(entry.node.value, Value::Nothing);
        self.entries.iter().any(is_given)
    }

    /// A key that is refused, with a better word than that it is not known.
    pub(super) fn forbid(&mut self, key: &'static str, cause: impl Into<String>) {
        self.forbidden.push(key);
        if self.has(key) {
            self.refuse(key, cause);
        }
    }

    /// The first of these variables of the environment that is set and not empty, and its value.
    pub(super) fn variable(&self, names: [&'static str; 2]) -> Option<(&'static str, String)> {
        let (name, value) = self.reading.overrides.variable(names)?;
        Some((name, value.to_owned()))
    }

    /// Notes a value in force that was not asked for by its key.
    pub(super) fn note(&mut self, key: &str, value: String, origin: Origin) {
        let path = self.path_of(key);
        self.reading.settings.push(Setting {
            path,
            value,
            origin,
        });
    }

    /// Notes that something is wrong with what a variable of the environment says in a key's place.
    pub(super) fn refuse_variable(&mut self, key: &str, variable: &str, cause: &str) {
        let path = self.path_of(key);
        self.reading.faults.push(ConfigFault {
            line: None,
            path,
            cause: format!("{cause} (from environment {variable})"),
        });
    }

    /// Says nothing of keys that nobody asks for: which ones there are can't be told yet.
    pub(super) fn leave_unread(&mut self) {
        self.is_unread = true;
    }

    /// A value that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let found = self.find(key)?;
        self.accept(key, found, parse)
    }

    /// A value that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let faults_before = self.reading.faults.len();
        match self.find(key) {
            Some(found) => self.accept(key, found, parse),
            None => {
                if self.reading.faults.len() == faults_before {
                    self.refuse_absence(key);
                }
                None
            }
        }
    }

    /// A value with a default; `None` when it is wrong.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let found = self.find(key).unwrap_or_else(|| Found {
            text: default.to_owned(),
            origin: Origin::Default,
        });
        self.accept(key, found, parse)
    }

    /// A section below this one; read as empty when it is absent.
    pub(super) fn within<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> R,
    ) -> R {
        self.asked.push(key);
        let node = self
            .entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node);
        let path = self.path_of(key);
        Section::read(self.reading, node, path, read)
    }

    /// A section below this one, if it is given.
    pub(super) fn within_given<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> Option<R>,
    ) -> Option<R> {
        self.asked.push(key);
        if self.has_section(key) {
            self.within(key, read)
        } else {
            None
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn find(&mut self, key: &'static str) -> Option<Found> {
        self.asked.push(key);
        if let Some((text, origin)) = self.reading.overrides.find(&self.path_of(key)) {
            return Some(Found { text, origin });
        }
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        match &entry.node.value {
            Value::Nothing => None,
            Value::Text(text) => Some(Found {
                text: text.clone(),
                origin: Origin::File { line: entry.line },
            }),
            _ => {
                self.refuse(
                    key,
                    format!("must be a single value, and is {}", entry.node.kind()),
                );
                None
            }
        }
    }

    fn accept<T>(
        &mut self,
        key: &str,
        found: Found,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let path = self.path_of(key);
        let line = if let Origin::File { line } = found.origin {
            Some(line)
        } else {
            None
        };
        match parse(&found.text) {
            Ok(value) => {
                self.reading.settings.push(Setting {
                    path,
                    value: found.text,
                    origin: found.origin,
                });
                Some(value)
            }
            Err(cause) => {
                let from = if line.is_some() {
                    String::new()
                } else {
                    format!(" (from {})", found.origin)
                };
                self.reading.faults.push(ConfigFault {
                    line,
                    path,
                    cause: cause + &from,
                });
                None
            }
        }
    }

    fn refuse_unknown(&mut self) {
        for entry in self
            .entries
            .iter()
            .filter(|entry| !self.asked.contains(&entry.key.as_str()))
            .filter(|entry| !self.forbidden.contains(&entry.key.as_str()))
        {
            let cause = match nearest(&entry.key, &self.asked) {
                Some(known) => format!("unknown key; did you mean {known}?"),
                None => format!("unknown key; known here: {}", self.asked.join(", ")),
            };
            let path = if self.path.is_empty() {
                entry.key.clone()
            } else {
                format!("{}.{}", self.path, entry.key)
            };
            self.reading
                .faults
                .push(ConfigFault::at(entry.line, path, cause));
        }
    }
}
