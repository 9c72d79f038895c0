//! A small honest run by hand, and helpers that plant a breach in it.
//!
//! Three shards; shard 2 never moves. Values in wei:
//!
//! | block | what happens |
//! | --- | --- |
//! | shard 0, 1 | sends calls of 20 and 7 to shard 1, burns 3 |
//! | shard 1, 1 | nothing |
//! | shard 1, 2 | both calls enter; the first one is executed; creates a contract; sends a refund of 6 to shard 0; burns 4 |
//! | shard 0, 2 | the refund enters; 11 are minted; applies checkpoint 1 |
//! | shard 1, 3 | the second call is executed |
//!
//! Checkpoint 1 covers (0, 1) and (1, 2), and the contract's placement; checkpoint 2 the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_consensus::{SignableTransaction as _, TxEnvelope, TxLegacy};
use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use cross_shard_msg::checkpoint::genesis_digest;
use cross_shard_msg::settings::Bounds;
use cross_shard_msg::{
    Action, Block, Body, Call, Cause, Certificate, Checkpoint, CheckpointNumber, Congestion,
    Crosslink, Duration, Epoch, FinalizedCheckpoint, Gas, Gate, Header, Height, Incoming, Ledger,
    Leg, LegStatus, NetworkId, Outgoing, Placement, Receipt, SealedHeader, Sequence, Settings,
    ShardId, ShardKeys, SignedHeader, Timestamp, Transaction, ValidatorIndex,
};
use partitioning::{Base, Residents};
use simulation::checkers::{Breach, Invariant, Records, check};

/// An ordinary account of each shard.
pub fn account(shard: u32) -> Address {
    let mut bytes = [0xac; 20];
    bytes[16..].copy_from_slice(&(300 + shard).to_be_bytes());
    Address::from(bytes)
}

/// The contract that shard 1 creates; its base home is shard 0.
pub fn contract() -> Address {
    let mut bytes = [0xc0; 20];
    bytes[16..].copy_from_slice(&900u32.to_be_bytes());
    Address::from(bytes)
}

pub fn honest() -> Records {
    let (first, second) = (call(14, 2, 3), call(7, 0, 0));
    let refund = Receipt {
        origin: first.origin,
        caused: Height(2),
        action: Action::Refund { to: account(0), value: U256::from(6) },
    };
    let received = |source, sequences: &[u64], executed| {
        let leg = |sequence: &u64| Leg { cause: cause(source, *sequence, executed), ..leg() };
        sequences.iter().map(leg).collect::<Vec<_>>()
    };
    let shard_0 = vec![
        Block {
            outgoing: vec![outgoing(1, 1, vec![first.clone(), second.clone()])],
            body: Body { transactions: vec![transaction(0)], ..Body::default() },
            legs: vec![leg()],
            written: vec![account(0), Settings::fee_account(ShardId(0))],
            ..block(0, 1, 0, [970, 0, 27, 3, 0])
        },
        Block {
            body: Body {
                incoming: vec![incoming(1, 2, 1, vec![refund.clone()])],
                ..Body::default()
            },
            legs: received(1, &[1], &refund),
            written: vec![account(0), contract()], // the placement is applied: its balance leaves
            ..block(0, 2, 1, [987, 6, 27, 3, 11])
        },
    ];
    let shard_1 = vec![
        block(1, 1, 0, [2_000, 0, 0, 0, 0]),
        Block {
            body: Body {
                incoming: vec![incoming(0, 1, 1, vec![first.clone(), second.clone()])],
                transactions: vec![transaction(1)],
            },
            legs: [received(0, &[1], &first), vec![leg()]].concat(),
            outgoing: vec![outgoing(0, 1, vec![refund.clone()])],
            written: vec![account(1), contract()],
            ..block(1, 2, 0, [2_017, 27, 6, 4, 0])
        },
        Block {
            legs: received(0, &[2], &second),
            written: vec![account(1), contract()],
            ..block(1, 3, 1, [2_017, 27, 6, 4, 0])
        },
    ];
    let mut records = Records {
        settings: settings(),
        base: Base::Hash,
        residents: Residents::standard(3),
        blocks: BTreeMap::from([(ShardId(0), shared(shard_0)), (ShardId(1), shared(shard_1))]),
        checkpoints: BTreeMap::new(),
        executions: BTreeMap::new(),
        evidence: BTreeMap::new(),
    };
    edit_header(&mut records, 1, 2, |header| header.placements = vec![contract()]);
    let placement = Placement { address: contract(), shard: ShardId(1) };
    let parent = genesis_digest(&records.settings.network);
    let one = checkpoint(&records, 1, parent, &[(0, 1, 1), (1, 1, 2)], vec![placement]);
    let two = checkpoint(&records, 2, one.checkpoint.digest(), &[(0, 2, 2), (1, 3, 3)], Vec::new());
    for index in 0..2 {
        records.checkpoints.insert(ValidatorIndex(index), vec![one.clone(), two.clone()]);
    }
    records
}

fn shared(blocks: Vec<Block>) -> Vec<Arc<Block>> {
    blocks.into_iter().map(Arc::new).collect()
}

/// The block of `shard` at `height`.
pub fn block_of(records: &mut Records, shard: u32, height: u64) -> &mut Block {
    let blocks = records.blocks.get_mut(&ShardId(shard)).unwrap();
    let block = blocks.iter_mut().find(|block| block.header.height == Height(height)).unwrap();
    Arc::make_mut(block)
}

/// Changes a header. Checkpoints follow: the shard lies to everyone alike.
pub fn edit_header(records: &mut Records, shard: u32, height: u64, edit: impl Fn(&mut Header)) {
    let block = block_of(records, shard, height);
    let mut header: Header = (*block.header).clone();
    edit(&mut header);
    let before = block.header.hash();
    block.header.header = SealedHeader::seal(header);
    let after = block.header.hash();
    for checkpoints in records.checkpoints.values_mut() {
        let mut digests = BTreeMap::new();
        for finalized in checkpoints {
            let old = finalized.checkpoint.digest();
            let checkpoint = Arc::make_mut(&mut finalized.checkpoint);
            let links = checkpoint.crosslinks.iter_mut().flat_map(|link| &mut link.headers);
            links.filter(|hash| **hash == before).for_each(|hash| *hash = after);
            checkpoint.parent = *digests.get(&checkpoint.parent).unwrap_or(&checkpoint.parent);
            digests.insert(old, checkpoint.digest());
        }
    }
}

/// Adds so much to two entries of a ledger, so that it still balances, from this block on.
pub fn edit_ledgers(records: &mut Records, shard: u32, from: u64, edit: impl Fn(&mut Ledger)) {
    let last = records.blocks[&ShardId(shard)].last().unwrap().header.height.0;
    for height in from..=last {
        edit_header(records, shard, height, |header| edit(&mut header.ledger));
    }
}

/// Asserts that exactly these invariants are broken, in the order of reports, and hands out what
/// is said of the first.
#[track_caller]
pub fn broken(records: &Records, invariants: &[Invariant]) -> String {
    let breaches = check(records);
    let found: Vec<Invariant> = breaches.iter().map(|breach| breach.invariant).collect();
    assert_eq!(found, invariants, "{breaches:#?}");
    breaches.into_iter().next().map_or_else(String::new, |breach: Breach| breach.detail)
}

/// What is said of one broken invariant, among others or not.
#[track_caller]
pub fn detail(records: &Records, invariant: Invariant) -> String {
    let breaches = check(records);
    let found = breaches.iter().find(|breach| breach.invariant == invariant);
    found.unwrap_or_else(|| panic!("{invariant:?} holds: {breaches:#?}")).detail.clone()
}

pub fn transaction(nonce: u64) -> (Transaction, Address) {
    let unsigned = TxLegacy { chain_id: Some(1), nonce, ..TxLegacy::default() };
    let signature = Signature::new(U256::from(1), U256::from(1), false);
    (Transaction::signed(TxEnvelope::Legacy(unsigned.into_signed(signature))), account(0))
}

/// A call that carries `value + gas · price`.
pub fn call(value: u64, gas: u64, price: u64) -> Receipt {
    let call = Call {
        from: account(0),
        to: account(1),
        value: U256::from(value),
        gas: Gas(gas),
        gas_price: U256::from(price),
        input: Bytes::new(),
        refund_to: account(0),
    };
    Receipt { origin: transaction(0).0.hash(), caused: Height(1), action: Action::Call(call) }
}

pub fn outgoing(destination: u32, first: u64, receipts: Vec<Receipt>) -> Outgoing {
    Outgoing { destination: ShardId(destination), first: Sequence(first), receipts }
}

pub fn incoming(source: u32, height: u64, first: u64, receipts: Vec<Receipt>) -> Incoming {
    let (source, height, first) = (ShardId(source), Height(height), Sequence(first));
    Incoming { source, height, header: B256::ZERO, first, receipts }
}

/// A checkpoint with crosslinks of (shard, first height, last height).
pub fn checkpoint(
    records: &Records,
    number: u64,
    parent: B256,
    cut: &[(u32, u64, u64)],
    placements: Vec<Placement>,
) -> FinalizedCheckpoint {
    let crosslink = |(shard, first, last): &(u32, u64, u64)| Crosslink {
        shard: ShardId(*shard),
        first: Height(*first),
        headers: records.blocks[&ShardId(*shard)]
            .iter()
            .filter(|block| (*first..=*last).contains(&block.header.height.0))
            .map(|block| block.header.hash())
            .collect(),
        congestion: Congestion::default(),
    };
    let checkpoint = Checkpoint {
        number: CheckpointNumber(number),
        parent,
        timestamp: Timestamp(number),
        epoch: Epoch::ZERO,
        crosslinks: cut.iter().map(crosslink).collect(),
        placements,
        moves: Vec::new(),
    };
    FinalizedCheckpoint { checkpoint: Arc::new(checkpoint), certificate: Bytes::new() }
}

fn cause(source: u32, sequence: u64, receipt: &Receipt) -> Cause {
    let (source, sequence) = (ShardId(source), Sequence(sequence));
    Cause::Receipt { source, sequence, kind: receipt.kind() }
}

/// A transaction's leg.
pub fn leg() -> Leg {
    Leg {
        key: transaction(0).0.key(),
        cause: Cause::Transaction(0),
        status: LegStatus::Succeeded,
        gas_used: Gas::ZERO,
        caused: 0,
        created: 0,
    }
}

/// An empty block. `books` are held, received, sent, burnt and minted after it.
fn block(shard: u32, height: u64, checkpoint: u64, books: [u64; 5]) -> Block {
    let [held, received, sent, burnt, minted] = books.map(U256::from);
    let header = Header {
        shard: ShardId(shard),
        height: Height(height),
        parent: B256::ZERO,
        checkpoint: CheckpointNumber(checkpoint),
        timestamp: Timestamp(height),
        state_root: B256::ZERO,
        transactions_root: B256::ZERO,
        results_root: B256::ZERO,
        outgoing_receipts_root: B256::ZERO,
        watermarks: Vec::new(),
        sent: Vec::new(),
        placements: Vec::new(),
        gas_used: Gas::ZERO,
        gas_limit: Gas(30_000_000),
        base_fee: 0,
        congestion: Congestion::default(),
        ledger: Ledger { held, received, sent, burnt, minted },
        traffic: alloy_primitives::B256::ZERO,
    };
    let certificate = Certificate { signatures: Vec::new() };
    Block {
        header: SignedHeader { header: SealedHeader::seal(header), certificate },
        body: Body::default(),
        legs: Vec::new(),
        outgoing: Vec::new(),
        written: Vec::new(),
    }
}

fn settings() -> Settings {
    Settings {
        network: NetworkId(B256::repeat_byte(1)),
        chain_id: 1,
        shards: vec![ShardKeys { replicas: Vec::new(), quorum: 1 }; 3],
        validators: Vec::new(),
        genesis_held: vec![U256::from(1_000), U256::from(2_000), U256::from(500)],
        block_time: Duration::from_millis(1_000),
        block_offset: vec![Duration::ZERO; 3],
        checkpoint_every: Duration::from_millis(3_000),
        gas_limit: Gas(30_000_000),
        base_fee: 0,
        base_fee_moves: false,
        genesis_time: 0,
        gate: Gate::Checkpoint,
        minting: cross_shard_msg::settings::Minting::Never,
        verify_signatures: false,
        epochs: None,
        bounds: Bounds {
            mempool: 1,
            nonce_window: 1,
            delayed_gas: Gas(1),
            buffered: 1,
            waiting_batches: 1,
            pending_headers: 1,
            mempool_time: Duration(1),
        },
    }
}

#[test]
fn an_honest_run_has_no_breach() {
    assert_eq!(check(&honest()), []);
    let mut empty = honest();
    empty.blocks.clear();
    empty.checkpoints.clear();
    assert_eq!(check(&empty), [], "a network that did nothing");
}

#[test]
fn a_run_that_ended_anywhere_has_no_breach() {
    let mut records = honest();
    records.checkpoints.get_mut(&ValidatorIndex(0)).unwrap().truncate(1);
    assert_eq!(check(&records), [], "a coordinator that lags");
    records.checkpoints.get_mut(&ValidatorIndex(1)).unwrap().truncate(1);
    assert_eq!(check(&records), [], "blocks that no checkpoint covers");
    for (shard, keep) in [(0, 1), (1, 2)] {
        records.blocks.get_mut(&ShardId(shard)).unwrap().truncate(keep);
    }
    assert_eq!(check(&records), [], "receipts in flight, and one that is not executed");
}

#[test]
fn accounts_live_where_the_examples_say() {
    for shard in 0..3 {
        assert_eq!(Base::Hash.home(&account(shard), 3), ShardId(shard));
    }
    assert_eq!(Base::Hash.home(&contract(), 3), ShardId(0));
}
