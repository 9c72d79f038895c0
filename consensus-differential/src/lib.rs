//! One setting, decided by Simplex and by Tendermint. See README.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test in a crate")]

use std::collections::BTreeMap;

mod context;
pub mod simplex;
pub mod tendermint;

/// The committee, its network, and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// How many validators there are.
    pub validators: usize,
    /// One that never says anything.
    pub silent: Option<usize>,
    /// Decides every message's delay.
    pub seed: u64,
    /// Shortest and longest delay of a message, in milliseconds.
    pub delay: (u64, u64),
    /// How many decisions everyone who runs must come to.
    pub decisions: usize,
}

impl Setting {
    /// Who runs, by index.
    pub fn running(&self) -> impl Iterator<Item = usize> + use<> {
        let silent = self.silent;
        (0..self.validators).filter(move |who| Some(*who) != silent)
    }
}

/// What each validator that runs has decided, in order.
pub type Decisions = BTreeMap<usize, Vec<u64>>;

/// What `leader` proposes for position `number`, whichever the protocol.
#[must_use]
pub const fn proposal(leader: usize, number: u64) -> u64 {
    number * 100 + leader as u64
}

/// Who proposed this value, and for which position.
#[must_use]
pub const fn proposed(value: u64) -> (usize, u64) {
    ((value % 100) as usize, value / 100)
}

/// Events in the order of their times, in milliseconds. Both protocols get the same delays: the n-th
/// message on a link takes as long in either.
pub(crate) struct Queue<E> {
    setting: Setting,
    pub now: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), (usize, E)>,
    sent: BTreeMap<(usize, usize), u64>,
}

impl<E> Queue<E> {
    pub fn new(setting: Setting) -> Self {
        Self { setting, now: 0, sequence: 0, events: BTreeMap::new(), sent: BTreeMap::new() }
    }

    pub fn schedule(&mut self, who: usize, at: u64, event: E) {
        self.sequence += 1;
        self.events.insert((at.max(self.now), self.sequence), (who, event));
    }

    pub fn send(&mut self, from: usize, to: usize, event: E) {
        let count = self.sent.entry((from, to)).or_default();
        *count += 1;
        let (least, most) = self.setting.delay;
        let link = (from * self.setting.validators + to) as u64;
        let dice = mix(mix(mix(self.setting.seed) ^ link) ^ *count);
        let at = self.now + least + dice % (most - least + 1);
        self.schedule(to, at, event);
    }

    pub fn next(&mut self) -> Option<(usize, E)> {
        let ((at, _), event) = self.events.pop_first()?;
        assert!(at < 3_600_000, "an hour without {} decisions", self.setting.decisions);
        self.now = at;
        Some(event)
    }
}

/// The finalizer of SplitMix64.
const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
