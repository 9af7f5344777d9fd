//! Blocks of ports, each held by one run for as long as it needs it.

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, TcpListener};

/// Ports in a block; the testbed's servers need as many.
const BLOCK: u16 = 20;

/// Below the range that Linux takes outgoing ports from.
const DEFAULT_RANGE: &str = "20000-31999";

/// A block of ports of our own. The last one is kept bound: that is how other runs know.
#[derive(Debug)]
pub struct Ports {
    base: u16,
    _held: TcpListener,
}

impl Ports {
    /// Takes a free block out of `$PASSAGE_TEST_PORTS` (`first-last`).
    ///
    /// # Errors
    /// When none is free.
    pub fn take() -> Result<Self> {
        let range =
            std::env::var("PASSAGE_TEST_PORTS").unwrap_or_else(|_| DEFAULT_RANGE.to_owned());
        let (first, last) = range
            .split_once('-')
            .context("PASSAGE_TEST_PORTS is first-last")?;
        let (first, last) = (first.parse::<u16>()?, last.parse::<u16>()?);
        for base in (first..=last.saturating_sub(BLOCK - 1)).step_by(usize::from(BLOCK)) {
            let Ok(held) = bind(base + BLOCK - 1) else {
                continue;
            };
            if (base..base + BLOCK - 1).all(|port| bind(port).is_ok()) {
                return Ok(Self { base, _held: held });
            }
        }
        bail!("no {BLOCK} free ports in a row in {range}");
    }

    /// A port of the block.
    #[must_use]
    pub fn port(&self, offset: u16) -> u16 {
        debug_assert!(offset < BLOCK - 1, "the block has no such port");
        self.base + offset
    }
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_do_not_meet() {
        let (one, other) = (Ports::take().unwrap(), Ports::take().unwrap());
        assert_ne!(one.port(0), other.port(0));
    }
}
