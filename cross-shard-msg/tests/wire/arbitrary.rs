//! Strategies for arbitrary values of everything that travels or is stored.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256};
use cross_shard_msg::{
    Access, Action, Admission, Block, BlockNotice, Body, Call, Cause, Certificate, Checkpoint,
    CheckpointNumber, Congestion, Crosslink, Epoch, Failure, FinalizedCheckpoint, Gas, Header,
    Height, InclusionProof, Incoming, Ledger, Leg, LegNotice, LegStatus, Message, Migration, Move,
    NodeSignature, Outgoing, Placement, Receipt, ReceiptBatch, ReceiptKind, Refusal, SealedHeader,
    Sent, Sequence, ShardId, SignedHeader, Submission, Timestamp, TrafficReport, TransactionKey,
    Watermark,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::examples;

pub fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

pub fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

pub fn wei() -> impl Strategy<Value = U256> {
    prop_oneof![Just(U256::ZERO), Just(U256::MAX), any::<[u64; 4]>().prop_map(U256::from_limbs)]
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=most).prop_map(Bytes::from)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), any::<u64>()]
}

fn shard() -> impl Strategy<Value = ShardId> {
    any::<u32>().prop_map(ShardId)
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop::sample::select(Refusal::ALL.to_vec())
}

fn status() -> impl Strategy<Value = LegStatus> {
    prop::sample::select(vec![
        LegStatus::Succeeded,
        LegStatus::Failed(Failure::Revert),
        LegStatus::Failed(Failure::Halt),
        LegStatus::Failed(Failure::RemoteAccount),
        LegStatus::Failed(Failure::Collision),
        LegStatus::Forwarded,
    ])
}

pub fn receipt() -> impl Strategy<Value = Receipt> {
    let call = (address(), address(), wei(), number(), wei(), bytes(64), address()).prop_map(
        |(from, to, value, gas, gas_price, input, refund_to)| {
            Action::Call(Call { from, to, value, gas: Gas(gas), gas_price, input, refund_to })
        },
    );
    let refund = (address(), wei()).prop_map(|(to, value)| Action::Refund { to, value });
    let handover =
        (address(), wei()).prop_map(|(address, balance)| Action::Handover { address, balance });
    let slots = vec((wei(), wei()), 0..3);
    let migrate = (address(), number(), any::<[u32; 2]>(), number(), wei(), bytes(40), slots)
        .prop_map(|(account, checkpoint, [part, parts], nonce, balance, code, slots)| {
            let checkpoint = CheckpointNumber(checkpoint);
            let migration =
                Migration { account, checkpoint, part, parts, nonce, balance, code, slots };
            Action::Migrate(migration)
        });
    (hash(), number(), prop_oneof![call, refund, handover, migrate])
        .prop_map(|(origin, caused, action)| Receipt { origin, caused: Height(caused), action })
}

pub fn outgoing() -> impl Strategy<Value = Outgoing> {
    (shard(), number(), vec(receipt(), 0..6)).prop_map(|(destination, first, receipts)| Outgoing {
        destination,
        first: Sequence(first),
        receipts,
    })
}

fn watermark() -> impl Strategy<Value = Watermark> {
    (shard(), number(), hash(), number(), wei()).prop_map(
        |(source, height, header, sequence, value)| Watermark {
            source,
            height: Height(height),
            header,
            sequence: Sequence(sequence),
            value,
        },
    )
}

fn sent() -> impl Strategy<Value = Sent> {
    (shard(), number(), wei()).prop_map(|(destination, sequence, value)| Sent {
        destination,
        sequence: Sequence(sequence),
        value,
    })
}

fn congestion() -> impl Strategy<Value = Congestion> {
    (number(), number(), number(), any::<u16>(), shard()).prop_map(
        |(delayed_gas, delayed, buffered, level, allowed)| Congestion {
            delayed_gas: Gas(delayed_gas),
            delayed,
            buffered,
            level,
            allowed,
        },
    )
}

fn ledger() -> impl Strategy<Value = Ledger> {
    [wei(), wei(), wei(), wei(), wei()].prop_map(|[held, received, sent, burnt, minted]| Ledger {
        held,
        received,
        sent,
        burnt,
        minted,
    })
}

pub fn header() -> impl Strategy<Value = Header> {
    let place = (shard(), number(), number(), number());
    let roots = [hash(), hash(), hash(), hash(), hash(), hash()];
    let lists = (vec(watermark(), 0..4), vec(sent(), 0..4), vec(address(), 0..4));
    let gas = [number(), number(), number()];
    (place, roots, lists, gas, congestion(), ledger()).prop_map(
        |(place, roots, lists, gas, congestion, ledger)| {
            let (shard, height, checkpoint, timestamp) = place;
            let [parent, state_root, transactions_root, results_root, root, traffic] = roots;
            let (watermarks, sent, placements) = lists;
            let [gas_used, gas_limit, base_fee] = gas;
            Header {
                shard,
                height: Height(height),
                parent,
                checkpoint: CheckpointNumber(checkpoint),
                timestamp: Timestamp(timestamp),
                state_root,
                transactions_root,
                results_root,
                outgoing_receipts_root: root,
                watermarks,
                sent,
                placements,
                gas_used: Gas(gas_used),
                gas_limit: Gas(gas_limit),
                base_fee,
                congestion,
                ledger,
                traffic,
            }
        },
    )
}

fn signed_header() -> impl Strategy<Value = SignedHeader> {
    let signature = any::<([u8; 32], [u8; 32])>()
        .prop_map(|(r, s)| FixedBytes::<64>::from_slice(&[r, s].concat()));
    let signatures = vec((any::<u32>(), signature.prop_map(NodeSignature)), 0..3);
    (header(), signatures).prop_map(|(header, signatures)| SignedHeader {
        header: SealedHeader::seal(header),
        certificate: Certificate { signatures },
    })
}

fn proof() -> impl Strategy<Value = InclusionProof> {
    (any::<u32>(), any::<u32>(), vec(hash(), 0..5))
        .prop_map(|(index, leaves, siblings)| InclusionProof { index, leaves, siblings })
}

fn batch() -> impl Strategy<Value = ReceiptBatch> {
    (vec(signed_header(), 0..3), signed_header(), outgoing(), proof()).prop_map(
        |(chain, header, outgoing, proof)| ReceiptBatch { chain, header, outgoing, proof },
    )
}

pub fn checkpoint() -> impl Strategy<Value = Checkpoint> {
    let crosslink = (shard(), number(), vec(hash(), 0..4), congestion()).prop_map(
        |(shard, first, headers, congestion)| Crosslink {
            shard,
            first: Height(first),
            headers,
            congestion,
        },
    );
    let placement = (address(), shard()).prop_map(|(address, shard)| Placement { address, shard });
    let moved = (address(), shard(), shard());
    let moves = vec(moved.prop_map(|(account, from, to)| Move { account, from, to }), 0..4);
    let numbers = [number(), number(), number()];
    (numbers, hash(), vec(crosslink, 0..4), vec(placement, 0..4), moves).prop_map(
        |([number, timestamp, epoch], parent, crosslinks, placements, moves)| Checkpoint {
            number: CheckpointNumber(number),
            parent,
            timestamp: Timestamp(timestamp),
            epoch: Epoch(epoch),
            crosslinks,
            placements,
            moves,
        },
    )
}

fn notice() -> impl Strategy<Value = BlockNotice> {
    let leg = (number(), any::<bool>(), status(), any::<u32>(), any::<u32>()).prop_map(
        |(key, first, status, caused, created)| LegNotice {
            key: TransactionKey(key),
            first,
            status,
            caused,
            created,
        },
    );
    let dropped = (number().prop_map(TransactionKey), refusal());
    (shard(), number(), vec(leg, 0..5), vec(dropped, 0..5), vec(address(), 0..3)).prop_map(
        |(shard, height, legs, dropped, placements)| BlockNotice {
            shard,
            height: Height(height),
            legs,
            dropped,
            placements,
        },
    )
}

fn traffic() -> impl Strategy<Value = TrafficReport> {
    let access = (vec(address(), 0..4), any::<u16>())
        .prop_map(|(accounts, contracts)| Access { accounts, contracts });
    (shard(), number(), vec(access, 0..4), any::<u32>()).prop_map(
        |(shard, height, accesses, omitted)| TrafficReport {
            shard,
            height: Height(height),
            accesses,
            omitted,
        },
    )
}

pub fn message() -> impl Strategy<Value = Message> {
    let submission = (bytes(200), option::of(address()))
        .prop_map(|(encoded, assumed_sender)| Submission { encoded, assumed_sender });
    let outcome = option::of(refusal()).prop_map(|refusal| refusal.map_or(Ok(()), Err));
    let admission = (hash(), outcome).prop_map(|(hash, outcome)| Admission { hash, outcome });
    let finalized = (checkpoint(), bytes(100)).prop_map(|(checkpoint, certificate)| {
        FinalizedCheckpoint { checkpoint: Arc::new(checkpoint), certificate }
    });
    prop_oneof![
        vec(submission, 0..5).prop_map(Message::Submit),
        vec(admission, 0..5).prop_map(Message::Admissions),
        notice().prop_map(|notice| Message::Included(Arc::new(notice))),
        batch().prop_map(|batch| Message::Batch(Arc::new(batch))),
        number().prop_map(|above| Message::PullBatches { above: Height(above) }),
        number().prop_map(|sequence| Message::Received { sequence: Sequence(sequence) }),
        vec(signed_header(), 0..4).prop_map(|headers| Message::Headers(Arc::new(headers))),
        traffic().prop_map(|report| Message::Traffic(Arc::new(report))),
        (shard(), number(), number()).prop_map(|(shard, from, to)| Message::PullHeaders {
            shard,
            from: Height(from),
            to: Height(to)
        }),
        bytes(200).prop_map(Message::Consensus),
        finalized.prop_map(Message::Finalized),
        number().prop_map(|from| Message::PullCheckpoints { from: CheckpointNumber(from) }),
    ]
}

pub fn block() -> impl Strategy<Value = Block> {
    let incoming = (shard(), number(), hash(), number(), vec(receipt(), 0..4)).prop_map(
        |(source, height, header, first, receipts)| Incoming {
            source,
            height: Height(height),
            header,
            first: Sequence(first),
            receipts,
        },
    );
    let transactions = address().prop_map(|sender| (examples::transaction(), sender));
    let kinds = vec![ReceiptKind::Call, ReceiptKind::Refund, ReceiptKind::Handover];
    let received =
        (shard(), number(), prop::sample::select(kinds)).prop_map(|(source, sequence, kind)| {
            Cause::Receipt { source, sequence: Sequence(sequence), kind }
        });
    let cause = prop_oneof![any::<u32>().prop_map(Cause::Transaction), received];
    let leg = (number(), cause, status(), number(), any::<u32>(), any::<u32>()).prop_map(
        |(key, cause, status, gas_used, caused, created)| Leg {
            key: TransactionKey(key),
            cause,
            status,
            gas_used: Gas(gas_used),
            caused,
            created,
        },
    );
    let body = (vec(incoming, 0..3), vec(transactions, 0..3))
        .prop_map(|(incoming, transactions)| Body { incoming, transactions });
    (signed_header(), body, vec(leg, 0..5), vec(outgoing(), 0..3), vec(address(), 0..4)).prop_map(
        |(header, body, legs, outgoing, written)| Block { header, body, legs, outgoing, written },
    )
}
