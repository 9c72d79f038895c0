//! Options that several strategies have, and their bounds.

use serde::{Deserialize, Serialize};

use crate::partitioner::OptionsError;

/// For strategies that go over all vertices again and again, under a cap on each shard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundsOptions {
    /// How far above the mean a shard may weigh: 0.1 is ten percent. 0 to 100.
    pub slack: f64,
    /// Most rounds, at least 1.
    pub rounds: u32,
}

impl RoundsOptions {
    /// Unchanged if they are within their bounds.
    pub(super) fn checked(self, strategy: &'static str) -> Result<Self, OptionsError> {
        slack(strategy, self.slack)?;
        at_least_one(strategy, "rounds", self.rounds)?;
        Ok(self)
    }
}

/// A slack of the balance: a number from 0 to 100.
pub(super) fn slack(strategy: &'static str, slack: f64) -> Result<(), OptionsError> {
    within(strategy, "slack", slack, 0.0, 100.0, "a number from 0 to 100")
}

/// A count that must not be zero.
pub(super) fn at_least_one(
    strategy: &'static str,
    option: &'static str,
    count: u32,
) -> Result<(), OptionsError> {
    if count >= 1 {
        return Ok(());
    }
    Err(OptionsError { strategy, option, expected: "at least 1", found: count.to_string() })
}

/// A finite number between two bounds, both allowed.
pub(super) fn within(
    strategy: &'static str,
    option: &'static str,
    number: f64,
    least: f64,
    most: f64,
    expected: &'static str,
) -> Result<(), OptionsError> {
    // False for what is not a number.
    if number >= least && number <= most {
        return Ok(());
    }
    Err(OptionsError { strategy, option, expected, found: number.to_string() })
}
