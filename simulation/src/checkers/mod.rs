//! Invariants, checked outside the machines on what they made durable. The same checkers look at
//! simulations and at the records of a run of processes.

mod agreement;
mod conservation;
mod containment;
mod delivery;
mod ethereum;
mod finding;
mod liveness;
mod one_home;
mod reexecution;
mod validity;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coordinator::Proof;
use cross_shard_msg::{Block, FinalizedCheckpoint, Settings, ShardId, ValidatorIndex};
use partitioning::{Base, Residents};

pub use ethereum::MainnetBlock;
pub use finding::{Checked, Finding, Invariant, Verdict};
pub use liveness::{Ending, Unanswered};
pub use reexecution::{Execution, Reexecution, SenderOf};

use finding::{Outcome, not_applicable};

/// What the nodes of a run made durable.
#[derive(Debug)]
pub struct Records {
    /// The network's settings.
    pub settings: Settings,
    /// The base rule of the allocation.
    pub base: Base,
    /// Accounts that live on every shard.
    pub residents: Residents,
    /// Blocks of each shard, ascending by height.
    pub blocks: BTreeMap<ShardId, Vec<Arc<Block>>>,
    /// Finalized checkpoints of each coordinator, ascending by number.
    pub checkpoints: BTreeMap<ValidatorIndex, Vec<FinalizedCheckpoint>>,
    /// What came of executing a shard's blocks again ([`Reexecution`]); empty if nobody did.
    pub executions: BTreeMap<ShardId, Execution>,
    /// Proof of faulty nodes that each coordinator kept.
    pub evidence: BTreeMap<ValidatorIndex, Vec<Proof>>,
}

/// What else must be known to judge a run.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// How the run ended; without it liveness is not judged.
    pub ending: Option<Ending>,
    /// The mainnet block that the network executed, if it did.
    pub mainnet: Option<MainnetBlock>,
    /// Shards that break the rules on purpose. What they do to themselves is no violation: the
    /// invariants are those of the others.
    pub dishonest: BTreeSet<ShardId>,
}

/// A broken invariant: where, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The invariant.
    pub invariant: Invariant,
    /// Where and what, for a person.
    pub detail: String,
}

/// Checks every invariant, in the order of reports. Of each the first breach is reported.
#[must_use]
pub fn examine(records: &Records, circumstances: &Circumstances) -> Vec<Finding> {
    let dishonest = &circumstances.dishonest;
    let honest = (!dishonest.is_empty()).then(|| containment::honest(records, dishonest));
    let records = honest.as_ref().unwrap_or(records);
    let check = |invariant: Invariant| -> Outcome {
        if records.blocks.is_empty() && records.checkpoints.is_empty() {
            return not_applicable("nothing was recorded");
        }
        match invariant {
            Invariant::Conservation if !dishonest.is_empty() => {
                containment::check(records, dishonest)
            }
            Invariant::Conservation => conservation::check(records),
            Invariant::ExactlyOnce => delivery::exactly_once(records),
            Invariant::Order => delivery::order(records),
            Invariant::Agreement => agreement::check(records),
            Invariant::Validity => validity::check(records),
            Invariant::Ethereum => ethereum::check(records, circumstances.mainnet.as_ref()),
            Invariant::Liveness if !dishonest.is_empty() => {
                not_applicable("what goes through a Byzantine shard settles when that likes")
            }
            Invariant::Liveness => match &circumstances.ending {
                Some(ending) => liveness::check(records, ending),
                None => not_applicable("nobody said how the run ended"),
            },
            Invariant::OneHome => one_home::check(records),
        }
    };
    let findings = Invariant::ALL.into_iter();
    findings.map(|invariant| Finding { invariant, verdict: check(invariant).into() }).collect()
}

/// What broke of the invariants that records alone can judge.
#[must_use]
pub fn check(records: &Records) -> Vec<Breach> {
    let findings = examine(records, &Circumstances::default());
    findings
        .into_iter()
        .filter_map(|Finding { invariant, verdict }| match verdict {
            Verdict::Broken(detail) => Some(Breach { invariant, detail }),
            Verdict::Held(_) | Verdict::NotApplicable(_) => None,
        })
        .collect()
}

impl Records {
    /// The checkpoints that the run finalized, ascending and each once, whoever recorded them.
    pub(crate) fn finalized(&self) -> BTreeMap<u64, &FinalizedCheckpoint> {
        let all = self.checkpoints.values().flatten();
        all.map(|finalized| (finalized.checkpoint.number.0, finalized)).collect()
    }

    fn block_count(&self) -> usize {
        self.blocks.values().map(Vec::len).sum()
    }
}
