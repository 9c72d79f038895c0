//! `shardlab import blockemulator` as a user calls it: every setting is mapped or said to be left out,
//! what is wrong is shown with its line, and the scenario that comes out is valid and runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// BlockEmulator's published file, and the golden scenario of it.
const PUBLISHED: &str = include_str!("import/paramsConfig.json");
const GOLDEN: &str = include_str!("import/published.toml");

/// A trace of four transfers, with a contract among them.
const TRACE: &str = "\
blockNumber,timestamp,transactionHash,from,to,toCreate,fromIsContract,toIsContract,value
1,1,0x01,0x00000000000000000000000000000000000000a1,0x00000000000000000000000000000000000000b2,,0,0,5
1,1,0x02,0x00000000000000000000000000000000000000b2,0x00000000000000000000000000000000000000c3,,0,0,6
2,1,0x03,0x00000000000000000000000000000000000000a1,0x00000000000000000000000000000000000000d4,,0,1,7
2,1,0x04,0x00000000000000000000000000000000000000c3,0x00000000000000000000000000000000000000a1,,0,0,8
";

struct Here(tempfile::TempDir);

impl Here {
    /// With a trace at the published name.
    fn new() -> Self {
        let here = Self(tempfile::tempdir().unwrap());
        here.write("selectedTxs_300K.csv", TRACE);
        here
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn shardlab(&self, arguments: &[&str]) -> Output {
        Command::new(assert_cmd::cargo::cargo_bin!("shardlab"))
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Imports a configuration; the scenario and what is said about it.
    fn import(&self, config: &str, more: &[&str]) -> (String, String) {
        self.write("config.json", config);
        let imported = self.shardlab(&[&["import", "blockemulator", "config.json"], more].concat());
        assert_eq!(imported.status.code(), Some(0), "{}", err(&imported));
        (out(&imported), err(&imported))
    }

    /// Fails to import; what is said.
    fn refused(&self, config: &str, more: &[&str]) -> String {
        self.write("config.json", config);
        let refused = self.shardlab(&[&["import", "blockemulator", "config.json"], more].concat());
        assert_eq!((refused.status.code(), out(&refused).as_str()), (Some(2), ""), "{config}");
        err(&refused)
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The published file with a setting changed.
fn with(setting: &str, value: &str) -> String {
    let (before, rest) = PUBLISHED.split_once(&format!("\"{setting}\":")).unwrap();
    let end = rest.find([',', '\n']).unwrap();
    format!("{before}\"{setting}\": {value}{}", &rest[end..])
}

#[test]
fn the_published_configuration() {
    let here = Here::new();
    here.write("paramsConfig.json", PUBLISHED);
    let written =
        here.shardlab(&["import", "blockemulator", "paramsConfig.json", "--out", "mine.toml"]);
    assert_eq!(written.status.code(), Some(0), "{}", err(&written));
    assert_eq!(out(&written), "mine.toml written. Next: shardlab check mine.toml\n");
    assert_eq!(
        err(&written),
        "warning: CLPA_Broker: brokers have no counterpart: CLPA moves accounts as there, and what \
         crosses shards is relayed\n\
         warning: 2000 transactions per second are offered, and the blocks of 4 shards have room \
         for 1600: latency will be the time in the backlog\n"
    );
    let text = fs::read_to_string(here.path().join("mine.toml")).unwrap();
    assert_eq!(text, GOLDEN, "{text}");
    let checked = here.shardlab(&["check", "mine.toml"]);
    assert_eq!(out(&checked), "mine.toml: valid\n", "{}", err(&checked));

    let again =
        here.shardlab(&["import", "blockemulator", "paramsConfig.json", "--out", "mine.toml"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(err(&again).contains("mine.toml exists and is left as it is"), "{}", err(&again));
}

#[test]
fn every_method_gives_a_scenario_that_runs() {
    let here = Here::new();
    for (method, name, moves) in [
        (0, "clpa-broker", true),
        (1, "clpa", true),
        (2, "broker", false),
        (3, "relay", false),
        (4, "broker-b2e", false),
    ] {
        let config = with("ConsensusMethod", &method.to_string());
        let (scenario, said) = here.import(&config, &[]);
        assert!(scenario.contains(&format!("name = \"blockemulator-{name}\"\n")), "{scenario}");
        assert_eq!(scenario.contains("\n[partitioning]\n"), moves, "{scenario}");
        assert_eq!(said.contains("brokers have no counterpart"), name.contains("broker"), "{said}");
        // Its 160,000 transactions would take long; what it says of them is short.
        here.write("small.toml", &scenario);
        let small = [
            "--set",
            "phase.replay.load.0.count=40",
            "--set",
            "network.block_time=500ms",
            "--set",
            "network.checkpoint_every=1s",
            "--seed",
            "1",
            "--quiet",
        ];
        let ran = here.shardlab(&[&["simulate", "small.toml"], &small[..]].concat());
        assert_eq!(out(&ran), format!("blockemulator-{name}: passed\n"), "{}", err(&ran));
    }
}

#[test]
fn what_settings_come_to() {
    let here = Here::new();
    let cases: &[(&str, &str, &[&str])] = &[
        ("Block_Interval", "1500", &["block_time = \"1500ms\"", "checkpoint_every = \"2s\""]),
        ("BlockSize", "500", &["gas_limit = 10_500_000"]),
        ("InjectSpeed", "3000", &["take 6 s\nrate = 2666.666\n"]),
        ("TotalDataSize", "1000", &["rate = 1000\n", "count = 1_000\n", "nonce_window = 1_024"]),
        (
            "ReconfigTimeGap",
            "120",
            &["ReconfigTimeGap = 120 s, in checkpoints of 5s\nepoch = 24\n"],
        ),
        ("ReconfigTimeGap", "1", &["epoch = 1\n"]),
        ("Delay", "100", &["delay = \"100ms\"\njitter = \"0s\"\n"]),
        ("JitterRange", "40", &["delay = \"0s\"\njitter = \"20ms\"\n"]),
        ("Bandwidth", "125", &["bandwidth = \"1 kbit/s\"\n"]),
        ("UseBlocksizeInBytes", "1", &["UseBlocksizeInBytes is left out"]),
    ];
    for (setting, value, expected) in cases {
        let (scenario, _) = here.import(&with(setting, value), &[]);
        for line in *expected {
            assert!(scenario.contains(line), "{setting} = {value}: {line}\n{scenario}");
        }
    }
    let (scenario, _) = here.import(&with("Bandwidth", "-1"), &[]);
    assert!(!scenario.contains("[network.links]"), "{scenario}");
    let jitter = with("Delay", "100").replace("\"JitterRange\": -1", "\"JitterRange\": 41");
    let (scenario, _) = here.import(&jitter, &[]);
    assert!(scenario.contains("delay = \"80ms\"\njitter = \"41ms\"\n"), "{scenario}");
    let (scenario, _) = here.import(PUBLISHED, &["--shards", "16"]);
    assert!(scenario.contains("shards = 16\n"), "{scenario}");
}

#[test]
fn older_names_any_case_and_absent_settings() {
    let here = Here::new();
    let config = r#"{
        "consensusmethod": 3, "BlockInterval": 1000, "MaxBlockSize_global": 100, "InjectSpeed": 10,
        "BatchSize": 20, "FileInput": "./selectedTxs_300K.csv", "ShardNum": 2, "NodesInShard": 7
    }"#;
    let (scenario, said) = here.import(config, &[]);
    for line in ["block_time = \"1s\"", "gas_limit = 2_100_000", "rate = 10\n", "shards = 2\n"] {
        assert!(scenario.contains(line), "{line}\n{scenario}");
    }
    assert!(scenario.contains("#   NodesInShard = 7: a shard is one process\n"), "{scenario}");
    let absent = |key, value| {
        format!(
            "warning: config.json: {key} is absent: its published value {value} is taken; \
             BlockEmulator itself would read 0 or nothing\n"
        )
    };
    assert_eq!(said, absent("TotalDataSize", "160000") + &absent("ReconfigTimeGap", "50"));
}

#[test]
fn unknown_settings_are_warned_of() {
    let here = Here::new();
    let config = PUBLISHED.replacen('{', "{\n\"EnableJustitia\": [1, {}],\n\"BlokSize\": 3,", 1);
    let (scenario, said) = here.import(&config, &[]);
    let expected = "warning: config.json:2: unknown setting EnableJustitia is left out\n\
                    warning: config.json:3: unknown setting BlokSize is left out, did you mean \
                    BlockSize?\n";
    assert!(said.starts_with(expected), "{said}");
    let listed = "#   EnableJustitia = [1,{}]: BlockEmulator v1 has no such setting\n";
    assert!(scenario.contains(listed), "{scenario}");
}

#[test]
fn a_name_stays_in_its_comment() {
    let here = Here::new();
    let (scenario, warnings) = here.import(r#"{"Foo\nseed = 77\n#": 1}"#, &[]);
    assert!(!scenario.lines().any(|line| line.starts_with("seed = 77")), "{scenario}");
    assert!(warnings.contains(r"unknown setting Foo\nseed = 77\n# is left out"), "{warnings}");
}

#[test]
fn what_is_wrong_is_shown_with_its_line() {
    let here = Here::new();
    let cases = [
        (
            "ConsensusMethod",
            "\"CLPA\"",
            "config.json:2:",
            "expected a whole number from 0 to 4, found a string",
        ),
        ("ConsensusMethod", "5", "config.json:2:", "wrong value for `ConsensusMethod`"),
        ("Block_Interval", "0", "config.json:8:", "expected a whole number from 1 to 3600000"),
        ("Block_Interval", "5000.5", "config.json:8:", "found a fraction"),
        ("Block_Interval", "99999999999999999999", "config.json:8:", "wrong value for"),
        ("InjectSpeed", "-1", "config.json:14:", "wrong value for `InjectSpeed`"),
        ("DatasetFile", "7", "config.json:21:", "expected the path of a CSV file"),
        ("DatasetFile", "\"\"", "config.json:21:", "wrong value for `DatasetFile`"),
        ("Delay", "60001", "config.json:24:", "at most 60000"),
        ("Bandwidth", "0", "config.json:26:", "at least 125 bytes per second"),
        ("UseBlocksizeInBytes", "true", "config.json:12:", "found a boolean"),
        ("TotalDataSize", "null", "config.json:15:", "found null"),
    ];
    for (setting, value, place, expected) in cases {
        let said = here.refused(&with(setting, value), &[]);
        assert!(said.contains(place) && said.contains(expected), "{setting}: {value}\n{said}");
        assert!(said.ends_with("config.json: 1 problem\n"), "{said}");
    }
    let both = with("Delay", "\"x\"").replace("\"BlockSize\": 2000", "\"BlockSize\": []");
    assert!(here.refused(&both, &[]).ends_with("config.json: 2 problems\n"));
    let twice = PUBLISHED.replacen('{', "{\n\"BlockInterval\": 3,", 1);
    let said = here.refused(&twice, &[]);
    assert!(said.contains("`Block_Interval` is there twice"), "{said}");
}

#[test]
fn files_that_are_of_no_use() {
    let here = Here::new();
    let cases: [(&[u8], &str); 6] = [
        (b"", "not JSON"),
        (b"[]", "no JSON object"),
        (b"{\"BlockSize\": 1,}", "config.json:1:17"),
        (b"name = \"x\"", "not JSON"),
        (b"\xff{}", "cannot read config.json"),
        (&[b'['; 5_000], "recursion limit"),
    ];
    for (content, expected) in cases {
        here.write("config.json", content);
        let refused = here.shardlab(&["import", "blockemulator", "config.json"]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(err(&refused).contains(expected), "{}", err(&refused));
    }
    here.write("config.json", vec![b' '; (1 << 20) + 1]);
    let large = here.shardlab(&["import", "blockemulator", "config.json"]);
    assert!(err(&large).contains("longer than 1 MiB"), "{}", err(&large));
    let absent = here.shardlab(&["import", "blockemulator", "absent.json"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(err(&absent).contains("cannot read absent.json"), "{}", err(&absent));
    assert_eq!(here.shardlab(&["import", "caliper", "x"]).status.code(), Some(2));
}

#[test]
fn the_trace_is_where_the_scenario_finds_it() {
    let here = Here::new();
    let (beside, _) = here.import(PUBLISHED, &[]);
    assert!(beside.contains("\nfile = \"selectedTxs_300K.csv\"\n"), "{beside}");

    fs::create_dir(here.path().join("traces")).unwrap();
    here.write("traces/mine.csv", TRACE);
    let (below, _) = here.import(PUBLISHED, &["--trace", "traces/mine.csv"]);
    assert!(below.contains("\nfile = \"traces/mine.csv\"\n"), "{below}");

    let out_file = "traces/scenario.toml";
    let (_, _) = here.import(PUBLISHED, &["--out", out_file]);
    let elsewhere = fs::read_to_string(here.path().join(out_file)).unwrap();
    let whole = here.path().canonicalize().unwrap().join("selectedTxs_300K.csv");
    let expected = toml::Value::String(whole.to_str().unwrap().to_owned()).to_string();
    assert!(elsewhere.contains(&format!("\nfile = {expected}\n")), "{elsewhere}");
    let checked = here.shardlab(&["check", out_file]);
    assert_eq!(out(&checked), format!("{out_file}: valid\n"), "{}", err(&checked));

    let said = here.refused(PUBLISHED, &["--trace", "absent.csv"]);
    assert!(said.contains("--trace: there is no file") && said.contains("absent.csv"), "{said}");
    fs::remove_file(here.path().join("selectedTxs_300K.csv")).unwrap();
    let said = here.refused(PUBLISHED, &[]);
    assert!(said.contains("DatasetFile: there is no file"), "{said}");
    assert!(said.contains("--trace FILE"), "{said}");
}
