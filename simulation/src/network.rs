//! A small network of real nodes under a [`World`], for embedding and for tests: its genesis, its
//! keys, its machines, and a load of transfers.

use std::sync::Arc;

use alloy_consensus::{Signed, TxEnvelope, TxLegacy};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind};
use coordinator::{Coordinator, CoordinatorConfig, PartitionerConfig};
use cross_shard_msg::settings::{Bounds, Epochs};
use cross_shard_msg::{
    Duration, Gas, Gate, NetworkId, NodeId, SecretKey, Settings, ShardId, ShardKeys, Submission,
    Transaction, ValidatorIndex, Wei,
};
use partitioning::{Allocation, Base, Residents};
use shard_node::{Environment, ShardConfig, ShardNode, genesis_of, held};
use state::GenesisAccount;

use crate::monitor::Monitor;
use crate::world::World;

/// Chain id of these networks.
const CHAIN_ID: u64 = 1_337;
/// Base fee at the start, and what transfers pay for gas, in wei.
const BASE_FEE: u64 = 10;
const GAS_PRICE: u64 = 12;
const TRANSFER_GAS: u64 = 21_000;
/// Balance of every account at genesis, in wei.
const BALANCE: u64 = 1_000_000_000_000_000_000;

/// What a network looks like.
#[derive(Clone, Copy, Debug)]
pub struct NetworkSpec {
    /// Number of shards, at least 1.
    pub shards: u32,
    /// Number of coordinators, at least 1.
    pub validators: u32,
    /// Funded accounts that live on each shard, at least 1.
    pub accounts: u32,
    /// Time between two blocks of a shard.
    pub block_time: Duration,
    /// Time between two checkpoints.
    pub checkpoint_every: Duration,
    /// When a destination may consume a batch.
    pub gate: Gate,
    /// Decides the keys.
    pub seed: u64,
}

/// A network: what all its nodes agree on, and what each is started with.
#[derive(Clone, Debug)]
pub struct Network {
    spec: NetworkSpec,
    settings: Arc<Settings>,
    residents: Residents,
    genesis: Vec<Vec<(Address, GenesisAccount)>>,
    partitioner: Option<PartitionerConfig>,
}

impl Network {
    /// Makes genesis and keys.
    #[must_use]
    pub fn new(spec: NetworkSpec) -> Self {
        let NetworkSpec { shards, validators, block_time, .. } = spec;
        let residents = Residents::standard(shards);
        let allocation = Allocation::new(shards, Base::Hash, residents.clone());
        let funded = |shard| {
            let account = GenesisAccount { balance: Wei::from(BALANCE), ..Default::default() };
            let accounts = (0..spec.accounts).map(|index| account_of(shards, shard, index));
            let accounts: Vec<_> = accounts.map(|address| (address, account.clone())).collect();
            genesis_of(ShardId(shard), &allocation, &accounts)
        };
        let genesis: Vec<_> = (0..shards).map(funded).collect();
        let shard_key = |shard| ShardKeys::single(key(spec.seed, 1, shard).public());
        let offset = |shard| Duration(block_time.0 / u64::from(shards.max(1)) * u64::from(shard));
        let settings = Settings {
            network: NetworkId::default(),
            chain_id: CHAIN_ID,
            shards: (0..shards).map(shard_key).collect(),
            validators: (0..validators).map(|index| key(spec.seed, 2, index).public()).collect(),
            genesis_held: genesis.iter().map(|accounts| held(accounts)).collect(),
            block_time,
            block_offset: (0..shards).map(offset).collect(),
            checkpoint_every: spec.checkpoint_every,
            gas_limit: Gas(200_000_000),
            base_fee: BASE_FEE,
            base_fee_moves: false,
            genesis_time: 0,
            gate: spec.gate,
            minting: cross_shard_msg::settings::Minting::Never,
            verify_signatures: false,
            epochs: None,
            bounds: Bounds {
                mempool: 1_000_000,
                nonce_window: 1_024,
                delayed_gas: Gas(1_000_000_000),
                buffered: 100_000,
                waiting_batches: 1_024,
                pending_headers: 1_024,
                mempool_time: Duration::from_secs(600),
            },
        };
        let settings = Arc::new(settings.with_network_id(&B256::ZERO));
        Self { spec, settings, residents, genesis, partitioner: None }
    }

    /// The same network with epochs, at which accounts move as a partitioner wants.
    #[must_use]
    pub fn with_epochs(mut self, epochs: Epochs, partitioner: PartitionerConfig) -> Self {
        let settings = Settings { epochs: Some(epochs), ..Settings::clone(&self.settings) };
        self.settings = Arc::new(settings.with_network_id(&B256::ZERO));
        self.partitioner = Some(partitioner);
        self
    }

    /// What all nodes agree on.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Accounts that live on every shard.
    #[must_use]
    pub fn residents(&self) -> &Residents {
        &self.residents
    }

    /// All nodes but the client.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        let coordinators = (0..self.spec.validators).map(ValidatorIndex).map(NodeId::Coordinator);
        (0..self.spec.shards).map(ShardId).map(NodeId::Shard).chain(coordinators)
    }

    /// What a shard is started with.
    #[must_use]
    pub fn shard_config(&self, shard: ShardId) -> ShardConfig {
        ShardConfig {
            shard,
            key: key(self.spec.seed, 1, shard.0),
            settings: Arc::clone(&self.settings),
            base: Base::Hash,
            residents: self.residents.clone(),
            environment: Environment::Lab,
            genesis: self.genesis.get(shard.0 as usize).cloned().unwrap_or_default(),
        }
    }

    /// What a coordinator is started with.
    #[must_use]
    pub fn coordinator_config(&self, index: ValidatorIndex) -> CoordinatorConfig {
        CoordinatorConfig {
            index,
            key: key(self.spec.seed, 2, index.0),
            settings: (*self.settings).clone(),
            partitioner: self.partitioner.clone(),
        }
    }

    /// Adds an honest shard that can be restarted.
    ///
    /// # Panics
    /// When the network has no such shard, or a restarted shard's records do not fit.
    pub fn add_shard(&self, world: &mut World, shard: ShardId, monitor: &Monitor) {
        let config = self.shard_config(shard);
        let restart = move |records: &[shard_node::ShardRecord]| {
            let node = ShardNode::recover(config.clone(), records.iter().cloned());
            node.unwrap_or_else(|error| unusable(&NodeId::Shard(shard), &error))
        };
        world.add_restartable(NodeId::Shard(shard), restart, monitor.shard(shard));
    }

    /// Adds an honest coordinator that can be restarted.
    ///
    /// # Panics
    /// When the network has no such coordinator.
    pub fn add_coordinator(&self, world: &mut World, index: ValidatorIndex, monitor: &Monitor) {
        let config = self.coordinator_config(index);
        let restart = move |records: &[coordinator::CoordinatorRecord]| {
            let node = Coordinator::recover(config.clone(), records.iter().cloned());
            node.unwrap_or_else(|error| unusable(&NodeId::Coordinator(index), &error))
        };
        world.add_restartable(NodeId::Coordinator(index), restart, monitor.coordinator(index));
    }

    /// Adds all nodes but the client and those in `except`, which the caller adds.
    ///
    /// # Panics
    /// Never for a network that [`Network::new`] made.
    pub fn add_all(&self, world: &mut World, monitor: &Monitor, except: &[NodeId]) {
        for node in self.nodes().filter(|node| !except.contains(node)) {
            match node {
                NodeId::Shard(shard) => self.add_shard(world, shard, monitor),
                NodeId::Coordinator(index) => self.add_coordinator(world, index, monitor),
                NodeId::Client => {}
            }
        }
    }

    /// The `number`th transfer of 1 wei and its shard: senders take turns, recipients are spread
    /// over all shards.
    #[must_use]
    pub fn transfer(&self, number: u64) -> (ShardId, Submission) {
        let NetworkSpec { shards, accounts, .. } = self.spec;
        let all = u64::from(shards) * u64::from(accounts);
        let account = |place: u64| {
            let shard = u32::try_from(place % u64::from(shards)).unwrap_or_default();
            let index = u32::try_from(place / u64::from(shards)).unwrap_or_default();
            (shard, account_of(shards, shard, index))
        };
        let (shard, sender) = account(number % all);
        let (_, to) = account(number.wrapping_mul(7_919).wrapping_add(number / all + 1) % all);
        let transaction = TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce: number / all,
            gas_price: u128::from(GAS_PRICE),
            gas_limit: TRANSFER_GAS,
            to: TxKind::Call(to),
            value: Wei::from(1),
            input: Bytes::new(),
        };
        // Senders are assumed; the signature only makes hashes differ.
        let r = Wei::from_be_slice(sender.as_slice());
        let signature = Signature::new(r, Wei::from(1), false);
        let envelope = TxEnvelope::Legacy(Signed::new_unhashed(transaction, signature));
        let encoded = Transaction::signed(envelope).encoded().clone();
        (ShardId(shard), Submission { encoded, assumed_sender: Some(sender) })
    }
}

fn unusable(node: &NodeId, error: &dyn std::fmt::Display) -> ! {
    unreachable!("{node} cannot start: {error}")
}

fn key(seed: u64, kind: u8, index: u32) -> SecretKey {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..12].copy_from_slice(&index.to_be_bytes());
    SecretKey::from_seed(&B256::from(bytes))
}

fn account_of(shards: u32, shard: u32, index: u32) -> Address {
    let mut bytes = [0x11; 20];
    let number = index.wrapping_add(1).wrapping_mul(shards).wrapping_add(shard);
    bytes[16..].copy_from_slice(&number.to_be_bytes());
    Address::from(bytes)
}
