//! Keys that hold many values.

use super::{Section, Setting};
use crate::config::error::ConfigFault;
use crate::config::origin::Origin;
use crate::config::yaml::{Entry, Node, Value};

impl Section<'_> {
    /// A list of values; from a flag or the environment, separated by commas. Absent when it is not given.
    pub(in crate::config) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.asked.push(key);
        let path = self.path_of(key);
        let (texts, origin) = match self.reading.overrides.find(&path) {
            Some((text, origin)) => (
                text.split(',')
                    .map(|part| (None, part.trim().to_owned()))
                    .collect(),
                origin,
            ),
            None => {
                let entry = self.entries.iter().find(|entry| entry.key == key)?;
                (self.texts_of(entry)?, Origin::File { line: entry.line })
            }
        };
        let value = texts
            .iter()
            .map(|(_, text)| text.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        self.reading.settings.push(Setting {
            path: path.clone(),
            value,
            origin,
        });
        let mut values = Vec::new();
        for (line, text) in texts {
            match parse(&text) {
                Ok(value) => values.push(value),
                Err(cause) => self.reading.faults.push(ConfigFault {
                    line: line.or(self.line),
                    path: path.clone(),
                    cause,
                }),
            }
        }
        Some(values)
    }

    /// A list of mappings; those that are wrong are left out. Empty when it is not given.
    pub(in crate::config) fn each<R>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> Option<R>,
    ) -> Vec<R> {
        self.asked.push(key);
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else {
            return Vec::new();
        };
        let items = match &entry.node.value {
            Value::List(items) => items,
            Value::Nothing => return Vec::new(),
            _ => {
                self.refuse(key, format!("must be a list, and is {}", entry.node.kind()));
                return Vec::new();
            }
        };
        let path = self.path_of(key);
        let read_one = |(at, item)| {
            Section::read(self.reading, Some(item), format!("{path}[{at}]"), &mut read)
        };
        items.iter().enumerate().filter_map(read_one).collect()
    }

    /// The keys and values of a mapping whose keys are the operator's own, in the file's order.
    pub(in crate::config) fn pairs(&mut self, key: &'static str) -> Vec<(usize, String, String)> {
        self.asked.push(key);
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else {
            return Vec::new();
        };
        match &entry.node.value {
            Value::Nothing => Vec::new(),
            Value::Mapping(entries) => entries
                .iter()
                .filter_map(|pair| match &pair.node.value {
                    Value::Text(text) => Some((pair.line, pair.key.clone(), text.clone())),
                    _ => {
                        let cause = format!(
                            "{:?} must have a single value, and has {}",
                            pair.key,
                            pair.node.kind()
                        );
                        let path = self.path_of(key);
                        self.reading
                            .faults
                            .push(ConfigFault::at(pair.line, path, cause));
                        None
                    }
                })
                .collect(),
            _ => {
                self.refuse(
                    key,
                    format!("must be a mapping, and is {}", entry.node.kind()),
                );
                Vec::new()
            }
        }
    }

    fn texts_of(&mut self, entry: &Entry) -> Option<Vec<(Option<usize>, String)>> {
        match &entry.node.value {
            Value::Nothing => None,
            Value::List(items)
                if items
                    .iter()
                    .all(|item| matches!(item.value, Value::Text(_))) =>
            {
                let text = |item: &Node| match &item.value {
                    Value::Text(text) => Some((Some(item.line), text.clone())),
                    _ => None,
                };
                Some(items.iter().filter_map(text).collect())
            }
            _ => {
                self.refuse(&entry.key, "must be a list of single values");
                None
            }
        }
    }
}
