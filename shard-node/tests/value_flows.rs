//! Where value goes when it leaves a shard's accounts: burnt, tipped, sent (R-EXE-1, R-EXE-3,
//! R-EXE-8, R-LED-1).

mod lab;

use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, U256};
use cross_shard_msg::{Failure, Gas, Refusal};
use lab::*;
use shard_node::evm::{ExecutionResult, NotExecuted, OUTBOX, SpecId};

/// Executes a transaction and counts value.
fn execute(lab: &mut Lab, fields: Fields) -> ExecutionResult {
    let before = lab.held();
    let result = lab.block().execute_transaction(&fields.recovered()).unwrap();
    let sent = result.sends.iter().fold(U256::ZERO, |sum, send| sum + send.carried());
    assert_eq!(before, lab.held() + result.burnt() + sent, "{result:?}");
    result
}

#[test]
fn selfdestruct_burns_what_it_must() {
    let heir_is_self = vec![0x30, 0xff];
    let heir_is_bob = [push(BOB), vec![0xff]].concat();
    let create_and_pay_later = |init: &[u8]| {
        // Creates with 5 wei; the new contract destroys itself; pays it 3 wei afterwards.
        [create(init, 5, None), call(CONTRACT.create(1), 3)].concat()
    };
    // Name, spec, code, burnt.
    let cases = [
        ("old contract to itself, Cancun", SpecId::CANCUN, heir_is_self.clone(), 0),
        ("old contract to itself, Shanghai", SpecId::SHANGHAI, heir_is_self.clone(), 9),
        ("old contract to Bob, Shanghai", SpecId::SHANGHAI, heir_is_bob.clone(), 0),
        ("new contract to itself", SpecId::PRAGUE, create(&heir_is_self, 5, None), 5),
        ("new contract to Bob", SpecId::PRAGUE, create(&heir_is_bob, 5, None), 0),
        ("to itself, paid later", SpecId::PRAGUE, create_and_pay_later(&heir_is_self), 8),
        ("to Bob, paid later", SpecId::PRAGUE, create_and_pay_later(&heir_is_bob), 3),
        (
            "reverted",
            SpecId::PRAGUE,
            [create(&heir_is_self, 5, None), vec![0x5f, 0x5f, 0xfd]].concat(),
            0,
        ),
    ];
    for (name, spec, code, burnt) in cases {
        let mut lab = Lab::new(spec).account(CONTRACT, 9, &code);
        let result = execute(&mut lab, Fields::call(CONTRACT));
        assert_eq!(result.selfdestruct_burnt, U256::from(burnt), "{name}");
    }
}

#[test]
fn a_contract_sends_through_the_outbox() {
    let words = [word(REMOTE), U256::from(50_000), U256::from(3), word(BOB), U256::from(160)];
    let mut input = call_data("send(address,uint64,uint128,address,bytes)", &words);
    input.extend(U256::from(5).to_be_bytes::<32>());
    input.extend(*b"hello");
    input.extend([0; 27]);
    // Passes its input and value on to the outbox and keeps the id.
    let forward = [
        vec![0x36, 0x5f, 0x5f, 0x37], // CALLDATACOPY(0, 0, CALLDATASIZE)
        vec![0x60, 0x20, 0x5f, 0x36, 0x5f, 0x34],
        push(OUTBOX),
        vec![0x5a, 0xf1, 0x15, 0x60, 0x2f, 0x57], // JUMPI(0x2f) if it failed
        vec![0x5f, 0x51],
        store_top(0),
        vec![0x00],
    ]
    .concat();
    let mut code = forward;
    code.resize(0x2f, 0x00);
    code.extend([0x5b, 0x5f, 0x5f, 0xfd]);
    let mut lab = Lab::prague().account(CONTRACT, 0, &code);

    let sending = Fields::call(CONTRACT).value(150_040).input(input.clone());
    let result = execute(&mut lab, sending.clone());
    assert_eq!(result.failure, None);
    let [send] = &result.sends[..] else { panic!("one send: {result:?}") };
    assert_eq!(send.local_id, U256::ONE);
    assert_eq!((send.call.from, send.call.to, send.call.refund_to), (CONTRACT, REMOTE, BOB));
    assert_eq!((send.call.gas, send.call.gas_price), (Gas(50_000), U256::from(3)));
    assert_eq!((send.call.value, &send.call.input[..]), (U256::from(40), &b"hello"[..]));
    assert_eq!(lab.balance(OUTBOX), U256::ZERO, "value leaves at emission");
    assert_eq!(lab.stored(CONTRACT, 0), U256::ONE, "the id is returned");

    let again = execute(&mut lab, sending.nonce(1));
    assert_eq!(again.sends[0].local_id, U256::from(2));
    let unpaid =
        execute(&mut lab, Fields::call(CONTRACT).value(149_999).input(input.clone()).nonce(2));
    assert_eq!((unpaid.failure, unpaid.sends), (Some(Failure::Revert), vec![]));

    lab.environment.gas_limit = Gas(1_000_000);
    let too_much = [word(REMOTE), U256::from(1_000_001), U256::ZERO, word(BOB), U256::from(160)];
    let mut input = call_data("send(address,uint64,uint128,address,bytes)", &too_much);
    input.extend([0; 32]);
    let refused = execute(&mut lab, Fields::call(CONTRACT).input(input).nonce(3));
    assert_eq!((refused.failure, refused.sends), (Some(Failure::Revert), vec![]));
}

#[test]
fn the_source_takes_value_and_gas_along() {
    let list = AccessList(vec![AccessListItem {
        address: REMOTE,
        storage_keys: vec![B256::ZERO, B256::with_last_byte(1)],
    }]);
    let plain = Fields::call(REMOTE).value(1_000);
    // Fields, spec, intrinsic gas.
    let cases = [
        (plain.clone(), SpecId::PRAGUE, 21_000),
        (plain.clone().gas(21_000), SpecId::PRAGUE, 21_000),
        (plain.clone().input(vec![1; 100]), SpecId::CANCUN, 22_600),
        (plain.clone().input(vec![1; 100]), SpecId::PRAGUE, 25_000), // EIP-7623's floor
        (Fields { access_list: list, ..plain.clone() }, SpecId::PRAGUE, 27_200),
        (Fields { kind: 0, max_fee: 15, ..plain }, SpecId::PRAGUE, 21_000),
    ];
    for (fields, spec, intrinsic) in cases {
        let mut lab = Lab::new(spec);
        let before = lab.held();
        let mut block = lab.block();
        let leg = block.source_leg(&fields.clone().recovered()).unwrap();
        assert_eq!(block.gas_used(), Gas(intrinsic));
        let price = if fields.kind == 0 { 15u64 } else { 12 };
        assert_eq!(leg.result.gas_used, Gas(intrinsic));
        assert_eq!(leg.result.failure, None);
        assert_eq!(leg.result.fee_burnt, U256::from(intrinsic * BASE_FEE));
        assert_eq!(leg.result.tip, U256::from(intrinsic * (price - BASE_FEE)));
        assert_eq!(lab.balance(BENEFICIARY), leg.result.tip);
        assert_eq!((leg.call.from, leg.call.to, leg.call.refund_to), (ALICE, REMOTE, ALICE));
        assert_eq!(leg.call.gas, Gas(fields.gas_limit - intrinsic));
        assert_eq!((leg.call.gas_price, leg.call.value), (U256::from(price), U256::from(1_000)));
        assert_eq!(leg.call.input, fields.input);
        assert_eq!(lab.nonce(ALICE), 1);
        let carried = leg.call.value + leg.call.gas.cost(leg.call.gas_price);
        assert_eq!(before, lab.held() + leg.result.burnt() + carried);
    }
}

#[test]
fn source_legs_refuse_what_cannot_be_paid() {
    let contract = Lab::prague().account(ALICE, 1_000_000_000, &[0x00]);
    let poor = Lab::prague().account(ALICE, 100_000_000, &[]);
    let cases = [
        (Lab::prague(), Fields::call(REMOTE).nonce(1), Refusal::NonceTooHigh),
        (Lab::prague(), Fields::call(REMOTE).gas(20_999), Refusal::IntrinsicGas),
        (Lab::prague(), Fields { max_fee: 9, tip: 0, ..Fields::call(REMOTE) }, Refusal::FeeTooLow),
        (Lab::prague(), Fields { tip: 101, ..Fields::call(REMOTE) }, Refusal::PriorityFee),
        (Lab::prague(), Fields::call(REMOTE).gas(30_000_001), Refusal::GasLimit),
        (Lab::prague(), Fields { chain_id: Some(1), ..Fields::call(REMOTE) }, Refusal::ChainId),
        (
            Lab::prague(),
            Fields { kind: 0, chain_id: None, ..Fields::call(REMOTE) },
            Refusal::UnsupportedType,
        ),
        (Lab::prague(), Fields { sender: REMOTE, ..Fields::call(BOB) }, Refusal::Moved),
        (contract, Fields::call(REMOTE).nonce(1), Refusal::SenderHasCode),
        (poor, Fields::call(REMOTE).value(1), Refusal::InsufficientBalance),
    ];
    for (mut lab, fields, refusal) in cases {
        lab.state.discard_block_diff();
        let refused = lab.block().source_leg(&fields.recovered()).unwrap_err();
        assert_eq!(refused, NotExecuted::Refused(refusal));
        assert!(lab.state.take_block_diff().accounts.is_empty(), "{refusal} changed state");
    }
}

#[test]
fn a_block_takes_what_fits() {
    let mut lab = Lab::prague().account(CONTRACT, 0, &store(0, 1));
    lab.environment.gas_limit = Gas(100_000);
    let mut block = lab.block();
    block.execute_transaction(&Fields::call(BOB).value(1).gas(21_000).recovered()).unwrap();
    let late = Fields::call(CONTRACT).gas(79_001).nonce(1).recovered();
    let refused = block.execute_transaction(&late).unwrap_err();
    assert_eq!(refused, NotExecuted::BlockFull(Gas(79_000)));
    // A source leg uses only its intrinsic gas here.
    block.source_leg(&Fields::call(REMOTE).gas(100_000).nonce(1).recovered()).unwrap();
    assert_eq!(block.gas_left(), Gas(58_000));
}

#[test]
fn credits_and_system_calls() {
    let mut lab = Lab::prague().account(CONTRACT, 0, &[vec![0x33], store_top(0)].concat());
    let mut block = lab.block();
    block.credit(BOB, U256::from(5));
    block.credit(Address::repeat_byte(0xdd), U256::ZERO);
    block.system_call(CONTRACT, vec![1].into()).unwrap();
    block.system_call(OTHER, vec![1].into()).unwrap();
    assert_eq!(block.gas_used(), Gas::ZERO);
    assert_eq!(lab.balance(BOB), U256::from(5));
    assert_eq!(lab.state.account(&Address::repeat_byte(0xdd)), None, "EIP-161");
    assert_eq!(lab.state.account(&OTHER), None);
    let system = alloy_primitives::address!("fffffffffffffffffffffffffffffffffffffffe");
    assert_eq!(lab.stored(CONTRACT, 0), word(system));
}
