//! `shardlab partition`, and strategies in other languages.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use alloy_primitives::Address;
use assert_cmd::Command;
use cross_shard_msg::{Epoch, ShardId};
use partitioning::{
    AccessGraph, Allocation, Base, Move, OUTBOX, PartitionError, Partitioner, Problem, Proposal,
    Residents, Strategy, Stream, VertexWeight, Weights,
};
use sim_scenarios::partition::evaluate::USUAL_WEIGHTS;
use sim_scenarios::partition::{Evaluation, External, Options, Quality, evaluate};

/// Pseudo-random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// An address whose bits look random.
fn account(index: u64) -> Address {
    let mut random = Random(index ^ 0x5bd1_e995);
    let mut bytes = [0; 20];
    for part in bytes.chunks_mut(8) {
        part.copy_from_slice(&random.next().to_be_bytes()[..part.len()]);
    }
    Address::from(bytes)
}

/// Pairs of distinct accounts, each account in one pair.
fn distinct_pairs(count: u64) -> Stream {
    (0..count).map(|at| [account(2 * at), account(2 * at + 1)]).collect()
}

/// Transactions inside ten groups of twenty accounts, one in ten across; groups are drawn anew
/// with every `seed`.
fn groups(count: u64, seed: u64) -> Vec<[Address; 2]> {
    let mut random = Random(seed);
    let mut member = |group: u64| account(group * 20 + random.next() % 20);
    let mut groups = Random(seed + 1);
    let transactions = (0..count).map(|_| {
        let group = groups.next() % 10;
        let other = if groups.next().is_multiple_of(10) { groups.next() % 10 } else { group };
        [member(group), member(other)]
    });
    transactions.filter(|[a, b]| a != b).collect()
}

fn options(shards: u32, window: usize) -> Options {
    let (train, budget) = (2, usize::MAX);
    Options { shards, window, train, budget, weights: USUAL_WEIGHTS, seed: 1 }
}

fn judge(stream: &Stream, strategy: &dyn Partitioner, oracle: bool, how: Options) -> Evaluation {
    evaluate(stream, &BTreeSet::new(), strategy, oracle, how, &mut |_, _| true)
}

fn built(name: &str) -> Box<dyn Partitioner> {
    Strategy::published(name).unwrap().build().unwrap()
}

#[test]
fn hash_crosses_with_one_minus_one_over_k() {
    let stream = distinct_pairs(40_000);
    for shards in [1_u32, 2, 4, 16, 64] {
        let hash = judge(&stream, built("hash").as_ref(), false, options(shards, 10_000));
        let total = hash.total(shards);
        assert_eq!(total.transactions, 30_000);
        let theory = 1.0 - 1.0 / f64::from(shards);
        // Five standard deviations of a binomial share.
        let allowed = 5.0 * (theory * (1.0 - theory) / 30_000.0).sqrt();
        let found = total.cross_shard_ratio();
        assert!((found - theory).abs() <= allowed, "{shards} shards: {found}, not {theory}");
        assert!((total.shards_per_transaction() - 1.0 - found).abs() < 1e-12);
        // The model: all shards are about equally busy with (1 − r) + ηr per transaction.
        let expected = f64::from(shards) / (1.0 + theory);
        let throughput = total.throughput();
        assert!(throughput <= expected && throughput > expected * 0.9, "{throughput} {expected}");
    }
}

/// The stream, the accounts of all graphs, whether there was a future, the answer.
type Seen = (Stream, Vec<Address>, bool, Vec<Move>);

/// Moves as another strategy says, and keeps what it was shown.
#[derive(Debug)]
struct Spy {
    inner: Box<dyn Partitioner>,
    seen: Mutex<Vec<Seen>>,
}

impl Partitioner for Spy {
    fn name(&self) -> &'static str {
        "spy"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let proposal = self.inner.propose(problem)?;
        let windows = problem.windows.iter().flat_map(|window| window.accounts().to_vec());
        let accounts = problem.graph.accounts().iter().copied().chain(windows).collect();
        let seen =
            (problem.stream.clone(), accounts, problem.future.is_some(), proposal.moves.clone());
        self.seen.lock().unwrap().push(seen);
        Ok(proposal)
    }
}

#[test]
fn training_never_sees_the_window_that_judges() {
    let stream: Stream = groups(4_000, 3).iter().take(3_500).collect();
    // The same past, another future.
    let past = stream.slice(0, 2_000);
    let other: Stream = past
        .iter()
        .map(<[Address]>::to_vec)
        .chain((0..1_500).map(|at| vec![account(90_000 + at), account(80_000 + at)]))
        .collect();
    let spied = |stream: &Stream| {
        let spy = Spy { inner: built("fennel"), seen: Mutex::default() };
        judge(stream, &spy, false, options(4, 500));
        spy.seen.into_inner().unwrap()
    };
    let (seen, seen_other) = (spied(&stream), spied(&other));
    assert_eq!((seen.len(), seen_other.len()), (6, 6));
    for (at, (learnt, accounts, future, _)) in (1_usize..).zip(&seen) {
        // Window `at` judges: the two windows before it are all there is.
        let expected = stream.slice(at.saturating_sub(2) * 500, at * 500);
        assert_eq!(learnt, &expected, "window {at}");
        let known: BTreeSet<&Address> = expected.iter().flatten().collect();
        assert!(accounts.iter().all(|account| known.contains(account)), "window {at}");
        assert!(!future, "window {at}: the future is the oracle's alone");
    }
    // Windows 1 to 4 were decided on before the traces part.
    assert_eq!(seen[..4], seen_other[..4]);
    assert_ne!(seen[4].3, seen_other[4].3);
}

#[test]
fn the_oracle_sees_it_and_is_better_when_the_past_says_nothing() {
    // Each window has groups of its own: what was learnt is worth nothing.
    let windows = (0..5_u64).flat_map(|window| {
        groups(1_200, 7)
            .into_iter()
            .take(1_000)
            .map(move |pair| {
                pair.map(|account| {
                    Address::from_word(alloy_primitives::keccak256(
                        [account.as_slice(), &window.to_be_bytes()].concat(),
                    ))
                })
            })
            .collect::<Vec<_>>()
    });
    let stream: Stream = windows.collect();
    let ratio = |name: &str| {
        let found = judge(&stream, built(name).as_ref(), name == "oracle", options(4, 1_000));
        found.total(4).cross_shard_ratio()
    };
    let (hash, fennel, oracle) = (ratio("hash"), ratio("fennel"), ratio("oracle"));
    assert!((hash - fennel).abs() < 0.01, "{hash} {fennel}");
    assert!(oracle < 0.4, "{oracle}");
}

#[test]
fn communities_pay_off_and_the_budget_holds() {
    let stream: Stream = groups(6_000, 5).iter().collect();
    let ratio = |evaluation: &Evaluation| evaluation.total(4).cross_shard_ratio();
    let hash = judge(&stream, built("hash").as_ref(), false, options(4, 1_000));
    let metis = judge(&stream, built("metis").as_ref(), false, options(4, 1_000));
    assert!(ratio(&metis) < ratio(&hash) / 2.0, "{} {}", ratio(&metis), ratio(&hash));
    let bounded = Options { budget: 25, ..options(4, 1_000) };
    let few = judge(&stream, built("metis").as_ref(), false, bounded);
    assert!(few.windows.iter().all(|window| window.migrations <= 25));
    assert!(ratio(&few) < ratio(&hash) && ratio(&few) > ratio(&metis));
    let best = Quality::all_local(1_000, 4);
    assert!(metis.mean(Quality::throughput) < best.throughput());
    assert!(metis.mean(Quality::throughput) > hash.mean(Quality::throughput));
}

/// The problem of docs/strategies.md.
struct Documented {
    graph: AccessGraph,
    stream: Stream,
    contracts: BTreeSet<Address>,
    allocation: Allocation,
}

impl Documented {
    fn new() -> Self {
        let [a, b, c] = [0x40, 0x41, 0x43].map(Address::with_last_byte);
        let stream: Stream = [vec![a, b], vec![a, b], vec![b, c], vec![c, OUTBOX]].iter().collect();
        Self {
            graph: AccessGraph::new(stream.iter()),
            stream,
            contracts: BTreeSet::from([c, OUTBOX]),
            allocation: Allocation::new(2, Base::Hash, Residents::standard(2)),
        }
    }

    fn ask(&self, strategy: &External) -> Result<Vec<Move>, String> {
        let problem = Problem {
            graph: &self.graph,
            windows: std::slice::from_ref(&self.graph),
            stream: &self.stream,
            future: None,
            contracts: &self.contracts,
            allocation: &self.allocation,
            weights: Weights { vertex: VertexWeight::Load, eta: 2.0 },
            budget: usize::MAX,
            places: None,
            epoch: Epoch(5),
            seed: 1,
        };
        let proposal = strategy.propose(&problem).map_err(|error| error.to_string())?;
        Ok(proposal.moves)
    }
}

fn program(arguments: &[&str], timeout: Duration) -> External {
    External::new(arguments.iter().map(|&text| text.to_owned()).collect(), timeout).unwrap()
}

fn shell(script: &str) -> External {
    program(&["sh", "-c", script], Duration::from_secs(60))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The blocks of docs/strategies.md that follow a marker line.
fn documented(marker: &str) -> String {
    let text = std::fs::read_to_string(repository().join("docs/strategies.md")).unwrap();
    let block = text.split_once(marker).expect(marker).1;
    let block = block.split_once("```text\n").unwrap().1;
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_documented_exchange_is_the_real_one() {
    let directory = tempfile::tempdir().unwrap();
    let (asked, answer) = (directory.path().join("asked"), directory.path().join("answer"));
    std::fs::write(&answer, documented("<!-- answer -->")).unwrap();
    let script = format!("cat > '{}'; cat '{}'", asked.display(), answer.display());
    let moves = Documented::new().ask(&shell(&script)).unwrap();
    assert_eq!(std::fs::read_to_string(&asked).unwrap(), documented("<!-- question -->"));
    let account = Address::with_last_byte(0x41);
    assert_eq!(moves, [Move { account, from: ShardId(1), to: ShardId(0) }]);
}

#[test]
fn what_goes_wrong_with_a_program_is_said() {
    let header = r#"echo '{"shardlab_strategy": 1}'"#;
    let nonsense = format!("{header}; echo 0,9; echo end");
    let cases = [
        ("exit 3", "ended with exit status: 3 before its answer was complete"),
        ("echo oh no >&2; exit 3", "it says:\noh no"),
        (&format!("{header}; echo 0,1"), "ended with exit status: 0 before its answer was"),
        (&format!("{header}; echo end; exit 4"), "answered, but ended with exit status: 4"),
        (&format!("{header}; kill -9 $$"), "ended with signal: 9"),
        (&nonsense, "line 2 of its answer: expected a shard below 2"),
        ("echo 1; echo end", "line 1 of its answer: expected {\"shardlab_strategy\": 1}"),
        ("yes", "line 1 of its answer"),
    ];
    for (script, expected) in cases {
        let error = Documented::new().ask(&shell(script)).unwrap_err();
        assert!(error.starts_with("command: sh -c"), "{script}: {error}");
        assert!(error.contains(expected), "{script}: {error}");
    }
    let absent = program(&["/absent/strategy"], Duration::from_secs(60));
    let error = Documented::new().ask(&absent).unwrap_err();
    assert!(error.contains("cannot be started: No such file"), "{error}");
    let never = program(&["tail", "-f", "/dev/null"], Duration::from_millis(50));
    let error = Documented::new().ask(&never).unwrap_err();
    assert!(error.contains("no answer within 0.05 s"), "{error}");
    assert_eq!(External::new(Vec::new(), Duration::ZERO), None);
}

#[test]
fn an_answer_moves_no_resident_and_more_than_the_budget_is_cut() {
    // Position 3 is the outbox.
    let script =
        r#"echo '{"shardlab_strategy": 1}'; echo 0,1; echo 1,0; echo 2,1; echo 3,1; echo end"#;
    let moves = Documented::new().ask(&shell(script)).unwrap();
    assert!(moves.iter().all(|moved| moved.account != OUTBOX), "{moves:?}");
    assert_eq!(moves.len(), 2);
}

#[test]
fn a_program_that_fails_leaves_the_old_allocation_in_force() {
    let stream: Stream = groups(3_000, 5).iter().collect();
    let failing = judge(&stream, &shell("exit 1"), false, options(4, 500));
    let hash = judge(&stream, built("hash").as_ref(), false, options(4, 500));
    assert!(failing.windows.len() >= 4);
    for (failed, kept) in failing.windows.iter().zip(&hash.windows) {
        assert!(failed.failure.as_ref().unwrap().contains("exit status: 1"));
        assert_eq!((failed.migrations, &failed.quality), (0, &kept.quality));
    }
}

/// Whether Python is there; says so if it is not.
fn python() -> bool {
    let found = std::process::Command::new("python3").arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: python3 is absent");
    }
    found
}

#[test]
fn the_python_example_beats_hash() {
    if !python() {
        return;
    }
    let example = repository().join("strategies/python/greedy.py");
    let strategy = program(&["python3", example.to_str().unwrap()], Duration::from_secs(60));
    let stream: Stream = groups(4_000, 5).iter().collect();
    let greedy = judge(&stream, &strategy, false, options(4, 1_000));
    let failures: Vec<_> = greedy.windows.iter().filter_map(|w| w.failure.clone()).collect();
    assert_eq!(failures, Vec::<String>::new());
    let hash = judge(&stream, built("hash").as_ref(), false, options(4, 1_000));
    let (greedy, hash) = (greedy.total(4).cross_shard_ratio(), hash.total(4).cross_shard_ratio());
    assert!(greedy < hash * 0.8, "{greedy} {hash}");
    assert!(Documented::new().ask(&strategy).is_ok());
}

fn shardlab() -> Command {
    Command::new(env!("CARGO_BIN_EXE_shardlab"))
}

/// A trace file in a directory of its own.
fn trace(rows: &[[Address; 2]]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.csv");
    let mut text = "blockNumber,timestamp,transactionHash,from,to,toCreate,fromIsContract,\
                    toIsContract,value\n"
        .to_owned();
    for [from, to] in rows {
        writeln!(text, "1,1,0x,{from},{to},None,0,1,5").unwrap();
    }
    std::fs::write(&file, text).unwrap();
    (directory, file)
}

#[test]
fn the_command_line_prints_a_table_json_and_csv() {
    let (directory, file) = trace(&groups(2_200, 5)[..2_000]);
    let out = directory.path().join("out");
    let run = |arguments: &[&str]| {
        let mut command = shardlab();
        command.args(["partition", "--trace", file.to_str().unwrap(), "--quiet"]).args(arguments);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let asked = ["--strategy", "clpa,fennel:passes=2,oracle", "--shards", "2,4", "--window", "400"];
    let with_out: Vec<&str> =
        asked.into_iter().chain(["--out", out.to_str().unwrap(), "--command", "false"]).collect();
    let (code, table, errors) = run(&with_out);
    assert_eq!(code, Some(0), "{errors}");
    for expected in ["all-local", "fennel:passes=2", "2,000 transactions, windows of 400, 4 judged"]
    {
        assert!(table.contains(expected), "{expected}: {table}");
    }
    assert!(table.contains("false at 2 shards: no answer for 4 of 4 windows"), "{table}");
    let (code, json, _) = run(&asked.into_iter().chain(["--json"]).collect::<Vec<_>>());
    assert_eq!(code, Some(0));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let results = value["results"].as_array().unwrap();
    let names: Vec<_> = results.iter().map(|row| row["strategy"].as_str().unwrap()).collect();
    let expected = ["hash", "clpa", "fennel:passes=2", "oracle", "all-local"];
    assert_eq!(names, [expected, expected].concat());
    assert!(results.iter().all(|row| row["transactions"] == 1_600));
    let of = |strategy: &str, key: &str| {
        let row = results.iter().find(|row| row["strategy"] == strategy).unwrap();
        row[key].as_f64().unwrap()
    };
    assert!(of("clpa", "cross_shard_ratio") < of("hash", "cross_shard_ratio"));
    assert_eq!((of("all-local", "throughput"), of("all-local", "migrations")), (2.0, 0.0));
    // What a machine does not decide is the same the next time.
    let stable = |text: &str| {
        let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
        for row in value["results"].as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("machine");
            for window in row["windows"].as_array_mut().unwrap() {
                window.as_object_mut().unwrap().remove("machine");
            }
        }
        value
    };
    let (_, again, _) = run(&asked.into_iter().chain(["--json"]).collect::<Vec<_>>());
    assert_eq!(stable(&json), stable(&again));
    let rows = |name: &str| std::fs::read_to_string(out.join(name)).unwrap().lines().count();
    assert_eq!((rows("results.csv"), rows("windows.csv")), (1 + 12, 1 + 12 * 4));
    assert!(rows("results.json") > 1);
}

#[test]
fn wrong_arguments_are_refused() {
    let (directory, file) = trace(&groups(200, 5)[..100]);
    let file = file.to_str().unwrap();
    let broken = directory.path().join("broken.csv");
    std::fs::write(&broken, "1,1,0x,0x12,0x34\n").unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["--trace", "/absent.csv"], "cannot read /absent.csv: No such file"),
        (&["--trace", broken.to_str().unwrap()], "line 1, column 4 (from): expected an address"),
        (&["--trace", file, "--strategy", "fenel"], "did you mean \"fennel\"?"),
        (&["--trace", file, "--strategy", "fennel:passes=0"], "fennel.passes must be at least 1"),
        (&["--trace", file, "--window", "51"], "give a --window of at most 50"),
        (&["--trace", file, "--shards", "0"], "0 is not in 1..=65536"),
        (&["--trace", file, "--eta", "0.5"], "expected a number from 1 to 1000"),
    ];
    for (arguments, expected) in cases {
        let output = shardlab().arg("partition").args(arguments).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}
