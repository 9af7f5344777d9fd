//! The files of one topic: its messages behind a place, without a gap.

use super::segment::Segment;
use crate::reader::changes::Message;
use model::Offset;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// A file that has so many bytes is followed by another one. What nobody needs any more goes file by file.
const SEGMENT_BYTES: u64 = 16 << 20;

/// A last file that has fewer is left as it is, though nobody needs it any more.
const KEPT_BYTES: u64 = 1 << 20;

/// The files of a topic; there is always one.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// All but the last one.
    full: VecDeque<Segment>,
    last: Segment,
}

impl Files {
    /// Those in this folder, if they go on where messages from `place` on are wanted; else new ones that begin there. A file that is
    /// damaged, and all behind it, are as if they had never been written.
    pub(super) fn open(folder: PathBuf, place: Offset) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if let Some(begin) = Segment::begin_of(&path) {
                found.push((begin, path));
            }
        }
        found.sort();
        let mut segments: VecDeque<Segment> = VecDeque::new();
        for (begin, path) in found {
            if segments.back().is_some_and(|former| former.end() != begin) {
                std::fs::remove_file(path)?;
            } else {
                segments.push_back(Segment::open(path, begin)?);
            }
        }
        match segments.pop_back() {
            Some(last) if last.end() >= place => Ok(Self {
                folder,
                full: segments,
                last,
            }),
            last => {
                for old in segments.into_iter().chain(last) {
                    old.remove()?;
                }
                let last = Segment::begin(&folder, place)?;
                Ok(Self {
                    folder,
                    full: VecDeque::new(),
                    last,
                })
            }
        }
    }

    /// The place behind which the first message is.
    pub(super) fn begin(&self) -> Offset {
        self.full.front().unwrap_or(&self.last).first()
    }

    /// The place of the last message.
    pub(super) fn end(&self) -> Offset {
        self.last.end()
    }

    /// How much of the disk they take.
    pub(super) fn bytes(&self) -> u64 {
        let full: u64 = self.full.iter().map(Segment::bytes).sum();
        full + self.last.bytes()
    }

    /// Adds the messages that follow. When that fails, none is added.
    pub(super) fn append(&mut self, messages: &[Message]) -> io::Result<()> {
        if self.last.bytes() >= SEGMENT_BYTES {
            self.last.sync()?;
            let next = Segment::begin(&self.folder, self.last.end())?;
            self.full.push_back(std::mem::replace(&mut self.last, next));
        }
        self.last.append(messages)
    }

    /// The messages behind a place, so many that they have about `most_bytes`. `None` when they were damaged.
    pub(super) fn read(
        &self,
        behind: Offset,
        most_bytes: usize,
    ) -> io::Result<Option<Vec<Message>>> {
        let holding = self.full.partition_point(|full| full.end() <= behind);
        let segment = self.full.get(holding).unwrap_or(&self.last);
        segment.read(behind, most_bytes)
    }

    /// Takes away the files of which no message is behind this place.
    pub(super) fn trim(&mut self, place: Offset) -> io::Result<()> {
        while self.full.front().is_some_and(|old| old.end() <= place)
            && let Some(old) = self.full.pop_front()
        {
            old.remove()?;
        }
        if self.last.end() <= place && self.last.bytes() >= KEPT_BYTES {
            let next = Segment::begin(&self.folder, self.last.end())?;
            std::mem::replace(&mut self.last, next).remove()?;
        }
        Ok(())
    }

    /// Has the disk hold what was added.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.last.sync()
    }

    /// The folder of a topic's files: Milvus's names are letters, digits, `-`, `_` and `.`; all else is told by its number.
    pub(super) fn folder_of(spool: &Path, topic: &str) -> PathBuf {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let name = topic.chars().map(|letter| match letter {
            letter if plain(letter) => letter.to_string(),
            other => format!("%{:x}", u32::from(other)),
        });
        spool.join(format!("topic-{}", name.collect::<String>()))
    }
}
