//! The setting, decided by `consensus`.

use std::collections::BTreeMap;

use alloy_primitives::{B256, FixedBytes};
use consensus::{
    Config, Domain, Finalized, Input, Message, Output, Signer, Simplex, Timing, Tip, Value,
    Verdict, Verifier,
};
use cross_shard_msg::hash::Preimage;
use cross_shard_msg::signature::NodeSignature;
use cross_shard_msg::{Duration, Epoch, Incarnation, NetworkId, Timestamp, ValidatorIndex, View};

use crate::{Decisions, Queue, Setting, proposal};

const NANOS: u64 = 1_000_000;

/// Runs the setting.
#[must_use]
pub fn decide(setting: Setting) -> Decisions {
    let mut queue = Queue::new(setting);
    let mut machines = BTreeMap::new();
    let mut finalized: BTreeMap<usize, Vec<Finalized<Word>>> = BTreeMap::new();
    let genesis = Tip::genesis(B256::ZERO, 0, Timestamp::ZERO);
    for who in setting.running() {
        let keys = Assumed { size: setting.validators, me: who };
        machines.insert(who, Simplex::new(config(), &keys, genesis.clone()));
        finalized.insert(who, Vec::new());
        queue.schedule(who, 0, Input::Start);
    }
    let count = |runs: &[Finalized<Word>]| runs.iter().map(|run| run.values.len()).sum::<usize>();
    while finalized.values().any(|runs| count(runs) < setting.decisions) {
        let (who, input) = queue.next().expect("nothing is left to happen");
        let Some(machine) = machines.get_mut(&who) else { continue };
        let keys = Assumed { size: setting.validators, me: who };
        let now = Timestamp(queue.now * NANOS);
        let mut outputs = Vec::new();
        machine.handle(&keys, now, input, &mut outputs);
        let from = ValidatorIndex(who as u32);
        for output in outputs {
            match output {
                Output::Broadcast(message) => {
                    for to in setting.running().filter(|to| *to != who) {
                        queue.send(who, to, Input::Message { from, message: message.clone() });
                    }
                }
                Output::Send { to, message } => {
                    queue.send(who, to.0 as usize, Input::Message { from, message });
                }
                Output::Persist { id, .. } => queue.schedule(who, queue.now, Input::Durable(id)),
                Output::NeedValue { view, parent, number, timestamp } => {
                    let payload = proposal(who, number);
                    let value = Word { parent, number, timestamp, payload };
                    queue.schedule(who, queue.now, Input::Proposal { view, value });
                }
                Output::Validate { view, digest, .. } => {
                    let verdict = Verdict::Valid;
                    queue.schedule(who, queue.now, Input::Verdict { view, digest, verdict });
                }
                Output::Serve { to, after, limit } => {
                    let runs = finalized[&who].iter();
                    let later = runs.filter(|run| run.values.last().unwrap().number > after);
                    let message = Message::Finalized(later.take(limit).cloned().collect());
                    queue.send(who, to.0 as usize, Input::Message { from, message });
                }
                Output::Wake(at) => queue.schedule(who, at.0.div_ceil(NANOS), Input::Wake),
                Output::Finalized(run) => finalized.get_mut(&who).unwrap().push(run),
                Output::Entered { .. } | Output::Dropped(_) => {}
                Output::Evidence(evidence) => panic!("nobody is faulty: {evidence:?}"),
            }
        }
    }
    let words = finalized.into_iter().map(|(who, runs)| {
        let values = runs.into_iter().flat_map(|run| run.values).map(|word| word.payload);
        (who, values.take(setting.decisions).collect())
    });
    words.collect()
}

fn config() -> Config {
    let millis = Duration::from_millis;
    let timing = Timing {
        interval: millis(1),
        timeout: millis(300),
        max_timeout: millis(4_000),
        retry: millis(100),
        fetch_after: millis(100),
        fetch_retry: millis(200),
        max_skew: millis(1),
    };
    Config { timing, future_views: 64 }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Word {
    parent: B256,
    number: u64,
    timestamp: Timestamp,
    payload: u64,
}

impl Value for Word {
    fn digest(&self) -> B256 {
        Preimage::new("consensus-differential/word")
            .hash(&self.parent)
            .u64(self.number)
            .u64(self.timestamp.0)
            .u64(self.payload)
            .finish()
    }
    fn parent(&self) -> B256 {
        self.parent
    }
    fn number(&self) -> u64 {
        self.number
    }
    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

/// Signatures are assumed: nobody forges them here.
struct Assumed {
    size: usize,
    me: usize,
}

impl Verifier for Assumed {
    fn domain(&self) -> Domain {
        Domain { network: NetworkId(B256::ZERO), incarnation: Incarnation(0), epoch: Epoch::ZERO }
    }
    fn size(&self) -> usize {
        self.size
    }
    fn verify(&self, who: ValidatorIndex, _: &B256, _: &NodeSignature) -> bool {
        (who.0 as usize) < self.size
    }
}

impl Signer for Assumed {
    fn validator(&self) -> ValidatorIndex {
        ValidatorIndex(self.me as u32)
    }
    fn sign(&self, _: &B256) -> NodeSignature {
        NodeSignature(FixedBytes([0; 64]))
    }
}

/// The first turn of Simplex is that of view 1.
pub(crate) const FIRST_TURN: u64 = View::ZERO.next().0;
