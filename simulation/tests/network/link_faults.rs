//! Links break in every way, on reliable and on raw links; then all must settle.

use simulation::{Fault, FaultPlan, LinkSet, Mode};

use crate::support::{Conditions, SHARDS, Scene, VALIDATORS, at, coordinator, millis, shard};

fn everybody() -> LinkSet {
    let nodes: Vec<_> = (0..SHARDS).map(shard).chain((0..VALIDATORS).map(coordinator)).collect();
    LinkSet::between(nodes.clone(), nodes)
}

fn storm() -> FaultPlan {
    let (links, span) = (everybody(), millis(4_000));
    let faults = [
        Fault::Loss { links: links.clone(), per_mille: 50, span },
        Fault::Duplicate { links: links.clone(), per_mille: 50, span },
        Fault::Reorder { links: links.clone(), per_mille: 100, within: millis(200), span },
        Fault::Delay { links: links.clone(), delay: millis(20), jitter: millis(20), span },
        Fault::Bandwidth { links, bytes_per_second: 2_000_000, span },
    ];
    faults.into_iter().map(|fault| (at(500), fault)).collect()
}

#[test]
fn a_storm_on_all_links_breaks_nothing_and_passes() {
    for mode in [Mode::Reliable, Mode::Raw] {
        for seed in 0..4 {
            let mut scene = Scene::new(&Conditions { mode, ..Conditions::new(seed) });
            scene.plan(&storm());
            let tally = scene.settle(at(25_000));
            assert!(tally.checkpoints > 40, "{mode:?}, seed {seed}: {tally:?}");
            let statistics = scene.world.statistics();
            assert_eq!(statistics.lost > 0, mode == Mode::Raw, "{statistics:?}");
            assert_eq!(statistics.duplicated > 0, mode == Mode::Raw, "{statistics:?}");
        }
    }
}

#[test]
fn a_split_committee_finalizes_on_one_side_at_most() {
    for mode in [Mode::Reliable, Mode::Raw] {
        let mut scene = Scene::new(&Conditions { mode, ..Conditions::new(2) });
        let two = LinkSet::between([0, 1].map(coordinator), [2, 3].map(coordinator));
        scene.run(at(1_000));
        let fault = scene.world.disconnect(&two);
        scene.run(at(1_200));
        let before = scene.tally.borrow().checkpoints;
        scene.run(at(5_000));
        assert_eq!(scene.tally.borrow().checkpoints, before, "two against two");
        scene.world.heal(fault);
        let tally = scene.settle(at(20_000));
        assert!(tally.checkpoints > before + 30, "{mode:?}: {tally:?}");
    }
}

#[test]
fn a_shard_that_nobody_hears_catches_up() {
    for (mode, both_ways) in [(Mode::Reliable, false), (Mode::Raw, false), (Mode::Raw, true)] {
        let mut scene = Scene::new(&Conditions { mode, ..Conditions::new(7) });
        let others: Vec<_> =
            (1..SHARDS).map(shard).chain((0..VALIDATORS).map(coordinator)).collect();
        let links = LinkSet { both_ways, ..LinkSet::one_way([shard(0)], others) };
        let plan =
            FaultPlan::new().with(at(1_000), Fault::Disconnect { links, span: millis(3_000) });
        scene.plan(&plan);
        scene.run(at(3_900));
        let covered = scene.tally.borrow().covered.clone();
        assert!(covered[&0] < 20 && covered[&1] > 30, "{covered:?}");
        let tally = scene.settle(at(25_000));
        assert!(tally.covered[&0] > 200, "{tally:?}");
    }
}
