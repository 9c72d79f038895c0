//! What a trial is: a scenario, and what a scenario does not say.

use std::fmt;

use cross_shard_msg::{Duration, NodeId};
use simulation::{CostProfile, Disk};

use crate::client::ClientConfig;
use crate::scenario::{Damage, FaultKind, Load, Scenario, print_duration};

/// Everything that a trial depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The network, what is sent, what breaks and who breaks the rules.
    pub scenario: Scenario,
    /// Every node's disk.
    pub disk: Disk,
    /// Whether work takes time, as on the reference machine.
    pub priced: bool,
}

impl Options {
    /// What work costs a node.
    #[must_use]
    pub fn profile(&self) -> CostProfile {
        if self.priced { CostProfile::REFERENCE } else { CostProfile::FREE }
    }

    /// Whether a shard breaks the rules.
    #[must_use]
    pub fn has_dishonest_shard(&self) -> bool {
        self.scenario.byzantine.iter().any(|one| matches!(one.target, NodeId::Shard(_)))
    }

    /// The bound of the liveness phase, in virtual time: so long after the end of the load, which no
    /// fault outlives, everything has settled. 60 intervals of checkpoints and of blocks, 200 of the
    /// longest delay of a link, and what a client needs to send three times what a mempool lost.
    /// Where packets get lost, links may be mute for longer.
    #[must_use]
    pub fn bound(scenario: &Scenario) -> Duration {
        let network = &scenario.network;
        let link = network.links.default;
        let again = ClientConfig::of(scenario, cross_shard_msg::Timestamp::ZERO).resubmit_after;
        network.checkpoint_every.times(60)
            + network.block_time.times(60)
            + (link.delay + link.jitter).times(200)
            + again.times(3)
            + scenario.client.retry_deadline
            + network.bounds.mempool_time
            + Self::muteness(scenario)
            + network.checkpoint_every.times(2 * Self::restless(scenario))
    }

    /// How long after the last fault links may bring nothing yet. A packet that got lost is sent
    /// again for at most 12.75 s, 50 ms · (2⁸ − 1), as docs/scenarios.md says of `loss`, and holds up
    /// those behind it; view timeouts grow meanwhile.
    #[must_use]
    pub fn muteness(scenario: &Scenario) -> Duration {
        let mut faults = scenario.phases.iter().flat_map(|phase| &phase.faults);
        let lossy =
            |kind: &FaultKind| matches!(kind, FaultKind::Links { damage: Damage::Loss { .. }, .. });
        match faults.any(|fault| lossy(&fault.kind)) {
            true => Duration::from_millis(12_750).times(2),
            false => Duration::ZERO,
        }
    }

    /// For how many checkpoints after the end of the load accounts may still be moved: as long as
    /// strategies see its traffic, and until their answer is known.
    #[must_use]
    pub fn restless(scenario: &Scenario) -> u64 {
        let partitioning = scenario.partitioning.as_ref();
        partitioning.map_or(0, |it| it.epoch * (u64::from(it.window) + 2))
    }

    /// Number of faults.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.scenario.phases.iter().map(|phase| phase.faults.len()).sum()
    }
}

/// One line for the network, one for each load, fault and Byzantine node.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { network, accounts, phases, byzantine, .. } = &self.scenario;
        let bounds = &network.bounds;
        writeln!(
            f,
            "  {} shards, {} validators, gate {:?}, blocks {} {:?}, checkpoints {}, gas limit {}",
            network.shards,
            network.validators,
            network.gate,
            print_duration(network.block_time),
            network.block_phase,
            print_duration(network.checkpoint_every),
            network.gas_limit,
        )?;
        writeln!(
            f,
            "  links {} + {}, disk {}{}, work {}, {} accounts {:?}",
            print_duration(network.links.default.delay),
            print_duration(network.links.default.jitter),
            print_duration(self.disk.durable_after),
            if self.disk.torn { " torn" } else { "" },
            if self.priced { "priced" } else { "free" },
            accounts.count,
            accounts.popularity,
        )?;
        writeln!(
            f,
            "  bounds: mempool {}, nonces {}, mempool time {}, delayed gas {}, buffered {}, waiting \
             batches {}, pending headers {}",
            bounds.mempool,
            bounds.nonce_window,
            print_duration(bounds.mempool_time),
            bounds.delayed_gas,
            bounds.buffered,
            bounds.waiting_batches,
            bounds.pending_headers,
        )?;
        for phase in phases {
            let length = phase.duration.unwrap_or(Duration::ZERO);
            for load in &phase.loads {
                let (what, rate) = match load {
                    Load::Transfer(load) => ("transfers", load.rate),
                    Load::Call(load) => ("calls", load.rate),
                    Load::Communities(load) => ("transactions of communities", load.rate),
                    Load::Trace(load) => ("rows of a trace", load.rate),
                    Load::MainnetBlocks(_) => continue,
                };
                writeln!(f, "  {} for {}: {what} {rate}/s", phase.name, print_duration(length))?;
            }
            for fault in &phase.faults {
                let span = fault.kind.span().map_or("ever".to_owned(), print_duration);
                let name = match &fault.kind {
                    FaultKind::Crash { .. } => "crash, restart after",
                    kind => kind.name(),
                };
                let (at, target) = (print_duration(fault.at), fault.kind.target());
                writeln!(f, "  at {at}: {name} {span}: {target}")?;
            }
        }
        if let Some(partitioning) = &self.scenario.partitioning {
            writeln!(
                f,
                "  epochs of {} checkpoints, {} moves {} accounts, traffic of {} epochs, {} in a block",
                partitioning.epoch,
                partitioning.strategy.label(),
                partitioning.max_moves,
                partitioning.window,
                partitioning.max_accesses,
            )?;
        }
        for one in byzantine {
            writeln!(f, "  {} is Byzantine: {}", one.target, one.behaviour)?;
        }
        Ok(())
    }
}
