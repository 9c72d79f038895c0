//! The scenario of a BlockEmulator configuration, as text: each line with what it comes from.

use std::fmt::Write as _;

use cross_shard_msg::Duration;

use super::config::{Config, Setting};
use crate::report::number::grouped;
use crate::scenario::{Bandwidth, Rate, TRANSFER_GAS, print_duration};

/// The longest that a client waits.
const HOUR: Duration = Duration::from_secs(3_600);
/// As often as checkpoints are by default.
const CHECKPOINT: Duration = Duration::from_secs(2);

/// What a configuration comes to.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The scenario file.
    pub text: String,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Writes the scenario. `file` is what the configuration is called, `trace` the path of the trace as
/// the scenario has it.
#[must_use]
pub fn imported(config: &Config, file: &str, trace: &str) -> Imported {
    let times = Times::of(config);
    let mut scenario = Text(String::new());
    scenario.head(config, file);
    scenario.network(config, &times);
    scenario.bounds(config);
    scenario.links(config);
    scenario.clients(&times);
    scenario.partitioning(config, &times);
    scenario.load(config, trace);
    let mut warnings = config.warnings.clone();
    warnings.extend(caveats(config));
    Imported { text: scenario.0, warnings }
}

/// What the scenario does otherwise than its origin.
fn caveats(config: &Config) -> Vec<String> {
    let mut caveats = Vec::new();
    let method = config.method.value;
    if method.has_brokers() {
        let instead =
            if method.moves() { "CLPA moves accounts as there, and what" } else { "what" };
        caveats.push(format!(
            "{}: brokers have no counterpart: {instead} crosses shards is relayed",
            method.name()
        ));
    }
    if config.use_bytes.value {
        caveats
            .push("UseBlocksizeInBytes: blocks are bounded by gas, here by BlockSize".to_owned());
    }
    let per_block = config.shards.value * config.block_size.value;
    let room = Rate { per_kilosecond: per_block * 1_000_000 / config.block_interval.value };
    if rate(config) > room {
        caveats.push(format!(
            "{} transactions per second are offered, and the blocks of {} shards have room for {}: \
             latency will be the time in the backlog",
            rate(config),
            config.shards.value,
            room
        ));
    }
    caveats
}

/// How fast transactions are really sent: the supervisor sends `InjectSpeed` of a batch
/// per second, and what is left of the batch takes a second of its own.
fn rate(config: &Config) -> Rate {
    let batch = config.batch.value.min(config.total.value);
    Rate { per_kilosecond: batch * 1_000 / batch.div_ceil(config.inject_speed.value) }
}

/// Times that follow from several settings.
struct Times {
    block: Duration,
    checkpoint: Duration,
    /// Checkpoints of an epoch.
    epoch: u64,
    /// How long the rest may take when all is sent.
    drain: Duration,
}

impl Times {
    fn of(config: &Config) -> Self {
        let block = Duration::from_millis(config.block_interval.value);
        let checkpoint = block.max(CHECKPOINT);
        let gap = Duration::from_secs(config.reconfig_gap.value);
        let epoch = ((gap.0 + checkpoint.0 / 2) / checkpoint.0).max(1);
        // If everything crosses, nothing was done while it was sent, and blocks are half full.
        let per_block = config.shards.value * config.block_size.value;
        let blocks = (4 * config.total.value).div_ceil(per_block);
        let seconds = block.0.saturating_mul(blocks).div_ceil(1_000_000_000);
        let drain = Duration::from_secs(seconds.clamp(60, HOUR.as_millis() / 1_000));
        Self { block, checkpoint, epoch, drain }
    }
}

/// A scenario file that grows. Writing to a String cannot fail.
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.0, "{line}");
    }

    fn section(&mut self, name: &str) {
        let _ = write!(self.0, "\n{name}\n");
    }

    /// A field, after a comment on where it comes from.
    fn field(&mut self, comment: &str, field: &str) {
        let _ = writeln!(self.0, "# {comment}\n{field}");
    }

    fn head(&mut self, config: &Config, file: &str) {
        let method = config.method.value;
        self.line(&format!(
            "# BlockEmulator's {}, from {file} by `shardlab import blockemulator`.",
            method.name()
        ));
        self.line("#");
        self.line("# \"It\" is BlockEmulator. docs/blockemulator.md says what can be compared.");
        if method.has_brokers() {
            self.line("# Brokers have no counterpart here: what crosses shards is relayed.");
        }
        if !config.left_out.is_empty() {
            self.line("#\n# Left out:");
        }
        for left in &config.left_out {
            // Whatever the file has there stays in the comment.
            let name = left.name.escape_debug();
            self.line(&format!("#   {name} = {}: {}", left.value, left.why));
        }
        self.line("");
        let name = method.name().to_ascii_lowercase().replace('_', "-");
        self.line(&format!("name = \"blockemulator-{name}\""));
    }

    fn network(&mut self, config: &Config, times: &Times) {
        self.section("[network]");
        let shards = &config.shards;
        let from = match shards.stated {
            true => "ShardNum".to_owned(),
            false => "-S of its command line, 4 unless --shards said otherwise".to_owned(),
        };
        self.field(&from, &format!("shards = {}", shards.value));
        let block = print_duration(times.block);
        self.field(&of(&config.block_interval, "ms"), &format!("block_time = \"{block}\""));
        self.field("its leaders begin together", "block_phase = \"aligned\"");
        let checkpoint = print_duration(times.checkpoint);
        let every = format!("checkpoint_every = \"{checkpoint}\"");
        self.field("it has no checkpoints; blocks need none more often", &every);
        let gas = grouped(config.block_size.value * TRANSFER_GAS.0).replace(',', "_");
        let mut from =
            format!("{}, of {} gas each", of(&config.block_size, "transfers"), TRANSFER_GAS.0);
        if config.use_bytes.value {
            from.push_str("; UseBlocksizeInBytes is left out, as blocks are bounded by gas");
        }
        self.field(&from, &format!("gas_limit = {gas}"));
        self.field("it has no fees", "base_fee_moves = false");
        self.field("it checks no signatures", "signatures = \"assumed\"");
    }

    fn bounds(&mut self, config: &Config) {
        self.section("[network.bounds]");
        self.line("# Its queues have no bounds: all transactions fit into each of these.");
        let total = config.total.value;
        let all = grouped(total.clamp(100_000, 10_000_000)).replace(',', "_");
        self.line(&format!("mempool = {all}"));
        self.line(&format!("buffered = {all}"));
        let nonces = grouped(total.clamp(1_024, 1_000_000)).replace(',', "_");
        self.line(&format!("nonce_window = {nonces}"));
        self.line("mempool_time = \"1h\"");
    }

    fn links(&mut self, config: &Config) {
        let (delay, jitter) = (config.delay.value.max(0), config.jitter.value.max(0));
        let limit = config.bandwidth.value;
        if delay == 0 && jitter == 0 && limit < 0 {
            return;
        }
        self.section("[network.links]");
        let millis = |millis: i64| print_duration(Duration::from_millis(millis.unsigned_abs()));
        if delay > 0 || jitter > 0 {
            // Half of the jitter goes each way; a delay below nothing is none.
            let (least, most) = (delay - jitter / 2, delay + jitter - jitter / 2);
            let least = least.max(0);
            let from =
                format!("{}, {}", of(&config.delay, "ms"), of(&config.jitter, "ms around it"));
            self.field(&from, &format!("delay = \"{}\"", millis(least)));
            self.line(&format!("jitter = \"{}\"", millis(most - least)));
        }
        if limit >= 0 {
            let bits = Bandwidth::BitsPerSecond(limit.unsigned_abs().saturating_mul(8));
            let from =
                of(&config.bandwidth, "bytes per second: there of a process, here of a link");
            self.field(&from, &format!("bandwidth = \"{bits}\""));
        }
    }

    fn clients(&mut self, times: &Times) {
        self.section("[accounts]");
        self.line(
            "# The trace brings its own. Init_Balance is 10^44 there, and this is the most here.",
        );
        self.line("count = 2\nbalance = \"1000000000 ether\"");
        self.section("[client]");
        self.line("# It waits until everything is done.");
        let drain = print_duration(times.drain);
        self.line(&format!("retry_deadline = \"{drain}\"\ndrain_timeout = \"{drain}\""));
    }

    fn partitioning(&mut self, config: &Config, times: &Times) {
        let method = config.method.value;
        if !method.moves() {
            self.line(&format!("\n# No [partitioning]: {} moves no accounts.", method.name()));
            if config.reconfig_gap.stated {
                let gap = of(&config.reconfig_gap, "s");
                self.line(&format!("# {gap} has no effect there, either."));
            }
            return;
        }
        self.section("[partitioning]");
        let from = format!("ConsensusMethod = {}, {}", method as u8, method.name());
        self.field(&from, "strategy = \"clpa\"");
        let from = format!(
            "{}, in checkpoints of {}",
            of(&config.reconfig_gap, "s"),
            print_duration(times.checkpoint)
        );
        self.field(&from, &format!("epoch = {}", times.epoch.min(1_000_000)));
        self.field("it moves as many as it likes", "max_moves = 100_000");
        self.field("its graph begins anew with every epoch", "window = 1");
    }

    fn load(&mut self, config: &Config, trace: &str) {
        self.section("[[phase]]\nname = \"replay\"\n\n[[phase.load]]\nkind = \"trace\"");
        let trace = toml::Value::String(trace.to_owned());
        self.field(
            &format!("DatasetFile = {:?}", config.dataset.value),
            &format!("file = {trace}"),
        );
        let (speed, batch) = (&config.inject_speed, config.batch.value.min(config.total.value));
        let mut from = format!("{}, sent at the beginning of each second", of(speed, "per second"));
        if batch % speed.value != 0 {
            let seconds = batch.div_ceil(speed.value);
            let _ = write!(from, "; {batch} that are read at once (TxBatchSize) take {seconds} s");
        }
        self.field(&from, &format!("rate = {}\narrivals = \"uniform\"", rate(config)));
        let count = grouped(config.total.value).replace(',', "_");
        let from = format!("{}; a shorter file is sent again", of(&config.total, "transactions"));
        self.field(&from, &format!("count = {count}"));
    }
}

/// `KEY = VALUE UNIT`, and whether the file said so.
fn of<T: std::fmt::Display>(setting: &Setting<T>, unit: &str) -> String {
    let absent = if setting.stated { "" } else { " (not in the file)" };
    format!("{} = {} {unit}{absent}", setting.key, setting.value)
}
