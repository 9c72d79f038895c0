//! The contracts of contracts/, deployed and called on shards.

mod lab;

use alloy_primitives::{Address, Bytes, U256, keccak256};
use cross_shard_msg::{Call, Failure, Gas};
use lab::*;
use shard_node::evm::{ExecutionResult, OUTBOX, outbox_code};

fn artifact(name: &str) -> serde_json::Value {
    let path = format!("{}/../contracts/artifacts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn code(name: &str, field: &str) -> Bytes {
    artifact(name)[field].as_str().unwrap().parse().unwrap()
}

/// Deploys a contract as Alice's next transaction.
fn deploy_artifact(lab: &mut Lab, name: &str, arguments: &[U256]) -> Address {
    let mut init = code(name, "bytecode").to_vec();
    arguments.iter().for_each(|word| init.extend(word.to_be_bytes::<32>()));
    let result = send(lab, Fields::create(init).gas(3_000_000));
    assert_eq!(result.failure, None);
    assert_eq!(result.placements, [result.created.unwrap()]);
    result.created.unwrap()
}

/// Executes Alice's next transaction.
fn send(lab: &mut Lab, fields: Fields) -> ExecutionResult {
    let fields = fields.nonce(lab.nonce(ALICE));
    lab.block().execute_transaction(&fields.recovered()).unwrap()
}

/// Call data with a dynamic `bytes` as the last argument.
fn call_data_with_bytes(signature: &str, words: &[U256], bytes: &[u8]) -> Vec<u8> {
    let offset = U256::from(32 * (words.len() + 1));
    let words = [words, &[offset, U256::from(bytes.len())]].concat();
    let mut data = call_data(signature, &words);
    data.extend(bytes);
    data.resize(data.len().next_multiple_of(32) + 4, 0);
    data
}

const SEND_ON: &str = "sendOn(address,address,uint64,uint128,bytes)";

#[test]
fn the_outbox_of_a_genesis_is_the_compiled_one() {
    assert_eq!(outbox_code(), code("Outbox", "deployedBytecode"));
}

#[test]
fn tokens_move_and_are_logged() {
    let mut lab = Lab::prague();
    let token = deploy_artifact(&mut lab, "Token", &[U256::from(1_000)]);
    let transfer = |to, amount: u64| {
        let words = [word(to), U256::from(amount)];
        Fields::call(token).input(call_data("transfer(address,uint256)", &words))
    };
    let moved = send(&mut lab, transfer(BOB, 300));
    assert_eq!(moved.failure, None);
    let [log] = &moved.logs[..] else { panic!("one log: {moved:?}") };
    let topics =
        [keccak256("Transfer(address,address,uint256)"), ALICE.into_word(), BOB.into_word()];
    assert_eq!((log.address, log.topics()), (token, &topics[..]));
    assert_eq!(U256::from_be_slice(&log.data.data), U256::from(300));

    let refused = send(&mut lab, transfer(BOB, 701));
    assert_eq!(refused.failure, Some(Failure::Revert));
    let error = "InsufficientBalance(address,uint256,uint256)";
    let words = [word(ALICE), U256::from(700), U256::from(701)];
    assert_eq!(refused.output, call_data(error, &words));

    let balance = call_data("balanceOf(address)", &[word(BOB)]);
    let balance = send(&mut lab, Fields::call(token).input(balance));
    assert_eq!(U256::from_be_slice(&balance.output), U256::from(300));
}

#[test]
fn a_contract_calls_a_contract_of_another_shard_and_is_answered() {
    // Two shards: a vault at home on each, called A and B.
    let (mut source, mut destination) = (Lab::prague(), Lab::prague());
    let a = deploy_artifact(&mut source, "Vault", &[]);
    send(&mut destination, Fields::call(BOB)); // so that the addresses differ
    let b = deploy_artifact(&mut destination, "Vault", &[]);
    source.map.remote.insert(b);
    destination.map.remote.insert(a);
    let held = source.held() + destination.held();
    let mut burnt = U256::ZERO;

    // A sends B the order to send 7 wei back to A.
    let back = call_data_with_bytes(
        SEND_ON,
        &[word(OUTBOX), word(a), U256::from(60_000), U256::from(12)],
        &call_data("deposit()", &[]),
    );
    let there = call_data_with_bytes(
        SEND_ON,
        &[word(OUTBOX), word(b), U256::from(200_000), U256::from(12)],
        &back,
    );
    let value = 200_000 * 12 + 60_000 * 12 + 7;
    let sent = send(&mut source, Fields::call(a).value(value).input(there));
    assert_eq!(sent.failure, None);
    burnt += sent.burnt();
    let outward = sent.sends[0].call.clone();
    assert_eq!((outward.from, outward.to, outward.refund_to), (a, b, a));

    let arrived = destination.block().execute_call(&outward).unwrap();
    assert_eq!(arrived.result.failure, None);
    burnt += arrived.result.burnt();
    let homeward = arrived.result.sends[0].call.clone();
    assert_eq!((homeward.from, homeward.to, homeward.value), (b, a, U256::from(7)));

    let answered = source.block().execute_call(&homeward).unwrap();
    assert_eq!(answered.result.failure, None);
    burnt += answered.result.burnt();
    let event = keccak256("Deposited(address,uint256)");
    assert_eq!(answered.result.logs[0].topics(), [event, b.into_word()]);
    source.block().credit(a, arrived.refund);
    destination.block().credit(b, answered.refund);
    assert_eq!(source.balance(a), U256::from(7) + arrived.refund);
    assert_eq!(source.held() + destination.held() + burnt, held, "no wei is lost on the way");
}

#[test]
fn a_remote_call_that_fails_returns_its_value() {
    let mut destination = Lab::prague();
    let vault = deploy_artifact(&mut destination, "Vault", &[]);
    let value = U256::from(1_000);
    let gas = Gas(200_000);
    let balance_of_sender = call_data("balanceAt(address)", &[word(REMOTE)]);
    let call_back = call_data_with_bytes("forward(address,bytes)", &[word(REMOTE)], &[]);
    let cases = [
        (call_data("fail(uint256)", &[U256::from(3)]), Failure::Revert),
        (call_data("burnGas()", &[]), Failure::Halt),
        (balance_of_sender, Failure::Revert), // not payable
        (call_back, Failure::RemoteAccount),
    ];
    for (input, failure) in cases {
        let call = Call { value, gas, input: input.into(), ..incoming(vault) };
        let outcome = destination.block().execute_call(&call).unwrap();
        assert_eq!(outcome.result.failure, Some(failure));
        let unused = gas.minus(outcome.result.gas_used).cost(call.gas_price);
        assert_eq!(outcome.refund, value + unused);
        assert_eq!(destination.balance(vault), U256::ZERO);
        assert_eq!(destination.stored(vault, 0), U256::ZERO, "nothing was counted");
    }
}

#[test]
fn point_evaluation_works() {
    // verify_kzg_proof_case_correct_proof_4_4 of c-kzg-4844.
    let commitment = "8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7";
    let z = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000";
    let y = "1522a4a7f34e1ea350ae07c29c96c7e79655aa926122e95fe69fcbd932ca49e9";
    let proof = "a62ad71d14c5719385c0686f1871430475bf3a00f0aa3f7b8dd99a9abc2160744faf0070725e00b60ad9a026a15b1a8c";
    let versioned_hash = "01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b";
    let parse = |hex: &str| -> Vec<u8> { hex.parse::<Bytes>().unwrap().to_vec() };
    let input = [versioned_hash, z, y, commitment, proof].map(parse).concat();
    let precompile = Address::with_last_byte(0x0a);
    let mut lab = Lab::prague();
    let mut evaluate = |input: Vec<u8>| {
        let call = Call { input: input.into(), ..incoming(precompile) };
        lab.block().execute_call(&call).unwrap().result
    };
    let proven = evaluate(input.clone());
    assert_eq!((proven.failure, proven.gas_used), (None, Gas(50_000)));
    assert_eq!(proven.output.len(), 64);
    let mut wrong = input;
    wrong[95] ^= 1; // another y
    assert_eq!(evaluate(wrong).failure, Some(Failure::Halt));
}
