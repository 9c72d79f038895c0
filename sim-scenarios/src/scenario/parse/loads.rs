//! `[[phase.load]]`: one function per kind. A new kind of load is one arm here, one variant of
//! [`Load`], one section of docs/scenarios.md.

use cross_shard_msg::{Duration, Gas, Wei};

use super::super::files::Places;
use super::super::load::{
    Arrivals, Blocks, Curve, FileRef, Load, MainnetBlocksLoad, TraceLoad, TransferLoad,
};
use super::super::network::TRANSFER_GAS;
use super::super::unit::{Fraction, Rate, print_wei};
use super::calls;
use super::communities;
use super::curve;
use super::kind::{self, Wrong};
use super::phases::{Known, limit_total};
use super::section::{Field, Notes, Section};
use super::tree::{Node, Value};

/// The most transactions that one load sends.
const MAX_TRANSACTIONS: u64 = 100_000_000;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Transfer,
    Call,
    Communities,
    Trace,
    MainnetBlocks,
}

const KINDS: &[(&str, Kind)] = &[
    ("transfer", Kind::Transfer),
    ("call", Kind::Call),
    ("communities", Kind::Communities),
    ("trace", Kind::Trace),
    ("mainnet-blocks", Kind::MainnetBlocks),
];

/// What the function of each kind gets.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) notes: &'a Notes,
    pub(super) known: &'a Known<'a>,
    pub(super) places: &'a Places,
    /// The phase's duration.
    pub(super) duration: Option<&'a Field<Duration>>,
    /// Whether this is the only load of its phase.
    alone: bool,
}

/// When a load's transactions are due, as far as it could be read.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) rate: Option<Field<Rate>>,
    pub(super) arrivals: Option<Arrivals>,
    pub(super) curve: Option<Curve>,
}

/// Reads one load; tells also whether it comes to an end by itself.
pub(super) fn read(
    notes: &Notes,
    section: Section<'_>,
    known: &Known<'_>,
    places: &Places,
    duration: Option<&Field<Duration>>,
    alone: bool,
) -> (Option<Load>, bool) {
    let context = Context { notes, known, places, duration, alone };
    let kind = section.required("kind", "kind = \"transfer\"", kind::choice(KINDS));
    let Some(kind) = kind else {
        // Which keys it has depends on its kind: the others are not looked at.
        return (None, true);
    };
    let (load, ends) = match kind.value {
        Kind::Transfer => (transfer(&context, &section).map(Load::Transfer), false),
        Kind::Call => (calls::read(&context, &section).map(Load::Call), false),
        Kind::Communities => (communities::read(&context, &section).map(Load::Communities), false),
        Kind::Trace => (trace(&context, &section).map(Load::Trace), true),
        Kind::MainnetBlocks => {
            (mainnet_blocks(&context, &section, &kind.at).map(Load::MainnetBlocks), true)
        }
    };
    section.finish();
    (load, ends)
}

fn transfer(context: &Context<'_>, section: &Section<'_>) -> Option<TransferLoad> {
    let pace = context.pace(section);
    let value = section.with_default("value", Wei::from(1), value());
    let cross_shard = context.cross_shard(section);
    if let Some(value) = &value {
        context.funds(value, TRANSFER_GAS);
    }
    Some(TransferLoad {
        rate: pace.rate?.value,
        arrivals: pace.arrivals?,
        curve: pace.curve?,
        value: value?.value,
        cross_shard: cross_shard?,
    })
}

fn trace(context: &Context<'_>, section: &Section<'_>) -> Option<TraceLoad> {
    let example = "file = \"data:mainnet-transactions.csv.gz\"";
    let file = section.required("file", example, |node| context.file(node, false));
    let pace = context.pace(section);
    let value = section.optional("value", value());
    let count = section.optional("count", kind::integer(1..=MAX_TRANSACTIONS));
    if let Some(value) = &value {
        context.funds(value, TRANSFER_GAS);
    }
    Some(TraceLoad {
        file: file?.value,
        rate: pace.rate?.value,
        arrivals: pace.arrivals?,
        curve: pace.curve?,
        value: optional(section, "value", value)?,
        count: optional(section, "count", count)?,
    })
}

fn mainnet_blocks(
    context: &Context<'_>,
    section: &Section<'_>,
    kind_at: &super::super::problem::Place,
) -> Option<MainnetBlocksLoad> {
    let example = "directory = \"data:mainnet-blocks\"";
    let directory = section.required("directory", example, |node| context.file(node, true));
    let blocks = section.with_default("blocks", Blocks::All, |node| {
        blocks(node, directory.as_ref().map(|directory| &directory.value))
    });
    if !context.alone {
        context.notes.wrong(
            kind_at,
            "`mainnet-blocks` shares its phase with another load",
            "expected to be the only load of its phase",
        );
    }
    if let Some(duration) = context.duration {
        context.notes.wrong(
            &duration.at,
            format!("`{}` does not go with `mainnet-blocks`", duration.path),
            "expected no `for`: the phase lasts until its blocks are done",
        );
    }
    if let Some(chain_id) = &context.known.network.chain_id
        && chain_id.value != 1
    {
        let at = if chain_id.written { &chain_id.at } else { kind_at };
        context.notes.wrong(
            at,
            "`mainnet-blocks` holds transactions that are signed for chain 1",
            "expected `chain_id = 1` in `[network]`",
        );
    }
    if let Some(all_local) = &context.known.accounts.all_local
        && all_local.value
    {
        context.notes.wrong(
            &all_local.at,
            format!("`{}` does not go with `mainnet-blocks`", all_local.path),
            "real blocks are signed: their senders and recipients cannot be exchanged",
        );
    }
    Some(MainnetBlocksLoad { directory: directory?.value, blocks: blocks?.value })
}

fn blocks(node: &Node, directory: Option<&FileRef>) -> Result<Blocks, Wrong> {
    let expected = "\"all\" or an array of block numbers";
    let elements = match &node.value {
        Value::Text(text) if text == "all" => return Ok(Blocks::All),
        Value::Text(_) => return Err(Wrong::value(format!("expected {expected}"))),
        Value::Array(elements) => elements,
        _ => return Err(Wrong::kind(expected, node)),
    };
    if elements.is_empty() {
        return Err(Wrong::value("expected at least one block number"));
    }
    let mut numbers = Vec::new();
    for element in elements {
        let number = kind::integer(0..=u64::MAX)(element)?;
        if numbers.contains(&number) {
            return Err(Wrong::value(format!("block {number} is listed twice")));
        }
        let missing = |directory: &FileRef| !directory.path.join(number.to_string()).is_dir();
        if directory.is_some_and(missing) {
            return Err(Wrong::value(format!("the directory has no block {number}")));
        }
        numbers.push(number);
    }
    Ok(Blocks::Numbers(numbers))
}

impl Context<'_> {
    /// `rate`, `arrivals` and `curve`.
    pub(super) fn pace(&self, section: &Section<'_>) -> Pace {
        let rate = section.required("rate", "rate = 200", kind::rate);
        let words = [("poisson", Arrivals::Poisson), ("uniform", Arrivals::Uniform)];
        let arrivals = section.with_default("arrivals", Arrivals::Poisson, kind::choice(&words));
        if let (Some(rate), Some(duration)) = (&rate, self.duration) {
            limit_total(self.notes, rate, duration, MAX_TRANSACTIONS);
        }
        let curve = curve::read(self, section);
        Pace { rate, arrivals: arrivals.map(|field| field.value), curve }
    }

    /// `cross_shard`. The outer `None`: it could not be read.
    pub(super) fn cross_shard(&self, section: &Section<'_>) -> Option<Option<Fraction>> {
        let field = section.optional("cross_shard", kind::fraction);
        if let (Some(share), Some(shards)) = (&field, &self.known.network.shards)
            && share.value.millionths > 0
            && shards.value == 1
        {
            self.notes.wrong(
                &share.at,
                format!("`{}` is impossible with one shard", share.path),
                "expected 0, or at least 2 shards",
            );
        }
        optional(section, "cross_shard", field)
    }

    /// A file or directory.
    pub(super) fn file(&self, node: &Node, directory: bool) -> Result<FileRef, Wrong> {
        let written = kind::text(node)?;
        let expected = if directory { "expected a directory" } else { "expected a file" };
        self.places.find(&written, directory).map_err(|error| Wrong::value(expected).help(error))
    }

    /// Reports a transaction that no account can pay for.
    pub(super) fn funds(&self, value: &Field<Wei>, gas: Gas) {
        let (balance, price) = (&self.known.accounts.balance, &self.known.client.max_fee);
        let (Some(balance), Some(price)) = (balance, price) else { return };
        let needed = value.value.saturating_add(gas.cost(price.value));
        if needed > balance.value {
            self.notes.wrong(
                value.blame(balance),
                format!("no account can pay for one transaction with `{}`", value.path),
                format!(
                    "it needs {} with its gas; `{}` is {}",
                    print_wei(needed),
                    balance.path,
                    print_wei(balance.value)
                ),
            );
        }
    }
}

/// Amounts that a transaction can carry.
pub(super) fn value() -> impl Fn(&Node) -> Result<Wei, Wrong> {
    // 2¹²⁸ wei are more ether than there is, and no sum of them overflows.
    kind::amount(Wei::ZERO..=Wei::from(u128::MAX))
}

/// `Some(None)`: not there. `None`: there, but it could not be read.
fn optional<T>(section: &Section<'_>, key: &str, field: Option<Field<T>>) -> Option<Option<T>> {
    match field {
        Some(field) => Some(Some(field.value)),
        None if section.has(key) => None,
        None => Some(None),
    }
}
