//! Workloads from real data: the mainnet trace and the mainnet blocks.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use alloy_consensus::Transaction as _;
use cross_shard_msg::{Gas, Recovered, Transaction, testdata};
use partitioning::{Allocation, Base, Residents};
use sim_scenarios::scenario::{Blocks, Places, parse};
use sim_scenarios::workload::{self, MainnetBlocks, SignedWorkload, Workers};
use state::ordered_root;

fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    Ok(Box::new(File::open(path)?))
}

#[test]
fn every_mainnet_block_has_its_own_hashes_and_roots() {
    let Some(data) = testdata::or_skip("every_mainnet_block_has_its_own_hashes_and_roots") else {
        return;
    };
    let directory = data.join("mainnet-blocks");
    let names = std::fs::read_dir(&directory).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let numbers = MainnetBlocks::numbers(&Blocks::All, names);
    assert_eq!(numbers.len(), 46);
    assert!(numbers.is_sorted());
    let blocks = MainnetBlocks::open(&directory, &open).unwrap();
    let mut count = 0;
    for number in numbers {
        // Reading checks each transaction's hash.
        let block = blocks.read(number, &open).unwrap();
        count += block.transactions.len();
        let encoded: Vec<&[u8]> = block
            .transactions
            .iter()
            .map(|(transaction, _)| transaction.encoded().as_ref())
            .collect();
        assert_eq!(ordered_root(&encoded), block.expected.transactions_root, "block {number}");
        assert!(block.expected.gas_used <= block.environment.gas_limit);
        assert!(block.expected.gas_used > Gas(0));
        // One sender of each block stands for all: recovery is slow.
        let (transaction, sender) = block.transactions.first().unwrap();
        assert_eq!(Recovered::recover(transaction.clone()).unwrap().sender(), *sender);
        // The pre-state has every sender; only one that pays nothing for gas may be empty.
        let known = |sender| block.genesis.binary_search_by_key(sender, |(of, _)| *of).is_ok();
        let free = |transaction: &Transaction| transaction.envelope().max_fee_per_gas() == 0;
        let mut transactions = block.transactions.iter();
        assert!(
            transactions.all(|(transaction, sender)| known(sender) || free(transaction)),
            "block {number}"
        );
        let signed = SignedWorkload::prescribed(&number.to_string(), &block.transactions).unwrap();
        assert_eq!(signed.transactions.len(), block.transactions.len());
        assert_eq!(signed.sender(0), Some(*sender));
    }
    assert_eq!(count, 11_269);
    let block = blocks.read(19_934_116, &open).unwrap();
    assert!(!block.environment.prevrandao.is_zero() && block.environment.difficulty.is_zero());
    assert!(blocks.read(1, &open).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn the_mainnet_trace_is_replayed_whole() {
    let Some(data) = testdata::or_skip("the_mainnet_trace_is_replayed_whole") else { return };
    let text = r#"
        name = "trace"
        [[phase]]
        name = "replay"
        [[phase.load]]
        kind = "trace"
        file = "data:mainnet-transactions.csv.gz"
        rate = 12000
        value = "1 wei"
        count = 50000
    "#;
    let places = Places { base: ".".into(), data: Some(data) };
    let scenario = parse("trace.toml", text, &[], &places).unwrap();
    let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
    let workload = workload::build(&scenario, &allocation, &open, &Workers::single()).unwrap();
    let skipped = &workload.skipped[0];
    assert_eq!((skipped.rows, skipped.without_recipient, skipped.to_oneself), (24_342, 33, 111));
    assert_eq!(workload.transactions.len(), 50_000);
    // Who pays whom repeats with the file: 24,198 transfers.
    let pair = |index: usize| {
        let planned = &workload.transactions[index];
        (planned.sender, planned.to)
    };
    assert!((0..50_000 - 24_198).all(|index| pair(index) == pair(index + 24_198)));
    // Stand-ins are spread over the shards: three of four random pairs cross.
    let crosses = |index: &usize| {
        let (sender, to) = pair(*index);
        let sender = workload.users[sender.0 as usize].address;
        allocation.base_home(&sender) != allocation.base_home(&to.unwrap())
    };
    let share = (0..24_198).filter(crosses).count() as f64 / 24_198.0;
    assert!((0.70..0.80).contains(&share), "{share}");
}
