//! Which rate to try next. A pure function of what is known, so that a search that was interrupted
//! goes on where it stopped.
//!
//! Rates are steps on a ladder: step k is the scenario's rates times (1 + resolution)^k. The search
//! doubles (or halves) until it has a step that is met and one that is not, bisects between them,
//! and then tries other seeds at the edge. A step that any seed does not meet is not met.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How the ladder is climbed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Distance of two steps, as a share of the lower one: 0.005 to 1.
    pub resolution: f64,
    /// The seeds that are tried at the edge, the first one everywhere. At least one.
    pub seeds: Vec<u64>,
    /// The rates are at most multiplied, or divided, by this: at least 1.
    pub furthest: f64,
    /// Whether steps below and above the edge are tried for the curve.
    pub curve: bool,
}

/// Shares of the edge's rate at which the curve has points: below and just above.
const CURVE: [f64; 5] = [0.25, 0.5, 0.75, 0.9, 1.1];
/// A point of the curve is not tried if a step within this share of its rate was.
const NEAR: f64 = 0.06;

/// A step of the ladder and a seed.
pub type Try = (i32, u64);

/// What is known: whether a step was met with a seed.
pub type Known = BTreeMap<Try, bool>;

/// Where the search is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The highest step that is met, as far as is known.
    pub met: Option<i32>,
    /// The lowest step above it that is not.
    pub unmet: Option<i32>,
    /// What to try now; these do not depend on one another. Empty: done.
    pub next: Vec<Try>,
    /// What is being done.
    pub stage: Stage,
}

/// A part of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking for a step that is met and one that is not.
    Bracketing,
    /// Halving the distance.
    Bisecting,
    /// Other seeds at the edge.
    Confirming,
    /// Points of the curve.
    Drawing,
    /// There is nothing left to try.
    Done,
}

impl Rule {
    /// What a step multiplies the scenario's rates by.
    #[must_use]
    pub fn factor(&self, step: i32) -> f64 {
        libm::pow(1.0 + self.resolution, f64::from(step))
    }

    /// Steps that about double the rate.
    fn doubling(&self) -> i32 {
        self.steps(2.0).max(1)
    }

    /// Steps that about multiply the rate by `factor`.
    fn steps(&self, factor: f64) -> i32 {
        (libm::log(factor) / libm::log1p(self.resolution)).round() as i32
    }

    fn first_seed(&self) -> u64 {
        self.seeds.first().copied().unwrap_or(0)
    }
}

/// What to do after what is known.
#[must_use]
pub fn search(rule: &Rule, known: &Known) -> Search {
    let seed = rule.first_seed();
    // A step is as good as its worst seed.
    let mut steps: BTreeMap<i32, bool> = BTreeMap::new();
    for ((step, _), met) in known {
        let all = steps.entry(*step).or_insert(true);
        *all = *all && *met;
    }
    let unmet = |above: Option<i32>| {
        steps
            .iter()
            .find(|(step, met)| !**met && above.is_none_or(|it| **step > it))
            .map(|it| *it.0)
    };
    // Latencies need not grow with the rate. The lowest step that is not met ends what is met.
    let limit = unmet(None);
    let met = steps
        .iter()
        .rfind(|(step, met)| **met && limit.is_none_or(|limit| **step < limit))
        .map(|it| *it.0);
    let furthest = rule.steps(rule.furthest.max(1.0));
    let done = |next: Vec<Try>, stage| Search { met, unmet: limit, next, stage };
    match (met, limit) {
        (None, None) => done(vec![(0, seed)], Stage::Bracketing),
        (Some(met), None) if met >= furthest => finish(rule, known, met, None, limit),
        (Some(met), None) => {
            done(vec![((met + rule.doubling()).min(furthest), seed)], Stage::Bracketing)
        }
        (None, Some(unmet)) if unmet <= -furthest => done(Vec::new(), Stage::Done),
        (None, Some(unmet)) => {
            done(vec![((unmet - rule.doubling()).max(-furthest), seed)], Stage::Bracketing)
        }
        (Some(met), Some(unmet)) if unmet - met > 1 => {
            done(vec![(met + (unmet - met) / 2, seed)], Stage::Bisecting)
        }
        (Some(met), Some(unmet)) => finish(rule, known, met, Some(unmet), limit),
    }
}

/// The edge is known for the first seed: the others, then the curve.
fn finish(rule: &Rule, known: &Known, met: i32, unmet: Option<i32>, limit: Option<i32>) -> Search {
    let done = |next: Vec<Try>, stage| Search { met: Some(met), unmet: limit, next, stage };
    let missing = |step: i32| -> Vec<Try> {
        let all = rule.seeds.iter().map(|seed| (step, *seed));
        all.filter(|it| !known.contains_key(it)).collect()
    };
    let at_edge = missing(met);
    if !at_edge.is_empty() {
        return done(at_edge, Stage::Confirming);
    }
    // How sharp the edge is: does every seed fail above it?
    let above = unmet.map(missing).unwrap_or_default();
    if !above.is_empty() {
        return done(above, Stage::Confirming);
    }
    if rule.curve {
        let tried: BTreeSet<i32> = known.keys().map(|(step, _)| *step).collect();
        let near = rule.steps(1.0 + NEAR).max(0);
        let wanted = CURVE
            .iter()
            .filter(|share| **share < 1.0 || unmet.is_some())
            .map(|share| met + rule.steps(*share))
            .filter(|step| !tried.iter().any(|it| (it - step).abs() <= near));
        let wanted: BTreeSet<i32> = wanted.collect();
        let wanted: Vec<Try> = wanted.into_iter().map(|step| (step, rule.first_seed())).collect();
        if !wanted.is_empty() {
            return done(wanted, Stage::Drawing);
        }
    }
    done(Vec::new(), Stage::Done)
}

/// About how many tries are left, and at least: for people who wait.
#[must_use]
pub fn left(rule: &Rule, found: &Search) -> usize {
    let seeds = rule.seeds.len().saturating_sub(1);
    let curve = if rule.curve { CURVE.len() - 1 } else { 0 };
    let halvings = |distance: i32| f64::from(distance.max(1)).log2().ceil() as usize;
    match found.stage {
        Stage::Bracketing => 1 + halvings(rule.doubling()) + 2 * seeds + curve,
        Stage::Bisecting => {
            let distance = found.unmet.unwrap_or(0) - found.met.unwrap_or(0);
            halvings(distance) + 2 * seeds + curve
        }
        Stage::Confirming => {
            let above = found.met.is_some_and(|met| found.next.iter().all(|(step, _)| *step > met));
            found.next.len() + if above { 0 } else { seeds } + curve
        }
        Stage::Drawing => found.next.len(),
        Stage::Done => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(seeds: &[u64]) -> Rule {
        Rule { resolution: 0.05, seeds: seeds.to_vec(), furthest: 1024.0, curve: false }
    }

    /// Climbs until nothing is left; returns the edge and the tries in order.
    fn climbed(rule: &Rule, meets: impl Fn(f64, u64) -> bool) -> (Search, Vec<Try>) {
        let mut known = Known::new();
        let mut tries = Vec::new();
        loop {
            let found = search(rule, &known);
            if found.next.is_empty() {
                return (found, tries);
            }
            for (step, seed) in found.next {
                assert!(!known.contains_key(&(step, seed)), "tried twice");
                known.insert((step, seed), meets(rule.factor(step), seed));
                tries.push((step, seed));
            }
            assert!(tries.len() < 200);
        }
    }

    #[test]
    fn the_edge_is_found_to_the_resolution() {
        for capacity in [0.013, 0.4, 1.0, 1.3, 2.0, 37.0, 900.0] {
            let rule = rule(&[7]);
            let (found, tries) = climbed(&rule, |factor, _| factor <= capacity);
            let (met, unmet) = (found.met.unwrap(), found.unmet.unwrap());
            assert!(rule.factor(met) <= capacity && capacity < rule.factor(unmet), "{capacity}");
            assert_eq!(unmet, met + 1);
            // Doublings from 1, then four halvings of a doubling.
            assert!(tries.len() <= 5 + 2 + capacity.log2().abs().ceil() as usize, "{tries:?}");
        }
    }

    #[test]
    fn the_worst_seed_decides() {
        let rule = rule(&[1, 2, 3]);
        let (found, tries) = climbed(&rule, |factor, seed| {
            factor <= [3.0, 2.5, 3.5][usize::try_from(seed).unwrap() - 1]
        });
        let met = found.met.unwrap();
        assert!(rule.factor(met) <= 2.5 && rule.factor(met + 1) > 2.5, "{found:?}");
        for step in [met, met + 1] {
            let seeds = tries.iter().filter(|it| it.0 == step).count();
            assert_eq!(seeds, 3, "every seed at both sides of the edge");
        }
    }

    #[test]
    fn there_is_an_end_without_an_edge() {
        let rule = rule(&[1, 2]);
        let (always, _) = climbed(&rule, |_, _| true);
        assert_eq!(always.unmet, None);
        assert!(rule.factor(always.met.unwrap()) > 1_000.0);
        let (never, _) = climbed(&rule, |_, _| false);
        assert_eq!((never.met, never.stage), (None, Stage::Done));
    }

    #[test]
    fn the_curve_has_points_on_both_sides() {
        let rule = Rule { curve: true, ..rule(&[1]) };
        let (found, tries) = climbed(&rule, |factor, _| factor <= 10.0);
        let met = rule.factor(found.met.unwrap());
        for share in CURVE {
            let near = tries.iter().map(|it| rule.factor(it.0) / met / share - 1.0);
            assert!(near.map(f64::abs).fold(1.0, f64::min) < 0.1, "nothing near {share}");
        }
    }

    #[test]
    fn what_is_left_shrinks() {
        let rule = rule(&[1, 2, 3]);
        let mut known = Known::new();
        let mut before = usize::MAX;
        loop {
            let found = search(&rule, &known);
            if found.stage != Stage::Bracketing {
                let left = left(&rule, &found);
                assert!(left <= before, "{found:?}");
                before = left;
            }
            if found.next.is_empty() {
                break;
            }
            for (step, seed) in found.next {
                known.insert((step, seed), rule.factor(step) <= 5.0);
            }
        }
        assert_eq!(before, 0);
    }
}
