//! Bounds of options that several strategies have.

use crate::partitioner::OptionsError;

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
