//! Messages on their way, and the edge at which submissions become transactions.

use cross_shard_msg::{
    Audience, Duration, Event, Message, NodeId, Submission, Timestamp, TransactionKey, Work, codec,
};

use super::{Due, World};
use crate::host::Delivery;
use crate::links::{End, Passage};
use crate::trace::Happening;

/// A message on its way, between one life of its sender and one of its receiver.
pub(super) struct Flight {
    from: (usize, usize),
    to: (usize, usize),
    left: Timestamp,
    message: Message,
}

impl World {
    pub(super) fn send(&mut self, from: usize, to: NodeId, message: Message, at: Timestamp) {
        match self.places.get(&to) {
            Some(&to) => {
                self.digest.event(at, from as u32, 16, to as u64);
                self.digest.message(&message);
                self.launch(from, to, message, at, &mut None);
            }
            None => self.statistics.messages += 1,
        }
    }

    /// Sends to each of a group; returns when the last one is handed to the network.
    pub(super) fn broadcast(
        &mut self,
        from: usize,
        audience: Audience,
        message: &Message,
        at: Timestamp,
    ) -> Timestamp {
        self.digest.event(at, from as u32, 17, audience as u64);
        self.digest.message(message);
        let group = self.groups.remove(&audience).unwrap_or_default();
        let (mut size, mut at) = (None, at);
        for to in group.iter().filter(|to| **to != from) {
            at = at + Duration(self.profile.message);
            self.launch(from, *to, message.clone(), at, &mut size);
        }
        self.groups.insert(audience, group);
        at
    }

    /// What has arrived reaches the node if both ends are still in the lives that they were in.
    pub(super) fn arrive(&mut self, flight: Flight) {
        let (from, to) = (&self.nodes[flight.from.0], &self.nodes[flight.to.0]);
        let id = from.id;
        if !to.lives(flight.to.1) || !from.happened(flight.from.1, flight.left) {
            return self.lose(flight.to.0, id, &flight.message);
        }
        self.receive(flight.to.0, Delivery::Message { from: id, message: flight.message });
    }

    /// A disconnection is over: what waited goes on its way.
    pub(super) fn release(&mut self) {
        for flight in std::mem::take(&mut self.waiting) {
            let at = flight.left.max(self.now);
            self.dispatch(flight, at, &mut None);
        }
    }

    /// The edge of a node: makes senders known in order of arrival, as a process does on its worker
    /// thread. What that costs is charged here and not to the node's own thread.
    pub(super) fn submit(&mut self, place: usize, from: NodeId, submissions: &[Submission]) {
        let mut refused = Vec::new();
        let mut ready = self.nodes[place].recovered_at.max(self.now);
        let recovery = self.profile.price(&Work { recoveries: 1, ..Work::default() });
        for submission in submissions {
            if self.verify_signatures {
                ready = ready + recovery;
            }
            match submission.recover(self.verify_signatures && !self.trust_senders) {
                Ok(recovered) => self.deliver_at(ready, place, Delivery::Submit(recovered)),
                Err(admission) => refused.push(admission),
            }
        }
        self.nodes[place].recovered_at = ready;
        for admission in &refused {
            if let Err(refusal) = admission.outcome {
                let key = TransactionKey::of(&admission.hash);
                self.observe(place, ready, Event::Refused { key, refusal });
            }
        }
        if !refused.is_empty() {
            self.send(place, from, Message::Admissions(refused), ready);
        }
    }

    fn launch(
        &mut self,
        from: usize,
        to: usize,
        message: Message,
        at: Timestamp,
        size: &mut Option<u64>,
    ) {
        self.statistics.messages += 1;
        let lives = (self.nodes[from].life(), self.nodes[to].life());
        let flight = Flight { from: (from, lives.0), to: (to, lives.1), left: at, message };
        self.dispatch(flight, at, size);
    }

    /// Puts a message on its link at `at`. `size` is its length where that is known already.
    fn dispatch(&mut self, flight: Flight, at: Timestamp, size: &mut Option<u64>) {
        let end = |place: usize| End { index: place, id: self.nodes[place].id };
        let (from, to) = (end(flight.from.0), end(flight.to.0));
        if !self.nodes[to.index].is_up() {
            return self.lose(to.index, from.id, &flight.message);
        }
        let bytes = match self.links.is_limited(from, to) {
            true => *size.get_or_insert_with(|| length(&flight.message)),
            false => 0,
        };
        let transit = Duration(self.profile.transit);
        let at = self.leaves(&flight.message, at);
        match self.links.pass(from, to, at, bytes) {
            Passage::Arrives(arrival) => self.queue.push(arrival + transit, Due::Arrival(flight)),
            Passage::ArrivesTwice(one, two) => {
                let (one, two) = (one + transit, two + transit);
                self.statistics.duplicated += 1;
                let copy = Flight { message: flight.message.clone(), ..flight };
                self.queue.push(one, Due::Arrival(flight));
                self.queue.push(two, Due::Arrival(copy));
            }
            Passage::Waits => self.waiting.push(flight),
            Passage::Lost => self.lose(to.index, from.id, &flight.message),
        }
    }

    /// When a message that is handed to the network at `at` goes on its way.
    fn leaves(&self, message: &Message, at: Timestamp) -> Timestamp {
        match message {
            Message::Submit(_) | Message::Admissions(_) | Message::Included(_) => {
                let late = at.0.checked_rem(self.profile.linger).unwrap_or(0);
                let wait = if late == 0 { 0 } else { self.profile.linger - late };
                at + Duration(wait)
            }
            _ => at,
        }
    }

    fn lose(&mut self, to: usize, from: NodeId, message: &Message) {
        self.statistics.lost += 1;
        let to = self.nodes[to].id;
        self.show(self.now, to, Happening::Lost { from, message });
    }
}

/// Length on the wire. A message that is too large to be encoded counts as the largest that is not.
fn length(message: &Message) -> u64 {
    codec::encode(message).map_or(16 << 20, |bytes| bytes.len() as u64)
}
