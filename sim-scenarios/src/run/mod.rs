//! Runs of scenarios: on real processes, or in the simulated world; and what both need.

mod begin;
pub mod collect;
pub mod complete;
pub mod directory;
pub mod execute;
pub mod facts;
mod faults;
pub mod prepare;
mod process_faults;
pub mod processes;
mod progress;
pub mod reexecute;
mod signals;
pub mod simulate;
pub mod simulate_faults;
pub mod simulate_profile;
pub mod simulate_trace;
pub mod simulated;
mod simulated_byzantine;
#[cfg(feature = "planted-bugs")]
mod simulated_planted;
pub mod up;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use partitioning::{Allocation, Base, Residents};

use crate::scenario::{AllocationRule, Scenario};

pub use progress::Progress;
pub use signals::Interrupt;

/// What this program and its processes log, unless `SHARDLAB_LOG` says otherwise.
pub(crate) const LOG_FILTER: &str = "info,libp2p=warn,multistream_select=warn,yamux=warn";

/// The allocation that a scenario starts with.
#[must_use]
pub fn genesis_allocation(scenario: &Scenario) -> Allocation {
    let shards = scenario.network.shards;
    let base = match scenario.network.allocation {
        AllocationRule::Hash => Base::Hash,
    };
    Allocation::new(shards, base, Residents::standard(shards))
}

/// Opens a file of the file system for a workload.
///
/// # Errors
/// What the system says.
pub fn open_file(path: &Path) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(File::open(path)?))
}
