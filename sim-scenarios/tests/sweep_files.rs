//! `[sweep]` in files: what is accepted, what is refused and where it points, what is printed.

use sim_scenarios::scenario::{
    Bound, Order, Places, SweepCell, SweepFile, SweepWorld, parse, parse_sweep,
};

const BASE: &str = r#"
name = "file"

[[phase]]
name = "steady"
for = "1s"

[[phase.load]]
kind = "transfer"
rate = 10
"#;

fn places() -> Places {
    Places { base: ".".into(), data: None }
}

fn read(sweep: &str) -> Result<SweepFile, String> {
    let set: [String; 0] = [];
    let text = format!("{BASE}{sweep}");
    parse_sweep("file.toml", &text, &set, &places()).map_err(|rejected| rejected.to_string())
}

fn labels(file: &SweepFile) -> Vec<String> {
    file.cells.iter().map(|cell| file.labels(cell).join(" ")).collect()
}

#[test]
fn the_last_axis_varies_fastest() {
    let file = read(
        "[sweep.matrix]\n\"network.shards\" = [2, 8]\n\"phase.steady.load.0.rate\" = [5, 0.5, \"7\"]\n",
    )
    .unwrap();
    assert_eq!(labels(&file), ["2 5", "2 0.5", "2 7", "8 5", "8 0.5", "8 7"]);
    assert_eq!(file.cells[4].scenario.network.shards, 8);
    assert_eq!(
        file.sweep.axes.iter().map(|axis| axis.name.as_str()).collect::<Vec<_>>(),
        ["shards", "rate"]
    );
    assert_eq!((file.sweep.repeats, file.sweep.order), (5, Order::Interleaved));
    assert_eq!(file.sweep.world, SweepWorld::Simulate);
    assert!(file.cells.iter().all(|cell| cell.baseline == 0 && cell.bound.is_none()));
}

#[test]
fn keys_without_quotes_mean_the_same() {
    let quoted = read("[sweep.matrix]\n\"network.bounds.mempool\" = [100, 200]\n").unwrap();
    let plain = read("[sweep.matrix]\nnetwork.bounds.mempool = [100, 200]\n").unwrap();
    assert_eq!(quoted, plain);
}

#[test]
fn fields_can_vary_together() {
    let file =
        read("[sweep.matrix]\n\"network.shards, phase[0].load[0].rate\" = [[2, 10], [4, 20]]\n")
            .unwrap();
    assert_eq!(labels(&file), ["2, 10", "4, 20"]);
    assert_eq!(file.cells[1].scenario.network.shards, 4);
}

#[test]
fn a_sweep_without_a_matrix_repeats_one_cell() {
    let file = read("[sweep]\nrepeats = 20\n").unwrap();
    assert_eq!((file.cells.len(), file.sweep.repeats), (1, 20));
}

#[test]
fn strategies_get_their_bounds() {
    let file = read(
        "[sweep.matrix]\n\"network.shards\" = [2, 4]\n\
         \"partitioning.strategy\" = [\"hash\", \"clpa\", { name = \"fennel\", gamma = 1.6 }]\n",
    )
    .unwrap();
    let shown: Vec<String> = labels(&file).into_iter().take(4).collect();
    assert_eq!(
        shown,
        ["2 lower bound (hash)", "2 clpa", "2 fennel(gamma=1.6)", "2 upper bound (all local)"]
    );
    let bounds: Vec<Option<Bound>> = file.cells.iter().map(|cell| cell.bound).collect();
    assert_eq!(bounds[..4], [Some(Bound::Lower), None, None, Some(Bound::Upper)]);
    let baselines: Vec<usize> = file.cells.iter().map(|cell| cell.baseline).collect();
    assert_eq!(baselines, [0, 0, 0, 0, 4, 4, 4, 4]);
    let local: Vec<bool> = file.cells.iter().map(|cell| cell.scenario.accounts.all_local).collect();
    assert_eq!(local, [false, false, false, true, false, false, false, true]);
    // Whoever moves accounts would undo what is local.
    let moves = |cell: &SweepCell| cell.scenario.partitioning.is_some();
    assert!(file.cells.iter().all(|cell| moves(cell) != (cell.bound == Some(Bound::Upper))));
}

#[test]
fn a_scenario_with_a_strategy_gets_its_bounds_too() {
    let file = read(
        "[partitioning]\nstrategy = \"clpa\"\n[sweep.matrix]\n\"partitioning.epoch\" = [2, 4]\n",
    )
    .unwrap();
    let expected = [
        "lower bound (hash) 2",
        "lower bound (hash) 4",
        "clpa 2",
        "clpa 4",
        "upper bound (all local) 2",
        "upper bound (all local) 4",
    ];
    assert_eq!(labels(&file), expected);
}

#[test]
fn the_baseline_can_be_chosen() {
    let sweep = "[sweep.baseline]\n\"partitioning.strategy\" = \"clpa\"\n\
                 [sweep.matrix]\n\"network.shards\" = [2, 4]\n\"partitioning.strategy\" = [\"clpa\"]\n";
    let file = read(sweep).unwrap();
    let baselines: Vec<usize> = file.cells.iter().map(|cell| cell.baseline).collect();
    assert_eq!(baselines, [1, 1, 1, 4, 4, 4]);
    let wrong = read(&sweep.replace("\"clpa\"\n[sweep.m", "\"metis\"\n[sweep.m")).unwrap_err();
    assert!(wrong.contains("never is metis"), "{wrong}");
}

#[test]
fn what_is_printed_is_the_same_sweep() {
    for sweep in [
        "[sweep]\nrepeats = 3\norder = \"random\"\nlevel = 0.9\n",
        "[sweep.matrix]\n\"network.shards, phase[0].load[0].rate\" = [[2, 10], [4, 20]]\n",
        "[partitioning]\nstrategy = \"clpa\"\n[sweep.matrix]\n\"partitioning.epoch\" = [2, 4]\n",
        "[sweep.baseline]\n\"partitioning.strategy\" = \"clpa\"\n[sweep.matrix]\n\
         \"partitioning.strategy\" = [\"clpa\", { name = \"fennel\", gamma = 1.6 }]\n",
    ] {
        let file = read(sweep).unwrap();
        let printed = file.printed();
        let again = parse_sweep("printed.toml", &printed, &[], &places())
            .unwrap_or_else(|rejected| panic!("{rejected}\n{printed}"));
        assert_eq!(again.printed(), printed);
        assert_eq!(labels(&again), labels(&file), "{printed}");
        let of = |file: &SweepFile| {
            file.cells.iter().map(|cell| cell.scenario.clone()).collect::<Vec<_>>()
        };
        assert_eq!(of(&again), of(&file), "{printed}");
    }
}

/// What is written, and what must be said about it.
#[test]
fn mistakes_are_named_with_their_place_and_cell() {
    for (sweep, expected) in [
        (
            "[sweep.matrix]\n\"network.shards\" = [2, 0]\n\"network.validators\" = [1, 4]\n",
            &[
                "wrong value for `network.shards` in 2 of 4 cells, such as `shards = 0, validators = 1`",
                "file.toml:12:24",
            ][..],
        ),
        (
            "[sweep.matrix]\n\"network.gate\" = [\"certified\", \"chekpoint\"]\n",
            &["in cell `gate = chekpoint`", "did you mean \"checkpoint\"?"],
        ),
        (
            "[sweep.matrix]\n\"network.shard\" = [2, 4]\n",
            &["unknown key `shard` in `network`", "did you mean `shards`?", "file.toml:12:1"],
        ),
        (
            "[sweep.matrix]\n\"network.shards\" = 4\n",
            &["expected an array of values, found an integer"],
        ),
        ("[sweep.matrix]\n\"network.shards\" = []\n", &["expected at least one value"]),
        ("[sweep.matrix]\n\"network.shards\" = [4, 4]\n", &["this value is there already"]),
        ("[sweep.matrix]\nseed = [1, 2]\n", &["the matrix varies `seed`", "`repeats` does"]),
        ("[sweep.matrix]\nname = [\"a\"]\n", &["the matrix varies `name`"]),
        ("[sweep.matrix]\n\"network..x\" = [1]\n", &["is not the path of a field"]),
        ("[sweep.matrix]\n\"phase.other.for\" = [\"1s\"]\n", &["cannot vary this field"]),
        (
            "[sweep.matrix]\n\"network.shards, network.gate\" = [[2, \"certified\"], [3]]\n",
            &["expected an array of 2 values, one for each field"],
        ),
        (
            "[sweep.matrix]\n\"network.shards\" = [2]\nnetwork.shards = [3]\n",
            &["`network.shards` is varied twice"],
        ),
        (
            "[sweep.matrix]\n\"network.shards, network.shards\" = [[2, 3]]\n",
            &["`network.shards` is varied twice"],
        ),
        (
            "[sweep.matrix]\n\"accounts.count\" = [20]\n\"accounts\" = [{ count = 30 }]\n",
            &["`accounts` is varied twice"],
        ),
        (
            "[sweep.matrix]\n\"partitioning.strategy\" = [\"clpa\"]\n\"accounts.all_local\" = [true]\n",
            &["`accounts.all_local` is varied beside a strategy"],
        ),
        ("[sweep]\nrepeat = 3\n", &["unknown key `repeat` in `sweep`", "did you mean `repeats`?"]),
        ("[sweep]\nrepeats = 0\n", &["expected a whole number from 1 to 1,000"]),
        ("[sweep]\norder = \"interleave\"\n", &["did you mean \"interleaved\"?"]),
        (
            "[sweep]\nmetrics = [\"throughput\"]\n",
            &["there is no metric \"throughput\"", "see docs/output.md"],
        ),
        (
            "[sweep]\nmetrics = [\"latency_ms.settlement.all.p55\"]\n",
            &["did you mean \"latency_ms.settlement.all.p50\"?"],
        ),
        (
            "[sweep.baseline]\n\"network.shard\" = 2\n[sweep.matrix]\n\"network.shards\" = [2, 4]\n",
            &["`network.shard` is not varied", "did you mean `network.shards`?"],
        ),
        ("[sweep]\nlevel = 95\n", &["expected a share from 0.5 to 0.999"]),
    ] {
        let said = read(sweep).expect_err(sweep);
        for expected in expected {
            assert!(said.contains(expected), "{sweep}\nmust say: {expected}\nsays: {said}");
        }
    }
}

#[test]
fn a_field_is_not_set_and_varied() {
    let text = format!("{BASE}[sweep.matrix]\n\"phase[0].load[0].rate\" = [10, 20]\n");
    let set = ["phase[0].load[0].rate=5".to_owned()];
    let said = parse_sweep("file.toml", &text, &set, &places()).unwrap_err().to_string();
    assert!(said.contains("--set:1:1") && said.contains("is varied by the matrix"), "{said}");
    let set = ["sweep.repeats=2".to_owned(), "network.shards=2".to_owned()];
    let file = parse_sweep("file.toml", &text, &set, &places()).unwrap();
    assert_eq!((file.sweep.repeats, file.cells[0].scenario.network.shards), (2, 2));
}

#[test]
fn a_problem_of_the_base_is_told_once() {
    let text = "name = \"x\"\n[network]\nshards = \"two\"\n[sweep.matrix]\n\"network.validators\" = [1, 4]\n";
    let said = parse_sweep("file.toml", text, &[], &places()).unwrap_err().to_string();
    assert!(said.contains("wrong type for `network.shards`\n"), "{said}");
    assert_eq!(said.matches("wrong type").count(), 1, "{said}");
}

#[test]
fn other_commands_say_what_to_do_with_a_sweep() {
    let text = format!("{BASE}[sweep]\nrepeats = 2\n");
    let said = parse("file.toml", &text, &[], &places()).unwrap_err().to_string();
    assert!(said.contains("this scenario is a sweep of many runs"), "{said}");
    assert!(said.contains("`shardlab sweep FILE` runs it"), "{said}");
    let plain = parse_sweep("file.toml", BASE, &[], &places()).unwrap_err().to_string();
    assert!(plain.contains("there is no `[sweep]`") && plain.contains("[sweep.matrix]"), "{plain}");
}
