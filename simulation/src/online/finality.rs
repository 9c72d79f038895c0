//! Agreement at every final checkpoint, and what it covers is what the shards made durable.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use cross_shard_msg::checkpoint::genesis_digest;
use cross_shard_msg::{Block, FinalizedCheckpoint, Settings, ShardId, ValidatorIndex};

/// The chain of checkpoints, as far as anybody finalized it.
pub(super) struct Finality {
    genesis: B256,
    /// Digests by number, from 1; with who finalized it first.
    chain: Vec<(B256, ValidatorIndex)>,
    /// How far each coordinator is.
    reached: BTreeMap<ValidatorIndex, u64>,
    /// Hashes of durable headers that no checkpoint covers, by height.
    pending: BTreeMap<ShardId, BTreeMap<u64, B256>>,
}

impl Finality {
    pub fn new(settings: &Settings) -> Self {
        Self {
            genesis: genesis_digest(&settings.network),
            chain: Vec::new(),
            reached: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    pub fn block(&mut self, shard: ShardId, block: &Block) -> Result<(), String> {
        let header = &block.header;
        self.pending.entry(shard).or_default().insert(header.height.0, header.hash());
        Ok(())
    }

    /// Whether the checkpoint is new.
    pub fn checkpoint(
        &mut self,
        by: ValidatorIndex,
        finalized: &FinalizedCheckpoint,
        dishonest: &BTreeSet<ShardId>,
    ) -> Result<bool, String> {
        let checkpoint = &finalized.checkpoint;
        let (number, digest) = (checkpoint.number.0, checkpoint.digest());
        let reached = self.reached.entry(by).or_default();
        if number != *reached + 1 {
            return Err(format!("coordinator:{by} finalized {number} after {reached}"));
        }
        *reached = number;
        let index = (number - 1) as usize;
        if let Some((known, first)) = self.chain.get(index) {
            return match *known == digest {
                true => Ok(false),
                false => Err(format!(
                    "checkpoint {number}: coordinator:{first} finalized {known}, coordinator:{by} \
                     {digest}"
                )),
            };
        }
        let parent = self.chain.last().map_or(self.genesis, |(digest, _)| *digest);
        if checkpoint.parent != parent {
            return Err(format!("checkpoint {number} does not continue the one before"));
        }
        self.chain.push((digest, by));
        for link in checkpoint.crosslinks.iter().filter(|link| !dishonest.contains(&link.shard)) {
            let pending = self.pending.entry(link.shard).or_default();
            for (hash, height) in link.headers.iter().zip(link.first.0..) {
                let own = pending.remove(&height);
                if own != Some(*hash) {
                    return Err(format!(
                        "checkpoint {number} covers {hash} as block {height} of shard:{}, whose \
                         own block is {own:?}",
                        link.shard
                    ));
                }
            }
        }
        Ok(true)
    }

    /// Nearly all blocks are final: of each shard fewer wait than one checkpoint takes in.
    pub fn covered(&self) -> Result<(), String> {
        let late = self.pending.iter().find(|(_, pending)| {
            pending.len() > cross_shard_msg::checkpoint::MAX_CROSSLINK_HEADERS
        });
        match late {
            Some((shard, pending)) => {
                Err(format!("{} blocks of shard:{shard} are not final", pending.len()))
            }
            None if self.chain.is_empty() => Err("no checkpoint is final".to_owned()),
            None => Ok(()),
        }
    }
}
