//! Workloads from real data: the mainnet trace and the mainnet blocks.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use cross_shard_msg::{Gas, Recovered, testdata};
use sim_scenarios::scenario::Blocks;
use sim_scenarios::workload::{MainnetBlocks, SignedWorkload};
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
        let funded = |sender| block.genesis.binary_search_by_key(sender, |(of, _)| *of).is_ok();
        assert!(block.transactions.iter().all(|(_, sender)| funded(sender)), "block {number}");
        let signed = SignedWorkload::prescribed(&number.to_string(), &block.transactions).unwrap();
        assert_eq!(signed.transactions.len(), block.transactions.len());
        assert_eq!(signed.sender(0), Some(*sender));
    }
    assert_eq!(count, 11_269);
    let block = blocks.read(19_934_116, &open).unwrap();
    assert!(block.environment.parent_beacon_block_root.is_some());
    assert!(blocks.read(1, &open).unwrap_err().to_string().contains("cannot read"));
}
