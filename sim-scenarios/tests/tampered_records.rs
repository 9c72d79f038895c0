//! What a node left on disk, changed behind its back: each checker says where.
//!
//! A small run of the simulated world is written to record logs as processes write them, read as
//! the launcher reads them, and looked at as after every run.

mod simulated_support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use cross_shard_msg::{
    Block, Duration, Gas, Header, NodeId, SealedHeader, ShardId, Timestamp, TransactionKey, Wei,
};
use runtime::records::{Durability, RecordLog};
use shard_node::ShardRecord;
use sim_scenarios::launch::NodeFacts;
use sim_scenarios::run::collect::collect;
use sim_scenarios::run::reexecute::{ShardLogs, reexecute};
use sim_scenarios::workload::Workers;
use simulated_support::{Ran, Replay, run};
use simulation::checkers::{
    Circumstances, Ending, Invariant, MainnetBlock, Records, Unanswered, Verdict, examine,
};

const SCENARIO: &str = r#"
    name = "small"
    [network]
    shards = 3
    validators = 1
    block_time = "100ms"
    checkpoint_every = "300ms"
    [accounts]
    count = 30
    [[phase]]
    name = "load"
    for = "1s"
    [[phase.load]]
    kind = "transfer"
    rate = 100
"#;

fn small(test: &'static str) -> Ran {
    let replay = Replay::new("tampered_records", test, 1);
    let ran = run(&replay.scenario(SCENARIO, &[]));
    ran.assert_all_settled();
    ran
}

/// The run's records as they come back from disk, executed again.
fn from_disk(ran: &Ran, logs: &ShardLogs) -> Records {
    let directory = tempfile::tempdir().unwrap();
    let facts: Vec<NodeFacts> = logs
        .iter()
        .map(|(shard, log)| {
            let facts = facts(directory.path(), NodeId::Shard(*shard));
            let mut file = RecordLog::create(&facts.records, Durability::Process).unwrap();
            log.iter().for_each(|record| file.append(record).unwrap());
            facts
        })
        .collect();
    let collected = collect(&ran.job.plan, facts.iter()).unwrap();
    let mut records = collected.records;
    records.checkpoints = ran.simulated.records.checkpoints.clone();
    let workers = Workers::single();
    records.executions = reexecute(&ran.job.plan, &collected.logs, &ran.job.transactions, &workers);
    records
}

fn facts(directory: &Path, node: NodeId) -> NodeFacts {
    let nowhere = ([127, 0, 0, 1], 0).into();
    let file = |suffix: &str| directory.join(format!("{node}.{suffix}").replace(':', "-"));
    NodeFacts {
        node,
        process: 0,
        network: nowhere,
        metrics: nowhere,
        log: file("log"),
        records: file("records"),
        observations: file("observations"),
    }
}

/// What was found of an invariant.
fn found(records: &Records, circumstances: &Circumstances, invariant: Invariant) -> Verdict {
    let findings = examine(records, circumstances);
    findings.into_iter().find(|finding| finding.invariant == invariant).unwrap().verdict
}

#[track_caller]
fn broken(records: &Records, circumstances: &Circumstances, invariant: Invariant) -> String {
    match found(records, circumstances, invariant) {
        Verdict::Broken(detail) => detail,
        other => panic!("{}: {other:?}", invariant.name()),
    }
}

/// The first block of a shard that has transactions.
fn with_transactions(log: &mut [ShardRecord]) -> &mut Block {
    let record = log.iter_mut().find(|record| !record.block.body.transactions.is_empty());
    Arc::make_mut(&mut record.unwrap().block)
}

fn edit_header(block: &mut Block, edit: impl Fn(&mut Header)) {
    let mut header: Header = (*block.header).clone();
    edit(&mut header);
    block.header.header = SealedHeader::seal(header);
}

#[test]
fn an_honest_run_holds_and_says_what_was_checked() {
    let ran = small("an_honest_run_holds_and_says_what_was_checked");
    let records = from_disk(&ran, &ran.simulated.logs);
    let ending =
        Ending { at: ran.simulated.end, bound: Duration::from_secs(5), ..Ending::default() };
    let circumstances = Circumstances { ending: Some(ending), ..Circumstances::default() };
    for finding in examine(&records, &circumstances) {
        match (finding.invariant, finding.verdict) {
            (Invariant::Ethereum, verdict) => {
                assert_eq!(verdict, Verdict::NotApplicable("no mainnet block ran".to_owned()));
            }
            (invariant, Verdict::Held(checked)) => {
                let count = checked.0.first().map(|(_, count)| *count);
                assert!(count > Some(0), "{}: {checked}", invariant.name());
            }
            (invariant, verdict) => panic!("{}: {verdict:?}", invariant.name()),
        }
    }
}

#[test]
fn a_block_that_execution_does_not_give() {
    type Edit = fn(&mut Block);
    let edits: [(&str, Edit); 6] = [
        ("state root", |block| edit_header(block, |header| header.state_root = B256::ZERO)),
        ("results root", |block| edit_header(block, |header| header.results_root = B256::ZERO)),
        ("header", |block| edit_header(block, |header| header.gas_used = Gas(1))),
        ("ledger", |block| {
            edit_header(block, |header| {
                header.ledger.minted += Wei::from(5);
                header.ledger.held += Wei::from(5);
            });
        }),
        ("list of legs", |block| block.legs[0].gas_used = Gas(1)),
        ("is charged to", |block| block.body.transactions[0].1 = Address::repeat_byte(7)),
    ];
    let ran = small("a_block_that_execution_does_not_give");
    for (what, edit) in edits {
        let mut logs = ran.simulated.logs.clone();
        edit(with_transactions(logs.get_mut(&ShardId(1)).unwrap()));
        let records = from_disk(&ran, &logs);
        let detail = broken(&records, &Circumstances::default(), Invariant::Validity);
        assert!(detail.starts_with("shard:1 block ") && detail.contains(what), "{what}: {detail}");
    }
    let mut logs = ran.simulated.logs.clone();
    logs.get_mut(&ShardId(2)).unwrap().remove(1);
    let records = from_disk(&ran, &logs);
    let detail = broken(&records, &Circumstances::default(), Invariant::Validity);
    assert!(detail.contains("after block 1"), "{detail}");
}

#[test]
fn a_header_that_holds_more_than_its_state() {
    let ran = small("a_header_that_holds_more_than_its_state");
    let mut records = from_disk(&ran, &ran.simulated.logs);
    // As if the shard booked one thing and its accounts had another.
    let execution = records.executions.get_mut(&ShardId(0)).unwrap();
    execution.held[2] -= Wei::from(1);
    let detail = broken(&records, &Circumstances::default(), Invariant::Conservation);
    assert!(detail.starts_with("shard:0 block 3: the header says that it holds"), "{detail}");
}

#[test]
fn what_stands_still_when_faults_are_over() {
    let ran = small("what_stands_still_when_faults_are_over");
    let end = ran.simulated.end;
    let bound = Duration::from_millis(500);
    let at = |at: Timestamp| Circumstances {
        ending: Some(Ending { at, bound, ..Ending::default() }),
        ..Circumstances::default()
    };
    let invariant = Invariant::Liveness;
    let whole = from_disk(&ran, &ran.simulated.logs);
    assert!(matches!(found(&whole, &at(end), invariant), Verdict::Held(_)));

    // A shard that stops, and nobody hears of it again.
    let later = end + Duration::from_secs(2);
    let detail = broken(&whole, &at(later), invariant);
    assert!(detail.starts_with("shard:0 made no block for 2"), "{detail}");

    // Receipts that nobody takes in while blocks go on.
    let mut logs = ran.simulated.logs.clone();
    for record in logs.get_mut(&ShardId(2)).unwrap() {
        Arc::make_mut(&mut record.block).body.incoming.clear();
    }
    let detail = broken(&from_disk(&ran, &logs), &at(end), invariant);
    assert!(detail.contains("were released and none entered for"), "{detail}");

    // A receipt that is nowhere: caused, and not released.
    let mut logs = ran.simulated.logs.clone();
    let leg = &mut with_transactions(logs.get_mut(&ShardId(0)).unwrap()).legs[0];
    leg.caused += 1;
    let key = leg.key;
    let detail = broken(&from_disk(&ran, &logs), &at(end), invariant);
    let expected = format!("transaction {key} and 0 others are not settled");
    assert!(detail.starts_with(&expected), "{detail}");

    // A transaction that the client would still try.
    let unanswered = Unanswered { key: TransactionKey(7), until: Timestamp::ZERO };
    let mut open = at(end);
    open.ending.as_mut().unwrap().unanswered.push(unanswered);
    let detail = broken(&whole, &open, invariant);
    assert!(detail.contains("has no outcome"), "{detail}");

    // The same, shortly after the last fault.
    open.ending.as_mut().unwrap().calm_since = end;
    let verdict = found(&whole, &open, invariant);
    assert!(matches!(verdict, Verdict::NotApplicable(_)), "{verdict:?}");
}

#[test]
fn a_block_that_is_not_mainnets() {
    let ran = small("a_block_that_is_not_mainnets");
    let mut records = from_disk(&ran, &ran.simulated.logs);
    let one = records.settings.shards[0].clone();
    records.settings.shards = vec![one];
    records.blocks = BTreeMap::from([(ShardId(0), records.blocks[&ShardId(0)].clone())]);
    let block = records.blocks[&ShardId(0)].iter();
    let header = &block.clone().find(|it| !it.body.transactions.is_empty()).unwrap().header;
    let mainnet = MainnetBlock {
        number: 1_000,
        gas_used: header.gas_used,
        transactions_root: header.transactions_root,
        receipts_root: Some(header.results_root),
    };
    let of = |mainnet| Circumstances { mainnet: Some(mainnet), ..Circumstances::default() };
    let invariant = Invariant::Ethereum;
    assert!(matches!(found(&records, &of(mainnet), invariant), Verdict::Held(_)));
    let gas_used = mainnet.gas_used.plus(Gas(1));
    let detail = broken(&records, &of(MainnetBlock { gas_used, ..mainnet }), invariant);
    assert!(detail.contains("gas on the shard"), "{detail}");
    let receipts_root = Some(B256::ZERO);
    let detail = broken(&records, &of(MainnetBlock { receipts_root, ..mainnet }), invariant);
    assert!(detail.contains("receipts root"), "{detail}");
    let transactions_root = B256::ZERO;
    let detail = broken(&records, &of(MainnetBlock { transactions_root, ..mainnet }), invariant);
    assert!(detail.contains("transactions root"), "{detail}");
}
