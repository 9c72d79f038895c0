//! The transactions that took longest to settle, each as a waterfall.

use super::blocks::Chain;
use super::latency::STAGE_COLOURS;
use super::markup::{escaped, shortened};
use super::transactions::{Slow, Transactions};
use crate::report::life::{BlockFacts, Blocks, Life};
use crate::report::number::{grouped, millis, plain};
use cross_shard_msg::Duration;

/// Most steps of one waterfall.
const MOST_STEPS: usize = 40;
/// How many waterfalls are open at first.
const OPEN: usize = 3;

/// The section on the slowest transactions.
#[must_use]
pub(super) fn slowest(transactions: &Transactions, chain: &Chain) -> String {
    if transactions.slow.is_empty() {
        return "<p class=\"empty\">No recorded transaction settled.</p>".to_owned();
    }
    let mut html = String::new();
    for (rank, ((network, _), slow)) in transactions.slow.iter().enumerate() {
        let life = Life::of(&slow.row, &slow.legs, &blocks(slow, *network, chain));
        html.push_str(&waterfall(&life, slow.took, rank < OPEN));
    }
    html.push_str(
        "<p class=\"note\">By time from scheduled to settled. Draw any other one with \
         <code>shardlab trace RUN HASH</code>.</p>",
    );
    html
}

/// The blocks that executed or caused its legs.
fn blocks(slow: &Slow, network: u64, chain: &Chain) -> Blocks {
    let number = |text: &str| text.parse::<u64>().ok();
    let mut blocks = Blocks::new();
    let ends = slow.legs.iter().flat_map(|leg| {
        [(leg.text("shard"), leg.text("height")), (leg.text("source"), leg.text("source_height"))]
    });
    for (shard, height) in ends {
        let (Some(at), Some(of)) = (number(shard), number(height)) else { continue };
        let found = chain.blocks.binary_search_by_key(&(network, at, of), |block| {
            (block.network, block.shard, block.height)
        });
        let Some(block) = found.ok().and_then(|place| chain.blocks.get(place)) else { continue };
        let checkpoint = block.checkpoint.map(|number| number.to_string()).unwrap_or_default();
        let facts = BlockFacts { executed: block.executed, checkpoint };
        blocks.insert((shard.to_owned(), height.to_owned()), facts);
    }
    blocks
}

fn waterfall(life: &Life, took: Duration, open: bool) -> String {
    let first = life.steps.iter().map(|step| step.start).min().unwrap_or(0);
    let last = life.steps.iter().map(|step| step.end).max().unwrap_or(first);
    let span = (last - first).max(1) as f64;
    let percent = |time: u64| plain(time as f64 / span * 100.0);
    let mut html = format!(
        "<details class=\"life\"{}><summary><b>{} ms</b> <code>{}</code> <small>{}</small></summary>\
         <div class=\"steps\">",
        if open { " open=\"open\"" } else { "" },
        millis(took),
        shortened(&life.hash, 80),
        shortened(&life.summary, 120),
    );
    for step in life.steps.iter().take(MOST_STEPS) {
        let took = millis(Duration(step.end - step.start));
        html.push_str(&format!(
            "<div class=\"step\"><span>{}</span><span>{what}</span><i><b class=\"{}\" \
             style=\"left:{}%;width:{}%\" title=\"{what}: {took} ms\"></b></i><span>{took}</span></div>",
            escaped(&step.place),
            colour(&step.what),
            percent(step.start - first),
            percent(step.end - step.start),
            what = escaped(&step.what),
        ));
    }
    html.push_str(&format!(
        "<p class=\"note\">ms; {} ms from scheduled to finalized, from {} s after the network's start",
        millis(Duration(last - first)),
        plain(first as f64 / 1e9)
    ));
    match life.steps.len().saturating_sub(MOST_STEPS) {
        0 => {}
        hidden => html.push_str(&format!("; {} more steps", grouped(hidden as u64))),
    }
    html.push_str(".</p></div></details>\n");
    html
}

/// The colour of the stage that a step is.
fn colour(what: &str) -> &'static str {
    let [release, network, gate, queue, execution] = STAGE_COLOURS;
    match what {
        "release" => release,
        "call" | "refund" | "migrate" | "admission" | "to be sent" => network,
        "gate" => gate,
        "queue" | "mempool" => queue,
        "finality" => "quiet",
        _ => execution,
    }
}
