//! The queue of what will happen, ordered by (time, sequence number), never by time alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cross_shard_msg::Timestamp;

/// What is small is sorted; what is large stays where it is.
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    items: Vec<Option<T>>,
    free: Vec<usize>,
    next: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), items: Vec::new(), free: Vec::new(), next: 0 }
    }
}

impl<T> Queue<T> {
    pub fn push(&mut self, at: Timestamp, item: T) {
        let place = match self.free.pop() {
            Some(place) => {
                self.items[place] = Some(item);
                place
            }
            None => {
                self.items.push(Some(item));
                self.items.len() - 1
            }
        };
        self.heap.push(Reverse((at, self.next, place)));
        self.next += 1;
    }

    /// The earliest item, unless it is after `end`.
    pub fn pop_until(&mut self, end: Timestamp) -> Option<(Timestamp, T)> {
        if self.heap.peek()?.0.0 > end {
            return None;
        }
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        self.items[place].take().map(|item| (at, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_together_comes_in_the_order_of_pushing() {
        let mut queue = Queue::default();
        for (at, item) in [(5, 'a'), (3, 'b'), (5, 'c'), (9, 'd')] {
            queue.push(Timestamp(at), item);
        }
        let mut order = Vec::new();
        while let Some((at, item)) = queue.pop_until(Timestamp(8)) {
            order.push(item);
            if item == 'b' {
                queue.push(at, 'e');
            }
        }
        assert_eq!(order, ['b', 'e', 'a', 'c']);
        assert_eq!(queue.pop_until(Timestamp(9)), Some((Timestamp(9), 'd')));
    }
}
