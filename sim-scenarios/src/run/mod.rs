//! Runs of scenarios: on real processes, or in the simulated world; and what both need.

pub mod collect;
pub mod execute;
pub mod facts;
pub mod prepare;
pub mod processes;
mod progress;
mod signals;
pub mod simulated;
pub mod up;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use partitioning::{Allocation, Base, Residents};

use crate::scenario::{AllocationRule, Scenario};

pub use progress::Progress;
pub use signals::Interrupt;

/// What processes log, unless `RUST_LOG` says otherwise.
pub(crate) const LOG_FILTER: &str = "info,libp2p=warn,multistream_select=warn,yamux=warn";

/// Where a run's files go: as asked, or `runs/NAME-TIME`.
#[must_use]
pub fn directory(asked: Option<&Path>, name: &str) -> PathBuf {
    match asked {
        Some(directory) => directory.to_owned(),
        None => {
            let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
            Path::new("runs").join(format!("{name}-{now}"))
        }
    }
}

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
