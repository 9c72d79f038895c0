//! Which accounts an execution may open, and where created contracts live (R-EXE-1, R-EXE-2).

mod lab;

use alloy_primitives::{Address, U256, keccak256};
use cross_shard_msg::{Failure, Gas};
use lab::*;

/// Ways to open [`REMOTE`], in code.
fn openings() -> Vec<(&'static str, Vec<u8>)> {
    let target = || push(REMOTE);
    let call =
        |opcode: u8, values: usize| [vec![0x5f; 4 + values], target(), vec![0x5a, opcode]].concat();
    vec![
        ("BALANCE", [target(), vec![0x31]].concat()),
        ("EXTCODESIZE", [target(), vec![0x3b]].concat()),
        ("EXTCODEHASH", [target(), vec![0x3f]].concat()),
        ("EXTCODECOPY", [vec![0x5f, 0x5f, 0x5f], target(), vec![0x3c]].concat()),
        ("CALL", call(0xf1, 1)),
        ("CALLCODE", call(0xf2, 1)),
        ("DELEGATECALL", call(0xf4, 0)),
        ("STATICCALL", call(0xfa, 0)),
        ("SELFDESTRUCT", [target(), vec![0xff]].concat()),
    ]
}

#[test]
fn opening_a_remote_account_fails_the_transaction() {
    for (name, opening) in openings() {
        let code = [store(1, 9), opening.clone(), vec![0x00]].concat();
        // The same behind a call whose failure the caller ignores.
        let caller = [store(1, 9), call(OTHER, 0), vec![0x00]].concat();
        for (contract, other) in [(code, vec![]), (caller, opening)] {
            let mut lab = Lab::prague().account(CONTRACT, 5, &contract).account(OTHER, 0, &other);
            let before = lab.held();
            let mut block = lab.block();
            let transaction = Fields::call(CONTRACT).value(3).gas(200_000).recovered();
            let result = block.execute_transaction(&transaction).unwrap();
            assert_eq!(block.gas_used(), Gas(200_000));
            assert_eq!(result.failure, Some(Failure::RemoteAccount), "{name}");
            assert_eq!(result.remote, Some(REMOTE), "{name}");
            assert_eq!(result.gas_used, Gas(200_000), "{name}");
            assert_eq!(result.fee_burnt, U256::from(200_000 * BASE_FEE));
            assert_eq!(result.tip, U256::from(400_000));
            assert_eq!(lab.balance(BENEFICIARY), result.tip);
            assert_eq!(lab.balance(CONTRACT), U256::from(5), "{name}: value went back");
            assert_eq!(lab.nonce(ALICE), 1, "{name}");
            assert_eq!(lab.stored(CONTRACT, 1), U256::ZERO, "{name}: effects are discarded");
            assert_eq!(lab.held() + result.burnt(), before, "{name}");
        }
    }
}

#[test]
fn a_remote_recipient_or_sender_is_not_executed_here() {
    let mut lab = Lab::prague();
    let to_remote = Fields::call(REMOTE).recovered();
    let result = lab.block().execute_transaction(&to_remote).unwrap();
    assert_eq!(result.remote, Some(REMOTE));
    let from_remote = Fields { sender: REMOTE, ..Fields::call(BOB) }.recovered();
    let refused = lab.block().execute_transaction(&from_remote).unwrap_err();
    assert_eq!(refused, cross_shard_msg::Refusal::Moved.into());
}

#[test]
fn contracts_live_where_they_are_created() {
    let runtime = [0x60, 0x2a, 0x5f, 0x55]; // SSTORE(0, 42)
    let init = deploy(&runtime);
    let by_transaction = ALICE.create(0);
    let by_create = CONTRACT.create(1);
    let by_create2 = CONTRACT.create2(U256::from(7).to_be_bytes(), keccak256(&init));
    let cases = [
        (Fields::create(init.clone()), vec![], by_transaction),
        (Fields::call(CONTRACT), create(&init, 0, None), by_create),
        (Fields::call(CONTRACT), create(&init, 0, Some(7)), by_create2),
    ];
    for (fields, code, created) in cases {
        let mut lab = Lab::prague().map(Map::only_named()).account(CONTRACT, 0, &code);
        let mut block = lab.block();
        assert!(!block.is_local(&created));
        let result = block.execute_transaction(&fields.clone().recovered()).unwrap();
        assert_eq!(result.failure, None);
        assert_eq!(result.placements, [created]);
        // It can be called in the same block, although its base home is elsewhere.
        assert!(block.is_local(&created));
        let call = Fields::call(created).nonce(1).recovered();
        assert_eq!(block.execute_transaction(&call).unwrap().failure, None);
        assert_eq!(lab.stored(created, 0), U256::from(42));
    }
}

#[test]
fn a_contract_can_use_what_it_has_just_created() {
    // Creates, then sends 2 wei to the new address and asks for its balance.
    let created = CONTRACT.create(1);
    let code = [
        create(&deploy(&[0x00]), 1, None),
        call(created, 2),
        push(created),
        vec![0x31],
        store_top(0),
    ]
    .concat();
    let mut lab = Lab::prague().map(Map::only_named()).account(CONTRACT, 3, &code);
    let result = lab.block().execute_transaction(&Fields::call(CONTRACT).recovered()).unwrap();
    assert_eq!((result.failure, result.placements), (None, vec![created]));
    assert_eq!(lab.stored(CONTRACT, 0), U256::from(3));
    assert_eq!(lab.balance(created), U256::from(3));
}

#[test]
fn an_address_placed_elsewhere_collides() {
    let init = deploy(&[0x00]);
    let mut map = Map::standard();
    map.placed_elsewhere = [ALICE.create(0), CONTRACT.create(1)].into();

    let mut lab = Lab::prague().map(map.clone());
    let result = lab.block().execute_transaction(&Fields::create(init.clone()).recovered());
    let result = result.unwrap();
    assert_eq!(result.failure, Some(Failure::Collision));
    assert_eq!(result.gas_used, Gas(1_000_000), "EIP-684: the gas is gone");
    assert_eq!((result.created, result.placements), (None, vec![]));
    assert_eq!(lab.nonce(ALICE), 1);

    // CREATE returns zero and its caller goes on.
    let code = [create(&init, 0, None), vec![0x15], store_top(0)].concat();
    let mut lab = Lab::prague().map(map).account(CONTRACT, 0, &code);
    // One 64th of the gas is left after a collision.
    let fields = Fields::call(CONTRACT).gas(4_000_000);
    let result = lab.block().execute_transaction(&fields.recovered()).unwrap();
    assert_eq!((result.failure, result.placements), (None, vec![]));
    assert_eq!(lab.stored(CONTRACT, 0), U256::ONE);
    assert_eq!(lab.nonce(CONTRACT), 2, "EIP-684: the creator's nonce advances");
}

#[test]
fn only_contracts_that_exist_in_the_end_are_placed() {
    let revert = vec![0x5f, 0x5f, 0xfd];
    let destroy_to_alice = [push(ALICE), vec![0xff]].concat();
    let cases = [
        ("reverted init code", create(&revert, 0, None)),
        ("destroyed in its init code", create(&destroy_to_alice, 1, None)),
    ];
    for (name, code) in cases {
        let code = [code, store(0, 1)].concat();
        let mut lab = Lab::prague().map(Map::only_named()).account(CONTRACT, 1, &code);
        let result = lab.block().execute_transaction(&Fields::call(CONTRACT).recovered()).unwrap();
        assert_eq!((result.failure, result.placements), (None, vec![]), "{name}");
        assert_eq!(lab.state.account(&CONTRACT.create(1)), None, "{name}");
    }
    // A whole transaction that reverts has created nothing.
    let code = [create(&deploy(&[0x00]), 0, None), revert].concat();
    let mut lab = Lab::prague().map(Map::only_named()).account(CONTRACT, 0, &code);
    let result = lab.block().execute_transaction(&Fields::call(CONTRACT).recovered()).unwrap();
    assert_eq!((result.failure, result.placements), (Some(Failure::Revert), vec![]));
}

#[test]
fn nothing_is_written_where_a_creation_failed() {
    // The init code reverts; the address lives elsewhere, so value sent there would be lost.
    let address: Address = CONTRACT.create(1);
    let code = [create(&[0x5f, 0x5f, 0xfd], 0, None), call(address, 1), vec![0x00]].concat();
    let mut lab = Lab::prague().map(Map::only_named()).account(CONTRACT, 1, &code);
    let before = lab.held();
    let result = lab.block().execute_transaction(&Fields::call(CONTRACT).recovered()).unwrap();
    assert_eq!(result.remote, Some(address));
    assert_eq!(lab.state.account(&address), None);
    assert_eq!(lab.held() + result.burnt(), before);
}
