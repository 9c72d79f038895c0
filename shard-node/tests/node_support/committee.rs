//! Finalizes checkpoints as the real committee would, without its agreement.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use consensus::checkpoint::FinalityProof;
use consensus::vote::Kind;
use consensus::{Certificate as Quorum, Committee, Domain, FinalizationCertificate, Keyring, Vote};
use cross_shard_msg::checkpoint::genesis_digest;
use cross_shard_msg::*;
use partitioning::{Allocation, Home};

use super::World;

/// A committee of one validator.
pub struct TestCommittee {
    keys: Keyring,
    pub headers: Vec<Vec<SignedHeader>>,
    crosslinked: Vec<usize>,
    parent: B256,
    number: CheckpointNumber,
    /// Homes after the newest checkpoint.
    pub allocation: Allocation,
    /// Accounts that the next checkpoint moves, where that is allowed.
    pub moves: BTreeMap<Address, ShardId>,
    pub finalized: Vec<FinalizedCheckpoint>,
}

impl TestCommittee {
    pub fn new(settings: &Settings, validator: SecretKey, allocation: Allocation) -> Self {
        let network = settings.network;
        let domain = Domain { network, incarnation: Incarnation(0), epoch: Epoch::ZERO };
        let committee = Committee::new(domain, &settings.validators).unwrap();
        let shards = settings.shards.len();
        Self {
            keys: Keyring::new(committee, validator).unwrap(),
            headers: vec![Vec::new(); shards],
            crosslinked: vec![0; shards],
            parent: genesis_digest(&network),
            number: CheckpointNumber::ZERO,
            allocation,
            moves: BTreeMap::new(),
            finalized: Vec::new(),
        }
    }

    /// Takes in as much as the watermarks allow.
    pub fn propose(&mut self, now: Timestamp) -> Option<Checkpoint> {
        let mut cut: Vec<usize> = self.headers.iter().map(Vec::len).collect();
        loop {
            let mut lowered = false;
            for shard in 0..cut.len() {
                let exceeds = |tip: &SignedHeader| {
                    let mut marks = tip.watermarks.iter();
                    marks.any(|mark| mark.height.0 > cut[mark.source.0 as usize] as u64)
                };
                if cut[shard] > self.crosslinked[shard]
                    && exceeds(&self.headers[shard][cut[shard] - 1])
                {
                    cut[shard] -= 1;
                    lowered = true;
                }
            }
            if !lowered {
                break;
            }
        }
        let mut crosslinks = Vec::new();
        let mut placements = Vec::new();
        for (shard, headers) in self.headers.iter().enumerate() {
            let taken = &headers[self.crosslinked[shard]..cut[shard]];
            let Some(tip) = taken.last() else { continue };
            for mark in taken.iter().flat_map(|header| &header.watermarks) {
                let source = &self.headers[mark.source.0 as usize][mark.height.0 as usize - 1];
                assert_eq!(source.hash(), mark.header);
                let sent = source.sent_to(ShardId(shard as u32)).unwrap();
                assert_eq!((sent.sequence, sent.value), (mark.sequence, mark.value), "R-LED-3");
            }
            crosslinks.push(Crosslink {
                shard: ShardId(shard as u32),
                first: taken[0].height,
                headers: taken.iter().map(SignedHeader::hash).collect(),
                congestion: tip.congestion,
            });
            for address in taken.iter().flat_map(|header| &header.placements) {
                let known = |placed: &Placement| placed.address == *address;
                if !self.allocation.is_placed(address) && !placements.iter().any(known) {
                    placements.push(Placement { address: *address, shard: ShardId(shard as u32) });
                }
            }
        }
        if crosslinks.is_empty() {
            return None;
        }
        // As R-EPOCH-4 wants them.
        let moves = std::mem::take(&mut self.moves).into_iter().filter_map(|(account, to)| {
            let placed = placements.iter().any(|placed| placed.address == account);
            match self.allocation.home(&account) {
                Home::Shard(from) if from != to && !placed => Some(Move { account, from, to }),
                _ => None,
            }
        });
        let moves = moves.collect();
        self.crosslinked = cut;
        self.number = self.number.next();
        let checkpoint = Checkpoint {
            number: self.number,
            parent: self.parent,
            timestamp: now,
            epoch: Epoch::ZERO,
            crosslinks,
            placements,
            moves,
        };
        self.allocation.apply(&checkpoint);
        self.parent = checkpoint.digest();
        Some(checkpoint)
    }

    pub fn certify(&mut self, checkpoint: Checkpoint) -> FinalizedCheckpoint {
        let digest = checkpoint.digest();
        let view = View(checkpoint.number.0);
        let vote = Vote::sign(&self.keys, view, Kind::Finalize, digest);
        let quorum = Quorum {
            epoch: Epoch::ZERO,
            view,
            kind: Kind::Finalize,
            digest,
            signatures: vec![(vote.validator, vote.signature)],
        };
        let certificate = FinalizationCertificate::new(quorum).unwrap();
        let proof = FinalityProof { descendants: Vec::new(), certificate };
        let certificate = codec::encode(&proof).unwrap().into();
        let finalized = FinalizedCheckpoint { checkpoint: Arc::new(checkpoint), certificate };
        self.finalized.push(finalized.clone());
        finalized
    }
}

impl World {
    pub(super) fn coordinate(&mut self, from: NodeId, message: Message) {
        match message {
            Message::Headers(headers) => {
                for header in headers.iter() {
                    let chain = &mut self.committee.headers[header.shard.0 as usize];
                    if let Some(known) = chain.get(header.height.0 as usize - 1) {
                        assert_eq!(known.hash(), header.hash(), "two blocks of one height");
                    }
                    if header.height.0 == chain.len() as u64 + 1 {
                        let keys = &self.settings.shards[header.shard.0 as usize];
                        assert!(header.verify(&self.settings.network, keys));
                        chain.push(header.clone());
                    }
                }
            }
            Message::PullCheckpoints { from: first } => {
                let finalized = self.committee.finalized.clone();
                for checkpoint in finalized.into_iter().skip(first.0 as usize - 1) {
                    self.send(
                        NodeId::Coordinator(ValidatorIndex(0)),
                        from,
                        Message::Finalized(checkpoint),
                    );
                }
            }
            Message::Traffic(report) => {
                let header = &self.committee.headers[report.shard.0 as usize];
                let header = &header[report.height.0 as usize - 1];
                assert_eq!(header.traffic, report.digest());
                assert!(report.is_well_formed());
                self.traffic.push(report);
            }
            other => panic!("no message for a coordinator: {other:?}"),
        }
    }

    /// Finalizes a checkpoint over as much as the watermarks allow.
    pub(super) fn finalize(&mut self) {
        let checkpoint = self.committee.propose(self.now);
        let Some(checkpoint) = checkpoint else { return };
        let finalized = self.committee.certify(checkpoint);
        for shard in 0..self.nodes.len() as u32 {
            self.send(
                NodeId::Coordinator(ValidatorIndex(0)),
                NodeId::Shard(ShardId(shard)),
                Message::Finalized(finalized.clone()),
            );
        }
    }
}
