//! A shard that runs the real node and tells another story about it.
//!
//! From the height of its lie on it signs a chain of its own: headers and batches as the real ones,
//! altered, each on top of the altered one before. If it equivocates there are two such chains. To
//! itself it is honest, so its own disk is not what it says.

use cross_shard_msg::{
    Audience, Effect, Effects, Height, Input, Machine, Message, NodeId, ShardId, Timestamp,
    ValidatorIndex,
};
use shard_node::{Job, ShardConfig, ShardNode, Timer};

use super::story::Story;
use super::{Lie, ask};

/// A shard that lies.
#[derive(Debug)]
pub struct LyingShard {
    node: ShardNode,
    shard: ShardId,
    shards: u32,
    validators: u32,
    /// One, or two that are told in turns. Never empty.
    stories: Vec<Story>,
}

impl LyingShard {
    /// A shard that tells `lie` about its blocks from `from` on.
    ///
    /// # Errors
    /// When the node cannot start.
    pub fn new(
        config: ShardConfig,
        lie: Lie,
        from: Height,
    ) -> Result<Self, shard_node::ConfigError> {
        let (key, network) = (config.key.clone(), config.settings.network);
        let story = |told| Story::new(told, from, key.clone(), network);
        Ok(Self {
            shard: config.shard,
            shards: config.settings.shard_count(),
            validators: u32::try_from(config.settings.validators.len()).unwrap_or(u32::MAX),
            stories: lie.stories().into_iter().map(story).collect(),
            node: ShardNode::new(config)?,
        })
    }

    /// Which story a node hears.
    fn story(&self, to: NodeId) -> Option<&Story> {
        let number = match to {
            // The other way round: who follows the committee is not always who is lucky.
            NodeId::Shard(shard) => shard.0.saturating_add(1),
            NodeId::Coordinator(index) => index.0,
            NodeId::Client => 0,
        };
        self.stories.get(number as usize % self.stories.len().max(1))
    }

    fn send(&self, to: NodeId, message: Message, effects: &mut Effects<Self>) {
        if let Some(message) = self.story(to).and_then(|story| story.tell(message)) {
            effects.send(to, message);
        }
    }

    fn broadcast(&self, to: Audience, message: Message, effects: &mut Effects<Self>) {
        if let [story] = self.stories.as_slice() {
            if let Some(message) = story.tell(message) {
                effects.broadcast(to, message);
            }
            return;
        }
        let shards = (0..self.shards).map(ShardId).filter(|shard| *shard != self.shard);
        let shards = shards.map(NodeId::Shard);
        let nodes: Vec<NodeId> = match to {
            Audience::Coordinators => (0..self.validators)
                .map(|index| NodeId::Coordinator(ValidatorIndex(index)))
                .collect(),
            Audience::Shards => shards.collect(),
            Audience::ShardsAndClient => shards.chain([NodeId::Client]).collect(),
        };
        for node in nodes {
            self.send(node, message.clone(), effects);
        }
    }
}

impl Machine for LyingShard {
    type Timer = Timer;
    type Record = <ShardNode as Machine>::Record;
    type Job = Job;
    type JobResult = Job;
    type Admin = <ShardNode as Machine>::Admin;
    type Executed = <ShardNode as Machine>::Executed;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        let spoken = ask(&mut self.node, now, input.for_machine());
        let mut batches = Vec::new();
        let mut new = None;
        for effect in &spoken {
            match effect {
                Effect::Broadcast { message: Message::Headers(headers), .. } => {
                    new = headers.last().cloned();
                }
                Effect::Send { message: Message::Batch(batch), .. } => batches.push(batch.clone()),
                _ => {}
            }
        }
        if let Some(header) = new {
            for story in &mut self.stories {
                story.invent(&header, &batches);
            }
        }
        for effect in spoken {
            match effect {
                Effect::Send { to, message } => self.send(to, message, effects),
                Effect::Broadcast { to, message } => self.broadcast(to, message, effects),
                effect => effects.push(effect.of_machine()),
            }
        }
    }

    fn compute(job: Job) -> Job {
        job
    }
}
