//! `[network]` with its bounds and links.

use cross_shard_msg::settings::Bounds;
use cross_shard_msg::{Duration, Gas, Gate, ShardId, ValidatorIndex, Wei};

use super::super::network::{
    AllocationRule, BlockPhase, Durability, Endpoint, Link, LinkOverride, Links, MAX_SHARDS,
    MAX_VALIDATORS, Network, Signatures, TRANSFER_GAS, TransportBounds,
};
use super::super::unit::{Bandwidth, ByteSize};
use super::kind::{self, Wrong};
use super::regions;
use super::section::{Field, Notes, Section};
use super::tree::{Node, Table};

/// The largest integer that every Ethereum client can represent: 2⁵³ − 1.
const MAX_CHAIN_ID: u64 = (1 << 53) - 1;
const MAX_GAS_LIMIT: Gas = Gas(1_000_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);
const GWEI: u64 = 1_000_000_000;
/// One ether per gas: a bound on prices that keeps every cost far below 2²⁵⁶.
pub(super) const MAX_PRICE: u64 = 1_000_000_000_000_000_000;

/// What was read of `[network]`, for the checks of other sections.
#[derive(Debug)]
pub(super) struct ReadNetwork {
    pub(super) shards: Option<Field<u32>>,
    pub(super) validators: Option<Field<u32>>,
    pub(super) chain_id: Option<Field<u64>>,
    pub(super) gas_limit: Option<Field<Gas>>,
    pub(super) base_fee: Option<Field<Wei>>,
    pub(super) network: Option<Network>,
}

pub(super) fn read(notes: &Notes, top: &Section<'_>) -> ReadNetwork {
    let empty = Table::default();
    let section = top.section("network", &empty);
    let shards = section.with_default("shards", 4, kind::small(1..=MAX_SHARDS));
    let validators = section.with_default("validators", 4, kind::small(1..=MAX_VALIDATORS));
    let chain_id = section.with_default("chain_id", 1_337, kind::integer(1..=MAX_CHAIN_ID));
    let pace = kind::duration(Duration::from_millis(1)..=HOUR);
    let block_time = section.with_default("block_time", Duration::from_millis(500), &pace);
    let block_phase = section.with_default(
        "block_phase",
        BlockPhase::Staggered,
        kind::choice(&[
            ("staggered", BlockPhase::Staggered),
            ("aligned", BlockPhase::Aligned),
            ("random", BlockPhase::Random),
        ]),
    );
    let checkpoint_every = section.with_default("checkpoint_every", Duration::from_secs(2), &pace);
    let gas_limit = section.with_default("gas_limit", Gas(60_000_000), |node| {
        let read = kind::integer(TRANSFER_GAS.0..=MAX_GAS_LIMIT.0);
        read(node).map(Gas).map_err(|wrong| wrong.help("a plain transfer needs 21,000"))
    });
    let price = kind::amount(Wei::ZERO..=Wei::from(MAX_PRICE));
    let base_fee = section.with_default("base_fee", Wei::from(GWEI), price);
    let base_fee_moves = section.with_default("base_fee_moves", true, kind::boolean);
    let gate = section.with_default(
        "gate",
        Gate::Certified,
        kind::choice(&[("certified", Gate::Certified), ("checkpoint", Gate::Checkpoint)]),
    );
    let allocation = section.with_default(
        "allocation",
        AllocationRule::Hash,
        kind::choice(&[("hash", AllocationRule::Hash)]),
    );
    let signatures = section.with_default(
        "signatures",
        Signatures::Verify,
        kind::choice(&[("verify", Signatures::Verify), ("assumed", Signatures::Assumed)]),
    );
    let durability = section.with_default(
        "durability",
        Durability::Process,
        kind::choice(&[("process", Durability::Process), ("disk", Durability::Disk)]),
    );
    let bounds = bounds(notes, &section, gas_limit.as_ref());
    let committee = validators.as_ref().map(|field| field.value);
    let links = links(notes, &section, shards.as_ref().map(|field| field.value), committee);
    section.finish();

    let network = || {
        let (bounds, transport) = bounds?;
        Some(Network {
            shards: shards.as_ref()?.value,
            validators: validators.as_ref()?.value,
            chain_id: chain_id.as_ref()?.value,
            block_time: block_time?.value,
            block_phase: block_phase?.value,
            checkpoint_every: checkpoint_every?.value,
            gas_limit: gas_limit.as_ref()?.value,
            base_fee: base_fee.as_ref()?.value,
            base_fee_moves: base_fee_moves?.value,
            gate: gate?.value,
            allocation: allocation?.value,
            signatures: signatures?.value,
            durability: durability?.value,
            bounds,
            transport,
            links: links?,
        })
    };
    let network = network();
    ReadNetwork { shards, validators, chain_id, gas_limit, base_fee, network }
}

fn bounds(
    notes: &Notes,
    network: &Section<'_>,
    gas_limit: Option<&Field<Gas>>,
) -> Option<(Bounds, TransportBounds)> {
    let empty = Table::default();
    let section = network.section("bounds", &empty);
    let count = kind::small(1..=10_000_000);
    let mempool = section.with_default("mempool", 100_000, &count);
    let nonce_window = section.with_default("nonce_window", 1_024, kind::small(1..=1_000_000));
    let spans = kind::duration(Duration::from_millis(1)..=HOUR);
    let mempool_time = section.with_default("mempool_time", Duration::from_secs(600), spans);
    let ten_blocks = gas_limit.map_or(0, |limit| limit.value.0 * 10);
    let gas = kind::integer(TRANSFER_GAS.0..=MAX_GAS_LIMIT.0 * 10);
    let delayed_gas = section.with_default("delayed_gas", ten_blocks, gas);
    let buffered = section.with_default("buffered", 100_000, &count);
    let waiting_batches = section.with_default("waiting_batches", 4_096, &count);
    let pending_headers = section.with_default("pending_headers", 4_096, &count);
    let bounds = || {
        Some(Bounds {
            mempool: mempool?.value,
            nonce_window: nonce_window?.value,
            delayed_gas: Gas(delayed_gas?.value),
            buffered: buffered?.value,
            waiting_batches: waiting_batches?.value,
            pending_headers: pending_headers?.value,
            mempool_time: mempool_time?.value,
        })
    };
    let bounds = bounds();
    let transport = transport(notes, &section);
    section.finish();
    bounds.zip(transport)
}

fn transport(notes: &Notes, section: &Section<'_>) -> Option<TransportBounds> {
    let size = kind::size(ByteSize(64 << 10)..=ByteSize(1 << 30));
    let count = kind::small(1..=10_000_000);
    let message_bytes = section.with_default("message_bytes", ByteSize(16 << 20), &size);
    let queue_messages = section.with_default("queue_messages", 131_072, &count);
    let queue_bytes = section.with_default("queue_bytes", ByteSize(64 << 20), &size);
    let inbox_messages = section.with_default("inbox_messages", 65_536, &count);
    let inbox_bytes = section.with_default("inbox_bytes", ByteSize(64 << 20), &size);
    let window_messages = section.with_default("window_messages", 16_384, &count);
    let window_bytes = section.with_default("window_bytes", ByteSize(8 << 20), &size);
    if let (Some(window), Some(queue)) = (&window_bytes, &queue_bytes)
        && window.value > queue.value
    {
        notes.wrong(
            window.blame(queue),
            format!("`{}` is above `{}`", window.path, queue.path),
            format!("the queue holds what is sent, so the window is at most {}", queue.value),
        );
    }
    Some(TransportBounds {
        message_bytes: message_bytes?.value,
        queue_messages: queue_messages?.value,
        queue_bytes: queue_bytes?.value,
        inbox_messages: inbox_messages?.value,
        inbox_bytes: inbox_bytes?.value,
        window_messages: window_messages?.value,
        window_bytes: window_bytes?.value,
    })
}

fn links(
    notes: &Notes,
    network: &Section<'_>,
    shards: Option<u32>,
    validators: Option<u32>,
) -> Option<Links> {
    let empty = Table::default();
    let section = network.section("links", &empty);
    let minute = kind::duration(Duration::ZERO..=Duration::from_secs(60));
    let delay = section.with_default("delay", Duration::ZERO, &minute);
    let jitter = section.with_default("jitter", Duration::ZERO, &minute);
    let bandwidth = section.with_default("bandwidth", Bandwidth::Unlimited, kind::bandwidth);
    let regions = regions::read(notes, network, shards, validators);
    let mut overrides = Some(Vec::new());
    let changes = section.sections("override");
    if changes.is_none() {
        overrides = None;
    }
    for change in changes.unwrap_or_default() {
        let end = |node: &Node| endpoint(node, shards, validators);
        let from = change.required("from", "from = \"shard:0\"", end);
        let to = change.required("to", "to = \"client\"", end);
        let (delay, jitter) =
            (change.optional("delay", &minute), change.optional("jitter", &minute));
        let bandwidth = change.optional("bandwidth", kind::bandwidth);
        if !["delay", "jitter", "bandwidth"].iter().any(|key| change.has(key)) {
            notes.wrong(
                change.at(),
                "this override changes nothing",
                "expected `delay`, `jitter` or `bandwidth`",
            );
        }
        change.finish();
        let change = from.zip(to).map(|(from, to)| LinkOverride {
            from: from.value,
            to: to.value,
            delay: delay.map(|field| field.value),
            jitter: jitter.map(|field| field.value),
            bandwidth: bandwidth.map(|field| field.value),
        });
        overrides = overrides.zip(change).map(|(mut overrides, change)| {
            overrides.push(change);
            overrides
        });
    }
    section.finish();
    let default = Link { delay: delay?.value, jitter: jitter?.value, bandwidth: bandwidth?.value };
    Some(Links { default, regions: regions?, overrides: overrides? })
}

fn endpoint(node: &Node, shards: Option<u32>, validators: Option<u32>) -> Result<Endpoint, Wrong> {
    let expected =
        "\"shard:0\", \"shard:*\", \"coordinator:0\", \"coordinator:*\", \"client\" or \"*\"";
    named_endpoint(kind::string(node, expected)?, expected, shards, validators)
}

/// The nodes that `text` names; `expected` says what may be written there.
pub(super) fn named_endpoint(
    text: &str,
    expected: &str,
    shards: Option<u32>,
    validators: Option<u32>,
) -> Result<Endpoint, Wrong> {
    let wrong = || Wrong::value(format!("expected {expected}"));
    let (role, index) = text.split_once(':').unwrap_or((text, ""));
    match (role, index) {
        ("*", "") => Ok(Endpoint::Any),
        ("client", "") => Ok(Endpoint::Client),
        ("shard", "*") => Ok(Endpoint::Shards),
        ("coordinator", "*") => Ok(Endpoint::Coordinators),
        ("shard", index) => {
            Ok(Endpoint::Shard(ShardId(number(index, shards, "shard").ok_or_else(wrong)??)))
        }
        ("coordinator", index) => {
            let index = number(index, validators, "coordinator").ok_or_else(wrong)??;
            Ok(Endpoint::Coordinator(ValidatorIndex(index)))
        }
        _ => Err(wrong()),
    }
}

/// The number of a node below `count`; `None` if `index` is not a number.
fn number(index: &str, count: Option<u32>, role: &str) -> Option<Result<u32, Wrong>> {
    let canonical = index == "0" || !index.starts_with(['0', '+']);
    let number = index.parse::<u32>().ok().filter(|_| canonical)?;
    Some(match count {
        Some(count) if number >= count => {
            Err(Wrong::value(format!("the last one is `{role}:{}`", count - 1)))
        }
        _ => Ok(number),
    })
}
