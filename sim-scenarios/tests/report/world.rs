//! A hand-written run: blocks, checkpoints and observations, told in milliseconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_consensus::{SignableTransaction as _, TxLegacy};
use alloy_primitives::{Address, B256, Signature, TxKind, U256};
use cross_shard_msg::checkpoint::genesis_digest;
use cross_shard_msg::header::genesis_hash;
use cross_shard_msg::settings::Bounds;
use cross_shard_msg::{
    Action, Block, Body, Call, Cause, Certificate, Checkpoint, CheckpointNumber, Congestion,
    Crosslink, Duration, Epoch, Event, Failure, FinalizedCheckpoint, Gas, Gate, Header, Height,
    Incoming, Ledger, Leg, LegStatus, NetworkId, NodeId, Observation, Outgoing, Receipt,
    ReceiptKind, Refusal, SealedHeader, SecretKey, Sequence, Settings, ShardId, ShardKeys,
    SignedHeader, Timestamp, Transaction, TransactionKey, ValidatorIndex, Wei,
};
use partitioning::{Base, Residents};
use sim_scenarios::metrics::{NetworkData, RunData, TransactionInfo, TransactionKind};
use sim_scenarios::scenario::{self, Places};
use simulation::checkers::Records;

pub const GENESIS: u64 = 1_000_000;

pub fn ms(millis: u64) -> Timestamp {
    Timestamp(millis * 1_000_000)
}

/// Which transaction, by position.
pub type Tx = usize;

/// What a leg executes and what comes of it.
#[derive(Clone, Copy)]
pub struct LegPlan {
    pub tx: Tx,
    /// The receipt's source and kind; `None` for the transaction itself.
    pub from: Option<(u32, ReceiptKind)>,
    pub status: LegStatus,
    pub caused: u32,
    pub created: u32,
}

/// The transaction's own leg.
pub fn own(tx: Tx, caused: u32) -> LegPlan {
    LegPlan { tx, from: None, status: LegStatus::Succeeded, caused, created: 0 }
}

/// A call from another shard, or from this one.
pub fn call(tx: Tx, source: u32, caused: u32) -> LegPlan {
    LegPlan { from: Some((source, ReceiptKind::Call)), ..own(tx, caused) }
}

/// A refund.
pub fn refund(tx: Tx, source: u32) -> LegPlan {
    LegPlan { from: Some((source, ReceiptKind::Refund)), ..own(tx, 0) }
}

impl LegPlan {
    pub fn fails(self, failure: Failure) -> Self {
        Self { status: LegStatus::Failed(failure), ..self }
    }

    pub fn forwards(self) -> Self {
        Self { status: LegStatus::Forwarded, ..self }
    }

    pub fn creates(self, created: u32) -> Self {
        Self { created, ..self }
    }
}

/// A block: when it was started, executed and released; what entered (source and height), what was
/// executed, what was released (destination, transaction, kind and the height that caused it).
pub struct BlockPlan<'a> {
    pub at: [u64; 3],
    pub waiting: u32,
    pub enters: &'a [(u32, u64)],
    pub legs: &'a [LegPlan],
    pub releases: &'a [(u32, Tx, ReceiptKind, u64)],
}

pub struct World {
    pub run: RunData,
    transactions: Vec<Transaction>,
    /// Next sequence of receipts that are executed: at a shard, from a source.
    executed: BTreeMap<(u32, u32), u64>,
}

impl World {
    /// A network of two shards and two coordinators that runs `scenario`.
    pub fn new(text: &str) -> Self {
        let places = Places { base: std::env::temp_dir(), data: None };
        let scenario = scenario::parse("test.toml", text, &[], &places).expect("a valid scenario");
        let settings = settings(scenario.network.shards, scenario.network.validators);
        let nodes = settings.shard_ids().map(NodeId::Shard).chain(
            (0..scenario.network.validators)
                .map(|index| NodeId::Coordinator(ValidatorIndex(index))),
        );
        let network = NetworkData {
            questions: Vec::new(),
            label: 0,
            transactions: Vec::new(),
            mainnet: None,
            observations: nodes.chain([NodeId::Client]).map(|node| (node, Vec::new())).collect(),
            records: Records {
                base: Base::Hash,
                residents: Residents::standard(scenario.network.shards),
                blocks: settings.shard_ids().map(|shard| (shard, Vec::new())).collect(),
                checkpoints: BTreeMap::new(),
                executions: BTreeMap::new(),
                evidence: BTreeMap::new(),
                settings,
            },
            end: ms(1_000),
            processes: BTreeMap::new(),
        };
        let run = RunData {
            scenario,
            networks: vec![network],
            skipped: BTreeMap::new(),
            substitutes: Vec::new(),
            interrupted: false,
            lost: Vec::new(),
            died: None,
            machine: None,
            simulation: None,
            faults: Vec::new(),
        };
        Self { run, transactions: Vec::new(), executed: BTreeMap::new() }
    }

    pub fn network(&mut self) -> &mut NetworkData {
        &mut self.run.networks[0]
    }

    /// Plans a transaction of a phase, due at this time.
    pub fn plan(&mut self, phase: u16, due: u64, source: u32) -> Tx {
        let tx = self.transactions.len();
        let to = Address::with_last_byte(tx as u8);
        let transaction =
            TxLegacy { nonce: tx as u64, to: TxKind::Call(to), ..TxLegacy::default() };
        let signature = Signature::new(U256::from(1), U256::from(1), false);
        let transaction = Transaction::signed(transaction.into_signed(signature).into());
        self.network().transactions.push(TransactionInfo {
            key: transaction.key(),
            hash: transaction.hash(),
            sender: Address::with_last_byte(source as u8),
            recipient: Some(to),
            phase,
            load: 0,
            scheduled: ms(due),
            setup: false,
            kind: TransactionKind::Transfer,
            source: ShardId(source),
        });
        self.transactions.push(transaction);
        tx
    }

    /// Plans, submits and admits a transaction.
    pub fn send(&mut self, phase: u16, times: [u64; 3], source: u32) -> Tx {
        let [due, submitted, admitted] = times;
        let tx = self.plan(phase, due, source);
        self.submit(tx, submitted, due, 1);
        let key = self.key(tx);
        self.observe(NodeId::Shard(ShardId(source)), admitted, Event::Admitted { key });
        tx
    }

    pub fn submit(&mut self, tx: Tx, at: u64, due: u64, attempt: u32) {
        let (key, shard) = (self.key(tx), self.network().transactions[tx].source);
        let event = Event::Submitted { key, scheduled: ms(due), shard, attempt };
        self.observe(NodeId::Client, at, event);
    }

    pub fn key(&self, tx: Tx) -> TransactionKey {
        self.transactions[tx].key()
    }

    /// A shard refuses a transaction, and the client gives up.
    pub fn refuse(&mut self, tx: Tx, at: u64, refusal: Refusal) {
        let (key, shard) = (self.key(tx), self.network().transactions[tx].source);
        self.observe(NodeId::Shard(shard), at, Event::Refused { key, refusal });
        self.observe(NodeId::Client, at + 1, Event::GaveUp { key, refusal });
    }

    pub fn observe(&mut self, node: NodeId, at: u64, event: Event) {
        let observations = self.network().observations.get_mut(&node).unwrap();
        observations.push(Observation { at: ms(at), event });
    }

    /// A batch arrives and passes the gate.
    pub fn batch(&mut self, destination: u32, source: u32, height: u64, times: [u64; 2]) {
        let (source, height) = (ShardId(source), Height(height));
        let node = NodeId::Shard(ShardId(destination));
        self.observe(node, times[0], Event::BatchArrived { source, height });
        self.observe(node, times[1], Event::BatchAccepted { source, height });
    }

    /// Appends a block and what its shard observed of it.
    pub fn block(&mut self, shard: u32, plan: &BlockPlan<'_>) {
        self.unobserved_block(shard, plan);
        let height = Height(self.network().records.blocks[&ShardId(shard)].len() as u64);
        let [started, executed, released] = plan.at;
        let node = NodeId::Shard(ShardId(shard));
        let event = Event::BlockExecuted { height, started: ms(started), waiting: plan.waiting };
        self.observe(node, executed, event);
        self.observe(node, released, Event::BlockReleased { height });
    }

    /// Appends a block of which no observation is left.
    pub fn unobserved_block(&mut self, shard: u32, plan: &BlockPlan<'_>) {
        let incoming: Vec<Incoming> = plan
            .enters
            .iter()
            .map(|(source, height)| self.incoming(shard, *source, *height))
            .collect();
        let mut body = Body { incoming, transactions: Vec::new() };
        let mut legs = Vec::new();
        for leg in plan.legs {
            let cause = match leg.from {
                None => {
                    let sender = self.network().transactions[leg.tx].sender;
                    body.transactions.push((self.transactions[leg.tx].clone(), sender));
                    Cause::Transaction(body.transactions.len() as u32 - 1)
                }
                Some((source, kind)) => {
                    let next = self.executed.entry((shard, source)).or_default();
                    *next += 1;
                    Cause::Receipt { source: ShardId(source), sequence: Sequence(*next), kind }
                }
            };
            legs.push(Leg {
                key: self.key(leg.tx),
                cause,
                status: leg.status,
                gas_used: Gas(21_000),
                caused: leg.caused,
                created: leg.created,
            });
        }
        let outgoing = self.outgoing(shard, plan.releases);
        let records = &mut self.run.networks[0].records;
        let chain = records.blocks.get_mut(&ShardId(shard)).unwrap();
        let header = header(&records.settings, ShardId(shard), chain, plan.at[0], &body, &outgoing);
        let certificate = Certificate { signatures: Vec::new() };
        let header = SignedHeader { header: SealedHeader::seal(header), certificate };
        chain.push(Arc::new(Block { header, body, legs, outgoing, written: Vec::new() }));
    }

    /// A checkpoint that all coordinators finalize, each at its time; it covers these heights.
    pub fn checkpoint(&mut self, proposed: u64, finalized: &[u64], covers: &[(u32, u64, u64)]) {
        let records = &mut self.run.networks[0].records;
        let first = records.checkpoints.get(&ValidatorIndex(0));
        let parent = first.and_then(|all| all.last()).map(|last| last.checkpoint.clone());
        let number = CheckpointNumber(parent.as_ref().map_or(0, |parent| parent.number.0) + 1);
        let crosslinks = covers.iter().map(|(shard, from, to)| {
            let blocks = &records.blocks[&ShardId(*shard)];
            let headers = (*from..=*to).map(|height| blocks[height as usize - 1].header.hash());
            Crosslink {
                shard: ShardId(*shard),
                first: Height(*from),
                headers: headers.collect(),
                congestion: Congestion::default(),
            }
        });
        let checkpoint = Checkpoint {
            number,
            parent: parent
                .map_or(genesis_digest(&records.settings.network), |parent| parent.digest()),
            timestamp: ms(proposed),
            epoch: Epoch(0),
            crosslinks: crosslinks.collect(),
            placements: Vec::new(),
            moves: Vec::new(),
        };
        let finalized_checkpoint =
            FinalizedCheckpoint { checkpoint: checkpoint.into(), certificate: Default::default() };
        for (at, index) in finalized.iter().zip(0..) {
            let all = &mut self.run.networks[0].records.checkpoints;
            all.entry(ValidatorIndex(index)).or_default().push(finalized_checkpoint.clone());
            let event = Event::CheckpointFinalized { number, proposed: ms(proposed) };
            self.observe(NodeId::Coordinator(ValidatorIndex(index)), *at, event);
        }
    }

    fn incoming(&mut self, shard: u32, source: u32, height: u64) -> Incoming {
        let block = &self.network().records.blocks[&ShardId(source)][height as usize - 1];
        let batch = block.outgoing.iter().find(|batch| batch.destination.0 == shard).unwrap();
        Incoming {
            source: ShardId(source),
            height: Height(height),
            header: block.header.hash(),
            first: batch.first,
            receipts: batch.receipts.clone(),
        }
    }

    fn outgoing(&mut self, shard: u32, releases: &[(u32, Tx, ReceiptKind, u64)]) -> Vec<Outgoing> {
        let mut outgoing: BTreeMap<u32, Vec<Receipt>> = BTreeMap::new();
        for (destination, tx, kind, caused) in releases {
            let to = Address::with_last_byte(9);
            let value = Wei::from(10);
            let action = match kind {
                ReceiptKind::Call => Action::Call(Call {
                    from: to,
                    to,
                    value,
                    gas: Gas::ZERO,
                    gas_price: Wei::ZERO,
                    input: Default::default(),
                    refund_to: to,
                }),
                _ => Action::Refund { to, value },
            };
            let origin = self.transactions[*tx].hash();
            let receipt = Receipt { origin, caused: Height(*caused), action };
            outgoing.entry(*destination).or_default().push(receipt);
        }
        let chain = &self.network().records.blocks[&ShardId(shard)];
        let sent = |destination: ShardId| {
            let batches = chain.iter().flat_map(|block| &block.outgoing);
            let to = batches.filter(|batch| batch.destination == destination);
            to.map(|batch| batch.receipts.len() as u64).sum::<u64>()
        };
        outgoing
            .into_iter()
            .map(|(destination, receipts)| {
                let destination = ShardId(destination);
                Outgoing { destination, first: Sequence(sent(destination) + 1), receipts }
            })
            .collect()
    }
}

fn header(
    settings: &Settings,
    shard: ShardId,
    chain: &[Arc<Block>],
    started: u64,
    body: &Body,
    outgoing: &[Outgoing],
) -> Header {
    let last = chain.last().map(|block| &block.header.header);
    let before =
        last.map_or(Ledger { held: Wei::from(GENESIS), ..Ledger::default() }, |h| h.ledger);
    let received: Wei =
        body.incoming.iter().flat_map(|batch| &batch.receipts).map(Receipt::value).sum();
    let sent: Wei = outgoing.iter().map(Outgoing::value).sum();
    Header {
        shard,
        height: Height(chain.len() as u64 + 1),
        parent: last.map_or(genesis_hash(&settings.network, shard), SealedHeader::hash),
        checkpoint: CheckpointNumber(0),
        timestamp: ms(started),
        state_root: B256::ZERO,
        transactions_root: B256::ZERO,
        results_root: B256::ZERO,
        outgoing_receipts_root: B256::ZERO,
        watermarks: Vec::new(),
        sent: Vec::new(),
        placements: Vec::new(),
        gas_used: Gas(21_000 * body.transactions.len() as u64),
        gas_limit: Gas(210_000),
        base_fee: 7,
        congestion: Congestion::default(),
        ledger: Ledger {
            held: before.held + received - sent,
            received: before.received + received,
            sent: before.sent + sent,
            ..before
        },
        traffic: alloy_primitives::B256::ZERO,
    }
}

fn settings(shards: u32, validators: u32) -> Settings {
    let key = |index: u32| SecretKey::from_seed(&B256::with_last_byte(index as u8)).public();
    Settings {
        network: NetworkId(B256::repeat_byte(7)),
        chain_id: 1337,
        shards: (0..shards).map(|index| ShardKeys::single(key(index))).collect(),
        validators: (0..validators).map(|index| key(100 + index)).collect(),
        genesis_held: vec![Wei::from(GENESIS); shards as usize],
        block_time: Duration::from_millis(150),
        block_offset: vec![Duration::ZERO; shards as usize],
        checkpoint_every: Duration::from_millis(250),
        gas_limit: Gas(210_000),
        base_fee: 7,
        base_fee_moves: false,
        genesis_time: 0,
        gate: Gate::Certified,
        minting: cross_shard_msg::settings::Minting::Never,
        verify_signatures: true,
        epochs: None,
        bounds: Bounds {
            mempool: 100,
            nonce_window: 10,
            delayed_gas: Gas(1),
            buffered: 10,
            waiting_batches: 10,
            pending_headers: 10,
            mempool_time: Duration::from_secs(60),
        },
    }
}
