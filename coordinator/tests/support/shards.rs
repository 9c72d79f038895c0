//! Shards that sign headers as real ones would, without executing anything.

use std::sync::Arc;

use alloy_eips::eip1559::{BaseFeeParams, calc_next_block_base_fee};
use alloy_primitives::{Address, B256};
use coordinator::CheckpointState;
use coordinator::headers::HeaderPool;
use cross_shard_msg::header::{genesis_hash, signing_digest};
use cross_shard_msg::settings::{Bounds, Gate};
use cross_shard_msg::{
    Certificate, CheckpointNumber, Congestion, Duration, Gas, Header, Height, Ledger, NetworkId,
    SealedHeader, SecretKey, Sent, Sequence, Settings, ShardId, ShardKeys, SignedHeader, Timestamp,
    Watermark, Wei, Work,
};

pub const INTERVAL: Duration = Duration::from_millis(1_000);

pub fn shard_key(shard: usize) -> SecretKey {
    SecretKey::from_seed(&B256::left_padding_from(&(shard as u64).to_be_bytes()))
}

pub fn validator_key(index: usize) -> SecretKey {
    SecretKey::from_seed(&B256::right_padding_from(&[1, index as u8]))
}

pub fn settings(shards: usize, validators: usize) -> Settings {
    Settings {
        network: NetworkId(B256::repeat_byte(0x5d)),
        chain_id: 1_337,
        shards: (0..shards).map(|shard| ShardKeys::single(shard_key(shard).public())).collect(),
        validators: (0..validators).map(|index| validator_key(index).public()).collect(),
        genesis_held: vec![Wei::from(1_000_000_000_000_000_u64); shards],
        block_time: Duration::from_millis(500),
        block_offset: vec![Duration::ZERO; shards],
        checkpoint_every: INTERVAL,
        gas_limit: Gas(30_000_000),
        base_fee: 1_000,
        base_fee_moves: true,
        genesis_time: 0,
        gate: Gate::Checkpoint,
        minting: cross_shard_msg::settings::Minting::Administrator,
        verify_signatures: true,
        epochs: None,
        bounds: Bounds {
            mempool: 1_000,
            nonce_window: 16,
            delayed_gas: Gas(30_000_000),
            buffered: 1_000,
            waiting_batches: 64,
            pending_headers: 1_024,
            mempool_time: Duration::from_secs(60),
        },
    }
}

/// What a block does.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Destinations and the wei of one receipt to each.
    pub sends: Vec<(usize, u64)>,
    /// Sources of which everything released so far enters.
    pub takes: Vec<usize>,
    pub places: Vec<Address>,
    pub gas_used: u64,
}

/// All shards of a network.
#[derive(Clone)]
pub struct Shards {
    pub settings: Arc<Settings>,
    pub chains: Vec<Vec<SignedHeader>>,
}

impl Shards {
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: Arc::new(settings.clone()),
            chains: vec![Vec::new(); settings.shards.len()],
        }
    }

    /// Makes the next block of a shard.
    pub fn block(&mut self, shard: usize, plan: &Plan) -> SignedHeader {
        self.forged(shard, plan, |_| {})
    }

    /// Makes the next block of a shard, with a header that lies.
    pub fn forged(
        &mut self,
        shard: usize,
        plan: &Plan,
        forge: impl FnOnce(&mut Header),
    ) -> SignedHeader {
        let mut header = self.draft(shard, plan);
        forge(&mut header);
        let signed = self.sign(header);
        self.chains[shard].push(signed.clone());
        signed
    }

    /// The next header of a shard, unsigned, and not part of its chain.
    pub fn draft(&self, shard: usize, plan: &Plan) -> Header {
        let settings = &self.settings;
        let id = ShardId(shard as u32);
        let before = self.chains[shard].last().map(|signed| (**signed).clone());
        let height = before.as_ref().map_or(Height(1), |before| before.height.next());
        let mut header = Header {
            shard: id,
            height,
            parent: self.chains[shard]
                .last()
                .map_or_else(|| genesis_hash(&settings.network, id), SignedHeader::hash),
            checkpoint: before.as_ref().map_or(CheckpointNumber::ZERO, |before| before.checkpoint),
            timestamp: Timestamp(height.0 * settings.block_time.0),
            state_root: B256::with_last_byte(height.0 as u8),
            transactions_root: B256::ZERO,
            results_root: B256::ZERO,
            outgoing_receipts_root: B256::ZERO,
            watermarks: before.as_ref().map_or_else(Vec::new, |before| before.watermarks.clone()),
            sent: before.as_ref().map_or_else(Vec::new, |before| before.sent.clone()),
            placements: plan.places.clone(),
            gas_used: Gas(plan.gas_used),
            gas_limit: settings.gas_limit,
            base_fee: before.as_ref().map_or(settings.base_fee, |before| {
                calc_next_block_base_fee(
                    before.gas_used.0,
                    before.gas_limit.0,
                    before.base_fee,
                    BaseFeeParams::ethereum(),
                )
            }),
            congestion: Congestion { level: height.0 as u16 % 1_000, ..Congestion::default() },
            ledger: before.as_ref().map_or_else(Ledger::default, |before| before.ledger),
            traffic: B256::ZERO,
        };
        for &source in &plan.takes {
            self.take(&mut header, source);
        }
        for &(destination, value) in &plan.sends {
            send(&mut header, ShardId(destination as u32), Wei::from(value));
        }
        let burnt = Wei::from(plan.gas_used) * Wei::from(header.base_fee);
        header.ledger.burnt += burnt;
        settle(&mut header, settings);
        header
    }

    /// Lets everything that `source` released for the header's shard enter.
    fn take(&self, header: &mut Header, source: usize) {
        let released = |signed: &SignedHeader| signed.sent_to(header.shard).copied();
        let chain = &self.chains[source];
        let Some(last) = chain.last().and_then(released) else { return };
        let index = chain.iter().position(|signed| released(signed) == Some(last)).unwrap();
        let mark = Watermark {
            source: ShardId(source as u32),
            height: chain[index].height,
            header: chain[index].hash(),
            sequence: last.sequence,
            value: last.value,
        };
        header.watermarks.retain(|other| other.source != mark.source);
        header.watermarks.push(mark);
        header.watermarks.sort_by_key(|mark| mark.source);
    }

    pub fn sign(&self, header: Header) -> SignedHeader {
        let key = shard_key(header.shard.0 as usize);
        let header = SealedHeader::seal(header);
        let digest = signing_digest(&self.settings.network, &header.hash());
        SignedHeader { certificate: Certificate::single(&key, &digest), header }
    }

    /// A pool above a checkpoint that has seen all headers.
    pub fn pool(&self, above: &CheckpointState) -> HeaderPool {
        let mut pool = HeaderPool::new(Arc::clone(&self.settings), above);
        for signed in self.chains.iter().flatten() {
            let _ = pool.take(signed.shard, signed.clone(), &mut Work::default());
        }
        pool
    }

    /// One round of traffic: each shard takes in what all others released, then sends to the next
    /// two.
    pub fn round(&mut self) {
        let count = self.chains.len();
        for shard in 0..count {
            self.block(shard, &self.traffic(shard));
        }
    }

    /// What a shard does in a round.
    pub fn traffic(&self, shard: usize) -> Plan {
        let count = self.chains.len();
        let others = (0..count).filter(|other| *other != shard);
        let next = (1..count.min(3)).map(|step| (shard + step) % count);
        Plan {
            sends: next.map(|to| (to, 10 + shard as u64)).collect(),
            takes: others.collect(),
            places: Vec::new(),
            gas_used: 21_000 * (1 + shard as u64),
        }
    }
}

/// Releases one receipt.
pub fn send(header: &mut Header, destination: ShardId, value: Wei) {
    let index = match header.sent.binary_search_by_key(&destination, |sent| sent.destination) {
        Ok(index) => index,
        Err(index) => {
            let none = Sent { destination, sequence: Sequence::ZERO, value: Wei::ZERO };
            header.sent.insert(index, none);
            index
        }
    };
    let sent = &mut header.sent[index];
    sent.sequence = sent.sequence.next();
    sent.value += value;
}

/// Makes the ledger follow from the lists and from what was burnt and minted.
pub fn settle(header: &mut Header, settings: &Settings) {
    let ledger = &mut header.ledger;
    ledger.received = header.watermarks.iter().map(|mark| mark.value).sum();
    ledger.sent = header.sent.iter().map(|sent| sent.value).sum();
    let genesis = settings.genesis_held[header.shard.0 as usize];
    ledger.held = genesis + ledger.received + ledger.minted - ledger.sent - ledger.burnt;
}
