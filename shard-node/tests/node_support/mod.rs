//! A few shards and a committee of one validator under virtual time, for tests of the node.
//!
//! At every block the books of all shards together are checked to the wei.

#![allow(dead_code, reason = "each test program uses a part of this")]

mod build;
mod committee;
mod crash;
pub mod migration;

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use cross_shard_msg::settings::{Bounds, Epochs, Minting};
use cross_shard_msg::*;
use partitioning::{Allocation, Base, Home, OUTBOX, Residents};
use shard_node::evm::outbox_code;
use shard_node::{Environment, Prescribed, ShardConfig, ShardNode, ShardRecord, Timer, config};
use state::GenesisAccount;

pub use build::*;
use committee::TestCommittee;
#[allow(unused_imports, reason = "each test program uses a part of this")]
pub use crash::{Boundary, Crash};

pub const ETHER: u64 = 1_000_000_000_000_000_000;
pub const BASE_FEE: u64 = 10;
pub const PRICE: u64 = 12;
const LINK: Duration = Duration::from_millis(5);
const DISK: Duration = Duration::from_millis(1);

type Filter = Box<dyn FnMut(NodeId, NodeId, &Message) -> u32>;

/// What a test may change of a network.
pub struct Options {
    pub shards: u32,
    pub gate: Gate,
    pub minting: Minting,
    pub gas_limit: Gas,
    pub bounds: Bounds,
    pub accounts: Vec<(Address, GenesisAccount)>,
    /// The block that the shards execute, instead of blocks of their own, and who signed its
    /// transactions.
    pub prescribed: Option<(Prescribed, Vec<Address>)>,
    /// Blocks from one snapshot to the next.
    pub snapshots: u64,
    pub epochs: Option<Epochs>,
    /// Milliseconds from one shard's blocks to the next one's.
    pub offset: u64,
}

impl Options {
    pub fn new(shards: u32, gate: Gate) -> Self {
        Self {
            shards,
            gate,
            minting: Minting::Administrator,
            gas_limit: Gas(30_000_000),
            bounds: Bounds {
                mempool: 10_000,
                nonce_window: 64,
                delayed_gas: Gas(100_000_000),
                buffered: 1_000,
                waiting_batches: 64,
                pending_headers: 256,
                mempool_time: Duration::from_secs(60),
            },
            accounts: Vec::new(),
            prescribed: None,
            snapshots: shard_node::SNAPSHOT_EVERY,
            epochs: None,
            offset: 10,
        }
    }

    /// A network that executes a block that was made elsewhere.
    pub fn prescribed(
        shards: u32,
        gate: Gate,
        accounts: &[(Address, GenesisAccount)],
        block: Prescribed,
        senders: Vec<Address>,
    ) -> Self {
        let mut options = Self::new(shards, gate);
        options.gas_limit = block.block.gas_limit;
        options.accounts = accounts.to_vec();
        options.prescribed = Some((block, senders));
        options
    }

    pub fn vault(mut self, address: Address) -> Self {
        let code = artifact("Vault", "deployedBytecode");
        self.accounts.push((address, GenesisAccount { nonce: 1, code, ..Default::default() }));
        self
    }
}

enum Delivery {
    Message { from: NodeId, message: Message },
    Durable(WriteId),
    Timer(Timer),
    Restart,
}

/// The network.
pub struct World {
    pub now: Timestamp,
    pub settings: Arc<Settings>,
    pub nodes: Vec<ShardNode>,
    pub blocks: Vec<Vec<Arc<Block>>>,
    pub events: Vec<(ShardId, Event)>,
    pub admissions: BTreeMap<B256, Result<(), Refusal>>,
    pub notices: Vec<BlockNotice>,
    pub sent: Vec<(NodeId, NodeId, Message)>,
    /// How many copies of a message are delivered.
    pub filter: Filter,
    /// Writes of this shard do not become durable.
    pub stuck_disk: Option<ShardId>,
    pub stuck: Vec<WriteId>,
    /// What became durable, by shard, and what has not.
    pub records: Vec<Vec<ShardRecord>>,
    writing: BTreeMap<(usize, WriteId), ShardRecord>,
    configs: Vec<ShardConfig>,
    snapshots: u64,
    /// The next crash.
    pub crash: Option<Crash>,
    down: Vec<bool>,
    queue: BTreeMap<(Timestamp, u64), (usize, Delivery)>,
    timers: BTreeMap<(usize, Timer), (Timestamp, u64)>,
    sequence: u64,
    next_checkpoint: Timestamp,
    pub committee: TestCommittee,
    /// Reports that arrived.
    pub traffic: Vec<Arc<TrafficReport>>,
}

impl World {
    pub fn new(options: Options) -> Self {
        let Options { shards, gate, minting, gas_limit, bounds, prescribed, snapshots, .. } =
            options;
        let mut accounts = options.accounts;
        let validator = SecretKey::from_seed(&B256::repeat_byte(0xcc));
        for shard in (0..shards).filter(|_| prescribed.is_none()) {
            for index in 0..40 {
                let balance = U256::from(ETHER);
                accounts.push((
                    user(shards, shard, index),
                    GenesisAccount { balance, ..Default::default() },
                ));
            }
        }
        accounts
            .push((OUTBOX, GenesisAccount { nonce: 1, code: outbox_code(), ..Default::default() }));
        let residents = match &prescribed {
            Some((block, _)) => Residents::standard(shards).with(block.block.beneficiary),
            None => Residents::standard(shards),
        };
        let allocation = Allocation::new(shards, Base::Hash, residents.clone());
        let genesis: Vec<_> = (0..shards)
            .map(|shard| config::genesis_of(ShardId(shard), &allocation, &accounts))
            .collect();
        let settings = Settings {
            network: NetworkId::default(),
            chain_id: if prescribed.is_some() { 1 } else { 1_337 },
            shards: (0..shards).map(|shard| ShardKeys::single(shard_key(shard).public())).collect(),
            validators: vec![validator.public()],
            genesis_held: genesis.iter().map(|accounts| config::held(accounts)).collect(),
            block_time: Duration::from_millis(100),
            block_offset: (0..u64::from(shards))
                .map(|shard| Duration::from_millis(options.offset * shard))
                .collect(),
            checkpoint_every: Duration::from_millis(300),
            gas_limit,
            base_fee: prescribed.as_ref().map_or(BASE_FEE, |(block, _)| block.block.base_fee),
            base_fee_moves: false,
            genesis_time: 1_700_000_000,
            gate,
            minting,
            verify_signatures: false,
            epochs: options.epochs,
            bounds,
        };
        let settings = Arc::new(settings.with_network_id(&B256::repeat_byte(7)));
        let configs = genesis.into_iter().zip(0..).map(|(genesis, shard)| {
            let settings = settings.clone();
            ShardConfig {
                shard: ShardId(shard),
                key: shard_key(shard),
                settings,
                base: Base::Hash,
                residents: residents.clone(),
                environment: prescribed.as_ref().map_or(Environment::Lab, |(block, senders)| {
                    let own = block.order.iter().zip(senders);
                    let own =
                        own.filter(|(_, sender)| Base::Hash.home(sender, shards) == ShardId(shard));
                    let order = own.map(|(hash, _)| *hash).collect();
                    Environment::Prescribed(Prescribed { order, ..block.clone() })
                }),
                genesis,
            }
        });
        let configs: Vec<ShardConfig> = configs.collect();
        let nodes = configs
            .iter()
            .map(|config| ShardNode::new(config.clone()).unwrap().with_snapshots(snapshots));
        let mut world = Self {
            now: Timestamp::ZERO,
            nodes: nodes.collect(),
            configs,
            snapshots,
            blocks: vec![Vec::new(); shards as usize],
            events: Vec::new(),
            admissions: BTreeMap::new(),
            notices: Vec::new(),
            sent: Vec::new(),
            filter: Box::new(|_, _, _| 1),
            stuck_disk: None,
            stuck: Vec::new(),
            records: vec![Vec::new(); shards as usize],
            writing: BTreeMap::new(),
            crash: None,
            down: vec![false; shards as usize],
            queue: BTreeMap::new(),
            timers: BTreeMap::new(),
            sequence: 0,
            next_checkpoint: Timestamp::ZERO + settings.checkpoint_every,
            committee: TestCommittee::new(&settings, validator, allocation),
            traffic: Vec::new(),
            settings,
        };
        for shard in 0..shards as usize {
            world.handle(shard, Input::Start);
        }
        world
    }

    /// Runs for a span of virtual time.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let checkpoint = self.next_checkpoint;
            let next = self.queue.first_key_value().map(|(key, _)| key.0);
            match next {
                Some(at) if at <= end && at <= checkpoint => {
                    let Some(((at, sequence), (shard, delivery))) = self.queue.pop_first() else {
                        return;
                    };
                    self.now = at;
                    self.deliver(shard, sequence, delivery);
                }
                _ if checkpoint <= end => {
                    self.now = checkpoint;
                    self.next_checkpoint = checkpoint + self.settings.checkpoint_every;
                    self.finalize();
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
    }

    pub fn millis(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis));
    }

    pub fn submit(&mut self, transaction: Recovered) -> TransactionKey {
        let key = transaction.transaction().key();
        let sender = transaction.sender();
        let shard = match self.committee.allocation.home(&sender) {
            Home::Shard(home) => home,
            Home::Everywhere => Base::Hash.home(&sender, self.settings.shard_count()),
        };
        self.handle(shard.0 as usize, Input::Submit(transaction));
        key
    }

    pub fn handle(&mut self, shard: usize, input: Input<ShardNode>) {
        let mut effects = Effects::new();
        if self.down[shard] {
            return;
        }
        self.nodes[shard].handle(self.now, input, &mut effects);
        let me = NodeId::Shard(ShardId(shard as u32));
        let effects: Vec<_> = effects.drain().collect();
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(me, to, message),
                Effect::Broadcast { to, message } => {
                    assert_eq!(to, Audience::Coordinators);
                    self.send(me, NodeId::Coordinator(ValidatorIndex(0)), message);
                }
                Effect::SetTimer { timer, at } => {
                    let at = at.max(self.now);
                    if let Some(old) = self.timers.remove(&(shard, timer)) {
                        self.queue.remove(&old);
                    }
                    let slot = self.enqueue(at, shard, Delivery::Timer(timer));
                    self.timers.insert((shard, timer), slot);
                }
                Effect::CancelTimer(timer) => {
                    if let Some(old) = self.timers.remove(&(shard, timer)) {
                        self.queue.remove(&old);
                    }
                }
                Effect::Persist { id, record } => {
                    self.persist(shard, id, record);
                    if self.crash_at_write(shard, id) {
                        return;
                    }
                }
                Effect::Executed(executed) => {
                    assert_eq!(executed.block, self.blocks[shard].last().unwrap().clone());
                }
                Effect::Observe(event) => self.events.push((ShardId(shard as u32), event)),
                Effect::Busy(_) => {}
                Effect::Compute(..) => unreachable!("a shard computes nothing"),
            }
        }
    }

    pub fn send(&mut self, from: NodeId, to: NodeId, message: Message) {
        self.sent.push((from, to, message.clone()));
        let copies = (self.filter)(from, to, &message);
        for _ in 0..copies {
            match to {
                NodeId::Shard(shard) => {
                    let message = message.clone();
                    self.enqueue(
                        self.now + LINK,
                        shard.0 as usize,
                        Delivery::Message { from, message },
                    );
                }
                NodeId::Coordinator(_) => self.coordinate(from, message.clone()),
                NodeId::Client => match message.clone() {
                    Message::Admissions(admissions) => {
                        self.admissions.extend(admissions.iter().map(|a| (a.hash, a.outcome)));
                    }
                    Message::Included(notice) => self.notices.push(Arc::unwrap_or_clone(notice)),
                    other => panic!("no message for a client: {other:?}"),
                },
            }
        }
    }

    pub fn balance(&self, shard: u32, address: Address) -> U256 {
        self.nodes[shard as usize].state().account(&address).map_or(U256::ZERO, |a| a.balance)
    }

    pub fn slot(&self, shard: u32, address: Address, slot: u64) -> U256 {
        self.nodes[shard as usize].state().storage(&address, U256::from(slot))
    }

    /// All legs of a transaction: shard, height, leg.
    pub fn legs(&self, key: TransactionKey) -> Vec<(u32, u64, Leg)> {
        let mut legs = Vec::new();
        for (blocks, shard) in self.blocks.iter().zip(0..) {
            for block in blocks {
                let own = block.legs.iter().filter(|leg| leg.key == key);
                legs.extend(own.map(|leg| (shard, block.header.height.0, leg.clone())));
            }
        }
        legs
    }

    /// Whether as many receipt legs were executed as all legs caused.
    pub fn is_settled(&self, key: TransactionKey) -> bool {
        let legs = self.legs(key);
        let caused: u32 = legs.iter().map(|(_, _, leg)| leg.caused).sum();
        let receipts =
            legs.iter().filter(|(_, _, leg)| matches!(leg.cause, Cause::Receipt { .. })).count();
        legs.len() > receipts && receipts as u32 == caused
    }

    pub fn dropped(&self, shard: u32, reason: DropReason) -> usize {
        let wanted = (ShardId(shard), Event::Dropped { reason });
        self.events.iter().filter(|event| **event == wanted).count()
    }

    pub fn batches(&self) -> Vec<Arc<ReceiptBatch>> {
        let batches = self.sent.iter().filter_map(|(_, _, message)| match message {
            Message::Batch(batch) => Some(batch.clone()),
            _ => None,
        });
        batches.collect()
    }

    /// Lets stuck writes of a shard become durable.
    pub fn unstick(&mut self) {
        let Some(shard) = self.stuck_disk.take() else { return };
        for id in std::mem::take(&mut self.stuck) {
            self.enqueue(self.now, shard.0 as usize, Delivery::Durable(id));
        }
    }

    fn deliver(&mut self, shard: usize, sequence: u64, delivery: Delivery) {
        match delivery {
            Delivery::Message { from, message } => {
                let bytes = codec::encode(&message).unwrap();
                let message = codec::decode(&bytes).unwrap();
                self.handle(shard, Input::Message { from, message });
            }
            Delivery::Durable(id) => {
                self.is_durable(shard, id);
                self.handle(shard, Input::Durable(id));
                self.crash_at_durable(shard);
            }
            Delivery::Restart => {
                self.down[shard] = false;
                self.handle(shard, Input::Start);
            }
            Delivery::Timer(timer) => {
                let set = self.timers.remove(&(shard, timer));
                assert_eq!(set, Some((self.now, sequence)));
                self.handle(shard, Input::Timer(timer));
            }
        }
    }

    fn enqueue(&mut self, at: Timestamp, shard: usize, delivery: Delivery) -> (Timestamp, u64) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), (shard, delivery));
        (at, self.sequence)
    }

    fn persist(&mut self, shard: usize, id: WriteId, record: ShardRecord) {
        let bytes = codec::encode_record(&record).unwrap();
        assert_eq!(codec::decode_record::<ShardRecord>(&bytes).unwrap(), record);
        self.writing.insert((shard, id), record);
        self.check_books();
        if self.stuck_disk == Some(ShardId(shard as u32)) {
            self.stuck.push(id);
        } else {
            self.enqueue(self.now + DISK, shard, Delivery::Durable(id));
        }
    }

    /// genesis = held + in flight + burnt over the newest headers of all shards.
    fn check_books(&self) {
        let mut have = U256::ZERO;
        let mut expected = U256::ZERO;
        for (node, genesis) in self.nodes.iter().zip(&self.settings.genesis_held) {
            let Some(tip) = node.tip() else {
                have += *genesis;
                expected += *genesis;
                continue;
            };
            assert!(tip.ledger.balances(*genesis));
            have += tip.ledger.held + tip.ledger.burnt;
            expected += *genesis + tip.ledger.minted;
            for sent in &tip.sent {
                let destination = self.nodes[sent.destination.0 as usize].tip();
                let mark = destination.and_then(|tip| tip.watermark(node.tip().unwrap().shard));
                have += sent.value - mark.map_or(U256::ZERO, |mark| mark.value);
            }
        }
        assert_eq!(have, expected, "value is conserved over all shards");
    }
}
