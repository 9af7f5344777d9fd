//! Kills and cuts at moments drawn from a seed, so that a failure can be had again.
//!
//! The clock is the number of bytes that the line has carried: it stands still while nothing moves, and the same seed strikes at the
//! same places of the data on any machine.

use crate::agents::{Pair, Side};
use crate::servers::Server;
use crate::wait;
use anyhow::Result;
use std::fmt;
use std::time::Duration;

/// How long the next moment may be in coming: as long as the slowest recovery.
const MOMENT_LIMIT: Duration = Duration::from_secs(300);

/// How long the agents may take to notice a cut.
const NOTICE_LIMIT: Duration = Duration::from_secs(60);

/// The seed that `$SEED` gives, to have a failure again; else this one.
#[must_use]
pub fn seed_or(default: u64) -> u64 {
    std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// What is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Victim {
    /// The source's agent is killed with SIGKILL and started again.
    SourceAgent,
    /// The target's agent, the same.
    TargetAgent,
    /// The source Milvus, the same.
    SourceMilvus,
    /// The target Milvus, the same.
    TargetMilvus,
    /// The line is cut; it is mended as soon as somebody has tried it in vain.
    Link,
}

/// One strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// When: after the line has carried so many bytes.
    pub after_bytes: u64,
    /// What.
    pub victim: Victim,
}

/// What is struck when, drawn from a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The strikes, in order.
    pub strikes: Vec<Strike>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}:", self.seed)?;
        self.strikes
            .iter()
            .try_for_each(|strike| write!(f, " {:?}@{}", strike.victim, strike.after_bytes))
    }
}

impl Plan {
    /// Draws so many strikes on each victim, at moments while the line carries this many bytes.
    #[must_use]
    pub fn draw(seed: u64, wanted: &[(Victim, usize)], bytes: u64) -> Self {
        let mut random = Random::new(seed);
        let victims = wanted
            .iter()
            .flat_map(|(victim, times)| std::iter::repeat_n(*victim, *times));
        let mut strikes: Vec<_> = victims
            .map(|victim| Strike {
                after_bytes: random.below(bytes.max(1)),
                victim,
            })
            .collect();
        strikes.sort_by_key(|strike| strike.after_bytes);
        Self { seed, strikes }
    }

    /// Strikes, one after the other; the next one comes when the last one's victim is back.
    ///
    /// # Errors
    /// When a moment does not come, or a victim does not come back.
    pub async fn carry_out(&self, pair: &mut Pair, source: &Server, target: &Server) -> Result<()> {
        let begun = pair.link.carried();
        for strike in &self.strikes {
            let what = format!("{:?} after {} bytes", strike.victim, strike.after_bytes);
            let moment = async {
                pair.link.wait_carried(begun + strike.after_bytes).await;
                Ok(())
            };
            wait::within(&what, MOMENT_LIMIT, moment).await?;
            strike.victim.strike(pair, source, target).await?;
        }
        Ok(())
    }
}

impl Victim {
    /// Every kind of strike.
    pub const ALL: [Self; 5] = [
        Self::SourceAgent,
        Self::TargetAgent,
        Self::SourceMilvus,
        Self::TargetMilvus,
        Self::Link,
    ];

    /// Strikes, and brings the victim back.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn strike(self, pair: &mut Pair, source: &Server, target: &Server) -> Result<()> {
        match self {
            Self::SourceAgent => restart_agent(pair, Side::Source).await,
            Self::TargetAgent => restart_agent(pair, Side::Target).await,
            Self::SourceMilvus => restart_server(source).await,
            Self::TargetMilvus => restart_server(target).await,
            Self::Link => {
                pair.link.cut();
                let noticed = async {
                    pair.link.wait_tried_in_vain().await;
                    Ok(())
                };
                let noticed = wait::within("a dial over a cut line", NOTICE_LIMIT, noticed).await;
                pair.link.mend();
                noticed
            }
        }
    }
}

async fn restart_agent(pair: &mut Pair, side: Side) -> Result<()> {
    pair.agent_mut(side).kill().await?;
    pair.agent_mut(side).start().await
}

async fn restart_server(server: &Server) -> Result<()> {
    server.kill().await?;
    server.restart().await
}

/// SplitMix64, as its authors published it: small, and the same everywhere.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Numbers that follow from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one. The bias is far below what a moment in a copy could show.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_plan_again() {
        let wanted = [(Victim::Link, 3), (Victim::TargetAgent, 2)];
        let plan = Plan::draw(7, &wanted, 1_000_000);
        assert_eq!(plan, Plan::draw(7, &wanted, 1_000_000));
        assert_ne!(plan, Plan::draw(8, &wanted, 1_000_000));
        assert_eq!(plan.strikes.len(), 5);
        assert!(plan.strikes.is_sorted_by_key(|strike| strike.after_bytes));
    }
}
