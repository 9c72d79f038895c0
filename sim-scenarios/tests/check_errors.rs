//! Wrong scenarios and the full text of what is said about them. After a change of messages:
//! `INSTA_UPDATE=always cargo test -p sim-scenarios --test check_errors`, then read the diff.

use std::path::PathBuf;

use sim_scenarios::scenario::{Places, parse};

/// A valid scenario, to be made wrong by one `--set`.
const VALID: &str = r#"name = "valid"

[[phase]]
name = "warmup"
for = "1s"
record = false

[[phase]]
name = "steady"
for = "10s"

[[phase.load]]
kind = "transfer"
rate = 100
"#;

struct Case {
    /// Names the golden file.
    name: &'static str,
    text: &'static str,
    set: &'static [&'static str],
}

fn said(case: &Case) -> String {
    let places = Places { base: PathBuf::from("/nowhere"), data: Some("/no-data".into()) };
    let set: Vec<String> = case.set.iter().map(|text| (*text).to_owned()).collect();
    match parse("wrong.toml", case.text, &set, &places) {
        Ok(_) => panic!("`{}` was accepted", case.name),
        Err(rejected) => rejected.render(false),
    }
}

fn check(cases: &[Case]) {
    for case in cases {
        insta::with_settings!({
            description => format!("{}{}", case.text, case.set.join("\n")),
            omit_expression => true,
            prepend_module_to_snapshot => false,
        }, {
            insta::assert_snapshot!(case.name, said(case));
        });
    }
}

#[test]
fn the_text() {
    check(&[
        Case { name: "empty", text: "", set: &[] },
        Case { name: "not_toml", text: "name = \"x\nseed = = 3\n[network\nshards = 1\n", set: &[] },
        Case { name: "duplicate_key", text: "name = \"x\"\nseed = 1\nseed = 2\n", set: &[] },
        Case { name: "control_character", text: "name = \"a\u{7}b\"\n", set: &[] },
        Case {
            name: "wide_characters",
            text: "name = \"übermäßig große Zahl 数\" # 数\nseed = \"数\"\n\n[[phase]]\nname = \"x\"\nfor = \"1s\"\n",
            set: &[],
        },
        Case {
            name: "table_for_array",
            text: "name = \"x\"\n\n[phase]\nname = \"steady\"\nfor = \"1s\"\n",
            set: &[],
        },
        Case {
            name: "empty_arrays",
            text: "name = \"x\"\nphase = [{ name = \"a\", load = [] }, { name = \"b\", load = 3 }, 4]\n",
            set: &[],
        },
        Case { name: "no_phase", text: "name = \"x\"\nphase = []\n", set: &[] },
        Case {
            name: "array_for_table",
            text: "name = \"x\"\nnetwork = [1]\naccounts = 3\n",
            set: &[],
        },
    ]);
}

#[test]
fn keys() {
    check(&[
        Case {
            name: "unknown_keys",
            text: r#"name = "x"
sede = 1
block_time = "1s"
faults = 3

[netwrok]
shards = 3

[network]
shard = 3
rate = 5
link = { delay = "1s" }

[[phase]]
name = "steady"
for = "1s"

[[phase.load]]
kind = "transfer"
rate = 1
count = 5
"#,
            set: &[],
        },
        Case {
            name: "missing_keys",
            text: "[[phase]]\n\n[[phase.load]]\n\n[[phase.load]]\nkind = \"trace\"\n\n[[phase.load]]\nkind = \"call\"\n",
            set: &[],
        },
        Case {
            name: "wrong_types",
            text: r#"name = 3
seed = "1"

[network]
shards = 2.5
validators = "4"
block_time = 500
gate = true
gas_limit = [1]
base_fee = 7
base_fee_moves = "yes"

[network.bounds]
message_bytes = 1024

[network.links]
bandwidth = 100

[accounts]
popularity = 1.08

[[phase]]
name = "steady"
for = 2026-01-01
record = 1

[[phase.load]]
kind = "transfer"
rate = true
cross_shard = []
"#,
            set: &[],
        },
    ]);
}

#[test]
fn values() {
    check(&[
        Case {
            name: "out_of_bounds",
            text: r#"name = "Not A Name"
seed = -1

[network]
shards = 4294967295
validators = 0
chain_id = 99999999999999999999999999999999999999999
block_time = "0s"
checkpoint_every = "2 days"
gas_limit = 20_999
base_fee = "2 ether"
gate = "certifed"
durability = "tape"

[network.bounds]
nonce_window = 0
message_bytes = "2 GiB"
window_bytes = "128 MiB"

[network.links]
delay = "2m"
bandwidth = "1 bit/s"

[accounts]
count = 1
balance = "0.5 wei"
popularity = { zipf = 0.0 }

[client]
drain_timeout = "1d"
"#,
            set: &[],
        },
        Case {
            name: "faults",
            text: r#"name = "x"

[network]
shards = 2
validators = 1

[[phase]]
name = "steady"
for = "5s"

[[phase.fault]]
kind = "crush"
node = "shard:0"

[[phase.fault]]
kind = "crash"
node = ["shard:2", "shard:0"]
at = "5s"
for = "1s"

[[phase.fault]]
kind = "pause"
node = "client"

[[phase.fault]]
kind = "pause"
node = []
for = "1s"

[[phase.fault]]
kind = "disconnect"
from = "shard:0"
to = "shard:0"
for = "0s"

[[phase.fault]]
kind = "loss"
from = ["leader", "leader"]
to = "everybody"
share = 0.0005
for = "1s"

[[phase.fault]]
kind = "reorder"
from = "*"
to = "*"
for = "1s"
one_way = "yes"
within = "0s"

[[phase.fault]]
kind = "bandwidth"
from = "*"
to = 7
for = "1s"
bandwidth = "unlimited"
"#,
            set: &[],
        },
        Case {
            name: "links",
            text: r#"name = "x"

[network]
shards = 2
validators = 1

[[network.links.override]]
from = "shard:2"
to = "shard:01"
delay = "1ms"

[[network.links.override]]
from = "coordinator:1"
to = "client:0"

[[phase]]
name = "steady"
for = "1s"
"#,
            set: &[],
        },
        Case {
            name: "regions",
            text: r#"name = "x"

[network]
shards = 2
validators = 1

[network.regions]
eu-centrl-1 = "client"
atlantis = "client"
eu-west-1 = ["shard:0", "client"]
us-east-1 = ["shard:*"]
us-west-2 = ["shard:2"]
eu-west-3 = []
sa-east-1 = ["coordinator:0", "coordinator:*"]

[[phase]]
name = "steady"
for = "1s"
"#,
            set: &[],
        },
        Case {
            name: "phases",
            text: r#"name = "x"

[network]
shards = 1

[[phase]]
name = "one"
for = "1s"
record = false

[[phase.load]]
kind = "transfr"

[[phase]]
name = "one"
for = "24h"
record = false

[[phase.load]]
kind = "transfer"
rate = 1_000_000
value = "2000 ether"
cross_shard = 0.5

[[phase.load]]
kind = "trace"
file = "missing.csv"
rate = 0
count = 0

[[phase.load]]
kind = "trace"
file = "data:missing.csv"
rate = 0.0001

[[phase.load]]
kind = "mainnet-blocks"
directory = "data:missing"
blocks = [1, 1]
"#,
            set: &[],
        },
        Case { name: "nothing_recorded", text: VALID, set: &["phase.steady.record=false"] },
        Case { name: "fees", text: VALID, set: &["network.base_fee=1000 gwei"] },
        Case { name: "too_poor", text: VALID, set: &["accounts.balance=0.02 ether"] },
    ]);
}

#[test]
fn calls() {
    check(&[Case {
        name: "calls",
        text: r#"name = "x"

[[phase]]
name = "steady"
for = "1s"

[[phase.load]]
kind = "call"
rate = 1
contract = "erc2"
function = "transfer(address,uint256)"
args = ["account"]
gas = 20_000

[[phase.load]]
kind = "call"
rate = 1
contract = "./missing.json"
instances = 2_000
constructor = ["0x12", 1.5]
function = "f"
mix = [
    { function = "a(address,uint8,bool,bytes32)", args = [1, 256, "account", true] },
    { function = "b(string)" },
    { function = "c(uint7)", weight = 0 },
    { function = "d(uint)", args = ["-1"] },
    { function = "1()" },
]
"#,
        set: &[],
    }]);
}

#[test]
fn thresholds() {
    check(&[Case {
        name: "thresholds",
        text: r#"name = "x"

[[phase]]
name = "warmup"
for = "1s"
record = false

[[phase]]
name = "steady"
for = "1s"

[thresholds]
"stead: finality.p99" = "< 3s"
"other: finality.p99" = "< 3s"
"warmup: finality.p99" = "< 3s"
"finality.p95" = "< 3s"
cross_shard.intra.p99 = "< 3s"
latency = "< 3s"
finality.p50 = "< 3"
finality.p90 = "3s"
finality.p99 = "= 3s"
finality.max = ["> 1s", "< one minute"]
inclusion.count = "> 3s"
throughput_tps = 100
transactions.offered = "< 10%"
transactions.failed = "< 200%"
transactions.settled = "> -1"
checkpoints.finalized = "> nan"
"#,
        set: &[],
    }]);
}

#[test]
fn byzantine() {
    check(&[Case {
        name: "byzantine",
        text: r#"name = "x"
byzantine = [
    { target = "shard:9", behaviour = "equivocate" },
    { target = "client", behaviour = "twins" },
    { target = "shard:1", behaviour = "twins", form = "1s" },
    { target = "coordinator:1", behaviour = "silent", from = "2s" },
    { target = "coordinator:1", behaviour = "garbage" },
    { behaviour = "lazy" },
]

[[phase]]
name = "steady"
for = "1s"
"#,
        set: &[],
    }]);
}

#[test]
fn partitioning() {
    check(&[
        Case {
            name: "partitioning",
            text: r#"name = "x"

[partitioning]
strategy = { name = "fennel", pases = 1 }
epoch = 0
max_moves = "many"
max_accesses = 65_537
window = 0
eta = 0.5
vertex = "lode"
budget = 3

[[phase]]
name = "steady"
for = "1s"
"#,
            set: &[],
        },
        Case {
            name: "partitioning_without_strategy",
            text: "name = \"x\"\n\n[partitioning]\nepoch = 3\n\n[[phase]]\nname = \"steady\"\nfor = \"1s\"\n",
            set: &[],
        },
    ]);
}

#[test]
fn strategies() {
    for (strategy, expected) in [
        ("3", "expected a name, { name ="),
        ("\"clap\"", "did you mean \"clpa\"?"),
        ("\"fennel:passes=1\"", "write { name = \"fennel\", passes = 1 } to change options"),
        ("\"oracle\"", "`shardlab partition --trace FILE --strategy oracle`"),
        ("\"region\"", "write `[network.regions]`"),
        ("\"trace-file\"", "write { name = \"trace-file\", file = \"FILE\" }"),
        ("{ name = \"trace-file\", file = \"homes.csv\" }", "looked for /nowhere/homes.csv"),
        ("{ name = \"fennel\", passes = 0 }", "fennel.passes must be at least 1, not 0"),
        ("{ name = \"fennel\", passes = \"x\" }", "fennel: invalid type"),
        ("{ name = \"fennel\", passes = 2026-01-01 }", "for `partitioning.strategy.passes`"),
        ("{ name = \"fennel\", command = [] }", "expected a name, { name ="),
        ("{ passes = 1 }", "expected a name, { name ="),
        ("{ name = 1 }", "expected the name of a strategy, found an integer"),
        ("{ command = [] }", "expected a program and its arguments"),
        ("{ command = \"python3\" }", "expected an array of strings"),
        ("{ command = [\"./absent\"] }", "looked for /nowhere/absent"),
        ("{ command = [\"true\"], timeout = \"2h\" }", "expected at most 1h"),
        ("{ command = [\"true\"], after = 1 }", "a command has `command` and `timeout`"),
    ] {
        let case = format!("partitioning.strategy={strategy}");
        let places = Places { base: PathBuf::from("/nowhere"), data: Some("/no-data".into()) };
        let rejected = parse("wrong.toml", VALID, &[case], &places).expect_err(strategy);
        let said = rejected.render(false);
        assert!(said.contains(expected), "{strategy}: {said}");
        assert_eq!(said.matches("error: ").count(), 1, "{strategy}: {said}");
    }
    let blocks = "name = \"x\"\n[network]\nchain_id = 1\n[[phase]]\nname = \"p\"\n[[phase.load]]\nkind = \"mainnet-blocks\"\ndirectory = \".\"\n";
    let places = Places { base: std::env::temp_dir(), data: None };
    let set = ["partitioning.strategy=hash".to_owned()];
    let rejected = parse("wrong.toml", blocks, &set, &places).expect_err("blocks");
    assert!(rejected.render(false).contains("`partitioning` does not go with `mainnet-blocks`"));
}

#[test]
fn arguments() {
    check(&[
        Case {
            name: "set_values",
            text: VALID,
            set: &[
                "network.shards=0",
                "network.gates=checkpoint",
                "phase.steady.load.0.rate=fast",
                "phase[0].for=\"0s\"",
                "thresholds.finality.p99=< 3",
                "client.tip={}",
                "seed=0x10",
            ],
        },
        Case {
            name: "set_and_file",
            text: "nme = \"x\"\n\n[[phase]]\nname = \"steady\"\nfor = \"1s\"\n",
            set: &["phase.stead.for=2s", "network.shards=0"],
        },
        Case {
            name: "set_paths",
            text: VALID,
            set: &[
                "",
                "=1",
                "foo",
                "network.=1",
                "network.shards",
                "network shards=1",
                "phase.stedy.for=1s",
                "phase[7].for=1s",
                "phase.steady.load.burst.rate=1",
                "name.first=x",
                "thresholds.\"finality=3",
                "accounts.popularity={zipf=}",
                "phase.steady.load[0].value=\"1 wei",
            ],
        },
    ]);
}
