//! `shardlab check`, `new` and `examples` as a user calls them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory of one test's own.
struct Here(PathBuf);

impl Here {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("shardlab-cli-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn shardlab(&self, arguments: &[&str]) -> Output {
        Command::new(assert_cmd::cargo::cargo_bin!("shardlab"))
            .args(arguments)
            .current_dir(&self.0)
            .env_remove("SHARDLAB_DATA")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), content).unwrap();
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn sweeps_and_experiments_that_ship_are_valid() {
    let here = Here::new("shipped");
    for folder in ["sweeps", "experiments"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(folder);
        let files: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{}", folder.display());
        for file in files {
            let checked = here.shardlab(&["check", file.to_str().unwrap()]);
            assert_eq!(code(&checked), 0, "{}", err(&checked));
        }
    }
}

#[test]
fn new_writes_a_valid_scenario_and_overwrites_nothing() {
    let here = Here::new("new");
    let written = here.shardlab(&["new", "mine"]);
    assert_eq!(code(&written), 0, "{}", err(&written));
    assert_eq!(out(&written), "mine.toml written. Next: shardlab check mine.toml\n");
    let checked = here.shardlab(&["check", "mine.toml"]);
    assert_eq!((code(&checked), out(&checked)), (0, "mine.toml: valid\n".to_owned()));

    here.write("mine.toml", "mine");
    let again = here.shardlab(&["new", "mine"]);
    assert_eq!(code(&again), 2);
    assert!(err(&again).contains("mine.toml exists"), "{}", err(&again));
    assert_eq!(fs::read_to_string(here.0.join("mine.toml")).unwrap(), "mine");

    assert_eq!(code(&here.shardlab(&["new", "mine", "--out", "other.toml"])), 0);
    assert!(here.0.join("other.toml").exists());
    assert_eq!(code(&here.shardlab(&["new", "../up"])), 2);
    assert_eq!(code(&here.shardlab(&["new", "x", "--out", "no/such/directory"])), 2);
}

#[test]
fn examples_are_listed_and_printed() {
    let here = Here::new("examples");
    let listed = here.shardlab(&["examples"]);
    assert_eq!(code(&listed), 0);
    for name in ["quickstart", "transfers", "mainnet-blocks", "throughput", "restarts", "migration"]
    {
        assert!(out(&listed).lines().any(|line| line.starts_with(name)), "{}", out(&listed));
    }
    let printed = here.shardlab(&["examples", "quickstart"]);
    assert_eq!(code(&printed), 0);
    here.write("quickstart.toml", out(&printed));
    assert_eq!(code(&here.shardlab(&["check", "quickstart.toml"])), 0);
    let unknown = here.shardlab(&["examples", "quick"]);
    assert_eq!(code(&unknown), 2);
    assert!(err(&unknown).contains("there are quickstart,"), "{}", err(&unknown));
}

#[test]
fn check_prints_the_scenario_and_json() {
    let here = Here::new("check");
    here.write("a.toml", out(&here.shardlab(&["examples", "quickstart"])));
    let printed = here.shardlab(&["check", "a.toml", "--print", "--set", "network.shards=8"]);
    assert_eq!(code(&printed), 0);
    assert!(out(&printed).contains("\nshards = 8\n"));
    here.write("b.toml", out(&printed));
    assert_eq!(out(&here.shardlab(&["check", "b.toml", "--print"])), out(&printed));

    let json = here.shardlab(&["check", "b.toml", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["valid"], true);
    assert_eq!(json["scenario"]["network"]["shards"], 8);

    let json = here.shardlab(&["check", "b.toml", "--json", "--set", "seed=x"]);
    assert_eq!(code(&json), 2);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["valid"], false);
    let problem = &json["problems"][0];
    assert_eq!((&problem["file"], &problem["line"]), (&"--set".into(), &1.into()));
    assert_eq!(problem["column"], 6);
}

#[test]
fn files_that_cannot_be_read() {
    let here = Here::new("files");
    here.write("latin1.toml", b"name = \"x\"\n# caf\xe9\n");
    here.write("large.toml", " ".repeat((1 << 20) + 1));
    fs::create_dir(here.0.join("directory.toml")).unwrap();
    for (file, said) in [
        ("missing.toml", "error: cannot read missing.toml: "),
        ("latin1.toml", " --> latin1.toml:2:6\n  |\n2 | # caf�\n  |      ^ expected UTF-8"),
        ("large.toml", "error: large.toml is larger than 1 MiB"),
        ("directory.toml", "error: cannot read directory.toml: "),
    ] {
        let output = here.shardlab(&["check", file]);
        assert_eq!(code(&output), 2, "{file}");
        assert!(err(&output).contains(said), "{file}: {}", err(&output));
        assert_eq!(out(&output), "");
    }
}

#[test]
fn files_of_a_scenario_are_found() {
    let here = Here::new("data");
    let trace =
        "name = \"x\"\n[[phase]]\nname = \"p\"\n[[phase.load]]\nkind = \"trace\"\nrate = 1\n";
    fs::create_dir_all(here.0.join("shared/data")).unwrap();
    fs::create_dir_all(here.0.join("project/scenarios")).unwrap();
    here.write("shared/data/t.csv", "");
    here.write("project/near.csv", "");
    let check = |file: &str| {
        here.write("project/scenarios/x.toml", format!("{trace}file = \"{file}\"\n"));
        code(&here.shardlab(&["check", "project/scenarios/x.toml"]))
    };
    assert_eq!(check("../near.csv"), 0);
    assert_eq!(check("data:t.csv"), 0);
    assert_eq!(check("near.csv"), 2);
    assert_eq!(check("data:u.csv"), 2);
    assert_eq!(check("data:"), 2);

    here.write("x.toml", format!("{trace}file = \"data:t.csv\"\n"));
    let bare = here.shardlab(&["check", "x.toml"]);
    assert_eq!(code(&bare), 0, "in the directory that it is called in: {}", err(&bare));

    let elsewhere = |data: &Path| {
        Command::new(assert_cmd::cargo::cargo_bin!("shardlab"))
            .args(["check", "project/scenarios/x.toml"])
            .current_dir(&here.0)
            .env("SHARDLAB_DATA", data)
            .output()
            .unwrap()
    };
    check("data:near.csv");
    assert_eq!(code(&elsewhere(&here.0.join("project"))), 0);
    assert_eq!(code(&elsewhere(&here.0)), 2);
}

#[test]
fn wrong_options() {
    let here = Here::new("options");
    for arguments in [&["chek"][..], &["check"], &["check", "--set"], &["--nope"], &[]] {
        let output = here.shardlab(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["check", "--help"]] {
        let output = here.shardlab(arguments);
        assert_eq!(code(&output), 0, "{arguments:?}");
        assert!(output.stderr.is_empty() && !output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn no_colour_without_a_terminal() {
    let here = Here::new("colour");
    here.write("x.toml", "nme = 1\n");
    assert!(!err(&here.shardlab(&["check", "x.toml"])).contains('\u{1b}'));
}

/// A quickstart in which `count` coordinators are silent.
fn with_silent(here: &Here, count: usize) {
    let printed = here.shardlab(&["check", "--print", "new.toml"]);
    let silent = (0..count).map(|index| {
        format!("\n[[byzantine]]\ntarget = \"coordinator:{index}\"\nbehaviour = \"silent\"\n")
    });
    here.write("silent.toml", out(&printed) + &silent.collect::<String>());
}

#[test]
fn byzantine_nodes_are_for_the_simulated_world_and_too_many_are_warned_of() {
    let here = Here::new("byzantine");
    assert_eq!(code(&here.shardlab(&["new", "new"])), 0);

    with_silent(&here, 1);
    let checked = here.shardlab(&["check", "silent.toml"]);
    assert_eq!((code(&checked), out(&checked)), (0, "silent.toml: valid\n".to_owned()));
    assert!(!(out(&checked) + &err(&checked)).contains("safety"), "{}", err(&checked));
    let run = here.shardlab(&["run", "silent.toml"]);
    assert_eq!(code(&run), 2);
    let said = err(&run);
    assert!(said.contains("silent.toml:") && said.contains("simulate"), "{said}");

    with_silent(&here, 2);
    let checked = here.shardlab(&["check", "silent.toml"]);
    assert_eq!(code(&checked), 0, "{}", err(&checked));
    let said = out(&checked) + &err(&checked);
    assert!(said.contains("safety is not promised"), "{said}");
}
