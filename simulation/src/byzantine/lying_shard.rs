//! A shard that runs the real node and tells another story about it.
//!
//! From the height of its lie on it signs a chain of its own: headers and batches as the real ones,
//! altered, each on top of the altered one before. To itself it is honest, so its own disk is not
//! what it says.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::header::signing_digest;
use cross_shard_msg::receipt::prove_outgoing;
use cross_shard_msg::{
    Audience, Certificate, Effect, Effects, Height, InclusionProof, Input, Machine, Message,
    NetworkId, NodeId, Outgoing, ReceiptBatch, SealedHeader, SecretKey, Sequence, ShardId,
    SignedHeader, Timestamp, ValidatorIndex,
};
use shard_node::{Job, ShardConfig, ShardNode, Timer};

use super::lies::Surplus;
use super::{Lie, ask};

/// A shard that lies.
#[derive(Debug)]
pub struct LyingShard {
    node: ShardNode,
    key: SecretKey,
    network: NetworkId,
    validators: u32,
    lie: Lie,
    from: Height,
    surplus: Surplus,
    /// What is said of each real header, by its hash.
    told: BTreeMap<B256, SignedHeader>,
    batches: BTreeMap<(Height, ShardId), Arc<ReceiptBatch>>,
    kept_back: Option<(Height, ShardId)>,
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
        let validators = u32::try_from(config.settings.validators.len()).unwrap_or(u32::MAX);
        Ok(Self {
            node: ShardNode::new(config)?,
            key,
            network,
            validators,
            lie,
            from,
            surplus: Surplus::default(),
            told: BTreeMap::new(),
            batches: BTreeMap::new(),
            kept_back: None,
        })
    }

    /// Makes up the story of a new block, whose real header and batches these are.
    fn invent(&mut self, real: &SignedHeader, batches: &[Arc<ReceiptBatch>]) {
        if real.height < self.from || self.told.contains_key(&real.hash()) {
            return;
        }
        let before = self.surplus.clone();
        let mut outgoing: Vec<Outgoing> =
            batches.iter().map(|batch| batch.outgoing.clone()).collect();
        for outgoing in &mut outgoing {
            if before.destination == Some(outgoing.destination) {
                outgoing.first = Sequence(outgoing.first.0 + before.receipts);
            }
        }
        self.lie.outgoing(&mut outgoing, &mut self.surplus);
        let (root, proofs) = prove_outgoing(&outgoing);
        let mut header = (*real.header).clone();
        header.outgoing_receipts_root = root;
        if let Some(parent) = self.told.get(&header.parent) {
            header.parent = parent.hash();
        }
        self.lie.header(&mut header, &self.surplus);
        let said = self.sign(SealedHeader::seal(header));
        self.told.insert(real.hash(), said.clone());
        for ((batch, outgoing), proof) in batches.iter().zip(outgoing).zip(proofs) {
            self.keep(batch, &said, outgoing, proof);
        }
    }

    fn keep(
        &mut self,
        real: &ReceiptBatch,
        header: &SignedHeader,
        outgoing: Outgoing,
        proof: InclusionProof,
    ) {
        let chain = real.chain.iter().map(|signed| self.say(signed)).collect();
        let name = (header.height, outgoing.destination);
        if self.kept_back.is_none() && self.lie == Lie::Skip {
            self.kept_back = Some(name);
        }
        let batch = ReceiptBatch { chain, header: header.clone(), outgoing, proof };
        self.batches.insert(name, Arc::new(batch));
    }

    fn sign(&self, header: SealedHeader) -> SignedHeader {
        let digest = signing_digest(&self.network, &header.hash());
        SignedHeader { certificate: Certificate::single(&self.key, &digest), header }
    }

    fn say(&self, real: &SignedHeader) -> SignedHeader {
        self.told.get(&real.hash()).unwrap_or(real).clone()
    }

    fn speak(&self, message: Message) -> Option<Message> {
        Some(match message {
            Message::Headers(headers) => {
                Message::Headers(Arc::new(headers.iter().map(|signed| self.say(signed)).collect()))
            }
            Message::Batch(batch) => {
                let name = (batch.header.height, batch.outgoing.destination);
                if self.kept_back == Some(name) {
                    return None;
                }
                Message::Batch(self.batches.get(&name).cloned().unwrap_or(batch))
            }
            other => other,
        })
    }

    /// Another header of the same height for half of the committee.
    fn fork(&self, message: &Message) -> Option<Message> {
        let Message::Headers(headers) = message else { return None };
        if self.lie != Lie::Equivocate {
            return None;
        }
        let forked = headers.iter().map(|signed| {
            let mut header = (*signed.header).clone();
            header.state_root = B256::repeat_byte(0xee);
            match signed.height < self.from {
                true => signed.clone(),
                false => self.sign(SealedHeader::seal(header)),
            }
        });
        Some(Message::Headers(Arc::new(forked.collect())))
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
        let spoken = ask(&mut self.node, now, inner(input));
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
            self.invent(&header, &batches);
        }
        for effect in spoken {
            match effect {
                Effect::Send { to, message } => {
                    if let Some(message) = self.speak(message) {
                        effects.send(to, message);
                    }
                }
                Effect::Broadcast { to, message } => {
                    let Some(message) = self.speak(message) else { continue };
                    match self.fork(&message) {
                        Some(other) if to == Audience::Coordinators => {
                            for index in 0..self.validators {
                                let message = if index % 2 == 0 { &message } else { &other };
                                let to = NodeId::Coordinator(ValidatorIndex(index));
                                effects.send(to, message.clone());
                            }
                        }
                        _ => effects.broadcast(to, message),
                    }
                }
                Effect::SetTimer { timer, at } => effects.set_timer(timer, at),
                Effect::CancelTimer(timer) => effects.push(Effect::CancelTimer(timer)),
                Effect::Persist { id, record } => effects.push(Effect::Persist { id, record }),
                Effect::Busy(work) => effects.busy(work),
                Effect::Executed(executed) => effects.push(Effect::Executed(executed)),
                Effect::Observe(event) => effects.observe(event),
                Effect::Compute(_, job) => match job {},
            }
        }
    }

    fn compute(job: Job) -> Job {
        job
    }
}

fn inner(input: Input<LyingShard>) -> Input<ShardNode> {
    match input {
        Input::Start => Input::Start,
        Input::Message { from, message } => Input::Message { from, message },
        Input::Timer(timer) => Input::Timer(timer),
        Input::Submit(recovered) => Input::Submit(recovered),
        Input::Durable(id) => Input::Durable(id),
        Input::Computed(_, job) => match job {},
        Input::Admin(request) => Input::Admin(request),
    }
}
