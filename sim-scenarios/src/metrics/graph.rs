//! The access graph of what was offered: sender and recipient of each recorded transaction.

use alloy_primitives::Address;
use partitioning::{AccessGraph, Shape};

use super::Measured;
use crate::run::genesis_allocation;

/// The shape of the offered workload's access graph, cut by the allocation at genesis. Creations
/// have no recipient yet and add nothing.
#[must_use]
pub fn shape(measured: &Measured<'_>) -> Shape {
    let pairs = measured.recorded().filter_map(|(_, info, _)| -> Option<[Address; 2]> {
        Some([info.sender, info.recipient?])
    });
    AccessGraph::new(pairs).shape(&genesis_allocation(&measured.run.scenario))
}
