//! One node of a world: its machine, CPU, disk and clock.

use std::collections::VecDeque;

use cross_shard_msg::{Duration, NodeId, Timestamp, WriteId};

use crate::host::{Delivery, Host, Outgoing};

/// A node's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Time from asking for a write until it is durable. Writes become durable in order.
    pub durable_after: Duration,
    /// What a crash does to writes that are under way: all are lost if false. If true, any number
    /// of them, the oldest first, had reached the disk although nobody was told; the first that had
    /// not is torn, and so is found to be no record.
    pub torn: bool,
}

pub(super) struct Node {
    pub id: NodeId,
    host: Box<dyn Host>,
    pub disk: Disk,
    up: bool,
    /// When each life ended; the current one is as many.
    deaths: Vec<Timestamp>,
    free_at: Timestamp,
    paused_until: Timestamp,
    inbox: VecDeque<Delivery>,
    waking: Option<Timestamp>,
    /// When the worker that recovers senders is free. There is one, so that what a client sends in
    /// two messages is not turned round.
    pub recovered_at: Timestamp,
    /// When the writes under way began.
    writes: VecDeque<Timestamp>,
    last_durable: Timestamp,
    offset: i64,
    /// What its clock said last. A clock that is set back stands still meanwhile.
    clock: Timestamp,
}

impl Node {
    pub fn new(id: NodeId, host: Box<dyn Host>, disk: Disk, now: Timestamp) -> Self {
        Self {
            id,
            host,
            disk,
            up: true,
            deaths: Vec::new(),
            free_at: now,
            paused_until: now,
            inbox: VecDeque::new(),
            waking: None,
            recovered_at: now,
            writes: VecDeque::new(),
            last_durable: Timestamp::ZERO,
            offset: 0,
            clock: Timestamp::ZERO,
        }
    }

    pub fn life(&self) -> usize {
        self.deaths.len()
    }

    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Whether it is up and in this life.
    pub fn lives(&self, life: usize) -> bool {
        self.up && self.life() == life
    }

    /// Whether what a life did at `at` happened.
    pub fn happened(&self, life: usize, at: Timestamp) -> bool {
        self.deaths.get(life).is_none_or(|death| at <= *death)
    }

    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.paused_until > now
    }

    pub fn is_free(&self, now: Timestamp) -> bool {
        self.free_at <= now && self.inbox.is_empty() && !self.is_paused(now)
    }

    pub fn queue(&mut self, delivery: Delivery) {
        self.inbox.push_back(delivery);
    }

    pub fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(until);
    }

    pub fn resume(&mut self, now: Timestamp) {
        self.paused_until = now;
    }

    /// When to wake it for what waits; `None` if nothing does, or it is woken by then.
    pub fn next_wake(&mut self, now: Timestamp) -> Option<Timestamp> {
        let at = self.free_at.max(self.paused_until).max(now);
        if self.inbox.is_empty()
            || at == Timestamp(u64::MAX)
            || self.waking.is_some_and(|waking| waking <= at)
        {
            return None;
        }
        self.waking = Some(at);
        Some(at)
    }

    /// The oldest of what waits, if the node is free.
    pub fn wake(&mut self, now: Timestamp) -> Option<Delivery> {
        if self.waking != Some(now) {
            return None;
        }
        self.waking = None;
        if self.free_at > now || self.is_paused(now) {
            return None;
        }
        self.inbox.pop_front()
    }

    pub fn deliver(&mut self, now: Timestamp, delivery: Delivery, out: &mut Vec<Outgoing>) {
        let clock = now.0.saturating_add_signed(self.offset);
        self.clock = self.clock.max(Timestamp(clock));
        self.host.deliver(self.clock, delivery, out);
    }

    pub fn busy_until(&mut self, at: Timestamp) {
        self.free_at = at;
    }

    /// When its clock says `when`.
    pub fn world_time(&self, when: Timestamp) -> Timestamp {
        match self.offset {
            0 => when,
            offset => Timestamp(when.0.saturating_add_signed(offset.saturating_neg())),
        }
    }

    pub fn skew(&mut self, offset: i64) {
        self.offset = self.offset.saturating_add(offset);
    }

    /// Begins a write; when it is durable.
    pub fn write(&mut self, at: Timestamp) -> Timestamp {
        self.writes.push_back(at);
        self.last_durable = self.last_durable.max(at + self.disk.durable_after);
        self.last_durable
    }

    pub fn written(&mut self, id: WriteId) {
        self.writes.pop_front();
        self.host.written(id);
    }

    pub fn timer_name(&self, token: u64) -> String {
        self.host.timer_name(token)
    }

    /// Writes that may have reached the disk without being durable.
    pub fn writes_begun(&self, now: Timestamp) -> usize {
        self.writes.iter().take_while(|begun| **begun <= now).count()
    }

    /// Ends its life; how many writes are lost.
    pub fn crash(&mut self, now: Timestamp, kept: usize) -> usize {
        let lost = self.writes.len() - kept;
        self.host.crash(kept);
        self.up = false;
        self.deaths.push(now);
        self.inbox.clear();
        self.writes.clear();
        (self.waking, self.offset) = (None, 0);
        (self.free_at, self.paused_until, self.recovered_at) = (now, now, now);
        (self.last_durable, self.clock) = (now, now);
        lost
    }

    /// Rebuilds the machine; false if nobody knows how.
    pub fn restart(&mut self, now: Timestamp) -> bool {
        self.up = self.host.restart();
        (self.free_at, self.paused_until, self.recovered_at) = (now, now, now);
        self.up
    }
}
