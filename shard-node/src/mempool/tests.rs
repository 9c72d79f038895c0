//! The mempool's rules, one table each.

use alloy_consensus::{Signed, TxEip1559, TxEnvelope};
use alloy_primitives::{Signature, TxKind, U256};
use cross_shard_msg::Transaction;

use super::*;

fn pool(total: usize) -> Mempool {
    Mempool::new(MempoolBounds { total, per_sender: 4, time: Duration::from_secs(10) })
}

fn paying(sender: u8, nonce: u64, fee: u128, tip: u128) -> Recovered {
    let tx = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(Address::ZERO),
        ..TxEip1559::default()
    };
    let signature = Signature::new(U256::from(sender) + U256::from(1), U256::from(1), false);
    let envelope = TxEnvelope::Eip1559(Signed::new_unhashed(tx, signature));
    Recovered::assumed(Transaction::signed(envelope), Address::repeat_byte(sender))
}

fn tx(sender: u8, nonce: u64) -> Recovered {
    paying(sender, nonce, 100, 10)
}

fn key(transaction: &Recovered) -> TransactionKey {
    transaction.transaction().key()
}

/// Executes everything that is ready; returns (sender, nonce) in order.
fn drain(pool: &mut Mempool) -> Vec<(u8, u64)> {
    let mut order = Vec::new();
    while let Some(turn) = pool.next_turn() {
        let envelope = turn.transaction.transaction().envelope();
        order.push((turn.transaction.sender()[0], envelope.nonce()));
        pool.executed(&turn);
    }
    pool.end_block();
    order
}

#[test]
fn nonces_order_a_sender_and_arrival_orders_senders() {
    let mut pool = pool(10);
    for (sender, nonce) in [(1, 1), (2, 0), (1, 0), (3, 0), (2, 1), (4, 2)] {
        assert_eq!(pool.admit(Timestamp::ZERO, tx(sender, nonce), 0), Ok(None));
    }
    // Sender 1 is ready since its nonce 0 arrived; its nonce 1 is older than anybody's.
    assert_eq!(drain(&mut pool), [(2, 0), (1, 0), (1, 1), (3, 0), (2, 1)]);
    assert_eq!(pool.len(), 1, "sender 4 misses two nonces");
    pool.admit(Timestamp::ZERO, tx(4, 1), 0).unwrap();
    pool.admit(Timestamp::ZERO, tx(4, 0), 0).unwrap();
    assert_eq!(drain(&mut pool), [(4, 0), (4, 1), (4, 2)]);
    assert!(pool.is_empty());
}

#[test]
fn bounds_refuse_and_evict_nothing() {
    let mut pool = pool(3);
    let table = [
        (tx(1, 4), 5, Err(Refusal::NonceTooLow)),
        (tx(1, 9), 5, Err(Refusal::NonceTooHigh)),
        (tx(1, 8), 5, Ok(None)),
        (tx(1, 8), 5, Err(Refusal::AlreadyKnown)),
        (tx(1, 5), 5, Ok(None)),
        (tx(2, 0), 0, Ok(None)),
        (tx(3, 0), 0, Err(Refusal::MempoolFull)),
    ];
    for (transaction, next, expected) in table {
        assert_eq!(pool.admit(Timestamp::ZERO, transaction, next), expected);
    }
    assert_eq!(drain(&mut pool), [(1, 5), (2, 0)]);
    pool.admit(Timestamp::ZERO, tx(3, 0), 0).unwrap();
}

#[test]
fn a_replacement_pays_a_tenth_more_of_both() {
    let mut pool = pool(10);
    let old = tx(1, 0);
    pool.admit(Timestamp::ZERO, old.clone(), 0).unwrap();
    pool.admit(Timestamp::ZERO, tx(2, 0), 0).unwrap();
    for (fee, tip) in [(109, 11), (110, 10), (200, 10), (100, 100)] {
        let newcomer = paying(1, 0, fee, tip);
        let refused = pool.admit(Timestamp::ZERO, newcomer, 0);
        assert_eq!(refused, Err(Refusal::ReplacementUnderpriced), "{fee} {tip}");
    }
    assert_eq!(pool.admit(Timestamp::ZERO, paying(1, 0, 110, 11), 0), Ok(Some(key(&old))));
    assert_eq!(pool.len(), 2);
    let turn = pool.next_turn().unwrap();
    let envelope = turn.transaction.transaction().envelope();
    assert_eq!(envelope.max_fee_per_gas(), 110, "in the place of the old one");
    pool.executed(&turn);
    assert_eq!(drain(&mut pool), [(2, 0)]);
}

#[test]
fn a_low_fee_cap_waits_until_the_base_fee_falls() {
    let mut pool = pool(10);
    for (sender, nonce) in [(1, 0), (1, 1), (2, 0)] {
        pool.admit(Timestamp::ZERO, paying(sender, nonce, 50, 1), 0).unwrap();
    }
    while let Some(turn) = pool.next_turn() {
        pool.price_out(&turn);
    }
    pool.end_block();
    pool.reprice(51);
    assert_eq!(drain(&mut pool), []);
    // A replacement that pays enough need not wait.
    pool.admit(Timestamp::ZERO, paying(2, 0, 90, 2), 0).unwrap();
    assert_eq!(drain(&mut pool), [(2, 0)]);
    pool.reprice(50);
    assert_eq!(drain(&mut pool), [(1, 0), (1, 1)]);
}

#[test]
fn what_is_held_comes_again_in_the_next_block() {
    let mut pool = pool(10);
    for (sender, nonce) in [(1, 0), (1, 1), (2, 0)] {
        pool.admit(Timestamp::ZERO, tx(sender, nonce), 0).unwrap();
    }
    let first = pool.next_turn().unwrap();
    pool.hold(&first);
    let second = pool.next_turn().unwrap();
    assert_eq!(second.transaction.sender()[0], 2, "the sender's others wait too");
    pool.refuse(&second);
    assert!(pool.next_turn().is_none());
    pool.end_block();
    assert_eq!(drain(&mut pool), [(1, 0), (1, 1)]);
}

#[test]
fn a_refused_transaction_leaves_a_gap_that_can_be_filled() {
    let mut pool = pool(10);
    for nonce in 0..2 {
        pool.admit(Timestamp::ZERO, tx(1, nonce), 0).unwrap();
    }
    let turn = pool.next_turn().unwrap();
    pool.refuse(&turn);
    assert_eq!(drain(&mut pool), []);
    pool.admit(Timestamp::ZERO, tx(1, 0), 0).unwrap();
    assert_eq!(drain(&mut pool), [(1, 0), (1, 1)]);
}

#[test]
fn what_waits_too_long_expires() {
    let mut pool = pool(10);
    let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
    let (gone, stuck) = (tx(1, 0), tx(2, 3));
    pool.admit(at(0), gone, 0).unwrap();
    pool.admit(at(1), stuck.clone(), 0).unwrap();
    pool.admit(at(5), tx(2, 0), 0).unwrap();
    drain(&mut pool);
    assert_eq!(pool.expire(at(11)), []);
    assert_eq!(pool.expire(at(12)), [key(&stuck)]);
    assert!(pool.is_empty());
    pool.admit(at(12), tx(2, 1), 1).unwrap();
    assert_eq!(drain(&mut pool), [(2, 1)]);
}

#[test]
fn a_sender_that_leaves_takes_everything_along() {
    let mut pool = pool(10);
    for (sender, nonce) in [(1, 0), (2, 0), (1, 2), (1, 1)] {
        pool.admit(Timestamp::ZERO, tx(sender, nonce), 0).unwrap();
    }
    let held = pool.next_turn().unwrap();
    pool.hold(&held);
    let left = pool.remove_sender(&Address::repeat_byte(1));
    assert_eq!(left, [0, 1, 2].map(|nonce| key(&tx(1, nonce))));
    assert_eq!(pool.remove_sender(&Address::repeat_byte(1)), []);
    pool.end_block();
    assert_eq!((pool.len(), drain(&mut pool)), (1, vec![(2, 0)]));
    // Priced out, and back again at another nonce.
    pool.admit(Timestamp::ZERO, paying(1, 0, 5, 1), 0).unwrap();
    let turn = pool.next_turn().unwrap();
    pool.price_out(&turn);
    assert_eq!(pool.remove_sender(&Address::repeat_byte(1)).len(), 1);
    pool.reprice(1);
    assert_eq!(drain(&mut pool), []);
    pool.admit(Timestamp::ZERO, tx(1, 7), 7).unwrap();
    assert_eq!(drain(&mut pool), [(1, 7)]);
    assert_eq!(pool.expire(Timestamp(1 << 40)), []);
}
