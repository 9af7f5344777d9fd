//! YAML as a tree in which every key and value knows its line.
//!
//! A subset on purpose: one document of mappings, lists and texts. Anchors, aliases, tags and repeated keys are refused, so that
//! a file says once and in one place what it says, and no small file unfolds into a large one. A value stays the text that it
//! was written as; what it means is for the one who asks for it, so `no` is not a boolean where a word was wanted.

use super::error::ConfigFault;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// Files larger than this are not configuration.
const FILE_BYTES: usize = 1 << 20;
const DEPTH: usize = 16;

/// A value and the line that it begins on.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing: as if the key was not there.
    Nothing,
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) node: Node,
}

impl Node {
    /// What this is, for the one who wanted something else.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Nothing => "nothing",
            Value::Text(_) => "a single value",
            Value::List(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// Reads a document. Faults that leave the tree whole are added to `faults`; where there is no tree, the last of them says why.
pub(super) fn parse(text: &str, faults: &mut Vec<ConfigFault>) -> Option<Node> {
    if text.len() > FILE_BYTES {
        faults.push(ConfigFault::of_file(format!(
            "is larger than {FILE_BYTES} bytes"
        )));
        return None;
    }
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        faults: &mut *faults,
    };
    match builder.document() {
        Ok(node) => Some(node),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

struct Builder<'f, P> {
    parser: P,
    faults: &'f mut Vec<ConfigFault>,
}

type Step<'a> = Result<(Event<'a>, Span), ScanError>;

impl<'a, P: Iterator<Item = Step<'a>>> Builder<'_, P> {
    /// The next event that is not a comment.
    fn next(&mut self) -> Result<(Event<'a>, usize), ConfigFault> {
        loop {
            match self.parser.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, span.start.line())),
                Some(Err(error)) => {
                    return Err(ConfigFault::at(
                        error.marker().line(),
                        "",
                        format!("is not YAML: {}", error.kind()),
                    ));
                }
                None => return Ok((Event::StreamEnd, 0)),
            }
        }
    }

    fn document(&mut self) -> Result<Node, ConfigFault> {
        let mut found = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::StreamStart | Event::DocumentEnd, _) => {}
                (Event::DocumentStart(..), line) => {
                    if found.is_some() {
                        return Err(ConfigFault::at(
                            line,
                            "",
                            "a second document begins here; only one is allowed",
                        ));
                    }
                    let (event, line) = self.next()?;
                    found = Some(self.node(event, line, 0)?);
                }
                (event, line) => {
                    return Err(ConfigFault::at(line, "", format!("unexpected {event:?}")));
                }
            }
        }
        Ok(found.unwrap_or(Node {
            line: 1,
            value: Value::Nothing,
        }))
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, ConfigFault> {
        if depth > DEPTH {
            return Err(ConfigFault::at(
                line,
                "",
                format!("is nested more than {DEPTH} deep"),
            ));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(line, anchor, tag.is_some());
                let is_plain = style == ScalarStyle::Plain;
                if is_plain && matches!(&*text, "" | "~" | "null") {
                    Value::Nothing
                } else {
                    Value::Text(text.into_owned())
                }
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_extras(line, anchor, tag.is_some());
                self.list(depth)?
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_extras(line, anchor, tag.is_some());
                self.mapping(depth)?
            }
            Event::Alias(_) => {
                self.faults.push(ConfigFault::at(
                    line,
                    "",
                    "aliases (*name) are not allowed; write the value out",
                ));
                Value::Nothing
            }
            _ => return Err(ConfigFault::at(line, "", "a value was expected here")),
        };
        Ok(Node { line, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, ConfigFault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, line) => items.push(self.node(event, line, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, ConfigFault> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let key_line;
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Mapping(entries)),
                (Event::Scalar(text, _, anchor, tag), line) => {
                    self.refuse_extras(line, anchor, tag.is_some());
                    key_line = line;
                    text.into_owned()
                }
                (_, line) => return Err(ConfigFault::at(line, "", "a key must be a single value")),
            };
            let (event, line) = self.next()?;
            let node = self.node(event, line, depth + 1)?;
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => {
                    let cause = format!("stands here again, and first on line {}", first.line);
                    self.faults.push(ConfigFault::at(key_line, key, cause));
                }
                None => entries.push(Entry {
                    key,
                    line: key_line,
                    node,
                }),
            }
        }
    }

    fn refuse_extras(&mut self, line: usize, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.faults
                .push(ConfigFault::at(line, "", "anchors (&name) are not allowed"));
        }
        if tagged {
            self.faults
                .push(ConfigFault::at(line, "", "tags (!name) are not allowed"));
        }
    }
}
