//! `ShardState` against a plain model: roots, diffs, proofs, deletion by EIP-161, cleared storage.

use alloy_primitives::aliases::{I512, U512};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use proptest::prelude::*;
use state::{
    Account, AccountChange, ApplyError, GenesisAccount, ProofError, ShardState, StateDiff,
};
use std::collections::BTreeMap;

fn address(number: u8) -> Address {
    Address::repeat_byte(number)
}

fn eoa(nonce: u64, balance: u64) -> Account {
    Account::without_code(nonce, U256::from(balance))
}

fn change(number: u8, info: Option<Account>) -> AccountChange {
    AccountChange {
        address: address(number),
        info,
        code: None,
        storage_cleared: false,
        storage: Vec::new(),
    }
}

fn slots(pairs: &[(u64, u64)]) -> Vec<(U256, U256)> {
    pairs.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value))).collect()
}

/// Account 1 holds 1,000 wei; account 2 is a contract with slots 1 = 10 and 2 = 20.
fn genesis() -> ShardState {
    let contract = GenesisAccount {
        nonce: 1,
        balance: U256::from(5),
        code: Bytes::from_static(&[0x60, 0x00]),
        storage: slots(&[(1, 10), (2, 20), (3, 0)]),
    };
    let user = GenesisAccount { balance: U256::from(1_000), ..GenesisAccount::default() };
    ShardState::from_genesis([(address(1), user), (address(2), contract)])
}

#[test]
fn genesis_is_looked_up_and_hashed() {
    let mut state = genesis();
    assert_eq!(state.account(&address(1)), Some(&eoa(0, 1_000)));
    assert_eq!(state.account(&address(3)), None);
    assert_eq!(state.storage(&address(2), U256::from(2)), U256::from(20));
    assert_eq!(state.storage(&address(1), U256::from(2)), U256::ZERO);
    let code_hash = state.account(&address(2)).unwrap().code_hash;
    assert_eq!(state.code(&code_hash).unwrap().as_ref(), [0x60, 0x00]);
    assert_eq!(state.code(&KECCAK256_EMPTY), Some(&Bytes::new()));
    assert_eq!(state.code(&B256::ZERO), None);
    assert_eq!(state.sorted_storage(&address(2)), slots(&[(1, 10), (2, 20)]));
    assert_eq!(state.sorted_addresses(), [address(1), address(2)]);
    assert_eq!(state.total_balance(), U512::from(1_005));
    assert!(state.take_block_diff().is_empty());
    assert_eq!(state.root(), rebuilt_root(&state));
    assert_eq!(ShardState::default().root(), EMPTY_ROOT_HASH);
}

#[test]
fn empty_account_is_deleted_by_eip_161() {
    let mut state = genesis();
    let before = state.root();
    // Touching an account that does not exist creates nothing.
    state.commit(change(9, Some(Account::default())));
    state.commit(change(9, None));
    assert!(state.take_block_diff().is_empty());
    assert_eq!(state.root(), before);
    // An account that becomes empty is deleted.
    state.commit(change(1, Some(Account::default())));
    assert_eq!(state.account(&address(1)), None);
    let diff = state.take_block_diff();
    assert_eq!(diff.accounts[0].old, Some(eoa(0, 1_000)));
    assert_eq!(diff.accounts[0].new, None);
    assert_eq!(diff.balance_delta(), -I512::try_from(1_000).unwrap());
    assert_eq!(state.root(), rebuilt_root(&state));
    // And comes back.
    state.commit(change(1, Some(eoa(0, 1_000))));
    assert_eq!(state.root(), before);
}

#[test]
fn deleted_and_recreated_within_a_block_is_no_change() {
    let mut state = genesis();
    let before = state.root();
    let contract = *state.account(&address(2)).unwrap();
    state.commit(change(2, None));
    assert_eq!(state.storage(&address(2), U256::from(1)), U256::ZERO);
    state
        .commit(AccountChange { storage: slots(&[(2, 20), (1, 10)]), ..change(2, Some(contract)) });
    assert!(state.take_block_diff().is_empty());
    assert_eq!(state.root(), before);
}

#[test]
fn storage_cleared_then_rewritten() {
    let mut state = genesis();
    state.root();
    let contract = *state.account(&address(2)).unwrap();
    state.commit(AccountChange {
        storage_cleared: true,
        storage: slots(&[(2, 21), (7, 70)]),
        ..change(2, Some(contract))
    });
    assert_eq!(state.sorted_storage(&address(2)), slots(&[(2, 21), (7, 70)]));
    assert_eq!(state.root(), rebuilt_root(&state));
    let diff = state.take_block_diff();
    let changed: Vec<_> = diff.accounts[0]
        .storage
        .iter()
        .map(|s| (s.slot.to::<u64>(), s.old.to::<u64>(), s.new.to::<u64>()))
        .collect();
    assert_eq!(changed, [(1, 10, 0), (2, 20, 21), (7, 0, 70)]);
    // All slots cleared one by one leave the empty root.
    state.commit(AccountChange { storage: slots(&[(2, 0), (7, 0)]), ..change(2, Some(contract)) });
    assert!(!state.has_storage(&address(2)));
    assert_eq!(state.root(), rebuilt_root(&state));
    assert_eq!(state.prove(&address(2), &[]).storage_root, EMPTY_ROOT_HASH);
}

#[test]
fn code_travels_with_the_diff() {
    let code = Bytes::from_static(&[1, 2, 3]);
    let account = Account { nonce: 1, balance: U256::ZERO, code_hash: keccak256(&code) };
    let (mut state, mut follower) = (genesis(), genesis());
    state.commit(AccountChange { code: Some(code.clone()), ..change(8, Some(account)) });
    let diff = state.take_block_diff();
    assert_eq!(diff.accounts[0].code.as_ref(), Some(&code));
    let mut without = diff.clone();
    without.accounts[0].code = None;
    let refused = follower.apply(&without);
    assert_eq!(refused, Err(ApplyError::Code(address(8))));
    follower.apply(&diff).unwrap();
    assert_eq!(follower.code(&account.code_hash), Some(&code));
    assert_eq!(follower.root(), state.root());
}

#[test]
fn a_diff_that_does_not_fit_changes_nothing() {
    let mut state = genesis();
    state.commit(change(1, Some(eoa(1, 900))));
    let contract = *state.account(&address(2)).unwrap();
    state.commit(AccountChange { storage: slots(&[(1, 11)]), ..change(2, Some(contract)) });
    let diff = state.take_block_diff();

    let mut other = genesis();
    let before = other.root();
    let mut wrong = diff.clone();
    wrong.accounts[0].old = Some(eoa(7, 1));
    assert_eq!(other.apply(&wrong), Err(ApplyError::Account(address(1))));
    let mut wrong = diff.clone();
    wrong.accounts[1].storage[0].old = U256::from(3);
    let refused = other.apply(&wrong);
    assert_eq!(refused, Err(ApplyError::Slot(address(2), U256::ONE)));
    let mut wrong = diff.clone();
    wrong.accounts.reverse();
    assert_eq!(other.apply(&wrong), Err(ApplyError::Order(address(1))));
    assert_eq!(other.root(), before);
    assert!(other.take_block_diff().is_empty());

    other.apply(&diff).unwrap();
    assert_eq!(other.take_block_diff(), diff);
    assert_eq!(other.root(), state.root());
}

#[test]
fn balance_delta_does_not_overflow() {
    let mut state = ShardState::default();
    for number in 1..=3 {
        let account = Account::without_code(0, U256::MAX);
        state.commit(change(number, Some(account)));
    }
    let rise = state.take_block_diff();
    let three = (I512::ONE << 256) - I512::ONE;
    assert_eq!(rise.balance_delta(), three + three + three);
    assert_eq!(rise.account(&address(2)).unwrap().new_balance(), U256::MAX);
    assert_eq!(rise.account(&address(4)), None);
    for number in 1..=3 {
        state.commit(change(number, None));
    }
    let fall = state.take_block_diff();
    assert_eq!(fall.balance_delta(), -rise.balance_delta());
    assert_eq!(state.total_balance(), U512::ZERO);
}

#[test]
fn proofs_show_accounts_slots_and_absence() {
    let mut state = genesis();
    let root = state.root();
    let proof = state.prove(&address(2), &[U256::from(1), U256::from(9)]);
    assert_eq!(proof.verify(root), Ok(()));
    assert_eq!(proof.storage[0].value, U256::from(10));
    assert_eq!(proof.storage[1].value, U256::ZERO);
    let absent = state.prove(&address(3), &[U256::from(1)]);
    assert_eq!((absent.account, absent.verify(root)), (None, Ok(())));

    let mut wrong = proof.clone();
    wrong.account.as_mut().unwrap().balance = U256::from(6);
    assert_eq!(wrong.verify(root), Err(ProofError::WrongContent));
    let mut wrong = proof.clone();
    wrong.storage[0].value = U256::from(11);
    assert_eq!(wrong.verify(root), Err(ProofError::WrongContent));
    let mut wrong = proof.clone();
    wrong.storage[0].value = U256::ZERO;
    assert_eq!(wrong.verify(root), Err(ProofError::WrongContent));
    let mut wrong = proof.clone();
    wrong.address = address(1);
    assert!(wrong.verify(root).is_err());
    let mut wrong = absent;
    wrong.storage_root = proof.storage_root;
    assert_eq!(wrong.verify(root), Err(ProofError::WrongContent));
    state.commit(change(1, Some(eoa(1, 1))));
    assert!(proof.verify(state.root()).is_err());
}

/// One account's write in a random block.
#[derive(Clone, Debug)]
enum Step {
    Set(u8, u64, u64),
    Delete(u8),
    Slots(u8, bool, Vec<(u64, u64)>),
}

fn step() -> impl Strategy<Value = Step> {
    let writes = prop::collection::vec((0u64..12, 0u64..3), 0..5);
    prop_oneof![
        4 => (1u8..30, 0u64..3, 0u64..4).prop_map(|(a, n, b)| Step::Set(a, n, b)),
        1 => (1u8..30).prop_map(Step::Delete),
        4 => (1u8..30, prop::bool::weighted(0.2), writes)
            .prop_map(|(a, clear, writes)| Step::Slots(a, clear, writes)),
    ]
}

type Model = BTreeMap<Address, (Account, BTreeMap<U256, U256>)>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever happens: state and model agree on content, root and diff, whether root or diff is
    /// taken first or no root at all, and a follower that applies the diffs arrives at the same roots.
    #[test]
    fn state_equals_model(blocks in prop::collection::vec(
        (prop::collection::vec(step(), 0..30), any::<bool>(), any::<bool>(), any::<bool>()), 1..6))
    {
        let mut state = ShardState::default();
        let mut follower = ShardState::default();
        let mut model = Model::new();
        for (steps, root_inside, root_first, root_last) in blocks {
            let before = model.clone();
            let middle = steps.len() / 2;
            for (position, step) in steps.into_iter().enumerate() {
                if root_inside && position == middle {
                    state.root();
                }
                take_step(&mut state, &mut model, step);
            }
            let expected = model_root(&model);
            if root_first {
                prop_assert_eq!(state.root(), expected);
            }
            let diff = state.take_block_diff();
            check_diff(&diff, &before, &model)?;
            follower.apply(&diff).unwrap();
            prop_assert_eq!(&follower.take_block_diff(), &diff);
            prop_assert_eq!(rebuilt_root(&follower), expected);
            // A root may be left out for some blocks: entries of deleted accounts must wait for it.
            if !root_last {
                continue;
            }
            prop_assert_eq!(state.root(), expected);
            prop_assert_eq!(follower.root(), expected);
            prop_assert_eq!(rebuilt_root(&state), expected);
            for number in 0..30 {
                let proof = state.prove(&address(number), &[U256::ONE]);
                prop_assert_eq!(proof.verify(expected), Ok(()));
                let account = model.get(&address(number)).map(|(account, _)| *account);
                prop_assert_eq!(proof.account, account);
            }
        }
    }
}

fn take_step(state: &mut ShardState, model: &mut Model, step: Step) {
    match step {
        Step::Set(number, nonce, balance) => {
            let account = eoa(nonce, balance);
            state.commit(change(number, Some(account)));
            if account.is_empty() {
                model.remove(&address(number));
            } else {
                model.entry(address(number)).or_default().0 = account;
            }
        }
        Step::Delete(number) => {
            state.commit(change(number, None));
            model.remove(&address(number));
        }
        Step::Slots(number, cleared, writes) => {
            let Some((account, storage)) = model.get_mut(&address(number)) else {
                return;
            };
            if cleared {
                storage.clear();
            }
            let writes: BTreeMap<u64, u64> = writes.into_iter().collect();
            let writes = slots(&writes.into_iter().collect::<Vec<_>>());
            for (slot, value) in &writes {
                storage.insert(*slot, *value);
            }
            storage.retain(|_, value| !value.is_zero());
            state.commit(AccountChange {
                storage_cleared: cleared,
                storage: writes,
                ..change(number, Some(*account))
            });
        }
    }
}

fn check_diff(diff: &StateDiff, before: &Model, after: &Model) -> Result<(), TestCaseError> {
    let (none, mut delta) = (BTreeMap::new(), I512::ZERO);
    let mut changed = 0;
    for number in 0..=30 {
        let address = address(number);
        let (old, new) = (before.get(&address), after.get(&address));
        let balance = |side: Option<&(Account, _)>| {
            side.map_or(I512::ZERO, |(account, _)| I512::from_raw(U512::from(account.balance)))
        };
        delta += balance(new) - balance(old);
        if old == new {
            prop_assert_eq!(diff.account(&address), None);
            continue;
        }
        changed += 1;
        let found = diff.account(&address).unwrap();
        prop_assert_eq!(found.old, old.map(|(account, _)| *account));
        prop_assert_eq!(found.new, new.map(|(account, _)| *account));
        let old = old.map_or(&none, |(_, storage)| storage);
        let new = new.map_or(&none, |(_, storage)| storage);
        let mut replayed = old.clone();
        for slot in &found.storage {
            prop_assert!(slot.old != slot.new);
            prop_assert_eq!(old.get(&slot.slot).copied().unwrap_or_default(), slot.old);
            replayed.insert(slot.slot, slot.new);
        }
        replayed.retain(|_, value| !value.is_zero());
        prop_assert_eq!(&replayed, new);
        prop_assert!(found.storage.is_sorted_by(|a, b| a.slot < b.slot));
    }
    prop_assert_eq!(diff.accounts.len(), changed);
    prop_assert_eq!(diff.balance_delta(), delta);
    Ok(())
}

fn model_root(model: &Model) -> B256 {
    state_root_unhashed(model.iter().map(|(address, (account, storage))| {
        let storage = storage.iter().map(|(slot, value)| (B256::from(*slot), *value));
        (*address, trie_account(account, storage_root_unhashed(storage)))
    }))
}

/// The root of what the look-ups of `state` show, by a full rebuild.
fn rebuilt_root(state: &ShardState) -> B256 {
    state_root_unhashed(state.sorted_addresses().into_iter().map(|address| {
        let storage = state.sorted_storage(&address);
        let storage = storage.into_iter().map(|(s, v)| (B256::from(s), v));
        let account = state.account(&address).unwrap();
        (address, trie_account(account, storage_root_unhashed(storage)))
    }))
}

fn trie_account(account: &Account, storage_root: B256) -> TrieAccount {
    TrieAccount {
        nonce: account.nonce,
        balance: account.balance,
        storage_root,
        code_hash: account.code_hash,
    }
}
