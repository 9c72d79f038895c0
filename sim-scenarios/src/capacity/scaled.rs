//! A scenario at another rate: every `rate` of every load of every phase is multiplied. Nothing
//! else changes: not the length of phases, the accounts, the mix of loads.

use crate::scenario::{Load, Rate, Scenario};

/// The highest rate of a load: a million per second.
const MOST: u64 = 1_000_000_000;

/// Why a scenario has no rates to scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unscalable {
    /// There is no load.
    #[error("the scenario offers nothing: no phase has a load")]
    NoLoad,
    /// Blocks are not offered at a rate.
    #[error("`mainnet-blocks` has no rate: its blocks run as they are")]
    MainnetBlocks,
}

/// Checks that there is something to scale.
///
/// # Errors
/// When there is not.
pub fn check(scenario: &Scenario) -> Result<(), Unscalable> {
    let mut loads = scenario.phases.iter().flat_map(|phase| &phase.loads).peekable();
    if loads.peek().is_none() {
        return Err(Unscalable::NoLoad);
    }
    match loads.any(|load| matches!(load, Load::MainnetBlocks(_))) {
        true => Err(Unscalable::MainnetBlocks),
        false => Ok(()),
    }
}

/// The scenario at `factor` times its rates, with this seed. `None` where a rate would be below one
/// in 1,000 s or above a million per second.
#[must_use]
pub fn scaled(scenario: &Scenario, factor: f64, seed: u64) -> Option<Scenario> {
    let mut scaled = scenario.clone();
    scaled.seed = seed;
    for load in scaled.phases.iter_mut().flat_map(|phase| &mut phase.loads) {
        let rate = rate_of(load)?;
        let wanted = (rate.per_kilosecond as f64 * factor).round();
        if !(1.0..=MOST as f64).contains(&wanted) {
            return None;
        }
        rate.per_kilosecond = wanted as u64;
    }
    Some(scaled)
}

/// What recorded phases offer in transactions per second, at the most at one time.
#[must_use]
pub fn offered(scenario: &Scenario) -> f64 {
    let rates = scenario.phases.iter().filter(|phase| phase.record).map(|phase| {
        let mut loads = phase.loads.clone();
        loads.iter_mut().filter_map(rate_of).map(|rate| rate.per_second()).sum::<f64>()
    });
    rates.fold(0.0, f64::max)
}

fn rate_of(load: &mut Load) -> Option<&mut Rate> {
    match load {
        Load::Transfer(load) => Some(&mut load.rate),
        Load::Call(load) => Some(&mut load.rate),
        Load::Trace(load) => Some(&mut load.rate),
        Load::Communities(load) => Some(&mut load.rate),
        Load::MainnetBlocks(_) => None,
    }
}
