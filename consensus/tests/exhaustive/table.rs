//! What a search has computed so far, each thing once: validators, what happens to them, and facts.

use std::sync::Arc;

use alloy_primitives::map::HashMap;
use consensus::Kind;

use crate::validator::{Bounds, Fact, Key, Step, Validator};

/// A set of facts by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facts([u64; 4]);

impl Facts {
    pub fn insert(&mut self, id: u16) {
        self.0[usize::from(id) / 64] |= 1 << (id % 64);
    }
    pub fn contains(&self, id: u16) -> bool {
        self.0[usize::from(id) / 64] & (1 << (id % 64)) != 0
    }
    pub fn without(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }
    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
    pub fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }
    pub fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.0.into_iter().enumerate().flat_map(|(at, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.checked_ilog2()?;
                word ^= 1 << bit;
                Some((at * 64) as u16 + bit as u16)
            })
        })
    }
}

/// How many machines with one outline are compared.
const DOUBLES: usize = 2;

/// Everything computed so far, each thing once.
#[derive(Default)]
pub struct Table {
    pub validators: Vec<Arc<Validator>>,
    numbers: HashMap<Key, u32>,
    pub votes: Vec<Facts>,
    after: HashMap<(u32, Step), u32>,
    pub routes: HashMap<(u32, Facts, Facts), Arc<Vec<u32>>>,
    /// Some of the machines that have the outline of another one and are not equal to it.
    doubles: HashMap<u32, Vec<Validator>>,
    pub facts: Vec<Fact>,
    fact_numbers: HashMap<Fact, u16>,
    /// Of each fact, those that must not be true beside it.
    pub excluded: Vec<Facts>,
}

impl Table {
    fn fact(&mut self, fact: Fact) -> u16 {
        if let Some(id) = self.fact_numbers.get(&fact) {
            return *id;
        }
        let id = self.facts.len() as u16;
        assert!(id < 256, "a set has room for so many facts");
        let mut excluded = Facts::default();
        for (other, known) in self.facts.iter().enumerate() {
            if exclude(fact, *known) {
                excluded.insert(other as u16);
                self.excluded[other].insert(id);
            }
        }
        self.facts.push(fact);
        self.excluded.push(excluded);
        self.fact_numbers.insert(fact, id);
        id
    }

    pub fn validator(&mut self, validator: Validator) -> u32 {
        let key = validator.key();
        if let Some(id) = self.numbers.get(&key) {
            let first = &self.validators[*id as usize];
            let doubles = self.doubles.entry(*id).or_default();
            if doubles.len() < DOUBLES && first.machine != validator.machine {
                doubles.push(validator);
            }
            return *id;
        }
        let id = self.validators.len() as u32;
        let mut votes = Facts::default();
        for ((view, kind), word) in &validator.cast {
            votes.insert(self.fact(Fact { view: *view, kind: *kind, word: *word }));
        }
        self.validators.push(Arc::new(validator));
        self.votes.push(votes);
        self.numbers.insert(key, id);
        id
    }

    pub fn after(&mut self, bounds: Bounds, from: u32, step: Step) -> u32 {
        if let Some(to) = self.after.get(&(from, step)) {
            return *to;
        }
        let next = self.validators[from as usize].after(bounds, step);
        let to = self.validator(next);
        self.after.insert((from, step), to);
        to
    }

    /// Gives every double the steps that its first has had, and returns how many ended in another
    /// outline or other votes, and how many there were.
    pub fn compare_doubles(&self, bounds: Bounds) -> (usize, usize) {
        let (mut different, mut all) = (0, 0);
        for ((from, step), to) in &self.after {
            for double in self.doubles.get(from).into_iter().flatten() {
                all += 1;
                let end = double.after(bounds, *step);
                different += usize::from(end.key() != self.validators[*to as usize].key());
            }
        }
        (different, all)
    }
}

/// Whether two quorums must never say both.
fn exclude(a: Fact, b: Fact) -> bool {
    match (a.kind, b.kind) {
        (Kind::Notarize, Kind::Notarize) => a.view == b.view && a.word != b.word,
        (Kind::Finalize, Kind::Nullify) | (Kind::Nullify, Kind::Finalize) => a.view == b.view,
        (Kind::Finalize, Kind::Finalize) => !a.word.precedes(b.word) && !b.word.precedes(a.word),
        _ => false,
    }
}
