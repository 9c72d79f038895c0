//! The invariants of [`crate::checkers`] as a world runs: each look costs as much as what is new.
//!
//! [`Honest`] watches the honest nodes of a network. A shard that is named as dishonest is judged
//! by what it does to the others alone: however it lies, no more value comes out of it than it held
//! at genesis and was sent ([`Honest::containment`]).

mod books;
mod delivery;
mod finality;
mod validity;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use coordinator::Proof;
use cross_shard_msg::{Block, FinalizedCheckpoint, NodeId, Settings, ShardId, ValidatorIndex, Wei};
use partitioning::{Allocation, Base, Residents};

use crate::monitor::Checker;

use books::Books;
use delivery::Delivery;
use finality::Finality;

pub use validity::Validity;

/// Conservation, exactly once, order, agreement and one home, of all honest nodes; and at the end,
/// that everything which a durable block began has settled and is final.
pub struct Honest {
    settings: Settings,
    dishonest: BTreeSet<ShardId>,
    genesis: Vec<Wei>,
    allocation: Allocation,
    chains: BTreeMap<ShardId, Chain>,
    books: Books,
    delivery: Delivery,
    finality: Finality,
    /// Blocks, in order, from the first on that applied a checkpoint which no honest coordinator has
    /// made durable yet: a Byzantine one may announce what a quorum signed before they do.
    early: VecDeque<(ShardId, Arc<Block>)>,
}

/// A shard's own chain.
#[derive(Default)]
struct Chain {
    height: u64,
    hash: alloy_primitives::B256,
    /// Newest checkpoint that the block before had applied.
    checkpoint: cross_shard_msg::CheckpointNumber,
    created: BTreeSet<alloy_primitives::Address>,
}

impl Honest {
    /// Watches a network. Blocks of `dishonest` shards must not be shown to it.
    #[must_use]
    pub fn new(
        settings: &Settings,
        base: Base,
        residents: &Residents,
        dishonest: impl IntoIterator<Item = ShardId>,
    ) -> Self {
        Self {
            settings: settings.clone(),
            dishonest: dishonest.into_iter().collect(),
            genesis: settings.genesis_held.clone(),
            allocation: Allocation::new(settings.shard_count(), base, residents.clone()),
            chains: BTreeMap::new(),
            books: Books::new(settings),
            delivery: Delivery::default(),
            finality: Finality::new(settings),
            early: VecDeque::new(),
        }
    }

    /// Judges the blocks whose checkpoints are known.
    fn catch_up(&mut self) -> Result<(), String> {
        let newest = self.allocation.newest();
        while let Some((shard, block)) =
            self.early.pop_front_if(|(_, block)| block.header.checkpoint <= newest)
        {
            self.chain(shard, &block)?;
            self.books.block(shard, &block)?;
            self.delivery.block(shard, &block, &self.dishonest)?;
            self.finality.block(shard, &block)?;
            self.containment()?;
        }
        Ok(())
    }

    /// Continuity, and one home: a block writes only what lives on its shard.
    fn chain(&mut self, shard: ShardId, block: &Block) -> Result<(), String> {
        let header = &block.header;
        let chain = self.chains.entry(shard).or_default();
        if header.height.0 != chain.height + 1 || (chain.height > 0 && header.parent != chain.hash)
        {
            return Err(format!(
                "shard:{shard} block {} of parent {} is durable after block {} {}",
                header.height, header.parent, chain.height, chain.hash
            ));
        }
        chain.created.extend(&header.placements);
        for address in &block.written {
            let home = self.allocation.home_at(address, header.checkpoint);
            // The block that applies a placement is the last one that writes its old home.
            let leaving = self.allocation.home_at(address, chain.checkpoint).is(shard);
            if !home.is(shard) && !leaving && !chain.created.contains(address) {
                return Err(format!(
                    "shard:{shard} block {} writes {address}, whose home is {home:?}",
                    header.height
                ));
            }
        }
        (chain.height, chain.hash) = (header.height.0, header.hash());
        chain.checkpoint = header.checkpoint;
        Ok(())
    }

    /// No more comes out of a dishonest shard than it can own.
    fn containment(&self) -> Result<(), String> {
        for shard in &self.dishonest {
            let genesis = self.genesis.get(shard.0 as usize).copied().unwrap_or_default();
            let (out, into) = self.books.through(*shard);
            if out > genesis.saturating_add(into) {
                return Err(format!(
                    "{out} wei came out of the dishonest shard:{shard}, which held {genesis} and \
                     was sent {into}"
                ));
            }
        }
        Ok(())
    }
}

impl Checker for Honest {
    fn name(&self) -> &'static str {
        "honest nodes"
    }

    fn on_block(&mut self, shard: ShardId, block: &Arc<Block>) -> Result<(), String> {
        self.early.push_back((shard, Arc::clone(block)));
        self.catch_up()
    }

    fn on_checkpoint(
        &mut self,
        by: ValidatorIndex,
        finalized: &FinalizedCheckpoint,
    ) -> Result<(), String> {
        let new = self.finality.checkpoint(by, finalized, &self.dishonest)?;
        if !new {
            return Ok(());
        }
        self.allocation.apply(&finalized.checkpoint);
        self.books
            .cut(&finalized.checkpoint, &self.dishonest)
            .map_err(|what| format!("checkpoint {}: {what}", finalized.checkpoint.number))?;
        self.catch_up()
    }

    /// Evidence proves what it says, and no honest shard is accused.
    fn on_evidence(&mut self, by: ValidatorIndex, proof: &Proof) -> Result<(), String> {
        let accused = proof.accused();
        if !proof.verify(&self.settings) {
            return Err(format!("coordinator:{by} keeps evidence against {accused} that is none"));
        }
        match accused {
            NodeId::Shard(shard) if !self.dishonest.contains(&shard) => {
                Err(format!("coordinator:{by} has evidence against the honest {accused}"))
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), String> {
        if let Some((shard, block)) = self.early.front() {
            return Err(format!(
                "shard:{shard} block {} applies checkpoint {}, which nobody has finalized",
                block.header.height, block.header.checkpoint
            ));
        }
        self.delivery.settled(&self.dishonest)?;
        self.finality.covered()
    }
}
