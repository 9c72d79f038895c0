//! The committee as stateright sees it: three honest validators, and a faulty one that has no state
//! because whatever its key can sign is there at any time.

use std::sync::{Arc, Mutex};

use alloy_primitives::map::HashSet;
use consensus::Kind;
use stateright::{Model, Property};

use crate::table::{Facts, Table};
use crate::validator::{Bounds, Fact, Step, Validator};
use crate::word::{FAULTY, SIZE, Word};

const HONEST: usize = SIZE - 1;

/// How much of what may happen is searched one by one. The reasons are in `main.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Every single certificate, proposal and timeout is a step, and every restart if there are any.
    Singles { restarts: bool },
    /// A step ends with a new vote, reached with as little knowledge as it takes, and a restart;
    /// votes that are in nobody's way follow at once.
    Votes,
}

/// The honest validators, by number in the table.
pub type World = [u32; HONEST];

/// The committee and the bounds of a search. Clones share what is found.
#[derive(Clone)]
pub struct Committee {
    bounds: Bounds,
    search: Search,
    table: Arc<Mutex<Table>>,
    /// What the honest have voted where no single step adds a vote.
    ends: Arc<Mutex<HashSet<[Facts; HONEST]>>>,
}

impl Committee {
    pub fn new(search: Search, quorum: usize, genesis: u8, views: u8) -> Self {
        let bounds = Bounds { quorum, genesis, last: genesis + views };
        Self { bounds, search, table: Arc::default(), ends: Arc::default() }
    }

    /// The same committee, searched otherwise.
    pub fn searched(&self, search: Search) -> Self {
        let table = self.table.clone();
        Self { bounds: self.bounds, search, table, ends: Arc::default() }
    }

    /// How many of the ends of this search have votes that no end of `other` has all of, and how
    /// many ends there are.
    pub fn ends_beyond(&self, other: &Self) -> (usize, usize) {
        let (ends, others) = (self.ends.lock().unwrap(), other.ends.lock().unwrap());
        let within = |a: &[Facts; HONEST], b: &[Facts; HONEST]| {
            a.iter().zip(b).all(|(a, b)| a.without(*b).is_empty())
        };
        let beyond = |end: &&[Facts; HONEST]| {
            !others.contains(*end) && !others.iter().any(|other| within(end, other))
        };
        (ends.iter().filter(beyond).count(), ends.len())
    }

    /// How many machines were compared with others of the same outline, and how many differed.
    pub fn compare_doubles(&self) -> (usize, usize) {
        self.table.lock().unwrap().compare_doubles(self.bounds)
    }

    /// What a quorum may have said: the faulty one says whatever helps.
    fn certified(&self, table: &Table, world: &World) -> Facts {
        let [a, b, c] = world.map(|id| table.votes[id as usize]);
        match self.bounds.quorum {
            2 => a.or(b).or(c),
            3 => a.and(b).or(a.and(c)).or(b.and(c)),
            _ => unreachable!("quorums of two and three"),
        }
    }

    fn said(table: &Table, world: &World) -> Facts {
        world.iter().fold(Facts::default(), |all, id| all.or(table.votes[*id as usize]))
    }

    fn signers(table: &Table, world: &World, fact: u16) -> u8 {
        let voted = world.iter().filter(|id| table.votes[**id as usize].contains(fact));
        voted.fold(0, |signers, id| signers | 1 << table.validators[*id as usize].who)
    }

    /// Certificates that may exist and are not final to a validator yet, with their signers.
    fn certificates(&self, table: &Table, world: &World, id: u32) -> Vec<Step> {
        let tip = table.validators[id as usize].machine.tip().view.0;
        let numbers = self.certified(table, world).iter();
        let certificates = numbers.map(|number| {
            let fact = table.facts[usize::from(number)];
            (fact, Self::signers(table, world, number))
        });
        let open = certificates.filter(|(fact, _)| u64::from(fact.view) > tip);
        open.map(|(fact, signers)| Step::Certify(fact, signers)).collect()
    }

    /// What a validator in `view` may be told without a certificate.
    fn own_steps(&self, table: &Table, view: u8, certified: Facts, said: Facts) -> Vec<Step> {
        if view > self.bounds.last {
            return Vec::new();
        }
        let facts = said.iter().map(|id| table.facts[usize::from(id)]);
        let here = facts.filter(|fact| fact.kind == Kind::Notarize && fact.view == view);
        let mut words: Vec<Word> = here.map(|fact| fact.word).collect();
        if leader(view) == FAULTY && words.len() < 2 {
            let facts = certified.iter().map(|id| table.facts[usize::from(id)]);
            let parents = facts.filter(|fact| fact.kind == Kind::Notarize && fact.view < view);
            let genesis = Word::genesis(self.bounds.genesis);
            let parents: Vec<Word> = parents.map(|fact| fact.word).chain([genesis]).collect();
            for parent in parents {
                let first = parent.child(view, 1);
                words.push(if words.contains(&first) { parent.child(view, 2) } else { first });
            }
        }
        let proposals = words.into_iter().map(Step::Propose);
        [Step::TimeOut].into_iter().chain(proposals).collect()
    }

    /// Everything that may happen to a validator.
    fn singles(&self, table: &mut Table, world: &World, id: u32) -> Vec<u32> {
        let (certified, said) = (self.certified(table, world), Self::said(table, world));
        let mut steps = self.certificates(table, world, id);
        if self.search == (Search::Singles { restarts: true }) {
            steps.push(Step::Restart);
        }
        let view = table.validators[id as usize].view();
        steps.extend(self.own_steps(table, view, certified, said));
        let mut found = Vec::new();
        for step in steps {
            let to = table.after(self.bounds, id, step);
            // A proposal that is not voted for at once waits in vain, or may as well come later.
            let waits = matches!(step, Step::Propose(_))
                && table.votes[to as usize] == table.votes[id as usize];
            if to != id && !waits && !found.contains(&to) {
                found.push(to);
            }
        }
        found
    }

    /// Every next vote of a validator: what it is after it, and a restart.
    fn votes(&self, table: &mut Table, world: &World, id: u32) -> Arc<Vec<u32>> {
        let (certified, said) = (self.certified(table, world), Self::said(table, world));
        if let Some(known) = table.routes.get(&(id, certified, said)) {
            return known.clone();
        }
        let certificates = self.certificates(table, world, id);
        let before = table.votes[id as usize];
        // What is voted, which certificates that took, and what follows.
        let mut found: Vec<(Facts, u32, u32)> = Vec::new();
        // Sets of certificates by size, so that the smallest comes first.
        let mut layer: Vec<(u32, u32)> = vec![(0, id)];
        while !layer.is_empty() {
            let mut larger: Vec<(u32, u32)> = Vec::new();
            for (known, at) in layer {
                let view = table.validators[at as usize].view();
                let own = self.own_steps(table, view, certified, said).into_iter();
                let new = certificates.iter().enumerate().map(|(bit, step)| (1 << bit, *step));
                let steps: Vec<(u32, Step)> = own
                    .map(|step| (0, step))
                    .chain(new.filter(|(bit, _)| known & bit == 0))
                    .collect();
                for (bit, step) in steps {
                    let to = table.after(self.bounds, at, step);
                    let (votes, knows) = (table.votes[to as usize], known | bit);
                    if votes == before {
                        if bit != 0 && to != at && !larger.contains(&(knows, to)) {
                            larger.push((knows, to));
                        }
                    } else if !found.iter().any(|(v, less, _)| *v == votes && knows & less == *less)
                    {
                        let restarted = table.after(self.bounds, to, Step::Restart);
                        found.push((votes, knows, restarted));
                    }
                }
            }
            layer = larger;
        }
        let mut ids: Vec<u32> = found.into_iter().map(|(_, _, id)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        let ids = Arc::new(ids);
        table.routes.insert((id, certified, said), ids.clone());
        ids
    }

    /// Casts every vote that is in nobody's way.
    fn settle(&self, table: &mut Table, mut world: World) -> World {
        loop {
            let before = world;
            for at in 0..HONEST {
                let id = world[at];
                let votes = self.votes(table, &world, id);
                if let Some(to) = votes.iter().find(|to| harmless(table, id, **to)) {
                    world[at] = *to;
                }
            }
            if world == before {
                return world;
            }
        }
    }

    /// What two quorums must not say together, and a finalization without a notarization.
    fn safe(&self, world: &World) -> bool {
        let table = self.table.lock().unwrap();
        let certified = self.certified(&table, world);
        certified.iter().all(|id| {
            let id = usize::from(id);
            let fact = table.facts[id];
            let notarized = certified.iter().any(|other| {
                table.facts[usize::from(other)] == Fact { kind: Kind::Notarize, ..fact }
            });
            table.excluded[id].and(certified).is_empty()
                && (fact.kind != Kind::Finalize || notarized)
        })
    }

    fn count(&self, world: &World, kind: Kind) -> usize {
        let table = self.table.lock().unwrap();
        let certified = self.certified(&table, world).iter();
        certified.filter(|id| table.facts[usize::from(*id)].kind == kind).count()
    }
}

fn leader(view: u8) -> u32 {
    u32::from(view) % SIZE as u32
}

/// Whether all that is new are votes to finalize, or for what an honest leader proposed, cast
/// without leaving the view: they keep their validator from nothing that it could do otherwise.
fn harmless(table: &Table, from: u32, to: u32) -> bool {
    let (before, after) = (&table.validators[from as usize], &table.validators[to as usize]);
    let news = table.votes[to as usize].without(table.votes[from as usize]);
    before.view() == after.view()
        && news.iter().map(|id| table.facts[usize::from(id)]).all(|fact| match fact.kind {
            Kind::Finalize => true,
            Kind::Notarize => ![FAULTY, before.who].contains(&leader(fact.view)),
            Kind::Nullify => false,
        })
}

impl Model for Committee {
    type State = World;
    type Action = World;

    fn init_states(&self) -> Vec<World> {
        let mut table = self.table.lock().unwrap();
        let world = [1, 2, 3].map(|who| table.validator(Validator::new(self.bounds, who)));
        vec![match self.search {
            Search::Singles { .. } => world,
            Search::Votes => self.settle(&mut table, world),
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<World>) {
        let mut table = self.table.lock().unwrap();
        let table = &mut *table;
        let mut voting = false;
        for at in 0..HONEST {
            let next = match self.search {
                Search::Singles { .. } => Arc::new(self.singles(table, world, world[at])),
                Search::Votes => self.votes(table, world, world[at]),
            };
            for to in next.iter() {
                voting |= table.votes[*to as usize] != table.votes[world[at] as usize];
                let mut next = *world;
                next[at] = *to;
                steps.push(match self.search {
                    Search::Singles { .. } => next,
                    Search::Votes => self.settle(table, next),
                });
            }
        }
        if !voting {
            self.ends.lock().unwrap().insert(world.map(|id| table.votes[id as usize]));
        }
    }

    fn next_state(&self, _: &World, next: World) -> Option<World> {
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("agreement", |model: &Self, world: &World| model.safe(world)),
            Property::always("the honest keep the rules", |model: &Self, world: &World| {
                let table = model.table.lock().unwrap();
                world.iter().all(|id| table.validators[*id as usize].broken.is_none())
            }),
            Property::sometimes("a value is final", |model: &Self, world: &World| {
                model.count(world, Kind::Finalize) > 0
            }),
            Property::sometimes("two values are final", |model: &Self, world: &World| {
                model.count(world, Kind::Finalize) > 1
            }),
            Property::sometimes("a view is skipped", |model: &Self, world: &World| {
                model.count(world, Kind::Nullify) > 0
            }),
            Property::sometimes("a value is notarized and its view skipped", |model, world| {
                let table = model.table.lock().unwrap();
                let certified = model.certified(&table, world).iter();
                let facts: Vec<Fact> = certified.map(|id| table.facts[usize::from(id)]).collect();
                let skipped =
                    |view| facts.iter().any(|f| f.kind == Kind::Nullify && f.view == view);
                facts.iter().any(|fact| fact.kind == Kind::Notarize && skipped(fact.view))
            }),
        ]
    }
}
