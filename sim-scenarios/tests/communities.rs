//! `kind = "communities"`: what is planned is what the parameters say.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use partitioning::{Allocation, Base, Residents};
use sim_scenarios::scenario::{Places, Scenario, parse};
use sim_scenarios::workload::{self, Planned, Stage, Workers, Workload};

const SHARDS: u32 = 4;

fn scenario(accounts: &str, load: &str) -> Scenario {
    let text = format!(
        "name = \"villages\"\nseed = 5\n[network]\nshards = {SHARDS}\n[accounts]\n{accounts}\n\
         [[phase]]\nname = \"quiet\"\nfor = \"3s\"\nrecord = false\n[[phase]]\nname = \"steady\"\n\
         for = \"20s\"\n[[phase.load]]\nkind = \"communities\"\nrate = 250\n{load}"
    );
    let places = Places { base: PathBuf::from("."), data: None };
    parse("villages.toml", &text, &[], &places).unwrap_or_else(|rejected| panic!("{rejected}"))
}

fn build(scenario: &Scenario) -> Workload {
    let none = |path: &Path| -> std::io::Result<Box<dyn Read>> {
        Err(std::io::Error::new(std::io::ErrorKind::NotFound, path.display().to_string()))
    };
    let allocation = Allocation::new(SHARDS, Base::Hash, Residents::standard(SHARDS));
    workload::build(scenario, &allocation, &none, &Workers::single()).unwrap()
}

fn run(workload: &Workload) -> impl Iterator<Item = &Planned> {
    workload.transactions.iter().filter(|plan| plan.stage == Stage::Run)
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn a_society_is_a_function_of_its_seed() {
    let load = "[phase.load.drift]\nevery = \"2s\"\nmembers = 0.2\nhot = 0.2\n";
    let mut scenario = scenario("count = 500", load);
    let (one, other) = (build(&scenario), build(&scenario));
    assert_eq!(one.transactions, other.transactions);
    assert_eq!(one.planted, other.planted);
    assert_eq!(one.planted[0].periods, 9);
    scenario.seed = 6;
    assert_ne!(build(&scenario).transactions, one.transactions);
    workload::sign(&one, &Workers::single()).unwrap();
}

#[test]
fn traffic_stays_inside_as_asked() {
    for inside in [0.0, 0.3, 0.9, 1.0] {
        let load = format!("communities = 8\ninside = {inside:?}\nsizes = {{ zipf = 0.7 }}\n");
        let workload = build(&scenario("count = 400", &load));
        let planted = &workload.planted[0];
        let found = planted.inside_share().as_f64();
        assert!((found - inside).abs() < 0.03, "{found} instead of {inside}");
        // What addresses say is what was counted: nothing drifts.
        let community: BTreeMap<Address, u32> = planted.community.iter().copied().collect();
        let hubs: BTreeSet<Address> = planted.hubs.iter().copied().collect();
        let mut counted = (0, 0);
        for plan in run(&workload).filter(|plan| !plan.input.is_empty()) {
            let to = plan.to.unwrap();
            if hubs.contains(&to) {
                continue;
            }
            let sender = workload.users[plan.sender.0 as usize].address;
            if community[&sender] == community[&to] { counted.0 += 1 } else { counted.1 += 1 }
        }
        let calls = share(counted.0, counted.0 + counted.1);
        assert!((calls - inside).abs() < 0.05, "{calls} of the calls instead of {inside}");
    }
}

#[test]
fn the_mix_is_as_asked_and_contracts_are_real() {
    let load = "transfers = 0.5\ntoken_transfers = 0.25\napprovals = 0.1\n\
                [phase.load.contracts]\ntokens = 60\nservices = 60\n";
    let workload = build(&scenario("count = 400", load));
    let count = run(&workload).count();
    let of =
        |selector: [u8; 4]| run(&workload).filter(|plan| plan.input.starts_with(&selector)).count();
    let plain = run(&workload).filter(|plan| plan.input.is_empty()).count();
    for (found, expected) in
        [(plain, 0.5), (of([0xa9, 0x05, 0x9c, 0xbb]), 0.25), (of([0x09, 0x5e, 0xa7, 0xb3]), 0.1)]
    {
        let found = share(found, count);
        assert!((found - expected).abs() < 0.03, "{found} instead of {expected}");
    }
    // Every contract that is called was created by the account whose address it comes from.
    let mut nonces: BTreeMap<u32, u64> = BTreeMap::new();
    let mut created = BTreeSet::new();
    for plan in workload.transactions.iter().filter(|plan| plan.to.is_none()) {
        assert_eq!(plan.stage, Stage::Deploy);
        let nonce = nonces.entry(plan.sender.0).or_default();
        created.insert(workload.users[plan.sender.0 as usize].address.create(*nonce));
        *nonce += 1;
    }
    let called: BTreeSet<Address> =
        run(&workload).filter(|plan| !plan.input.is_empty()).filter_map(|plan| plan.to).collect();
    assert_eq!(created, called, "those alone that are called");
    // Whoever transfers tokens was given some, or made them.
    let given: BTreeSet<(Address, Address)> = workload
        .transactions
        .iter()
        .filter(|plan| plan.stage == Stage::Prepare)
        .map(|plan| (plan.to.unwrap(), Address::from_slice(&plan.input[16..36])))
        .collect();
    for plan in run(&workload).filter(|plan| plan.input.starts_with(&[0xa9, 0x05, 0x9c, 0xbb])) {
        let user = workload.users[plan.sender.0 as usize].address;
        let token = plan.to.unwrap();
        let made = nonces.contains_key(&plan.sender.0);
        assert!(made || given.contains(&(token, user)), "{user} has no {token}");
    }
}

#[test]
fn a_later_phase_goes_on_with_the_same_society() {
    let drift = "[phase.load.drift]\nevery = \"8s\"\nmembers = 0.1\n";
    let again = |inside: &str, communities: u32| {
        let load = "[[phase.load]]\nkind = \"communities\"\nrate = 250\n";
        let same = format!("communities = 8\n{drift}");
        let next = format!(
            "{same}[[phase]]\nname = \"later\"\nfor = \"20s\"\n{load}inside = {inside}\n\
             communities = {communities}\n{drift}"
        );
        build(&scenario("count = 400", &next))
    };
    // How often it goes inside does not make it another society.
    let one = again("0.5", 8);
    let [first, later] = one.planted.as_slice() else { panic!("two loads") };
    let of = |planted: &workload::Planted| -> BTreeMap<Address, u32> {
        planted.community.iter().copied().collect()
    };
    let (before, after) = (of(first), of(later));
    let moved = before.iter().filter(|(account, community)| after[*account] != **community);
    // Two changes in 20 s, of a tenth of the accounts each; contracts stay.
    assert!((1..=80).contains(&moved.count()));
    assert_eq!((first.periods, later.periods), (2, 2), "drift counts from the first phase");
    let deployed: BTreeSet<(u32, u64)> = one
        .transactions
        .iter()
        .filter(|plan| plan.stage == Stage::Deploy)
        .map(|plan| (plan.sender.0, u64::from(plan.phase)))
        .collect();
    let new = deployed.iter().filter(|(_, phase)| *phase == u64::from(later.phase)).count();
    assert!(new * 2 < deployed.len(), "{new} of {} contracts are new", deployed.len());
    workload::sign(&one, &Workers::single()).unwrap();
    // Another number of communities does.
    let other = again("0.5", 9);
    let other = of(&other.planted[1]);
    let same = before.iter().filter(|(account, community)| other.get(*account) == Some(community));
    assert!(same.count() < before.len() / 2);
}

#[test]
fn drift_changes_who_belongs_where() {
    let inside_by_address = |drift: &str| {
        let load = format!(
            "communities = 8\ninside = 1\n[phase.load.hubs]\naccounts = 0\ntokens = 0\nservices = \
             0\n{drift}"
        );
        let workload = build(&scenario("count = 400", &load));
        let community: BTreeMap<Address, u32> =
            workload.planted[0].community.iter().copied().collect();
        let plain: Vec<bool> = run(&workload)
            .filter(|plan| plan.input.is_empty())
            .map(|plan| {
                let sender = workload.users[plan.sender.0 as usize].address;
                community[&sender] == community[&plan.to.unwrap()]
            })
            .collect();
        let of = |part: &[bool]| share(part.iter().filter(|inside| **inside).count(), part.len());
        let middle = plain.len() / 2;
        (of(&plain[..middle / 5]), of(&plain[middle..]))
    };
    assert_eq!(inside_by_address(""), (1.0, 1.0));
    let (early, late) =
        inside_by_address("[phase.load.drift]\nevery = \"2s\"\nmembers = 0.2\nhot = 0\n");
    assert!(early > 0.95 && late < 0.6, "{early} {late}");
}

#[test]
fn everything_can_be_local() {
    let workload = build(&scenario("count = 400\nall_local = true", "communities = 8\n"));
    let allocation = Allocation::new(SHARDS, Base::Hash, Residents::standard(SHARDS));
    let mut homes = BTreeMap::new();
    let mut nonces: BTreeMap<u32, u64> = BTreeMap::new();
    for plan in workload.transactions.iter().filter(|plan| plan.to.is_none()) {
        let deployer = workload.users[plan.sender.0 as usize].address;
        let nonce = nonces.entry(plan.sender.0).or_default();
        homes.insert(deployer.create(*nonce), allocation.base_home(&deployer));
        *nonce += 1;
    }
    let mut turns = 0..;
    for plan in workload.transactions.iter().filter(|plan| plan.to.is_some()) {
        let (sender, to) = (workload.users[plan.sender.0 as usize].address, plan.to.unwrap());
        let home = homes.get(&to).copied().unwrap_or_else(|| allocation.base_home(&to));
        assert_eq!(allocation.base_home(&sender), home);
        assert_ne!(sender, to);
        if plan.stage == Stage::Run {
            assert_eq!(home.0, turns.next().unwrap() % SHARDS);
        }
    }
    assert_eq!(run(&workload).count(), turns.next().unwrap() as usize);
}

#[test]
fn curves_and_bad_societies_are_refused_with_their_place() {
    let places = Places { base: PathBuf::from("."), data: None };
    for (load, message) in [
        ("communities = 300", "a whole number from 1 to 200"),
        ("communities = 1\ninside = 0.5", "there is no other"),
        ("transfers = 0.9\ntoken_transfers = 0.2", "are more than everything"),
        ("communities = 9\n[phase.load.contracts]\ntokens = 5", "from 9 to 1,000,000"),
        ("[phase.load.drift]\nmembers = 0.5", "`phase[0].load[0].drift.every` is missing"),
        ("curve = { ramp = [1] }", "expected two levels"),
        ("curve = { steps = [0, 0] }", "expected a level above 0"),
        ("curve = { bursts = \"1s\", length = \"2s\", height = 2 }", "`length` to be at most"),
        ("curve = { wave = 3 }", "expected \"constant\", { ramp"),
        ("curve = { file = \"gone.csv\" }", "expected a file"),
    ] {
        let text = format!(
            "name = \"bad\"\n[accounts]\ncount = 400\n[[phase]]\nname = \"one\"\nfor = \"1s\"\n\
             [[phase.load]]\nkind = \"communities\"\nrate = 2\n{load}\n"
        );
        let rejected = parse("bad.toml", &text, &[], &places).unwrap_err().to_string();
        assert!(rejected.contains(message), "{rejected}");
    }
}
