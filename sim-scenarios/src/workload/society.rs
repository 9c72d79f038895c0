//! Who belongs together: the communities of a `communities` load, its regular senders and its hubs,
//! and how they change over time.

use cross_shard_msg::Duration;

use super::popularity::Sampler;
use super::random::Stream;
use crate::scenario::{CommunitiesLoad, Drift, Popularity};

/// Two kinds of contracts: tokens, and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Token,
    Service,
}

/// A contract of a load: its kind and its number, hubs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContractId {
    pub(super) kind: Kind,
    pub(super) number: u32,
}

/// The state of a society at some moment of its phase.
#[derive(Clone, Debug)]
pub(super) struct Society {
    /// Each account's community.
    community: Vec<u32>,
    /// Per community its accounts.
    members: Vec<Vec<u32>>,
    /// Each account's position among its community's.
    position: Vec<u32>,
    /// Weights are whole communities.
    sizes: Sampler,
    /// All accounts, the regular senders by rank first.
    order: Vec<u32>,
    regulars: usize,
    regular: Sampler,
    /// Which of the others sends next.
    turn: usize,
    hub_accounts: Vec<u32>,
    hub_account: Sampler,
    tokens: Shelf,
    services: Shelf,
    drift: Option<Drift>,
    stream: Stream,
    /// How many periods have passed.
    periods: u64,
}

/// The contracts of one kind.
#[derive(Clone, Debug)]
struct Shelf {
    /// By rank.
    hubs: Vec<u32>,
    hub: Sampler,
    /// Per community its contracts by rank.
    local: Vec<Vec<u32>>,
    by_rank: Vec<Sampler>,
}

impl Society {
    /// At the phase's start. `count` accounts, from which the load's bounds follow; `stream` draws
    /// who belongs where, and later what changes.
    pub(super) fn new(load: &CommunitiesLoad, count: u32, mut stream: Stream) -> Self {
        let sizes = sizes(load.communities, load.sizes, count);
        let mut accounts: Vec<u32> = (0..count).collect();
        shuffle(&mut accounts, &mut stream);
        let mut society = Self {
            community: vec![0; accounts.len()],
            members: Vec::with_capacity(sizes.len()),
            position: vec![0; accounts.len()],
            sizes: Sampler::weighted(sizes.iter().map(|size| *size as u64)),
            order: (0..count).collect(),
            regulars: 0,
            regular: Sampler::weighted(std::iter::empty()),
            turn: 0,
            hub_accounts: Vec::new(),
            hub_account: zipf(load.hubs.accounts, load.hubs.zipf),
            tokens: Shelf::new(load, load.hubs.tokens, load.contracts.tokens, load.hubs.zipf),
            services: Shelf::new(
                load,
                load.hubs.services,
                load.contracts.services,
                load.contracts.zipf,
            ),
            drift: load.drift,
            stream: stream.clone(),
            periods: 0,
        };
        let mut rest = accounts.as_slice();
        for (community, size) in (0_u32..).zip(sizes) {
            let (members, others) = rest.split_at(size.min(rest.len()));
            rest = others;
            for (position, account) in (0_u32..).zip(members) {
                set(&mut society.community, *account, community);
                set(&mut society.position, *account, position);
            }
            society.members.push(members.to_vec());
        }
        shuffle(&mut society.order, &mut stream);
        society.hub_accounts =
            society.order.iter().rev().take(load.hubs.accounts as usize).copied().collect();
        let regulars = u64::from(count) * u64::from(load.senders.regulars.millionths) / 1_000_000;
        let regulars = u32::try_from(regulars).unwrap_or(count).clamp(1, count);
        society.regulars = regulars as usize;
        society.regular = zipf(regulars, load.senders.zipf);
        society.stream = stream;
        society
    }

    /// Lets all changes happen that are due by `at`, counted from the phase's start.
    pub(super) fn advance(&mut self, at: Duration) {
        let Some(drift) = self.drift else { return };
        while at.0 / drift.every.0.max(1) > self.periods {
            self.periods += 1;
            self.change(drift);
        }
    }

    /// How many times it has changed.
    pub(super) fn periods(&self) -> u64 {
        self.periods
    }

    fn change(&mut self, drift: Drift) {
        let mut stream = self.stream.clone();
        let count = self.order.len() as u64;
        // Each exchange moves two accounts.
        let exchanges = count * u64::from(drift.members.millionths) / 2_000_000;
        for _ in 0..exchanges {
            let (one, other) = (stream.below(count) as u32, stream.below(count) as u32);
            self.exchange(one, other);
        }
        for rank in 0..self.regulars {
            if stream.chance(drift.hot.millionths) {
                let other = stream.below(count) as usize;
                self.order.swap(rank, other);
            }
        }
        for hub in &mut self.hub_accounts {
            if stream.chance(drift.hot.millionths) {
                *hub = stream.below(count) as u32;
            }
        }
        for shelf in [&mut self.tokens, &mut self.services] {
            shelf.change(drift.hot.millionths, &mut stream);
        }
        self.stream = stream;
    }

    /// Two accounts take each other's place.
    fn exchange(&mut self, one: u32, other: u32) {
        let place = |of: u32| (self.community_of(of), get(&self.position, of));
        let (first, second) = (place(one), place(other));
        if first.0 == second.0 {
            return;
        }
        for (account, (community, position)) in [(one, second), (other, first)] {
            set(&mut self.community, account, community);
            set(&mut self.position, account, position);
            if let Some(members) = self.members.get_mut(community as usize) {
                set(members, position, account);
            }
        }
    }

    /// An account's community.
    pub(super) fn community_of(&self, account: u32) -> u32 {
        get(&self.community, account)
    }

    /// Draws a sender; `regular` is whether it is one of the regulars.
    pub(super) fn sender(&mut self, regular: bool, stream: &mut Stream) -> u32 {
        let others = self.order.len() - self.regulars;
        if regular || others == 0 {
            let rank = self.regular.draw(stream).unwrap_or(0);
            return get(&self.order, rank);
        }
        let sender = self.order.get(self.regulars + self.turn).copied().unwrap_or(0);
        self.turn = (self.turn + 1) % others;
        sender
    }

    /// Draws an account that all pay to.
    pub(super) fn hub_account(&self, stream: &mut Stream) -> Option<u32> {
        self.hub_accounts.get(self.hub_account.draw(stream)? as usize).copied()
    }

    /// Draws a contract that all use.
    pub(super) fn hub(&self, kind: Kind, stream: &mut Stream) -> Option<ContractId> {
        let shelf = self.shelf(kind);
        let number = *shelf.hubs.get(shelf.hub.draw(stream)? as usize)?;
        Some(ContractId { kind, number })
    }

    /// Draws a community other than this one by size; itself if there is no other.
    pub(super) fn other_community(&self, community: u32, stream: &mut Stream) -> u32 {
        self.sizes.draw_except(community, stream).unwrap_or(community)
    }

    /// Draws an account of a community, but not this one.
    pub(super) fn member(&self, community: u32, except: u32, stream: &mut Stream) -> u32 {
        let members = self.members.get(community as usize).map(Vec::as_slice).unwrap_or_default();
        let mut draw = || get(members, stream.below(members.len() as u64) as u32);
        let drawn = draw();
        if drawn != except {
            return drawn;
        }
        // Its neighbour in the list: communities have at least two.
        let next = get(&self.position, drawn) as usize + 1;
        members.get(next).or(members.first()).copied().unwrap_or(0)
    }

    /// Draws a contract of a community.
    pub(super) fn local(
        &self,
        kind: Kind,
        community: u32,
        stream: &mut Stream,
    ) -> Option<ContractId> {
        let shelf = self.shelf(kind);
        let rank = shelf.by_rank.get(community as usize)?.draw(stream)?;
        let number = *shelf.local.get(community as usize)?.get(rank as usize)?;
        Some(ContractId { kind, number })
    }

    /// The community of each account now.
    pub(super) fn communities(&self) -> &[u32] {
        &self.community
    }

    fn shelf(&self, kind: Kind) -> &Shelf {
        match kind {
            Kind::Token => &self.tokens,
            Kind::Service => &self.services,
        }
    }
}

impl Shelf {
    fn new(load: &CommunitiesLoad, hubs: u32, count: u32, hub_zipf: f64) -> Self {
        let communities = load.communities as usize;
        let mut local = vec![Vec::new(); communities];
        let mut weights = vec![Vec::new(); communities];
        let all = zipf(count, load.contracts.zipf);
        for rank in 0..count {
            let community = rank as usize % communities.max(1);
            if let (Some(local), Some(weights)) =
                (local.get_mut(community), weights.get_mut(community))
            {
                local.push(hubs + rank);
                weights.push(all.weight(rank));
            }
        }
        let by_rank = weights.into_iter().map(|weights| Sampler::weighted(weights.into_iter()));
        Self {
            hubs: (0..hubs).collect(),
            hub: zipf(hubs, hub_zipf),
            local,
            by_rank: by_rank.collect(),
        }
    }

    /// Hubs change places with contracts of communities.
    fn change(&mut self, probability: u32, stream: &mut Stream) {
        for hub in &mut self.hubs {
            if !stream.chance(probability) {
                continue;
            }
            let community = stream.below(self.local.len() as u64) as usize;
            let Some(local) = self.local.get_mut(community) else { continue };
            let rank = stream.below(local.len() as u64) as usize;
            if let Some(other) = local.get_mut(rank) {
                std::mem::swap(hub, other);
            }
        }
    }
}

/// How many accounts each community has: at least two, together all.
fn sizes(communities: u32, sizes: Popularity, count: u32) -> Vec<usize> {
    let weights = Sampler::new(communities, sizes);
    let spare = u128::from(count.saturating_sub(2 * communities));
    let total = u128::from(weights.total().max(1));
    let mut before = 0_u128;
    let mut given = 0_u128;
    (0..communities)
        .map(|community| {
            before += u128::from(weights.weight(community));
            let until = spare * before / total;
            let size = until - given;
            given = until;
            2 + usize::try_from(size).unwrap_or(0)
        })
        .collect()
}

fn zipf(count: u32, exponent: f64) -> Sampler {
    Sampler::new(count, Popularity::Zipf { exponent })
}

/// Fisher and Yates.
fn shuffle(items: &mut [u32], stream: &mut Stream) {
    for end in (1..items.len()).rev() {
        items.swap(end, stream.below(end as u64 + 1) as usize);
    }
}

fn get(items: &[u32], index: u32) -> u32 {
    items.get(index as usize).copied().unwrap_or(0)
}

fn set(items: &mut [u32], index: u32, value: u32) {
    if let Some(item) = items.get_mut(index as usize) {
        *item = value;
    }
}
