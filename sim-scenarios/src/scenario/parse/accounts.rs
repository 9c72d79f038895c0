//! `[accounts]` and `[client]`.

use cross_shard_msg::{Duration, Wei};

use super::super::types::{Accounts, ClientSettings, Popularity};
use super::super::unit::print_wei;
use super::kind::{self, Wrong};
use super::network::{MAX_PRICE, ReadNetwork};
use super::section::{Field, Notes, Section};
use super::tree::{Node, Table, Value};

const MAX_ACCOUNTS: u32 = 10_000_000;
const GWEI: u64 = 1_000_000_000;
const ETHER: u64 = 1_000_000_000 * GWEI;

/// What was read of `[accounts]`, for the checks of other sections.
#[derive(Debug)]
pub(super) struct ReadAccounts {
    pub(super) count: Option<Field<u32>>,
    pub(super) balance: Option<Field<Wei>>,
    pub(super) all_local: Option<Field<bool>>,
    pub(super) accounts: Option<Accounts>,
}

/// What was read of `[client]`, for the checks of other sections.
#[derive(Debug)]
pub(super) struct ReadClient {
    pub(super) max_fee: Option<Field<Wei>>,
    pub(super) client: Option<ClientSettings>,
}

pub(super) fn read_accounts(top: &Section<'_>) -> ReadAccounts {
    let empty = Table::default();
    let section = top.section("accounts", &empty);
    let count = section.with_default("count", 1_000, kind::small(2..=MAX_ACCOUNTS));
    // A billion ether: more than there is, and the sum over all accounts stays far below 2²⁵⁶.
    let most = Wei::from(ETHER) * Wei::from(1_000_000_000);
    let default = Wei::from(ETHER) * Wei::from(1_000);
    let balance = section.with_default("balance", default, kind::amount(Wei::ZERO..=most));
    let popularity = section.with_default("popularity", Popularity::Uniform, popularity);
    let all_local = section.with_default("all_local", false, kind::boolean);
    section.finish();
    let accounts = || {
        Some(Accounts {
            count: count.as_ref()?.value,
            balance: balance.as_ref()?.value,
            popularity: popularity?.value,
            all_local: all_local.as_ref()?.value,
        })
    };
    let accounts = accounts();
    ReadAccounts { count, balance, all_local, accounts }
}

pub(super) fn read_client(notes: &Notes, top: &Section<'_>, network: &ReadNetwork) -> ReadClient {
    let empty = Table::default();
    let section = top.section("client", &empty);
    let hour = kind::duration(Duration::ZERO..=Duration::from_secs(3_600));
    let retry_deadline = section.with_default("retry_deadline", Duration::from_secs(30), &hour);
    let drain_timeout = section.with_default("drain_timeout", Duration::from_secs(60), &hour);
    let price = kind::amount(Wei::ZERO..=Wei::from(MAX_PRICE));
    let max_fee = section.with_default("max_fee", Wei::from(1_000 * GWEI), &price);
    let tip = section.with_default("tip", Wei::from(GWEI), &price);
    section.finish();
    if let (Some(max_fee), Some(tip), Some(base_fee)) = (&max_fee, &tip, &network.base_fee) {
        let needed = base_fee.value.saturating_add(tip.value);
        if max_fee.value < needed {
            notes.wrong(
                max_fee.blame(base_fee),
                format!("`{}` does not cover base fee and tip", max_fee.path),
                format!("`{}` must be at least {}", max_fee.path, print_wei(needed)),
            );
        }
    }
    let client = || {
        Some(ClientSettings {
            retry_deadline: retry_deadline?.value,
            drain_timeout: drain_timeout?.value,
            max_fee: max_fee.as_ref()?.value,
            tip: tip?.value,
        })
    };
    let client = client();
    ReadClient { max_fee, client }
}

/// `"uniform"` or `{ zipf = EXPONENT }`.
pub(super) fn popularity(node: &Node) -> Result<Popularity, Wrong> {
    let expected = "\"uniform\" or { zipf = 1.08 }";
    let wrong = || Err(Wrong::value(format!("expected {expected}")));
    let node = match &node.value {
        Value::Text(text) if text == "uniform" => return Ok(Popularity::Uniform),
        Value::Text(_) => return wrong(),
        Value::Table(table) if table.entries.len() == 1 => match table.entries.get("zipf") {
            Some(entry) => &entry.node,
            None => return wrong(),
        },
        Value::Table(_) => return wrong(),
        _ => return Err(Wrong::kind(expected, node)),
    };
    exponent(node).map(|exponent| Popularity::Zipf { exponent })
}

/// The exponent of Zipf's law: above 0, at most 10.
pub(super) fn exponent(node: &Node) -> Result<f64, Wrong> {
    let number = match &node.value {
        Value::Float(text) => text.parse::<f64>().ok(),
        Value::Integer(Some(number)) => u32::try_from(*number).ok().map(f64::from),
        _ => None,
    };
    match number {
        Some(exponent) if exponent > 0.0 && exponent <= 10.0 => Ok(exponent),
        _ => Err(Wrong::value("expected `zipf` to be a number above 0, at most 10")),
    }
}
