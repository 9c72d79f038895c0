//! The native paths against revm itself: plain transfers must equal it bit for bit, and refusals
//! must be its refusals.

mod lab;

use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, TxKind, U256};
use cross_shard_msg::{Failure, Gas, Refusal};
use lab::*;
use proptest::prelude::*;
use revm::context::result::{EVMError, ExecutionResult as EvmResult, InvalidTransaction};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode};
use revm::{Context, ExecuteCommitEvm as _, MainBuilder as _, MainContext as _, MainnetEvm};
use revm::{DatabaseRef as _, handler::MainnetContext};
use shard_node::evm::{NotExecuted, SpecId};
use state::{Account, GenesisAccount, ShardState};

type Oracle = MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>;

/// Accounts that transactions are sent between: users, an empty account, one that does not exist, a
/// precompile, a contract, a delegated user, the beneficiary.
fn accounts() -> Vec<(Address, GenesisAccount)> {
    let user = |byte: u8, balance: u64, nonce: u64| {
        let balance = U256::from(balance);
        (Address::repeat_byte(byte), GenesisAccount { nonce, balance, ..Default::default() })
    };
    let with_code = |byte: u8, balance: u64, code: Vec<u8>| {
        let (address, account) = user(byte, balance, 1);
        (address, GenesisAccount { code: code.into(), ..account })
    };
    let delegation = [vec![0xef, 0x01, 0x00], OTHER.to_vec()].concat();
    vec![
        user(1, ETHER, 0),
        user(2, 400_000_000, 3),
        user(3, 210_000, 0),
        user(4, 0, 0),                           // exists, and is empty
        with_code(5, 7, vec![0x34, 0x5f, 0x55]), // SSTORE(0, CALLVALUE)
        with_code(6, 50_000_000, delegation),
        (OTHER, with_code(0, 0, store(0, 1)).1),
    ]
}

fn participant() -> impl Strategy<Value = Address> {
    prop_oneof![
        6 => (1u8..=6).prop_map(Address::repeat_byte),
        1 => Just(Address::repeat_byte(0x77)),
        1 => Just(BENEFICIARY),
        1 => (1u8..=0x12).prop_map(Address::with_last_byte),
        1 => Just(Address::ZERO),
    ]
}

fn spec() -> impl Strategy<Value = SpecId> {
    prop_oneof![
        3 => Just(SpecId::PRAGUE),
        1 => Just(SpecId::CANCUN),
        1 => Just(SpecId::LONDON),
        1 => Just(SpecId::BERLIN),
        1 => Just(SpecId::ISTANBUL),
        1 => Just(SpecId::SPURIOUS_DRAGON),
        1 => Just(SpecId::HOMESTEAD),
        1 => Just(SpecId::OSAKA),
    ]
}

/// A transfer; its nonce is the sender's next plus `nonce`.
fn transfer() -> impl Strategy<Value = Fields> {
    let gas_limit =
        prop_oneof![2 => Just(21_000u64), 3 => 21_000u64..100_000, 1 => 20_000u64..21_000];
    let value = prop_oneof![1 => Just(0u64), 3 => 0u64..1_000, 1 => 0u64..60_000_000];
    let nonce = prop_oneof![12 => Just(0u64), 1 => 0u64..4];
    let chain = prop_oneof![15 => Just(Some(CHAIN)), 1 => Just(Some(1))];
    let fees = (0u128..400, 0u128..60);
    let sender = prop_oneof![4 => Just(Address::repeat_byte(1)), 1 => participant()];
    (0u8..=2, sender, participant(), gas_limit, value, nonce, chain, fees).prop_map(
        |(kind, sender, to, gas_limit, value, nonce, chain_id, (max_fee, tip))| Fields {
            kind,
            sender,
            chain_id,
            nonce,
            gas_limit,
            max_fee,
            tip,
            to: TxKind::Call(to),
            value: U256::from(value),
            input: Default::default(),
            access_list: AccessList::default(),
        },
    )
}

/// Any transaction, mostly invalid.
fn any_transaction() -> impl Strategy<Value = Fields> {
    let input = prop_oneof![
        4 => proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..200),
        1 => Just(vec![0x5b; 49_152]),
        1 => Just(vec![0x5b; 49_153]),
    ];
    let slots = proptest::collection::vec(0usize..4, 0..3);
    let limit = prop_oneof![3 => 21_000u64..120_000, 1 => 1_000_000u64..40_000_000];
    let nonce = prop_oneof![9 => Just(0u64), 1 => Just(u64::MAX), 1 => 0u64..9];
    let fee = prop_oneof![5 => 0u128..400, 1 => Just(u128::MAX), 1 => Just(u128::MAX / 50_000)];
    let value = prop_oneof![5 => Just(U256::ONE), 1 => Just(U256::MAX)];
    (transfer(), input, slots, limit, nonce, fee, value, any::<bool>()).prop_map(
        |(transfer, input, slots, gas_limit, nonce, max_fee, value, create)| {
            let item =
                |count| AccessListItem { address: BOB, storage_keys: vec![B256::ZERO; count] };
            Fields {
                input: input.into(),
                access_list: AccessList(slots.into_iter().map(item).collect()),
                gas_limit,
                nonce,
                max_fee,
                value,
                to: if create { TxKind::Create } else { transfer.to },
                ..transfer
            }
        },
    )
}

fn lab(spec: SpecId) -> Lab {
    let mut lab = Lab::new(spec);
    lab.state = ShardState::from_genesis(accounts());
    lab.map = Map::default();
    if !spec.is_enabled_in(SpecId::LONDON) {
        lab.environment.base_fee = 0;
    }
    lab
}

fn oracle(lab: &Lab, spec: SpecId) -> Oracle {
    let mut database = CacheDB::new(EmptyDB::default());
    for (address, account) in accounts() {
        let code = Bytecode::new_raw(account.code);
        let info = AccountInfo::new(account.balance, account.nonce, code.hash_slow(), code);
        database.insert_account_info(address, info);
    }
    let environment = &lab.environment;
    Context::mainnet()
        .with_db(database)
        .with_cfg(CfgEnv::new_with_spec(spec).with_chain_id(CHAIN))
        .with_block(BlockEnv {
            number: U256::from(environment.number),
            beneficiary: environment.beneficiary,
            timestamp: U256::from(environment.timestamp),
            gas_limit: environment.gas_limit.0,
            basefee: environment.base_fee,
            ..BlockEnv::default()
        })
        .build_mainnet()
}

/// The transaction as revm's own documentation builds it.
fn oracle_transaction(fields: &Fields) -> TxEnv {
    let envelope = fields.clone().envelope();
    TxEnv {
        tx_type: envelope.ty(),
        caller: fields.sender,
        gas_limit: fields.gas_limit,
        gas_price: fields.max_fee,
        kind: fields.to,
        value: fields.value,
        data: fields.input.clone(),
        nonce: fields.nonce,
        chain_id: fields.chain_id,
        access_list: envelope.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: (fields.kind == 2).then_some(fields.tip),
        ..TxEnv::default()
    }
}

/// An account as the oracle has it; one that does not exist is `None`.
fn oracle_account(oracle: &Oracle, address: Address) -> Option<Account> {
    let info = oracle.ctx.journaled_state.database.basic_ref(address).unwrap()?;
    Some(Account { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash })
}

/// The name under which this network counts a refusal of revm's.
fn refusal(invalid: &InvalidTransaction) -> Refusal {
    use InvalidTransaction as Invalid;
    match invalid {
        Invalid::InvalidChainId => Refusal::ChainId,
        Invalid::Eip2930NotSupported | Invalid::Eip1559NotSupported => Refusal::UnsupportedType,
        Invalid::GasPriceLessThanBasefee => Refusal::FeeTooLow,
        Invalid::PriorityFeeGreaterThanMaxFee => Refusal::PriorityFee,
        Invalid::TxGasLimitGreaterThanCap { .. } => Refusal::GasLimit,
        Invalid::CallerGasLimitMoreThanBlock => Refusal::GasLimit,
        Invalid::CallGasCostMoreThanGasLimit { .. } => Refusal::IntrinsicGas,
        Invalid::GasFloorMoreThanGasLimit { .. } => Refusal::IntrinsicGas,
        Invalid::CreateInitCodeSizeLimit => Refusal::InitCodeSize,
        Invalid::NonceTooLow { .. } => Refusal::NonceTooLow,
        Invalid::NonceTooHigh { .. } => Refusal::NonceTooHigh,
        Invalid::RejectCallerWithCode => Refusal::SenderHasCode,
        Invalid::LackOfFundForMaxFee { .. } => Refusal::InsufficientBalance,
        Invalid::OverflowPaymentInTransaction => Refusal::InsufficientBalance,
        Invalid::NonceOverflowInTransaction => Refusal::Malformed,
        other => panic!("revm refuses with {other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn transfers_equal_revm(
        spec in spec(),
        coinbase in prop_oneof![1 => Just(BENEFICIARY), 1 => participant()],
        transfers in proptest::collection::vec(transfer(), 1..12),
    ) {
        let mut lab = lab(spec);
        lab.environment.beneficiary = coinbase;
        let mut oracle = oracle(&lab, spec);
        for mut fields in transfers {
            let next = oracle_account(&oracle, fields.sender).map_or(0, |account| account.nonce);
            fields.nonce += next;
            let mut expected = oracle.transact_commit(oracle_transaction(&fields));
            // What this executor knows besides Ethereum: no transactions from code.
            if let Ok(EvmResult::Success { logs, .. }) = &mut expected {
                prop_assert!(logs.is_empty());
            }
            let result = lab.block().execute_transaction(&fields.clone().recovered());
            match (&expected, &result) {
                (Ok(expected), Ok(result)) => {
                    prop_assert_eq!(result.gas_used, Gas(expected.tx_gas_used()));
                    prop_assert_eq!(result.is_success(), expected.is_success());
                    if let EvmResult::Halt { .. } = expected {
                        prop_assert_eq!(result.failure, Some(Failure::Halt));
                    }
                }
                (Err(EVMError::Transaction(invalid)), Err(NotExecuted::Refused(refused))) => {
                    prop_assert_eq!(*refused, refusal(invalid));
                }
                other => prop_assert!(false, "{:?} of {:?}", other, fields),
            }
            if spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) && result.is_ok() {
                for touched in [coinbase, *fields.to.to().unwrap()] {
                    let empty = lab.state.account(&touched).is_some_and(Account::is_empty);
                    prop_assert!(!empty, "EIP-161: {} after {:?}", touched, fields);
                }
            }
            let names = accounts().into_iter().map(|(address, _)| address);
            for address in names.chain([coinbase, BENEFICIARY, *fields.to.to().unwrap()]) {
                let here = lab.state.account(&address).copied();
                let there = oracle_account(&oracle, address);
                // revm's database keeps accounts that are empty and so do not exist.
                let both = (here.unwrap_or_default(), there.unwrap_or_default());
                prop_assert_eq!(both.0, both.1, "{} after {:?}", address, fields);
                for slot in [U256::ZERO, U256::ONE] {
                    let there = oracle.ctx.journaled_state.database.storage_ref(address, slot);
                    prop_assert_eq!(lab.state.storage(&address, slot), there.unwrap());
                }
            }
        }
    }

    #[test]
    fn refusals_equal_revm(spec in spec(), fields in any_transaction()) {
        let mut lab = lab(spec);
        let mut oracle = oracle(&lab, spec);
        let expected = oracle.transact_commit(oracle_transaction(&fields));
        let expected = match expected {
            Ok(_) => None,
            Err(EVMError::Transaction(invalid)) => Some(refusal(&invalid)),
            Err(error) => panic!("{error}"),
        };
        let executed = lab.block().execute_transaction(&fields.clone().recovered()).err();
        prop_assert_eq!(executed, expected.map(NotExecuted::Refused), "{:?}", &fields);
        if fields.to != TxKind::Create {
            let mut lab = self::lab(spec);
            let sent = lab.block().source_leg(&fields.clone().recovered()).err();
            prop_assert_eq!(sent, expected.map(NotExecuted::Refused), "{:?}", fields);
        }
    }
}
