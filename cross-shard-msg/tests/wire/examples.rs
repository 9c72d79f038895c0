//! One example of everything that travels or is stored. Every field has a value of its own, so
//! that two fields that change places change the bytes.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use cross_shard_msg::block::LegStatus;
use cross_shard_msg::merkle::InclusionProof;
use cross_shard_msg::settings::Bounds;
use cross_shard_msg::{
    Access, Action, Admission, Block, BlockNotice, Body, Call, Cause, Certificate, Checkpoint,
    CheckpointNumber, Congestion, Crosslink, Duration, Epoch, Epochs, Failure, FinalizedCheckpoint,
    Gas, Gate, Header, Height, Incoming, Ledger, Leg, LegNotice, Message, Migration, Move,
    NetworkId, Outgoing, Placement, Proposal, Receipt, ReceiptBatch, ReceiptKind, Refusal,
    SealedHeader, SecretKey, Sent, Sequence, Settings, ShardId, ShardKeys, SignedHeader,
    Submission, Timestamp, TrafficReport, Transaction, TransactionKey, Watermark, receipt,
    signature,
};

/// The network of all examples.
pub fn network() -> NetworkId {
    NetworkId(hash(0xee))
}

pub fn hash(byte: u8) -> B256 {
    B256::repeat_byte(byte)
}

pub fn address(byte: u8) -> Address {
    Address::repeat_byte(byte)
}

pub fn secret() -> SecretKey {
    SecretKey::from_seed(&hash(0x11))
}

pub fn transaction() -> Transaction {
    let key = secp256k1::SecretKey::from_byte_array([0x42; 32]).unwrap();
    let unsigned = TxEip1559 {
        chain_id: 1337,
        nonce: 7,
        gas_limit: 60_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(address(0x77)),
        value: U256::from(1_000_000_000_000_000_000u64),
        access_list: Default::default(),
        input: Bytes::from_static(&[0xa9, 0x05, 0x9c, 0xbb]),
    };
    let signature = signature::sign(&unsigned.signature_hash(), &key);
    Transaction::signed(TxEnvelope::Eip1559(unsigned.into_signed(signature)))
}

pub fn call() -> Receipt {
    Receipt {
        origin: transaction().hash(),
        caused: Height(40),
        action: Action::Call(Call {
            from: address(0x31),
            to: address(0x32),
            value: U256::from(5_000),
            gas: Gas(39_000),
            gas_price: U256::from(30),
            input: Bytes::from_static(b"call data"),
            refund_to: address(0x33),
        }),
    }
}

pub fn refund() -> Receipt {
    let action = Action::Refund { to: address(0x34), value: U256::from(123_456) };
    Receipt { origin: hash(0x35), caused: Height(39), action }
}

pub fn handover() -> Receipt {
    let action = Action::Handover { address: address(0x36), balance: U256::MAX };
    Receipt { origin: hash(0x37), caused: Height(38), action }
}

pub fn migration() -> Migration {
    Migration {
        account: address(0x38),
        checkpoint: CheckpointNumber(8),
        part: 0,
        parts: 2,
        nonce: 7,
        balance: U256::from(6),
        code: Bytes::from_static(b"code"),
        slots: vec![(U256::from(1), U256::from(2)), (U256::from(3), U256::from(4))],
    }
}

pub fn migrate() -> Receipt {
    let action = Action::Migrate(migration());
    Receipt { origin: B256::ZERO, caused: Height(37), action }
}

pub fn traffic() -> TrafficReport {
    TrafficReport {
        shard: ShardId(2),
        height: Height(41),
        accesses: vec![
            Access { accounts: vec![address(0x61), address(0x62)], contracts: 2 },
            Access { accounts: vec![address(0x63), address(0x64), address(0x65)], contracts: 0 },
        ],
        omitted: 3,
    }
}

pub fn outgoing() -> Vec<Outgoing> {
    vec![
        Outgoing {
            destination: ShardId(1),
            first: Sequence(10),
            receipts: vec![call(), refund(), handover()],
        },
        Outgoing { destination: ShardId(3), first: Sequence(1), receipts: vec![refund()] },
    ]
}

pub fn header() -> Header {
    Header {
        shard: ShardId(2),
        height: Height(41),
        parent: hash(1),
        checkpoint: CheckpointNumber(9),
        timestamp: Timestamp(82_000_000_123),
        state_root: hash(2),
        transactions_root: hash(3),
        results_root: hash(4),
        outgoing_receipts_root: receipt::outgoing_root(&outgoing()),
        watermarks: vec![
            Watermark {
                source: ShardId(0),
                height: Height(17),
                header: hash(5),
                sequence: Sequence(200),
                value: U256::from(1_001),
            },
            Watermark {
                source: ShardId(3),
                height: Height(18),
                header: hash(6),
                sequence: Sequence(201),
                value: U256::from(1_002),
            },
        ],
        sent: vec![
            Sent { destination: ShardId(1), sequence: Sequence(12), value: U256::from(1_003) },
            Sent { destination: ShardId(3), sequence: Sequence(1), value: U256::from(1_004) },
        ],
        placements: vec![address(7), address(8)],
        gas_used: Gas(21_001),
        gas_limit: Gas(30_000_000),
        base_fee: 1_000_000_007,
        congestion: Congestion {
            delayed_gas: Gas(51),
            delayed: 52,
            buffered: 53,
            level: 54,
            allowed: ShardId(55),
        },
        ledger: Ledger {
            held: U256::from(61),
            received: U256::from(62),
            sent: U256::from(63),
            burnt: U256::from(64),
            minted: U256::from(65),
        },
        traffic: traffic().digest(),
    }
}

pub fn signed(header: Header) -> SignedHeader {
    let header = SealedHeader::seal(header);
    let digest = cross_shard_msg::header::signing_digest(&network(), &header.hash());
    SignedHeader { header, certificate: Certificate::single(&secret(), &digest) }
}

pub fn batch() -> ReceiptBatch {
    let outgoing = outgoing();
    let (_, proofs) = receipt::prove_outgoing(&outgoing);
    let header = signed(header());
    let before = signed(Header { height: Height(40), ..self::header() });
    let (outgoing, proof): (Outgoing, InclusionProof) =
        outgoing.into_iter().zip(proofs).next().unwrap();
    ReceiptBatch { chain: vec![before], header, outgoing, proof }
}

pub fn checkpoint() -> Checkpoint {
    Checkpoint {
        number: CheckpointNumber(10),
        parent: hash(0x90),
        timestamp: Timestamp(90_000_000_000),
        epoch: Epoch(3),
        crosslinks: vec![
            Crosslink {
                shard: ShardId(0),
                first: Height(30),
                headers: vec![hash(0x91), hash(0x92)],
                congestion: header().congestion,
            },
            Crosslink {
                shard: ShardId(2),
                first: Height(41),
                headers: vec![header().hash()],
                congestion: Congestion::default(),
            },
        ],
        placements: vec![Placement { address: address(0x93), shard: ShardId(2) }],
        moves: vec![Move { account: address(0x94), from: ShardId(1), to: ShardId(3) }],
    }
}

pub fn proposal() -> Proposal {
    Proposal { checkpoint: checkpoint(), evidence: vec![signed(header())] }
}

pub fn finalized() -> FinalizedCheckpoint {
    let certificate = Bytes::from_static(b"committee's certificate");
    FinalizedCheckpoint { checkpoint: Arc::new(checkpoint()), certificate }
}

pub fn block() -> Block {
    let received =
        Cause::Receipt { source: ShardId(0), sequence: Sequence(198), kind: ReceiptKind::Refund };
    let leg = |cause, status| Leg {
        key: TransactionKey(0x0102_0304_0506_0708),
        cause,
        status,
        gas_used: Gas(21_000),
        caused: 2,
        created: 1,
    };
    Block {
        header: signed(header()),
        body: Body {
            incoming: vec![Incoming {
                source: ShardId(0),
                height: Height(17),
                header: hash(5),
                first: Sequence(198),
                receipts: vec![refund(), call(), handover(), migrate()],
            }],
            transactions: vec![(transaction(), address(0x42))],
        },
        legs: vec![
            leg(received, LegStatus::Succeeded),
            leg(Cause::Transaction(0), LegStatus::Failed(Failure::RemoteAccount)),
            leg(Cause::Transaction(1), LegStatus::Forwarded),
        ],
        outgoing: outgoing(),
        written: vec![address(0x50), address(0x51)],
    }
}

pub fn notice() -> BlockNotice {
    BlockNotice {
        shard: ShardId(2),
        height: Height(41),
        legs: vec![LegNotice {
            key: TransactionKey(0x1112_1314_1516_1718),
            first: true,
            status: LegStatus::Failed(Failure::Halt),
            caused: 3,
            created: 4,
        }],
        dropped: vec![(TransactionKey(0x2122), Refusal::Replaced)],
        placements: vec![address(0x52)],
    }
}

pub fn settings() -> Settings {
    let key = |seed| SecretKey::from_seed(&hash(seed)).public();
    Settings {
        network: NetworkId::default(),
        chain_id: 1337,
        shards: vec![
            ShardKeys::single(key(1)),
            ShardKeys { replicas: vec![key(2), key(3)], quorum: 2 },
        ],
        validators: vec![key(4), key(5)],
        genesis_held: vec![U256::from(1_000), U256::from(2_000)],
        block_time: Duration::from_millis(2_000),
        block_offset: vec![Duration::ZERO, Duration::from_millis(1_000)],
        checkpoint_every: Duration::from_secs(6),
        gas_limit: Gas(30_000_000),
        base_fee: 1_000_000_000,
        base_fee_moves: true,
        genesis_time: 1_700_000_000,
        gate: Gate::Checkpoint,
        minting: cross_shard_msg::settings::Minting::Never,
        verify_signatures: true,
        epochs: Some(Epochs { checkpoints: 10, max_moves: 107, max_accesses: 108 }),
        bounds: Bounds {
            mempool: 100,
            nonce_window: 101,
            delayed_gas: Gas(102),
            buffered: 103,
            waiting_batches: 104,
            pending_headers: 105,
            mempool_time: Duration(106),
        },
    }
}

/// One example of every kind of message, by name.
pub fn messages() -> Vec<(&'static str, Message)> {
    let encoded = transaction().encoded().clone();
    let messages = vec![
        Message::Submit(vec![
            Submission { encoded: encoded.clone(), assumed_sender: None },
            Submission { encoded, assumed_sender: Some(address(0x42)) },
        ]),
        Message::Admissions(vec![
            Admission { hash: hash(0x71), outcome: Ok(()) },
            Admission { hash: hash(0x72), outcome: Err(Refusal::NonceTooHigh) },
        ]),
        Message::Included(Arc::new(notice())),
        Message::Batch(Arc::new(batch())),
        Message::PullBatches { above: Height(12) },
        Message::Received { sequence: Sequence(13) },
        Message::Headers(Arc::new(vec![signed(header())])),
        Message::Traffic(Arc::new(traffic())),
        Message::PullHeaders { shard: ShardId(4), from: Height(5), to: Height(6) },
        Message::Consensus(Bytes::from_static(b"a message of the agreement")),
        Message::Finalized(finalized()),
        Message::PullCheckpoints { from: CheckpointNumber(14) },
    ];
    messages.into_iter().map(|message| (name(&message), message)).collect()
}

/// Exhaustive on purpose: a new message needs an example and a golden file.
fn name(message: &Message) -> &'static str {
    match message {
        Message::Submit(_) => "message-submit",
        Message::Admissions(_) => "message-admissions",
        Message::Included(_) => "message-included",
        Message::Batch(_) => "message-batch",
        Message::PullBatches { .. } => "message-pull-batches",
        Message::Received { .. } => "message-received",
        Message::Headers(_) => "message-headers",
        Message::Traffic(_) => "traffic",
        Message::PullHeaders { .. } => "message-pull-headers",
        Message::Consensus(_) => "message-consensus",
        Message::Finalized(_) => "message-finalized",
        Message::PullCheckpoints { .. } => "message-pull-checkpoints",
    }
}
