//! What all nodes of a network agree on before it starts.
//!
//! Complete on purpose: no field has a default here. Defaults live in the scenario parser.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::certificate::ShardKeys;
use crate::hash::Preimage;
use crate::ids::{CheckpointNumber, Epoch, NetworkId, ShardId};
use crate::signature::PublicKey;
use crate::units::{Duration, Gas, Wei};

/// Settings of one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Digest of the genesis and of everything below.
    pub network: NetworkId,
    /// Ethereum chain id; one for all shards.
    pub chain_id: u64,
    /// Each shard's keys; their number is the number of shards.
    pub shards: Vec<ShardKeys>,
    /// Each coordinator's key; their number is the number of validators.
    pub validators: Vec<PublicKey>,
    /// Wei that each shard holds at genesis, by shard.
    pub genesis_held: Vec<Wei>,
    /// Time between two blocks of a shard.
    pub block_time: Duration,
    /// When each shard's first block is due, by shard; less than `block_time`.
    pub block_offset: Vec<Duration>,
    /// Time between two checkpoints.
    pub checkpoint_every: Duration,
    /// Gas limit of a block, the same on every shard.
    pub gas_limit: Gas,
    /// Base fee of the first block, in wei.
    pub base_fee: u64,
    /// Whether the base fee follows EIP-1559 or stays as it is.
    pub base_fee_moves: bool,
    /// Unix time of the run's start, in seconds; a block's EVM timestamp counts from here.
    pub genesis_time: u64,
    /// When a destination may consume a batch.
    pub gate: Gate,
    /// Who may add value.
    pub minting: Minting,
    /// Whether senders are recovered from signatures, or assumed.
    pub verify_signatures: bool,
    /// When accounts move, and how many; `None` where they never do.
    pub epochs: Option<Epochs>,
    /// Bounds of queues.
    pub bounds: Bounds,
}

/// When a destination may consume a batch (rules R-GATE-1 and R-GATE-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gate {
    /// A finalized checkpoint covers the source's header.
    Checkpoint,
    /// The header carries its shard's certificate.
    Certified,
}

/// Who may add value to a network after genesis (rule R-LED-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Minting {
    /// Nobody: what every header says was minted is zero.
    Never,
    /// Each shard's administrator. Nobody else can check what it adds, so that every shard is
    /// trusted with any amount.
    Administrator,
}

/// How accounts move (rules R-EPOCH-1 to R-EPOCH-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epochs {
    /// Checkpoints of one epoch; at least 1.
    pub checkpoints: u64,
    /// Most accounts that one checkpoint may move, at most [`crate::migration::MAX_MOVES`].
    pub max_moves: u32,
    /// Most executions that one block's traffic report may have, at most
    /// [`crate::migration::MAX_ACCESSES`].
    pub max_accesses: u32,
}

impl Epochs {
    /// The epoch of a checkpoint: the first `checkpoints` ones are of epoch 0.
    #[must_use]
    pub fn of(&self, number: CheckpointNumber) -> Epoch {
        Epoch(number.0.saturating_sub(1) / self.checkpoints.max(1))
    }

    /// Whether a checkpoint is its epoch's last.
    #[must_use]
    pub fn is_last(&self, number: CheckpointNumber) -> bool {
        number.0 > 0 && number.0.is_multiple_of(self.checkpoints.max(1))
    }
}

/// Bounds of a node's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Transactions in a mempool.
    pub mempool: u32,
    /// Waiting transactions of one sender; also how far a nonce may be above the next one.
    pub nonce_window: u32,
    /// Gas of delayed receipts at which a shard counts as full.
    pub delayed_gas: Gas,
    /// Receipts for one destination that may wait for their release.
    pub buffered: u32,
    /// Batches of one source that wait for the gate.
    pub waiting_batches: u32,
    /// Headers of one shard that a coordinator keeps above the last crosslink.
    pub pending_headers: u32,
    /// How long a transaction may wait in a mempool.
    pub mempool_time: Duration,
}

impl Bounds {
    fn write(&self, preimage: &mut Preimage) {
        preimage
            .u32(self.mempool)
            .u32(self.nonce_window)
            .u64(self.delayed_gas.0)
            .u32(self.buffered)
            .u32(self.waiting_batches)
            .u32(self.pending_headers)
            .u64(self.mempool_time.0);
    }
}

impl Settings {
    /// Number of shards.
    #[must_use]
    pub fn shard_count(&self) -> u32 {
        u32::try_from(self.shards.len()).unwrap_or(u32::MAX)
    }

    /// All shards, ascending.
    pub fn shard_ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shard_count()).map(ShardId)
    }

    /// The account that collects a shard's tips: a resident, one address per shard.
    #[must_use]
    pub fn fee_account(shard: ShardId) -> Address {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(b"fees");
        bytes[16..].copy_from_slice(&shard.0.to_be_bytes());
        Address::from(bytes)
    }

    /// Computes the network's id from a genesis digest and these settings, and stores it.
    #[must_use]
    pub fn with_network_id(mut self, genesis: &B256) -> Self {
        let mut preimage = Preimage::new("shardlab/network");
        preimage.hash(genesis).u64(self.chain_id).len(self.shards.len());
        for keys in &self.shards {
            preimage.u32(keys.quorum).len(keys.replicas.len());
            for key in &keys.replicas {
                preimage.hash(&key.0);
            }
        }
        preimage.len(self.validators.len());
        for key in &self.validators {
            preimage.hash(&key.0);
        }
        preimage.len(self.genesis_held.len());
        for held in &self.genesis_held {
            preimage.wei(held);
        }
        preimage
            .u64(self.block_time.0)
            .u64(self.checkpoint_every.0)
            .u64(self.gas_limit.0)
            .u64(self.base_fee)
            .u8(u8::from(self.base_fee_moves))
            .u64(self.genesis_time)
            .u8(match self.gate {
                Gate::Checkpoint => 0,
                Gate::Certified => 1,
            })
            .u8(match self.minting {
                Minting::Never => 0,
                Minting::Administrator => 1,
            })
            .u8(u8::from(self.verify_signatures));
        preimage.len(self.block_offset.len());
        for offset in &self.block_offset {
            preimage.u64(offset.0);
        }
        match &self.epochs {
            None => preimage.u8(0),
            Some(epochs) => preimage
                .u8(1)
                .u64(epochs.checkpoints)
                .u32(epochs.max_moves)
                .u32(epochs.max_accesses),
        };
        self.bounds.write(&mut preimage);
        self.network = NetworkId(preimage.finish());
        self
    }
}
