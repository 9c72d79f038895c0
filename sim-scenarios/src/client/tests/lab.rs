//! A client in the hands of a test: its time, its inputs, and what it did.

use std::path::{Path, PathBuf};

use alloy_primitives::{B256, Bytes};
use cross_shard_msg::{
    Admission, Checkpoint, CheckpointNumber, Congestion, Crosslink, Epoch, Height, LegNotice, Move,
    Placement, Submission, Transaction,
};
use partitioning::{Base, Residents};

use super::super::*;
use crate::scenario::{Places, parse};
use crate::workload::{self, Workers};

pub(super) const MS: u64 = 1_000_000;
pub(super) const TRANSFERS: &str = "kind = \"transfer\"\narrivals = \"uniform\"\nrate = ";
pub(super) const TOKENS: &str = "kind = \"call\"\narrivals = \"uniform\"\ncontract = \"erc20\"\n\
                      function = \"transfer(address,uint256)\"\nargs = [\"account\", 1]\nrate = ";

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp(millis * MS)
}

/// A client, its time, and what it did.
pub(super) struct Lab {
    pub(super) client: Client,
    pub(super) workload: Arc<SignedWorkload>,
    pub(super) allocation: Allocation,
    pub(super) now: Timestamp,
    pub(super) wake: Option<Timestamp>,
    /// (time, shard, transaction), in the order of sending.
    pub(super) sent: Vec<(Timestamp, ShardId, usize)>,
    pub(super) messages: usize,
    pub(super) pulls: Vec<(NodeId, CheckpointNumber)>,
    pub(super) events: Vec<Event>,
    pub(super) progress: Vec<Arc<ClientProgress>>,
    pub(super) checkpoints: u64,
}

impl Lab {
    /// One second of load at `rate` per second, on 4 shards with 4 validators.
    pub(super) fn new(load: &str, rate: u32) -> Self {
        let text = format!(
            "name = \"test\"\nseed = 5\n[network]\nshards = 4\nvalidators = 4\n\
             block_time = \"100ms\"\n[accounts]\ncount = 20\n[client]\nretry_deadline = \"2s\"\n\
             drain_timeout = \"10s\"\n[[phase]]\nname = \"p\"\nfor = \"1s\"\n\
             [[phase.load]]\n{load}{rate}\n"
        );
        let places = Places { base: PathBuf::from("."), data: None };
        let scenario = parse("test", &text, &[], &places).unwrap();
        let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        let open = |_: &Path| Err(std::io::Error::other("no files"));
        let planned = workload::build(&scenario, &allocation, &open, &Workers::single()).unwrap();
        let workload = Arc::new(workload::sign(&planned, &Workers::single()).unwrap());
        let config = ClientConfig::of(&scenario, at(50));
        let mut lab = Self {
            client: Client::new(config, allocation.clone(), workload.clone()),
            workload,
            allocation,
            now: Timestamp::ZERO,
            wake: None,
            sent: Vec::new(),
            messages: 0,
            pulls: Vec::new(),
            events: Vec::new(),
            progress: Vec::new(),
            checkpoints: 0,
        };
        lab.input(Input::Start);
        lab
    }

    pub(super) fn input(&mut self, input: Input<Client>) {
        let mut effects = Effects::new();
        self.client.handle(self.now, input, &mut effects);
        for effect in effects.drain() {
            match effect {
                Effect::Send { to: NodeId::Shard(shard), message: Message::Submit(pack) } => {
                    assert!(pack.len() <= MAX_MESSAGE_ITEMS);
                    self.messages += 1;
                    for submission in pack {
                        let index = self.index_of(&submission);
                        self.sent.push((self.now, shard, index));
                    }
                }
                Effect::Send { to, message: Message::PullCheckpoints { from } } => {
                    self.pulls.push((to, from));
                }
                Effect::SetTimer { timer: Wake, at } => self.wake = Some(at),
                Effect::CancelTimer(Wake) => self.wake = None,
                Effect::Executed(progress) => self.progress.push(progress),
                Effect::Observe(event) => self.events.push(event),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub(super) fn index_of(&self, submission: &Submission) -> usize {
        let key = Transaction::decode(submission.encoded.clone()).unwrap().key();
        self.workload.transactions.iter().position(|transaction| transaction.key == key).unwrap()
    }

    /// Lets time pass, waking the client when it asks for it.
    pub(super) fn until(&mut self, millis: u64) {
        while let Some(wake) = self.wake.filter(|wake| *wake <= at(millis)) {
            self.now = self.now.max(wake);
            self.wake = None;
            self.input(Input::Timer(Wake));
        }
        self.now = at(millis);
    }

    pub(super) fn hear_shard(&mut self, shard: u32, message: Message) {
        self.input(Input::Message { from: NodeId::Shard(ShardId(shard)), message });
    }

    pub(super) fn answer(&mut self, index: usize, outcome: Result<(), Refusal>) {
        self.answer_from(0, index, outcome);
    }

    pub(super) fn answer_from(&mut self, shard: u32, index: usize, outcome: Result<(), Refusal>) {
        let hash = Transaction::decode(self.workload.encoded(index)).unwrap().hash();
        let admission = Admission { hash, outcome };
        self.hear_shard(shard, Message::Admissions(vec![admission]));
    }

    /// The old home made the block that sends accounts away, and refuses what waited of them.
    pub(super) fn drop_moved(&mut self, shard: u32, height: u64, indices: &[usize]) {
        let key = |index: &usize| (self.workload.transactions[*index].key, Refusal::Moved);
        let notice = BlockNotice {
            shard: ShardId(shard),
            height: Height(height),
            legs: Vec::new(),
            dropped: indices.iter().map(key).collect(),
            placements: Vec::new(),
        };
        self.hear_shard(shard, Message::Included(Arc::new(notice)));
    }

    /// A checkpoint that moves an account, from two coordinators.
    pub(super) fn relocate(&mut self, account: Address, from: u32, to: u32) {
        self.checkpoints += 1;
        let moved = Move { account, from: ShardId(from), to: ShardId(to) };
        let checkpoint = checkpoint(self.checkpoints, &[], Vec::new());
        let checkpoint = Checkpoint { moves: vec![moved], ..checkpoint };
        for validator in [0, 2] {
            self.hear_coordinator(validator, checkpoint.clone());
        }
    }

    pub(super) fn block(&mut self, shard: u32, height: u64, legs: &[LegNotice]) {
        let notice = BlockNotice {
            shard: ShardId(shard),
            height: Height(height),
            legs: legs.to_vec(),
            dropped: Vec::new(),
            placements: Vec::new(),
        };
        self.hear_shard(shard, Message::Included(Arc::new(notice)));
    }

    pub(super) fn leg(&self, index: usize, first: bool, caused: u32) -> LegNotice {
        let key = self.workload.transactions[index].key;
        LegNotice { key, first, status: LegStatus::Succeeded, caused, created: 0 }
    }

    /// A checkpoint that covers each shard up to a height, from two coordinators.
    pub(super) fn finalize(&mut self, tips: &[(u32, u64)], placements: Vec<Placement>) {
        self.checkpoints += 1;
        let checkpoint = checkpoint(self.checkpoints, tips, placements);
        for validator in [0, 2] {
            self.hear_coordinator(validator, checkpoint.clone());
        }
    }

    pub(super) fn hear_coordinator(&mut self, validator: u32, checkpoint: Checkpoint) {
        let finalized =
            FinalizedCheckpoint { checkpoint: Arc::new(checkpoint), certificate: Bytes::new() };
        let from = NodeId::Coordinator(ValidatorIndex(validator));
        self.input(Input::Message { from, message: Message::Finalized(finalized) });
    }

    pub(super) fn tally(&self) -> Tally {
        self.client.book.tally(Stage::Run)
    }

    pub(super) fn end(&self) -> &ClientProgress {
        let last = self.progress.last().unwrap();
        assert!(last.ended.is_some(), "{last:?}");
        last
    }

    pub(super) fn sent_at(&self, index: usize) -> Vec<u64> {
        let of = self.sent.iter().filter(|(_, _, sent)| *sent == index);
        of.map(|(at, _, _)| at.as_millis()).collect()
    }

    pub(super) fn dropped(&self, reason: DropReason) -> usize {
        self.events.iter().filter(|event| **event == Event::Dropped { reason }).count()
    }
}

/// A checkpoint whose crosslinks all begin at height 1: the client looks at their tips only.
pub(super) fn checkpoint(
    number: u64,
    tips: &[(u32, u64)],
    placements: Vec<Placement>,
) -> Checkpoint {
    let crosslink = |(shard, tip): &(u32, u64)| Crosslink {
        shard: ShardId(*shard),
        first: Height(1),
        headers: vec![B256::ZERO; *tip as usize],
        congestion: Congestion::default(),
    };
    Checkpoint {
        number: CheckpointNumber(number),
        parent: B256::ZERO,
        timestamp: Timestamp::ZERO,
        epoch: Epoch::ZERO,
        crosslinks: tips.iter().map(crosslink).collect(),
        placements,
        moves: Vec::new(),
    }
}
