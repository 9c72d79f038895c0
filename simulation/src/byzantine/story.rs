//! What a lying shard says happened: a chain of its own, in which each block stands on the one that
//! was told before.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::header::signing_digest;
use cross_shard_msg::receipt::prove_outgoing;
use cross_shard_msg::{
    Certificate, Height, InclusionProof, Message, NetworkId, Outgoing, ReceiptBatch, SealedHeader,
    SecretKey, Sequence, ShardId, SignedHeader,
};

use super::lies::skip::Skipped;
use super::lies::tamper;
use super::lies::{Lie, Surplus, Told};

/// One story.
#[derive(Debug)]
pub(super) struct Story {
    told: Told,
    from: Height,
    key: SecretKey,
    network: NetworkId,
    surplus: Surplus,
    /// What is said of each real header, by its hash.
    headers: BTreeMap<B256, SignedHeader>,
    batches: BTreeMap<(Height, ShardId), Arc<ReceiptBatch>>,
    skipped: Skipped,
}

impl Story {
    /// A story that is true up to the block before `from`.
    pub fn new(told: Told, from: Height, key: SecretKey, network: NetworkId) -> Self {
        Self {
            told,
            from,
            key,
            network,
            surplus: Surplus::default(),
            headers: BTreeMap::new(),
            batches: BTreeMap::new(),
            skipped: Skipped::default(),
        }
    }

    /// Makes up the story of a new block, whose real header and batches these are.
    pub fn invent(&mut self, real: &SignedHeader, batches: &[Arc<ReceiptBatch>]) {
        if real.height < self.from || self.headers.contains_key(&real.hash()) {
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
        self.told.outgoing(&mut outgoing, &mut self.surplus);
        let (root, proofs) = prove_outgoing(&outgoing);
        let mut header = (*real.header).clone();
        header.outgoing_receipts_root = root;
        if let Some(parent) = self.headers.get(&header.parent) {
            header.parent = parent.hash();
        }
        self.told.header(&mut header, &self.surplus);
        let said = self.sign(SealedHeader::seal(header));
        self.headers.insert(real.hash(), said.clone());
        for ((batch, outgoing), proof) in batches.iter().zip(outgoing).zip(proofs) {
            self.keep(batch, &said, outgoing, proof);
        }
    }

    /// A message as the story has it; `None` if it is not sent.
    pub fn tell(&self, message: Message) -> Option<Message> {
        Some(match message {
            Message::Headers(headers) => {
                Message::Headers(Arc::new(headers.iter().map(|signed| self.say(signed)).collect()))
            }
            Message::Batch(batch) => {
                let name = (batch.header.height, batch.outgoing.destination);
                if self.skipped.is(name) {
                    return None;
                }
                Message::Batch(self.batches.get(&name).cloned().unwrap_or(batch))
            }
            other => other,
        })
    }

    fn keep(
        &mut self,
        real: &ReceiptBatch,
        header: &SignedHeader,
        mut outgoing: Outgoing,
        proof: InclusionProof,
    ) {
        if self.told == Told::Lie(Lie::Tamper) {
            tamper::change(&mut outgoing);
        }
        let chain = real.chain.iter().map(|signed| self.say(signed)).collect();
        let name = (header.height, outgoing.destination);
        if self.told == Told::Lie(Lie::Skip) {
            self.skipped.first(name);
        }
        let batch = ReceiptBatch { chain, header: header.clone(), outgoing, proof };
        self.batches.insert(name, Arc::new(batch));
    }

    fn sign(&self, header: SealedHeader) -> SignedHeader {
        let digest = signing_digest(&self.network, &header.hash());
        SignedHeader { certificate: Certificate::single(&self.key, &digest), header }
    }

    fn say(&self, real: &SignedHeader) -> SignedHeader {
        self.headers.get(&real.hash()).unwrap_or(real).clone()
    }
}
