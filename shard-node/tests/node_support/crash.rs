//! Crashes of shards at the boundaries of durability, and their restarts.

use cross_shard_msg::{Duration, Height, WriteId};
use shard_node::ShardNode;

use super::{Delivery, World};

/// Where in the life of a block a shard dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// The block was made; its record is lost.
    BeforeDurable,
    /// The record is on disk; the shard did not hear of it and sent nothing.
    BeforeSent,
    /// The shard has sent everything.
    AfterSent,
}

impl Boundary {
    pub const ALL: [Self; 3] = [Self::BeforeDurable, Self::BeforeSent, Self::AfterSent];
}

/// A crash that is to come.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    pub shard: u32,
    /// The block at which it happens.
    pub height: u64,
    pub boundary: Boundary,
    /// How long the shard is away.
    pub away: Duration,
}

impl World {
    /// A shard dies now: what is not durable, what was on its way to it and its timers are lost.
    pub fn kill(&mut self, shard: u32, away: Duration) {
        let index = shard as usize;
        self.queue.retain(|_, (to, _)| *to != index);
        self.timers.retain(|(to, _), _| *to != index);
        self.writing.retain(|(writer, _), _| *writer != index);
        self.nodes[index] = self.recovered(shard);
        self.down[index] = true;
        self.enqueue(self.now + away, index, Delivery::Restart);
    }

    /// The shard as its durable records make it.
    pub fn recovered(&self, shard: u32) -> ShardNode {
        let records = self.records[shard as usize].clone();
        let node = ShardNode::recover(self.configs[shard as usize].clone(), records).unwrap();
        node.with_snapshots(self.snapshots)
    }

    pub fn config(&self, shard: u32) -> &shard_node::ShardConfig {
        &self.configs[shard as usize]
    }

    pub(super) fn is_durable(&mut self, shard: usize, id: WriteId) {
        let record = self.writing.remove(&(shard, id)).unwrap();
        self.blocks[shard].push(record.block.clone());
        self.records[shard].push(record);
    }

    /// A record was handed to the disk.
    pub(super) fn crash_at_write(&mut self, shard: usize, id: WriteId) -> bool {
        let height = self.writing[&(shard, id)].block.header.height;
        let Some(crash) = self.due(shard, height) else { return false };
        match crash.boundary {
            Boundary::BeforeDurable => {}
            Boundary::BeforeSent => {
                // Writes become durable in order.
                let older: Vec<WriteId> =
                    self.writing.keys().filter(|(s, _)| *s == shard).map(|(_, id)| *id).collect();
                older.into_iter().for_each(|id| self.is_durable(shard, id));
            }
            Boundary::AfterSent => return false,
        }
        self.crash = None;
        self.kill(crash.shard, crash.away);
        true
    }

    /// A shard was told that a block is durable.
    pub(super) fn crash_at_durable(&mut self, shard: usize) {
        let Some(height) = self.blocks[shard].last().map(|block| block.header.height) else {
            return;
        };
        let Some(crash) = self.due(shard, height) else { return };
        if crash.boundary == Boundary::AfterSent {
            self.crash = None;
            self.kill(crash.shard, crash.away);
        }
    }

    fn due(&self, shard: usize, height: Height) -> Option<Crash> {
        self.crash.filter(|crash| crash.shard as usize == shard && crash.height == height.0)
    }
}
