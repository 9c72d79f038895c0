//! From a seed to the options of a trial.
//!
//! They are drawn as the text of a scenario file and read by the parser, so that every trial can be
//! written down. Each class of faults is left out of some trials altogether: a mix in which
//! everything always happens hides what needs quiet.

use std::fmt::Write as _;

use cross_shard_msg::Duration;
use simulation::Disk;

use super::dice::Dice;
use super::options::Options;
use crate::scenario::{Places, Rejected, Scenario, parse};

/// What a drawn network is like, as far as later choices depend on it.
struct Network {
    shards: u64,
    validators: u64,
    /// Milliseconds.
    block: u64,
    /// Milliseconds.
    length: u64,
    certified: bool,
}

/// The options of a seed. The seed is the scenario's, too.
///
/// # Errors
/// When the drawn text is no scenario, which is a fault of this module.
pub fn draw(seed: u64) -> Result<Options, Box<Rejected>> {
    // A scenario's seed has 63 bits.
    let seed = seed & (i64::MAX as u64);
    let mut dice = Dice::new(seed);
    let text = text(seed, &mut dice);
    let disk = Disk {
        durable_after: Duration::from_micros(dice.one_of(&[50, 50, 2_000, 8_000, 40_000, 150_000])),
        torn: dice.percent(50),
    };
    let mut options = Options { scenario: read(&text)?, disk, priced: dice.percent(30) };
    options.scenario.client.drain_timeout = Options::bound(&options.scenario);
    Ok(options)
}

/// Reads the text of a trial's scenario.
pub(super) fn read(text: &str) -> Result<Scenario, Box<Rejected>> {
    let places = Places { base: ".".into(), data: None };
    parse("swarm.toml", text, &[], &places).map_err(Box::new)
}

fn text(seed: u64, dice: &mut Dice) -> String {
    let mut page = String::new();
    let network = network(&mut page, seed, dice);
    byzantine(&mut page, &network, dice);
    let _ = writeln!(page, "[[phase]]\nname = \"safety\"\nfor = \"{}ms\"", network.length);
    load(&mut page, &network, dice);
    faults(&mut page, &network, dice);
    partitioning(&mut page, &network, dice);
    page
}

fn network(page: &mut String, seed: u64, dice: &mut Dice) -> Network {
    let shards = dice.one_of(&[1, 2, 2, 3, 3, 4, 5, 7]);
    let validators = dice.one_of(&[1, 2, 3, 4, 4, 4, 4, 5, 7]);
    let block = dice.one_of(&[20, 50, 100, 100, 250]);
    let checkpoint = block * dice.one_of(&[1, 2, 4, 4, 8]);
    let length = (block * dice.within(15, 60)).min(6_000);
    let certified = dice.percent(50);
    let _ = writeln!(page, "name = \"swarm-{seed}\"\nseed = {seed}\n[network]\nshards = {shards}");
    let _ = writeln!(page, "validators = {validators}\nblock_time = \"{block}ms\"");
    let phase = dice.one_of(&["staggered", "aligned", "random"]);
    let _ = writeln!(page, "block_phase = \"{phase}\"\ncheckpoint_every = \"{checkpoint}ms\"");
    let gate = if certified { "certified" } else { "checkpoint" };
    let gas = dice.one_of(&[100_000, 300_000, 6_000_000, 30_000_000]);
    let _ = writeln!(page, "gate = \"{gate}\"\nsignatures = \"assumed\"\ngas_limit = {gas}");
    let _ = writeln!(page, "base_fee_moves = {}", dice.percent(70));
    let _ = writeln!(page, "[network.bounds]");
    for (name, small) in [
        ("mempool", [2, 20]),
        ("nonce_window", [1, 4]),
        ("buffered", [1, 8]),
        ("waiting_batches", [1, 3]),
        // Below what a shard makes until a checkpoint is final it lags more and more.
        ("pending_headers", [192, 512]),
    ] {
        if dice.percent(25) {
            let _ = writeln!(page, "{name} = {}", dice.one_of(&small));
        }
    }
    if dice.percent(25) {
        let _ = writeln!(page, "delayed_gas = {}", dice.one_of(&[21_000, 100_000, 500_000]));
    }
    let _ = writeln!(page, "mempool_time = \"{}s\"", dice.one_of(&[2, 10, 10, 20]));
    let (delay, jitter) = dice.one_of(&[(0, 0), (100, 50), (5_000, 3_000), (40_000, 60_000)]);
    let _ = writeln!(page, "[network.links]\ndelay = \"{delay}us\"\njitter = \"{jitter}us\"");
    let accounts = dice.one_of(&[3, 10, 40]);
    let _ = writeln!(page, "[accounts]\ncount = {accounts}");
    if dice.percent(50) {
        let _ = writeln!(page, "popularity = {{ zipf = {} }}", dice.one_of(&["0.8", "1.1", "2.0"]));
    }
    let _ = writeln!(page, "[client]\nretry_deadline = \"{}s\"", dice.one_of(&[2, 5, 15]));
    Network { shards, validators, block, length, certified }
}

/// At most f validators; a shard only behind the gate under which it hurts nobody but itself.
fn byzantine(page: &mut String, network: &Network, dice: &mut Dice) {
    let most = (network.validators - 1) / 3;
    let count = if dice.percent(50) { dice.within(0, most) } else { 0 };
    let first = dice.within(0, network.validators - 1);
    for number in 0..count {
        let index = (first + number * 2) % network.validators;
        let behaviour = dice.one_of(&["twins", "twins", "equivocate", "silent", "garbage"]);
        let target = format!("coordinator:{index}");
        let _ = writeln!(page, "[[byzantine]]\ntarget = \"{target}\"\nbehaviour = \"{behaviour}\"");
    }
    if !network.certified && network.shards > 1 && dice.percent(25) {
        let behaviour = dice.one_of(&[
            "forge_receipt",
            "forge_paid",
            "skip_receipt",
            "repeat_receipt",
            "tamper_receipt",
            "lie_state_root",
            "lie_ledger",
            "mint",
            "equivocate",
            "garbage",
        ]);
        let shard = dice.within(0, network.shards - 1);
        let _ = writeln!(page, "[[byzantine]]\ntarget = \"shard:{shard}\"");
        let _ = writeln!(page, "behaviour = \"{behaviour}\"");
        if behaviour != "garbage" {
            let _ = writeln!(page, "from = \"{}ms\"", dice.within(0, network.length / 2));
        }
    }
}

fn load(page: &mut String, network: &Network, dice: &mut Dice) {
    // At most some hundred transactions: many small trials find more than a few large ones.
    let count = dice.one_of(&[10, 40, 40, 120]);
    let rate = (count * 1_000 / network.length).max(1);
    let _ = writeln!(page, "[[phase.load]]\nkind = \"transfer\"\nrate = {rate}");
    let _ = writeln!(page, "value = \"{} wei\"", dice.one_of(&["0", "1", "1000000000"]));
    // Contracts cannot be set up where blocks are small or a shard lies.
    let text = page.as_str();
    let large = text.contains("gas_limit = 6000000") || text.contains("gas_limit = 30000000");
    if large && !text.contains("target = \"shard:") && dice.percent(40) {
        let rate = (count * 500 / network.length).max(1);
        let _ = writeln!(page, "[[phase.load]]\nkind = \"call\"\nrate = {rate}");
        let _ = writeln!(page, "contract = \"erc20\"\ninstances = {}", dice.within(1, 3));
        // Three of the larger ones fill a small block.
        let gas = dice.one_of(&[200_000, 2_000_000]);
        let _ = writeln!(page, "[[phase.load.mix]]\nfunction = \"transfer(address,uint256)\"");
        let _ = writeln!(page, "args = [\"account\", \"1 gwei\"]\nweight = 9\ngas = {gas}");
        // Nobody allowed it: it fails.
        let function = "transferFrom(address,address,uint256)";
        let _ = writeln!(page, "[[phase.load.mix]]\nfunction = \"{function}\"");
        let _ = writeln!(page, "args = [\"account\", \"account\", \"1 gwei\"]\nweight = 1");
        let _ = writeln!(page, "[[phase.load.mix]]\nfunction = \"approve(address,uint256)\"");
        let _ = writeln!(page, "args = [\"account\", \"1 gwei\"]\nweight = 1");
    }
}

/// Epochs so short, and traffic of so few of them, that accounts move to and fro, some while they are
/// still on their way. `range` moves everybody whatever the traffic.
fn partitioning(page: &mut String, network: &Network, dice: &mut Dice) {
    if network.shards == 1 || dice.percent(40) {
        return;
    }
    let strategy = dice.one_of(&[
        "range",
        "range",
        "fennel",
        "fennel",
        "clpa",
        "label-propagation",
        "shard-scheduler",
        "lb-chain",
        "louvain",
        "txallo-adaptive",
    ]);
    let _ = writeln!(page, "[partitioning]\nstrategy = \"{strategy}\"");
    let _ = writeln!(page, "epoch = {}", dice.one_of(&[1, 1, 2, 4]));
    let _ = writeln!(page, "max_moves = {}", dice.one_of(&[1, 3, 10, 50]));
    let _ = writeln!(page, "max_accesses = {}", dice.one_of(&[1, 10, 10_000]));
    let _ = writeln!(page, "window = {}", dice.one_of(&[1, 1, 2]));
}

const KINDS: [&str; 10] = [
    "crash",
    "crash",
    "crash",
    "pause",
    "disconnect",
    "delay",
    "loss",
    "duplicate",
    "reorder",
    "bandwidth",
];

fn faults(page: &mut String, network: &Network, dice: &mut Dice) {
    let kinds: Vec<&str> = KINDS.into_iter().filter(|_| dice.percent(50)).collect();
    if kinds.is_empty() {
        return;
    }
    for _ in 0..dice.one_of(&[0, 1, 2, 4, 8, 12]) {
        // All are over when the load is.
        let at = dice.within(0, network.length - 2);
        let left = network.length - at - 1;
        let most = left.min(network.block * dice.one_of(&[1, 4, 20]));
        let span = dice.within(1, most.max(1));
        fault(page, dice.one_of(&kinds), network, (at, span), dice);
    }
}

fn fault(page: &mut String, kind: &str, network: &Network, time: (u64, u64), dice: &mut Dice) {
    let (at, span) = time;
    let _ = writeln!(page, "[[phase.fault]]\nkind = \"{kind}\"\nat = \"{at}ms\"");
    match kind {
        "crash" => {
            let node = target(network, dice);
            let _ = writeln!(page, "node = \"{node}\"\nrestart_after = \"{span}ms\"");
            return;
        }
        "pause" => {
            let node = target(network, dice);
            let _ = writeln!(page, "node = \"{node}\"\nfor = \"{span}ms\"");
            return;
        }
        _ => {}
    }
    let from = target(network, dice);
    let to = if dice.percent(50) { "*".to_owned() } else { target(network, dice) };
    let to = if to == from { "*".to_owned() } else { to };
    let one_way = dice.percent(40);
    let _ = writeln!(page, "from = \"{from}\"\nto = \"{to}\"\none_way = {one_way}");
    let _ = writeln!(page, "for = \"{span}ms\"");
    let share = dice.one_of(&["5%", "30%", "80%"]);
    let _ = match kind {
        "delay" => {
            let delay = dice.one_of(&[1, 50, 400]);
            writeln!(page, "delay = \"{delay}ms\"\njitter = \"{delay}ms\"")
        }
        "loss" | "duplicate" => writeln!(page, "share = \"{share}\""),
        "reorder" => writeln!(page, "share = \"{share}\"\nwithin = \"{}ms\"", dice.within(1, 300)),
        "bandwidth" => {
            writeln!(page, "bandwidth = \"{} kbit/s\"", dice.one_of(&[100, 1_000, 10_000]))
        }
        _ => Ok(()),
    };
}

fn target(network: &Network, dice: &mut Dice) -> String {
    match dice.within(0, 9) {
        0 | 1 => "leader".to_owned(),
        2 => "shard:*".to_owned(),
        3 => "coordinator:*".to_owned(),
        4 | 5 => format!("coordinator:{}", dice.within(0, network.validators - 1)),
        _ => format!("shard:{}", dice.within(0, network.shards - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_gives_a_scenario_that_can_be_written_down() {
        for seed in 0..2_000 {
            let options = draw(seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(options, draw(seed).unwrap());
            let written = options.scenario.to_string();
            let again = read(&written).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(again, options.scenario, "seed {seed}");
            assert!(options.scenario.byzantine_warning().is_none(), "seed {seed}");
        }
    }
}
