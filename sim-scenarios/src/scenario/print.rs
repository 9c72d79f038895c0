//! A resolved scenario as a file again, with every default written out. Reading it gives the same
//! scenario.

use std::fmt::{Display, Write as _};

use cross_shard_msg::Gate;

use super::byzantine::Byzantine;
use super::fault::{Damage, Fault, FaultKind, FaultTarget};
use super::load::{
    Argument, Arrivals, Blocks, CallLoad, CallTemplate, CommunitiesLoad, Contract, Load,
};
use super::network::{AllocationRule, BlockPhase, LinkOverride, Network, Signatures};
use super::threshold::Threshold;
use super::types::{Phase, Popularity, Scenario};
use super::unit::{Bandwidth, print_duration, print_wei};

/// Prints as a scenario file that [`parse`](super::parse) resolves to the same scenario.
impl Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.printed())
    }
}

impl Scenario {
    fn printed(&self) -> String {
        let mut page = Page::default();
        page.text("name", &self.name);
        page.plain("seed", self.seed);
        network(&mut page, &self.network);
        page.header("[accounts]");
        page.plain("count", self.accounts.count);
        page.text("balance", &print_wei(self.accounts.balance));
        popularity(&mut page, "popularity", self.accounts.popularity);
        page.plain("all_local", self.accounts.all_local);
        page.header("[client]");
        page.text("retry_deadline", &print_duration(self.client.retry_deadline));
        page.text("drain_timeout", &print_duration(self.client.drain_timeout));
        page.text("max_fee", &print_wei(self.client.max_fee));
        page.text("tip", &print_wei(self.client.tip));
        for each in &self.phases {
            phase(&mut page, each);
        }
        if let Some(partitioning) = &self.partitioning {
            page.line(format_args!("\n{}", partitioning.printed()));
        }
        for each in &self.byzantine {
            byzantine(&mut page, each);
        }
        if !self.thresholds.is_empty() {
            page.header("[thresholds]");
            thresholds(&mut page, &self.thresholds);
        }
        page.0
    }
}

/// Lines of TOML.
#[derive(Default)]
struct Page(String);

impl Page {
    fn header(&mut self, header: &str) {
        self.line(format_args!("\n{header}"));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key} = {}", quoted(value)));
    }

    fn plain(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn network(page: &mut Page, network: &Network) {
    page.header("[network]");
    page.plain("shards", network.shards);
    page.plain("validators", network.validators);
    page.plain("chain_id", network.chain_id);
    page.text("block_time", &print_duration(network.block_time));
    let block_phase = match network.block_phase {
        BlockPhase::Staggered => "staggered",
        BlockPhase::Aligned => "aligned",
        BlockPhase::Random => "random",
    };
    page.text("block_phase", block_phase);
    page.text("checkpoint_every", &print_duration(network.checkpoint_every));
    page.plain("gas_limit", network.gas_limit);
    page.text("base_fee", &print_wei(network.base_fee));
    page.plain("base_fee_moves", network.base_fee_moves);
    let gate = match network.gate {
        Gate::Certified => "certified",
        Gate::Checkpoint => "checkpoint",
    };
    page.text("gate", gate);
    let AllocationRule::Hash = network.allocation;
    page.text("allocation", "hash");
    let signatures = match network.signatures {
        Signatures::Verify => "verify",
        Signatures::Assumed => "assumed",
    };
    page.text("signatures", signatures);
    page.text("durability", network.durability.name());

    let (bounds, transport) = (&network.bounds, &network.transport);
    page.header("[network.bounds]");
    page.plain("mempool", bounds.mempool);
    page.plain("nonce_window", bounds.nonce_window);
    page.text("mempool_time", &print_duration(bounds.mempool_time));
    page.plain("delayed_gas", bounds.delayed_gas);
    page.plain("buffered", bounds.buffered);
    page.plain("waiting_batches", bounds.waiting_batches);
    page.plain("pending_headers", bounds.pending_headers);
    page.text("message_bytes", &transport.message_bytes.to_string());
    page.plain("queue_messages", transport.queue_messages);
    page.text("queue_bytes", &transport.queue_bytes.to_string());
    page.plain("inbox_messages", transport.inbox_messages);
    page.text("inbox_bytes", &transport.inbox_bytes.to_string());
    page.plain("window_messages", transport.window_messages);
    page.text("window_bytes", &transport.window_bytes.to_string());

    if !network.links.regions.is_empty() {
        page.header("[network.regions]");
    }
    for place in &network.links.regions {
        let nodes: Vec<String> = place.nodes.iter().map(|end| quoted(&end.to_string())).collect();
        page.plain(place.region.name(), format_args!("[{}]", nodes.join(", ")));
    }
    let link = &network.links.default;
    page.header("[network.links]");
    page.text("delay", &print_duration(link.delay));
    page.text("jitter", &print_duration(link.jitter));
    page.text("bandwidth", &link.bandwidth.to_string());
    for change in &network.links.overrides {
        link_override(page, change);
    }
}

fn link_override(page: &mut Page, change: &LinkOverride) {
    page.header("[[network.links.override]]");
    page.text("from", &change.from.to_string());
    page.text("to", &change.to.to_string());
    if let Some(delay) = change.delay {
        page.text("delay", &print_duration(delay));
    }
    if let Some(jitter) = change.jitter {
        page.text("jitter", &print_duration(jitter));
    }
    if let Some(bandwidth) = change.bandwidth {
        page.text("bandwidth", &bandwidth.to_string());
    }
}

fn phase(page: &mut Page, phase: &Phase) {
    page.header("[[phase]]");
    page.text("name", &phase.name);
    if let Some(duration) = phase.duration {
        page.text("for", &print_duration(duration));
    }
    page.plain("record", phase.record);
    for each in &phase.loads {
        page.header("[[phase.load]]");
        load(page, each);
    }
    for each in &phase.faults {
        page.header("[[phase.fault]]");
        fault(page, each);
    }
}

fn fault(page: &mut Page, fault: &Fault) {
    page.text("kind", fault.kind.name());
    page.text("at", &print_duration(fault.at));
    match &fault.kind {
        FaultKind::Crash { nodes, restart_after } => {
            page.plain("node", targets(nodes));
            if let Some(after) = restart_after {
                page.text("restart_after", &print_duration(*after));
            }
        }
        FaultKind::Pause { nodes, span } => {
            page.plain("node", targets(nodes));
            page.text("for", &print_duration(*span));
        }
        FaultKind::Links { from, to, one_way, span, damage } => {
            page.plain("from", targets(from));
            page.plain("to", targets(to));
            page.plain("one_way", one_way);
            page.text("for", &print_duration(*span));
            link_damage(page, *damage);
        }
    }
}

fn link_damage(page: &mut Page, damage: Damage) {
    match damage {
        Damage::Disconnect => {}
        Damage::Delay { delay, jitter } => {
            page.text("delay", &print_duration(delay));
            page.text("jitter", &print_duration(jitter));
        }
        Damage::Loss { share } | Damage::Duplicate { share } => {
            page.plain("share", share.fraction());
        }
        Damage::Reorder { share, within } => {
            page.plain("share", share.fraction());
            page.text("within", &print_duration(within));
        }
        Damage::Bandwidth { bits_per_second } => {
            page.text("bandwidth", &Bandwidth::BitsPerSecond(bits_per_second).to_string());
        }
    }
}

fn byzantine(page: &mut Page, one: &Byzantine) {
    page.header("[[byzantine]]");
    page.text("target", &one.target.to_string());
    page.text("behaviour", one.behaviour.name());
    if one.behaviour.begins(one.target) {
        page.text("from", &print_duration(one.from));
    }
}

/// One target as itself, several as an array.
fn targets(targets: &[FaultTarget]) -> String {
    let printed: Vec<String> = targets.iter().map(|one| quoted(&one.to_string())).collect();
    match printed.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn load(page: &mut Page, load: &Load) {
    match load {
        Load::Transfer(transfer) => {
            page.text("kind", "transfer");
            pace(page, load);
            page.text("value", &print_wei(transfer.value));
            if let Some(share) = transfer.cross_shard {
                page.plain("cross_shard", share);
            }
        }
        Load::Call(call_load) => call(page, load, call_load),
        Load::Communities(communities_load) => communities(page, load, communities_load),
        Load::Trace(trace) => {
            page.text("kind", "trace");
            page.text("file", &trace.file.written);
            pace(page, load);
            if let Some(value) = trace.value {
                page.text("value", &print_wei(value));
            }
            if let Some(count) = trace.count {
                page.plain("count", count);
            }
        }
        Load::MainnetBlocks(load) => {
            page.text("kind", "mainnet-blocks");
            page.text("directory", &load.directory.written);
            match &load.blocks {
                Blocks::All => page.text("blocks", "all"),
                Blocks::Numbers(numbers) => {
                    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                    page.plain("blocks", format!("[{}]", numbers.join(", ")));
                }
            }
        }
    }
}

fn pace(page: &mut Page, load: &Load) {
    if let Some((rate, arrivals, curve)) = load.pace() {
        page.plain("rate", rate);
        let arrivals = match arrivals {
            Arrivals::Poisson => "poisson",
            Arrivals::Uniform => "uniform",
        };
        page.text("arrivals", arrivals);
        page.plain("curve", curve);
    }
}

fn communities(page: &mut Page, of: &Load, load: &CommunitiesLoad) {
    page.text("kind", "communities");
    pace(page, of);
    page.text("value", &print_wei(load.value));
    page.plain("communities", load.communities);
    popularity(page, "sizes", load.sizes);
    page.plain("inside", load.inside);
    page.plain("transfers", load.transfers);
    page.plain("token_transfers", load.token_transfers);
    page.plain("approvals", load.approvals);
    page.header("[phase.load.senders]");
    page.plain("regulars", load.senders.regulars);
    page.plain("share", load.senders.share);
    page.plain("zipf", format_args!("{:?}", load.senders.zipf));
    page.header("[phase.load.contracts]");
    page.plain("tokens", load.contracts.tokens);
    page.plain("services", load.contracts.services);
    page.plain("zipf", format_args!("{:?}", load.contracts.zipf));
    let hubs = &load.hubs;
    page.header("[phase.load.hubs]");
    page.plain("accounts", hubs.accounts);
    page.plain("account_share", hubs.account_share);
    page.plain("tokens", hubs.tokens);
    page.plain("token_share", hubs.token_share);
    page.plain("approval_share", hubs.approval_share);
    page.plain("services", hubs.services);
    page.plain("service_share", hubs.service_share);
    page.plain("zipf", format_args!("{:?}", hubs.zipf));
    if let Some(drift) = load.drift {
        page.header("[phase.load.drift]");
        page.text("every", &print_duration(drift.every));
        page.plain("members", drift.members);
        page.plain("hot", drift.hot);
    }
}

fn popularity(page: &mut Page, key: &str, popularity: Popularity) {
    match popularity {
        Popularity::Uniform => page.text(key, "uniform"),
        Popularity::Zipf { exponent } => page.plain(key, format_args!("{{ zipf = {exponent:?} }}")),
    }
}

fn call(page: &mut Page, of: &Load, load: &CallLoad) {
    page.text("kind", "call");
    pace(page, of);
    match &load.contract {
        Contract::Shipped(name) => page.text("contract", name),
        Contract::File(file) => page.text("contract", &file.written),
    }
    page.plain("instances", load.instances);
    page.plain("constructor", arguments(&load.constructor));
    if let Some(share) = load.cross_shard {
        page.plain("cross_shard", share);
    }
    for each in &load.setup {
        page.header("[[phase.load.setup]]");
        template(page, each);
    }
    for each in &load.mix {
        page.header("[[phase.load.mix]]");
        template(page, each);
        page.plain("weight", each.weight);
    }
}

fn template(page: &mut Page, template: &CallTemplate) {
    page.text("function", &template.function.signature());
    page.plain("args", arguments(&template.arguments));
    page.text("value", &print_wei(template.value));
    page.plain("gas", template.gas);
}

fn arguments(arguments: &[Argument]) -> String {
    let printed: Vec<String> = arguments
        .iter()
        .map(|argument| match argument {
            Argument::Account => quoted("account"),
            Argument::Sender => quoted("sender"),
            Argument::Address(address) => quoted(&format!("{address:#x}")),
            // Longer than an integer of TOML may be.
            Argument::Number(number) => quoted(&number.to_string()),
            Argument::Bool(value) => value.to_string(),
            Argument::Word(word) => quoted(&format!("{word:#x}")),
        })
        .collect();
    format!("[{}]", printed.join(", "))
}

/// Several conditions of one metric stand in one array, for TOML has each key once.
fn thresholds(page: &mut Page, thresholds: &[Threshold]) {
    let key = |threshold: &Threshold| match &threshold.phase {
        Some(phase) => format!("{phase}: {}", threshold.metric),
        None => threshold.metric.to_string(),
    };
    let conditions = |group: &[Threshold]| -> Vec<String> {
        group.iter().map(|one| quoted(&format!("{} {}", one.comparison, one.limit))).collect()
    };
    for group in thresholds.chunk_by(|a, b| key(a) == key(b)) {
        let conditions = conditions(group);
        let value = match conditions.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        page.plain(&quoted(&key(&group[0])), value);
    }
}
