//! From a scenario and its genesis to everything that the nodes of one network start with.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use cross_shard_msg::hash::Preimage;
use cross_shard_msg::{
    Duration, Gas, Gate, NetworkId, NodeId, SecretKey, Settings, ShardId, ShardKeys,
    ValidatorIndex, Wei,
};
use partitioning::{Allocation, Base, OUTBOX, Residents};
use runtime::network::{LinkShape, LinkTable, NetworkBounds, NetworkConfig};
use runtime::records::Durability;
use shard_node::evm::{BlockEnvironment, outbox_code};
use shard_node::{genesis_of, held};
use state::GenesisAccount;

use super::questions::Questions;
use super::strategy::{OpenStrategy, StrategyPlan};
use crate::client::route;
use crate::partition::ChosenError;
use crate::scenario::{
    self, AllocationRule, Bandwidth, BlockPhase, Partitioning, Scenario, Signatures,
};

/// Unix time at which the labs' chains start, in seconds: 2026-01-01. Fixed, so that a run does not
/// depend on when it is made.
const GENESIS_TIME: u64 = 1_767_225_600;

/// Accounts are given to the plan in this form.
type Accounts = [(Address, GenesisAccount)];

/// What a block that was made elsewhere prescribes (`mainnet-blocks`).
#[derive(Clone, Debug)]
pub struct Prescription {
    /// Ethereum's rules, by revm's number.
    pub spec: u8,
    /// The block's values.
    pub block: BlockEnvironment,
    /// All transactions in order of execution, with their senders.
    pub order: Vec<(B256, Address)>,
}

/// Everything that the nodes of one network start with.
#[derive(Clone, Debug)]
pub struct NetworkPlan {
    /// What all agree on.
    pub settings: Arc<Settings>,
    /// The base rule of the allocation.
    pub base: Base,
    /// Accounts that live on every shard.
    pub residents: Residents,
    /// What belongs to each shard.
    pub shards: Vec<ShardPlan>,
    /// The prescribed block, if there is one.
    pub prescription: Option<Prescription>,
    /// Shapes of all links.
    pub links: LinkTable,
    /// Bounds of the network layer.
    pub network_bounds: NetworkBounds,
    /// What a durable record survives.
    pub durability: Durability,
    /// Nodes whose observations are written at once: those that a fault kills, and all coordinators
    /// if one strikes their leader.
    pub observed_at_once: BTreeSet<NodeId>,
    /// Who decides which accounts move; `None` if none ever does.
    pub strategy: Option<OpenStrategy>,
    /// The scenario's seed.
    pub seed: u64,
}

/// What belongs to one shard.
#[derive(Clone, Debug)]
pub struct ShardPlan {
    /// Its accounts at genesis.
    pub genesis: Vec<(Address, GenesisAccount)>,
    /// Prescribed transactions whose sender lives here, in order.
    pub order: Vec<B256>,
}

/// Why a scenario cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The base fee is beyond 64 bits.
    #[error("network.base_fee: {0} wei is more than a block's base fee can be")]
    BaseFee(Wei),
    /// All balances together are more than 256 bits hold.
    #[error("accounts: all balances together exceed 2^256 − 1 wei")]
    Supply,
    /// The strategy cannot be made any more.
    #[error("partitioning.strategy: {0}")]
    Strategy(#[from] Box<ChosenError>),
}

impl NetworkPlan {
    /// Plans the network of a scenario with these accounts.
    ///
    /// # Errors
    /// When the base fee or the sum of balances does not fit, or the strategy's file is gone.
    pub fn new(
        scenario: &Scenario,
        accounts: &Accounts,
        prescription: Option<Prescription>,
    ) -> Result<Self, PlanError> {
        let network = &scenario.network;
        let base = match network.allocation {
            AllocationRule::Hash => Base::Hash,
        };
        let mut residents = Residents::standard(network.shards);
        if let Some(prescription) = &prescription {
            residents = residents.with(prescription.block.beneficiary);
        }
        let allocation = Allocation::new(network.shards, base, residents.clone());
        let mut accounts = accounts.to_vec();
        // A prescribed block finds the accounts of its own chain and no others.
        if prescription.is_none() {
            accounts.push((OUTBOX, outbox_account()));
        }
        let supply = accounts
            .iter()
            .try_fold(Wei::ZERO, |sum, (_, account)| sum.checked_add(account.balance));
        supply.ok_or(PlanError::Supply)?;
        let prescribed = prescription.as_ref().map_or(&[][..], |block| &block.order);
        let shards: Vec<ShardPlan> = (0..network.shards)
            .map(ShardId)
            .map(|shard| ShardPlan {
                genesis: genesis_of(shard, &allocation, &accounts),
                order: order_of(shard, &allocation, prescribed),
            })
            .collect();
        let mut plan = Self {
            settings: Arc::new(settings(scenario, &shards, prescription.as_ref())?),
            base,
            residents,
            shards,
            prescription,
            links: link_table(scenario),
            network_bounds: network_bounds(scenario),
            durability: match network.durability {
                scenario::Durability::Process => Durability::Process,
                scenario::Durability::Disk => Durability::Disk,
            },
            observed_at_once: scenario.observed_closely(),
            strategy: StrategyPlan::of(scenario)
                .map(|plan| plan.open(Questions::default()))
                .transpose()
                .map_err(Box::new)?,
            seed: scenario.seed,
        };
        let genesis = genesis_digest(&accounts);
        plan.settings = Arc::new(Settings::clone(&plan.settings).with_network_id(&genesis));
        Ok(plan)
    }

    /// All nodes, shards first; the client is not among them.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        let shards = self.settings.shard_ids().map(NodeId::Shard);
        let validators = u32::try_from(self.settings.validators.len()).unwrap_or(u32::MAX);
        shards
            .chain((0..validators).map(|index| NodeId::Coordinator(ValidatorIndex(index))))
            .collect()
    }

    /// How the launcher's own node takes part in the network.
    #[must_use]
    pub fn client_network(&self) -> NetworkConfig {
        let key = Self::transport_seed(self.seed, NodeId::Client).0;
        let mut config = NetworkConfig::new(NodeId::Client, key);
        config.links = self.links.clone();
        config.seed = self.seed;
        config.bounds = self.network_bounds;
        config
    }

    /// Seed of a node's signing key.
    #[must_use]
    pub fn signing_seed(seed: u64, node: NodeId) -> B256 {
        node_seed("shardlab/key/sign", seed, node)
    }

    /// Seed of a node's transport key.
    #[must_use]
    pub fn transport_seed(seed: u64, node: NodeId) -> B256 {
        node_seed("shardlab/key/transport", seed, node)
    }

    /// Wei that the whole network holds at genesis.
    #[must_use]
    pub fn supply(&self) -> Wei {
        self.settings.genesis_held.iter().copied().fold(Wei::ZERO, Wei::saturating_add)
    }
}

fn node_seed(tag: &'static str, seed: u64, node: NodeId) -> B256 {
    let (kind, index) = match node {
        NodeId::Shard(shard) => (0, shard.0),
        NodeId::Coordinator(index) => (1, index.0),
        NodeId::Client => (2, 0),
    };
    Preimage::new(tag).u64(seed).u8(kind).u32(index).finish()
}

fn outbox_account() -> GenesisAccount {
    GenesisAccount { nonce: 1, code: outbox_code(), ..GenesisAccount::default() }
}

fn order_of(shard: ShardId, allocation: &Allocation, all: &[(B256, Address)]) -> Vec<B256> {
    // A sender that lives everywhere is served by one shard: the others would wait for ever.
    let local = all.iter().filter(|(_, sender)| route(allocation, sender) == shard);
    local.map(|(hash, _)| *hash).collect()
}

fn settings(
    scenario: &Scenario,
    shards: &[ShardPlan],
    prescription: Option<&Prescription>,
) -> Result<Settings, PlanError> {
    let network = &scenario.network;
    let key = |node| SecretKey::from_seed(&NetworkPlan::signing_seed(scenario.seed, node)).public();
    let base_fee = match prescription {
        Some(prescription) => prescription.block.base_fee,
        None => network.base_fee.try_into().map_err(|_| PlanError::BaseFee(network.base_fee))?,
    };
    Ok(Settings {
        network: NetworkId::default(),
        chain_id: network.chain_id,
        shards: (0..network.shards)
            .map(|shard| ShardKeys::single(key(NodeId::Shard(ShardId(shard)))))
            .collect(),
        validators: (0..network.validators)
            .map(|index| key(NodeId::Coordinator(ValidatorIndex(index))))
            .collect(),
        genesis_held: shards.iter().map(|shard| held(&shard.genesis)).collect(),
        block_time: network.block_time,
        block_offset: (0..network.shards).map(|shard| offset(scenario, shard)).collect(),
        checkpoint_every: network.checkpoint_every,
        gas_limit: prescription.map_or(network.gas_limit, |block| block.block.gas_limit),
        base_fee,
        base_fee_moves: prescription.is_none() && network.base_fee_moves,
        genesis_time: prescription.map_or(GENESIS_TIME, |block| block.block.timestamp),
        gate: match network.gate {
            scenario::Gate::Certified => Gate::Certified,
            scenario::Gate::Checkpoint => Gate::Checkpoint,
        },
        // No scenario has an administrator.
        minting: cross_shard_msg::settings::Minting::Never,
        verify_signatures: network.signatures == Signatures::Verify,
        epochs: scenario.partitioning.as_ref().map(Partitioning::epochs),
        bounds: network.bounds,
    })
}

fn offset(scenario: &Scenario, shard: u32) -> Duration {
    let network = &scenario.network;
    match network.block_phase {
        BlockPhase::Aligned => Duration::ZERO,
        BlockPhase::Staggered => {
            network.block_time.times(u64::from(shard)).divided(u64::from(network.shards))
        }
        BlockPhase::Random => {
            let drawn =
                Preimage::new("shardlab/block-phase").u64(scenario.seed).u32(shard).finish();
            let [first, ..] = drawn.as_chunks::<8>().0 else { return Duration::ZERO };
            Duration(u64::from_be_bytes(*first).checked_rem(network.block_time.0).unwrap_or(0))
        }
    }
}

fn link_table(scenario: &Scenario) -> LinkTable {
    let links = &scenario.network.links;
    let shape = |link: scenario::Link| LinkShape {
        delay: link.delay,
        jitter: link.jitter,
        bandwidth: match link.bandwidth {
            Bandwidth::Unlimited => None,
            Bandwidth::BitsPerSecond(bits) => Some(bits / 8),
        },
    };
    let mut table = LinkTable { default: shape(links.default), ..LinkTable::default() };
    if links.are_uniform() {
        return table;
    }
    let shards = (0..scenario.network.shards).map(|shard| NodeId::Shard(ShardId(shard)));
    let validators =
        (0..scenario.network.validators).map(|index| NodeId::Coordinator(ValidatorIndex(index)));
    let nodes: Vec<NodeId> = shards.chain(validators).chain([NodeId::Client]).collect();
    for from in &nodes {
        for to in nodes.iter().filter(|to| *to != from) {
            let link = links.between(*from, *to);
            if link != links.default {
                table.overrides.insert((*from, *to), shape(link));
            }
        }
    }
    table
}

fn network_bounds(scenario: &Scenario) -> NetworkBounds {
    let transport = &scenario.network.transport;
    let size = |size: scenario::ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
    NetworkBounds {
        message_bytes: size(transport.message_bytes),
        queue_messages: transport.queue_messages as usize,
        queue_bytes: size(transport.queue_bytes),
        inbox_messages: transport.inbox_messages as usize,
        inbox_bytes: size(transport.inbox_bytes),
        window_messages: transport.window_messages,
        window_bytes: transport.window_bytes.0,
        ..NetworkBounds::default()
    }
}

fn genesis_digest(accounts: &Accounts) -> B256 {
    let mut preimage = Preimage::new("shardlab/genesis");
    preimage.len(accounts.len());
    for (address, account) in accounts {
        preimage
            .address(address)
            .u64(account.nonce)
            .wei(&account.balance)
            .bytes(&account.code)
            .len(account.storage.len());
        for (slot, value) in &account.storage {
            preimage.wei(slot).wei(value);
        }
    }
    preimage.finish()
}

impl NetworkPlan {
    /// Most gas of a block.
    #[must_use]
    pub fn gas_limit(&self) -> Gas {
        self.settings.gas_limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prescribed_transaction_is_waited_for_by_one_shard() {
        let [everywhere, somewhere] = [7, 4].map(Address::repeat_byte);
        let order = [
            (B256::repeat_byte(1), everywhere),
            (B256::repeat_byte(2), somewhere),
            (B256::repeat_byte(3), everywhere),
        ];
        let residents = Residents::standard(3).with(everywhere);
        let allocation = Allocation::new(3, Base::Hash, residents);
        let mut waited: Vec<B256> =
            (0..3).flat_map(|shard| order_of(ShardId(shard), &allocation, &order)).collect();
        waited.sort_unstable();
        assert_eq!(waited, [1, 2, 3].map(B256::repeat_byte));
    }

    #[test]
    fn links_between_regions_are_as_measured() {
        let text = r#"
name = "x"
[network]
shards = 2
validators = 1
[network.regions]
eu-west-3 = ["shard:0", "client"]
ap-southeast-2 = "shard:1"
[network.links]
delay = "7ms"
bandwidth = "8 kbit/s"
[[phase]]
name = "p"
for = "1s"
"#;
        let places = crate::scenario::Places { base: ".".into(), data: None };
        let scenario = crate::scenario::parse("x", text, &[], &places).unwrap();
        let plan = NetworkPlan::new(&scenario, &[], None).unwrap();
        let shard = |index| NodeId::Shard(ShardId(index));
        let far = plan.links.shape(shard(0), shard(1));
        assert!(far.delay > Duration::from_millis(100) && far.jitter > Duration::ZERO);
        assert_eq!(far.bandwidth, Some(1_000));
        let near = plan.links.shape(shard(0), NodeId::Client);
        assert!(near.delay < Duration::from_millis(5) && near.delay > Duration::ZERO);
        let nowhere = plan.links.shape(shard(0), NodeId::Coordinator(ValidatorIndex(0)));
        assert_eq!((nowhere.delay, nowhere.jitter), (Duration::from_millis(7), Duration::ZERO));
    }
}
