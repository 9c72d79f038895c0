//! Wrong input: said before anything is started.

use std::fs;

use crate::lab::{Finished, Lab, TRANSFERS};

#[track_caller]
fn refused(run: &Finished, said: &[&str]) {
    run.ended(2);
    assert_eq!(run.out, "");
    for text in said {
        assert!(run.err.contains(text), "{text}: {}", run.err);
    }
    assert!(!run.directory.join("nodes").exists());
}

#[test]
fn wrong_scenarios() {
    let lab = Lab::new(&TRANSFERS.replace("shards = 2", "shard = 2"));
    let caret = "  |\n5 | shard = 2\n  | ^^^^^ did you mean `shards`?";
    refused(&lab.run("out", &[]), &["unknown key `shard`", "scenario.toml:5:1", caret]);

    let lab = Lab::new(TRANSFERS);
    let slip = lab.run("out", &["--set", "network.shrads=3"]);
    refused(&slip, &["unknown key `shrads`", "did you mean `shards`?"]);
    let path = lab.run("out", &["--set", "phase.nowhere.for=1s"]);
    refused(&path, &["nowhere"]);
    let value = lab.run("out", &["--set", "network.shards=0"]);
    refused(&value, &["network.shards=0"]);
    fs::remove_file(lab.path("scenario.toml")).unwrap();
    refused(&lab.run("out", &[]), &["cannot read scenario.toml"]);
    assert!(!lab.path("out").exists());
}

#[test]
fn files_of_another_run_are_left_alone() {
    let lab = Lab::new(TRANSFERS);
    fs::create_dir(lab.path("out")).unwrap();
    lab.write("out/summary.json", "mine");
    let said = ["out is not empty; name another directory with --out"];
    refused(&lab.run("out", &[]), &said);
    assert_eq!(fs::read_to_string(lab.path("out/summary.json")).unwrap(), "mine");
    let out = lab.path("out");
    let up = lab.start("out", &["up", "--out", out.to_str().unwrap()]).finish();
    refused(&up, &said);
    // A file where the directory should be.
    lab.write("file", "");
    refused(&lab.run("file", &[]), &["file: "]);
}

#[test]
fn ports_beyond_the_last() {
    let lab = Lab::new("");
    let up = lab.start("up", &["up", "--shards", "4", "--metrics-port", "65530"]).finish();
    refused(&up, &["the 8 nodes take a port each, and ports end at 65535"]);
}

#[test]
fn a_log_filter_that_is_none() {
    let lab = Lab::new(TRANSFERS);
    let program = assert_cmd::cargo::cargo_bin!("shardlab");
    let mut command = std::process::Command::new("env");
    command.arg("SHARDLAB_LOG=a=b=c").arg(program).args(["run", "scenario.toml", "--out", "out"]);
    let run = lab.start_program("out", &mut command).finish();
    refused(&run, &["SHARDLAB_LOG=a=b=c is not a valid log filter"]);
}

/// The processes of a network are not meant for people, who may try all the same.
#[test]
fn node_files_of_no_use() {
    let lab = Lab::new(TRANSFERS);
    for role in ["shard-node", "coordinator"] {
        lab.write("bad.node", [0xff; 64]);
        let run = lab.start("bad", &[role, "bad.node"]).finish();
        run.ended(1);
        let said = "bad.node: not a node file of this version of shardlab";
        assert!(run.err.contains(said), "{}", run.err);
        let run = lab.start("none", &[role, "none.node"]).finish();
        run.ended(1);
        assert!(run.err.starts_with("none.node: "), "{}", run.err);
    }
}
