//! Where a command's output goes, and in which form.

use clap::ValueEnum;
use model::Fault;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// The form of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something is wrong, and the operator learns of it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Nobody reads the output any more.
    #[error("the output can't be written: {0}")]
    Output(#[from] io::Error),
}

/// Standard output and standard error.
pub(crate) struct Terminal {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Text or JSON.
    pub(crate) output: Output,
    /// Whether a person looks at it.
    pub(crate) is_terminal: bool,
}

impl Terminal {
    /// Those of the process.
    pub(crate) fn of_process(output: Output) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            output,
            is_terminal,
        }
    }

    #[cfg(test)]
    pub(crate) fn of_test(output: Output, out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        Self {
            out,
            err,
            output,
            is_terminal: false,
        }
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(text))?;
        self.out.flush()
    }

    /// A value: as JSON on one line, or as the lines that `text` makes of it.
    pub(crate) fn show<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        text: impl FnOnce(&T) -> Vec<String>,
    ) -> io::Result<()> {
        match self.output {
            Output::Json => self.json(value),
            Output::Text => text(value).iter().try_for_each(|line| self.line(line)),
        }
    }

    /// A value as JSON on one line.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        writeln!(self.out)?;
        self.out.flush()
    }

    /// A line beside the output proper, for people only.
    pub(crate) fn remark(&mut self, text: &str) -> io::Result<()> {
        match self.output {
            Output::Json => Ok(()),
            Output::Text => writeln!(self.err, "{}", printable(text)),
        }
    }

    /// Tells of a failure on standard error. That it can't be told is told to nobody.
    pub(crate) fn error(&mut self, fault: &Fault) {
        let _ = match self.output {
            Output::Json => {
                let line = serde_json::json!({ "error": fault });
                writeln!(self.err, "{line}")
            }
            Output::Text => self.error_text(fault),
        };
    }

    fn error_text(&mut self, fault: &Fault) -> io::Result<()> {
        writeln!(self.err, "error: {} [{}]", fault.message, fault.code)?;
        if fault.hint.is_empty() {
            Ok(())
        } else {
            writeln!(self.err, "hint: {}", fault.hint)
        }
    }
}

/// The text without characters that could steer a terminal: names and messages come from other machines.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\n"), "a\u{fffd}[2Jb\tc\u{fffd}");
    }
}
