//! `kind = "communities"`: who belongs together, what all use, and how that changes.
//!
//! The defaults are those whose transactions are like mainnet's (docs/workloads.md has the check).

use cross_shard_msg::{Duration, Wei};

use super::super::load::{CommunitiesLoad, Contracts, Drift, Hubs, Senders};
use super::super::network::TRANSFER_GAS;
use super::super::types::Popularity;
use super::super::unit::Fraction;
use super::accounts::{exponent, popularity};
use super::kind;
use super::loads::{Context, value};
use super::phases::DAY;
use super::section::{Field, Section};
use super::tree::Table;

const MAX_COMMUNITIES: u32 = 65_536;
const MAX_CONTRACTS: u32 = 1_000_000;
const MAX_HUBS: u32 = 10_000;

pub(super) fn read(context: &Context<'_>, section: &Section<'_>) -> Option<CommunitiesLoad> {
    let pace = context.pace(section);
    let value = section.with_default("value", Wei::from(1), value());
    if let Some(value) = &value {
        context.funds(value, TRANSFER_GAS);
    }
    let accounts = context.known.accounts.count.as_ref().map(|count| count.value);
    let most = accounts.map_or(MAX_COMMUNITIES, |count| (count / 2).clamp(1, MAX_COMMUNITIES));
    let communities = section.with_default("communities", most.min(32), |node| {
        let wrong = |wrong: kind::Wrong| wrong.help("each has at least two accounts");
        kind::small(1..=most)(node).map_err(wrong)
    });
    let sizes = section.with_default("sizes", Popularity::Uniform, popularity);
    let inside = section.with_default("inside", percent(80), kind::fraction);
    if let (Some(inside), Some(communities)) = (&inside, &communities)
        && inside.written
        && inside.value.millionths < 1_000_000
        && communities.value == 1
    {
        context.notes.wrong(
            &inside.at,
            format!("`{}` leaves one community, but there is no other", inside.path),
            "expected 1, or at least 2 communities",
        );
    }
    let share =
        |key, millionths| section.with_default(key, Fraction { millionths }, kind::fraction);
    let transfers = share("transfers", 446_000);
    let token_transfers = share("token_transfers", 242_000);
    let approvals = share("approvals", 48_000);
    shares_fit(context, [&transfers, &token_transfers, &approvals]);
    let empty = Table::default();
    let senders = senders(section.section("senders", &empty));
    let least = communities.as_ref().map_or(1, |communities| communities.value);
    let contracts = contracts(section.section("contracts", &empty), least);
    let hubs = hubs(section.section("hubs", &empty), accounts);
    let drift = if section.has("drift") {
        drift(section.section("drift", &empty)).map(Some)
    } else {
        // Asked for, so that it is known.
        let _ = section.section("drift", &empty);
        Some(None)
    };
    Some(CommunitiesLoad {
        rate: pace.rate?.value,
        arrivals: pace.arrivals?,
        curve: pace.curve?,
        value: value?.value,
        communities: communities?.value,
        sizes: sizes?.value,
        inside: inside?.value,
        transfers: transfers?.value,
        token_transfers: token_transfers?.value,
        approvals: approvals?.value,
        senders: senders?,
        contracts: contracts?,
        hubs: hubs?,
        drift: drift?,
    })
}

fn shares_fit(context: &Context<'_>, shares: [&Option<Field<Fraction>>; 3]) {
    let [Some(one), Some(two), Some(three)] = shares else { return };
    let sum: u64 = [one, two, three].iter().map(|share| u64::from(share.value.millionths)).sum();
    if sum > 1_000_000 {
        context.notes.wrong(
            if one.written { &one.at } else { two.blame(three) },
            format!("`{}`, `{}` and `{}` are more than everything", one.path, two.path, three.path),
            "expected a sum of at most 1",
        );
    }
}

fn senders(section: Section<'_>) -> Option<Senders> {
    let regulars = section.with_default("regulars", percent(5), kind::fraction);
    let share = section.with_default("share", percent(21), kind::fraction);
    let zipf = section.with_default("zipf", 0.76, exponent);
    section.finish();
    Some(Senders { regulars: regulars?.value, share: share?.value, zipf: zipf?.value })
}

fn contracts(section: Section<'_>, least: u32) -> Option<Contracts> {
    let count = |key| {
        section.with_default(key, least.max(2_000), |node| {
            let wrong = |wrong: kind::Wrong| wrong.help("each community has at least one");
            kind::small(least..=MAX_CONTRACTS)(node).map_err(wrong)
        })
    };
    let (tokens, services) = (count("tokens"), count("services"));
    let zipf = section.with_default("zipf", 0.88, exponent);
    section.finish();
    Some(Contracts { tokens: tokens?.value, services: services?.value, zipf: zipf?.value })
}

fn hubs(section: Section<'_>, accounts: Option<u32>) -> Option<Hubs> {
    let count = |key, default: u32, most: u32| {
        section.with_default(key, default.min(most), kind::small(0..=most))
    };
    let share =
        |key, millionths| section.with_default(key, Fraction { millionths }, kind::fraction);
    let most = accounts.unwrap_or(MAX_HUBS).min(MAX_HUBS);
    let accounts = count("accounts", 6, most);
    let account_share = share("account_share", 495_000);
    let tokens = count("tokens", 3, MAX_HUBS);
    let token_share = share("token_share", 650_000);
    let approval_share = share("approval_share", 200_000);
    let services = count("services", 10, MAX_HUBS);
    let service_share = share("service_share", 270_000);
    let zipf = section.with_default("zipf", 0.5, exponent);
    section.finish();
    Some(Hubs {
        accounts: accounts?.value,
        account_share: account_share?.value,
        tokens: tokens?.value,
        token_share: token_share?.value,
        approval_share: approval_share?.value,
        services: services?.value,
        service_share: service_share?.value,
        zipf: zipf?.value,
    })
}

fn drift(section: Section<'_>) -> Option<Drift> {
    let range = Duration::from_millis(1)..=DAY;
    let every = section.required("every", "every = \"10s\"", kind::duration(range));
    let members = section.with_default("members", percent(0), kind::fraction);
    let hot = section.with_default("hot", percent(0), kind::fraction);
    section.finish();
    Some(Drift { every: every?.value, members: members?.value, hot: hot?.value })
}

fn percent(percent: u32) -> Fraction {
    Fraction { millionths: percent * 10_000 }
}
