//! Calls that arrive from other shards (R-EXE-4 to R-EXE-8).

mod lab;

use alloy_primitives::{Address, U256};
use cross_shard_msg::{Call, Failure, Gas};
use lab::*;
use shard_node::evm::{CallOutcome, NotExecuted, OUTBOX, SpecId};

/// Executes a call on a fresh shard and counts value: what came in is held, burnt or sent.
fn execute(lab: &mut Lab, call: &Call) -> CallOutcome {
    let before = lab.held();
    let outcome = lab.block().execute_call(call).unwrap();
    let received = call.value + call.gas.cost(call.gas_price);
    let sent = outcome.result.sends.iter().fold(outcome.refund, |sum, send| sum + send.carried());
    assert_eq!(before + received, lab.held() + outcome.result.burnt() + sent, "{outcome:?}");
    assert!(outcome.result.gas_used <= call.gas);
    assert_eq!(lab.state.account(&REMOTE), None, "the sender is a phantom");
    outcome
}

#[test]
fn targets_without_code() {
    let identity = Address::with_last_byte(4);
    let ecrecover = Address::with_last_byte(1);
    // Target, gas, value; failure, gas used.
    let cases = [
        (BOB, 0, 5, None, 0),
        (BOB, 100_000, 5, None, 0),
        (BOB, 100_000, 0, None, 0),
        (identity, 100, 5, None, 15),
        (identity, 0, 5, Some(Failure::Halt), 0),
        (ecrecover, 2_999, 5, Some(Failure::Halt), 2_999),
        (ecrecover, 3_000, 0, None, 3_000),
    ];
    for (to, gas, value, failure, gas_used) in cases {
        let mut lab = Lab::prague();
        let call = Call { gas: Gas(gas), value: U256::from(value), ..incoming(to) };
        let outcome = execute(&mut lab, &call);
        assert_eq!(outcome.result.failure, failure, "{to} {gas}");
        assert_eq!(outcome.result.gas_used, Gas(gas_used), "{to} {gas}");
        let arrived = if failure.is_none() { value } else { 0 };
        assert_eq!(lab.balance(to), U256::from(arrived), "{to} {gas}");
        let unused = U256::from(12 * (gas - gas_used));
        assert_eq!(outcome.refund, unused + U256::from(value - arrived), "{to} {gas}");
        // EIP-161: a call of nothing creates nothing.
        assert_eq!(lab.state.account(&to).is_some(), arrived > 0, "{to} {gas}");
    }
}

#[test]
fn an_empty_account_that_is_called_disappears() {
    let empty = Address::repeat_byte(0xee);
    let mut lab = Lab::prague();
    lab.state = state::ShardState::from_genesis([(empty, state::GenesisAccount::default())]);
    assert!(lab.state.account(&empty).is_some());
    execute(&mut lab, &incoming(empty));
    assert_eq!(lab.state.account(&empty), None);
}

#[test]
fn contracts_see_the_sender_and_the_value() {
    let code = [
        [vec![0x33], store_top(0)].concat(),                  // CALLER
        [vec![0x34], store_top(1)].concat(),                  // CALLVALUE
        [vec![0x3a], store_top(2)].concat(),                  // GASPRICE
        [vec![0x32], store_top(3)].concat(),                  // ORIGIN
        [vec![0x47], store_top(4)].concat(),                  // SELFBALANCE
        [vec![0x5f, 0x35], store_top(5)].concat(),            // CALLDATALOAD(0)
        vec![0x60, 0x2a, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3], // return 42
    ];
    let mut lab = Lab::prague().account(CONTRACT, 10, &code.concat());
    let input = U256::from(77).to_be_bytes_vec().into();
    let call = Call { value: U256::from(5), gas: Gas(200_000), input, ..incoming(CONTRACT) };
    let outcome = execute(&mut lab, &call);
    assert_eq!(outcome.result.failure, None);
    let expected = [word(REMOTE), U256::from(5), U256::from(12), word(REMOTE), U256::from(15)];
    for (slot, value) in expected.into_iter().chain([U256::from(77)]).enumerate() {
        assert_eq!(lab.stored(CONTRACT, slot as u64), value, "slot {slot}");
    }
    assert_eq!(U256::from_be_slice(&outcome.result.output), U256::from(42));
    assert_eq!(lab.balance(CONTRACT), U256::from(15));
    // Six new slots at 20,000 + 2,100 each, and a few hundred around them; no intrinsic gas.
    assert!((132_600..133_000).contains(&outcome.result.gas_used.0), "{outcome:?}");
}

#[test]
fn failed_calls_return_their_value() {
    let revert = [store(1, 9), vec![0x5f, 0x5f, 0xfd]].concat();
    let invalid = [store(1, 9), vec![0xfe]].concat();
    let stop = vec![0x00];
    let balance = [store(1, 9), push(REMOTE), vec![0x31]].concat();
    let call_back = [store(1, 9), call(REMOTE, 1)].concat();
    // Code, gas, failure; all gas used?
    let cases = [
        (&revert, 100_000, Some(Failure::Revert), false),
        (&invalid, 100_000, Some(Failure::Halt), true),
        (&revert, 0, Some(Failure::Halt), true),
        (&revert, 10_000, Some(Failure::Halt), true),
        (&stop, 0, None, true),
        (&balance, 100_000, Some(Failure::RemoteAccount), true),
        (&call_back, 100_000, Some(Failure::RemoteAccount), true),
    ];
    for (code, gas, failure, all) in cases {
        let mut lab = Lab::prague().account(CONTRACT, 10, code);
        let call = Call { gas: Gas(gas), value: U256::from(5), ..incoming(CONTRACT) };
        let outcome = execute(&mut lab, &call);
        assert_eq!(outcome.result.failure, failure, "{code:?} {gas}");
        assert_eq!(outcome.result.gas_used == Gas(gas), all, "{code:?} {gas}");
        assert_eq!(lab.stored(CONTRACT, 1), U256::ZERO, "{code:?}");
        let returned = if failure.is_some() { 5 } else { 0 };
        assert_eq!(lab.balance(CONTRACT), U256::from(15 - returned), "{code:?}");
        let unused = U256::from(12 * (gas - outcome.result.gas_used.0));
        assert_eq!(outcome.refund, unused + U256::from(returned), "{code:?} {gas}");
        assert!(outcome.result.logs.is_empty());
    }
}

#[test]
fn a_phantom_that_lives_here_may_be_opened() {
    // A stale sender whose account has come here: an ordinary account by now.
    let code = [push(BOB), vec![0x31], store_top(0)].concat();
    let mut lab = Lab::prague().account(CONTRACT, 0, &code).account(BOB, 33, &[]);
    let outcome = execute(&mut lab, &Call { from: BOB, ..incoming(CONTRACT) });
    assert_eq!(outcome.result.failure, None);
    assert_eq!(lab.stored(CONTRACT, 0), U256::from(33));
    assert_eq!((lab.balance(BOB), lab.nonce(BOB)), (U256::from(33), 0), "it is never debited");
}

#[test]
fn prices_above_and_below_the_base_fee() {
    let code = store(0, 1);
    for (price, burnt, tip) in [(0u64, 0u64, 0u64), (4, 4, 0), (10, 10, 0), (25, 10, 15)] {
        let mut lab = Lab::prague().account(CONTRACT, 0, &code);
        let call = Call { gas_price: U256::from(price), ..incoming(CONTRACT) };
        let result = execute(&mut lab, &call).result;
        assert_eq!(result.fee_burnt, result.gas_used.cost(U256::from(burnt)), "price {price}");
        assert_eq!(result.tip, result.gas_used.cost(U256::from(tip)), "price {price}");
        assert_eq!(lab.balance(BENEFICIARY), result.tip);
    }
    let mut lab = Lab::new(SpecId::BERLIN).account(CONTRACT, 0, &code);
    lab.environment.base_fee = 0;
    let result = execute(&mut lab, &incoming(CONTRACT)).result;
    assert_eq!(result.fee_burnt, U256::ZERO, "nothing was burnt before London");
}

#[test]
fn refunds_of_gas_are_capped() {
    // Clears a slot: uses 5,006 gas, of which EIP-3529 refunds 4,800, but at most a fifth.
    let mut lab = Lab::prague().account(CONTRACT, 0, &store(0, 0)).slot(CONTRACT, 0, 9);
    let result = execute(&mut lab, &incoming(CONTRACT)).result;
    assert_eq!(result.gas_used, Gas(5_006 - 5_006 / 5));
}

#[test]
fn contracts_created_by_a_call_are_placed() {
    let code = [create(&deploy(&[0x00]), 1, None), store(0, 1)].concat();
    let mut lab = Lab::prague().map(Map::only_named()).account(CONTRACT, 1, &code);
    let outcome = execute(&mut lab, &incoming(CONTRACT));
    assert_eq!(outcome.result.placements, [CONTRACT.create(1)]);
}

#[test]
fn a_delegation_to_another_shard_fails() {
    let delegate = |to: Address| [vec![0xef, 0x01, 0x00], to.to_vec()].concat();
    let mut lab = Lab::prague().account(BOB, 0, &delegate(REMOTE));
    let outcome = execute(&mut lab, &incoming(BOB));
    assert_eq!(outcome.result.remote, Some(REMOTE));
    let mut lab =
        Lab::prague().account(BOB, 0, &delegate(CONTRACT)).account(CONTRACT, 0, &store(2, 3));
    assert_eq!(execute(&mut lab, &incoming(BOB)).result.failure, None);
    assert_eq!(lab.stored(BOB, 2), U256::from(3));
}

#[test]
fn a_call_to_the_outbox_sends_on() {
    // A user of another shard calls this shard's Outbox directly.
    let words = [word(ALICE), U256::from(50_000), U256::from(3), word(REMOTE), U256::from(160)];
    let input = call_data("send(address,uint64,uint128,address,bytes)", &words);
    let input = [input, vec![0; 32]].concat().into();
    let mut lab = Lab::prague();
    let call = Call { value: U256::from(150_007), input, ..incoming(OUTBOX) };
    let outcome = execute(&mut lab, &call);
    assert_eq!(outcome.result.failure, None);
    let [send] = &outcome.result.sends[..] else { panic!("one send: {outcome:?}") };
    assert_eq!((send.call.from, send.call.value), (REMOTE, U256::from(7)));
    assert_eq!(lab.balance(OUTBOX), U256::ZERO);
}

#[test]
fn a_call_that_does_not_fit_waits() {
    let mut lab = Lab::prague().account(CONTRACT, 0, &store(0, 1));
    lab.environment.gas_limit = Gas(99_999);
    let mut block = lab.block();
    let refused = block.execute_call(&incoming(CONTRACT));
    assert_eq!(refused.unwrap_err(), NotExecuted::BlockFull(Gas(99_999)));
    let call = Call { gas: Gas(99_999), ..incoming(CONTRACT) };
    let outcome = block.execute_call(&call).unwrap();
    assert_eq!(block.gas_left(), Gas(99_999).minus(outcome.result.gas_used));
}
