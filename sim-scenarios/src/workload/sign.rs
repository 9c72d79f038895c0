//! Signs a workload before the run's clock starts.
//!
//! Nonces follow the order of the schedule, per sender. Every transaction is EIP-1559 with the
//! scenario's fee caps. Encodings lie one behind the other in a few large buffers, so that a
//! million transactions are a few hundred allocations.
//!
//! Where the scenario assumes signatures nobody looks at one, in either world, so none is made: a
//! hash stands in for it, of the same length and as different for each transaction and sender.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use cross_shard_msg::hash::Preimage;
use cross_shard_msg::signature;
use cross_shard_msg::{Duration, Submission, Transaction, TransactionKey};

use super::{PhaseSpan, Planned, Stage, User, UserIndex, Workers, Workload, keys};
use crate::scenario::Signatures;

/// Everything that a run sends, ready to be sent.
#[derive(Clone, Debug)]
pub struct SignedWorkload {
    /// Address of each sender, by [`UserIndex`].
    pub senders: Vec<Address>,
    /// By stage, then by time; one sender's nonces ascend.
    pub transactions: Vec<SignedTransaction>,
    /// The phases, in order.
    pub phases: Vec<PhaseSpan>,
    hashes: Vec<B256>,
    buffers: Vec<Bytes>,
}

/// A transaction that is ready to be sent, without its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// Its key in observations.
    pub key: TransactionKey,
    /// When it is due, counted from the start of the first phase.
    pub at: Duration,
    /// Who sends it.
    pub sender: UserIndex,
    /// Index of its phase.
    pub phase: u16,
    /// Index of its load in the phase.
    pub load: u16,
    /// When it may be sent.
    pub stage: Stage,
    buffer: u32,
    offset: u32,
    length: u32,
}

/// Why a workload cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Two transactions share a key, so observations could not tell them apart.
    #[error(
        "transactions {first} and {second} share the key {key}: two hashes begin with the same \
         eight bytes; choose another seed"
    )]
    SameKey {
        /// The key.
        key: TransactionKey,
        /// Index of one.
        first: usize,
        /// Index of the other.
        second: usize,
    },
}

/// Signs all transactions of a workload. Takes about 50 µs for each and thread; where signatures
/// are assumed, about 2.
///
/// # Errors
/// When two transactions share a key.
pub fn sign(workload: &Workload, workers: &Workers<'_>) -> Result<SignedWorkload, SignError> {
    let mut next = vec![0_u64; workload.users.len()];
    let nonces: Vec<u64> = workload
        .transactions
        .iter()
        .map(|planned| {
            next.get_mut(planned.sender.0 as usize).map_or(0, |next| {
                let nonce = *next;
                *next += 1;
                nonce
            })
        })
        .collect();
    let chunks = workers.chunks(&workload.transactions, |first, chunk| {
        let mut signed = Chunk::default();
        for (planned, nonce) in chunk.iter().zip(nonces.iter().skip(first)) {
            if let Some(user) = workload.users.get(planned.sender.0 as usize) {
                signed.push(planned, &envelope(workload, user, planned, *nonce).encoded_2718());
            }
        }
        signed
    });
    SignedWorkload::of(
        workload.users.iter().map(|user| user.address).collect(),
        chunks,
        workload.phases.clone(),
    )
}

impl SignedWorkload {
    /// A workload of transactions that were signed elsewhere, all due at once, in this order.
    ///
    /// # Errors
    /// When two transactions share a key.
    pub fn prescribed(
        name: &str,
        transactions: &[(Transaction, Address)],
    ) -> Result<Self, SignError> {
        let mut senders: Vec<Address> = transactions.iter().map(|(_, sender)| *sender).collect();
        senders.sort_unstable();
        senders.dedup();
        let mut chunk = Chunk::default();
        for (transaction, sender) in transactions {
            let index = senders.binary_search(sender).unwrap_or(0);
            let sender = UserIndex(u32::try_from(index).unwrap_or(u32::MAX));
            chunk.record(Stage::Run, (0, 0), Duration::ZERO, sender, transaction.encoded());
        }
        let end = Duration::ZERO;
        let phase = PhaseSpan { name: name.to_owned(), record: true, start: end, end };
        Self::of(senders, vec![chunk], vec![phase])
    }

    /// The encoding of the transaction at `index`; empty for one that does not exist.
    #[must_use]
    pub fn encoded(&self, index: usize) -> Bytes {
        let found = self.transactions.get(index).and_then(|transaction| {
            let (offset, length) = (transaction.offset as usize, transaction.length as usize);
            let buffer = self.buffers.get(transaction.buffer as usize)?;
            (offset + length <= buffer.len()).then(|| buffer.slice(offset..offset + length))
        });
        found.unwrap_or_default()
    }

    /// The hash of the transaction at `index`; zero for one that does not exist.
    #[must_use]
    pub fn hash(&self, index: usize) -> B256 {
        self.hashes.get(index).copied().unwrap_or_default()
    }

    /// The address of the sender of the transaction at `index`.
    #[must_use]
    pub fn sender(&self, index: usize) -> Option<Address> {
        let transaction = self.transactions.get(index)?;
        self.senders.get(transaction.sender.0 as usize).copied()
    }

    /// The transaction at `index` as it travels to a shard; `assumed` names its sender too.
    #[must_use]
    pub fn submission(&self, index: usize, assumed: bool) -> Submission {
        Submission {
            encoded: self.encoded(index),
            assumed_sender: if assumed { self.sender(index) } else { None },
        }
    }

    /// How long the load lasts: the end of the last phase.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |phase| phase.end)
    }

    fn of(
        senders: Vec<Address>,
        chunks: Vec<Chunk>,
        phases: Vec<PhaseSpan>,
    ) -> Result<Self, SignError> {
        let (transactions, hashes, buffers) = (Vec::new(), Vec::new(), Vec::new());
        let mut workload = Self { senders, transactions, phases, hashes, buffers };
        for (index, chunk) in (0_u32..).zip(chunks) {
            workload.hashes.extend(chunk.hashes);
            let records = chunk.transactions.into_iter();
            workload
                .transactions
                .extend(records.map(|record| SignedTransaction { buffer: index, ..record }));
            workload.buffers.push(chunk.buffer.into());
        }
        workload.refuse_same_keys()?;
        Ok(workload)
    }

    fn refuse_same_keys(&self) -> Result<(), SignError> {
        let keys = self.transactions.iter().map(|transaction| transaction.key);
        let mut keys: Vec<(TransactionKey, usize)> =
            keys.enumerate().map(|(index, key)| (key, index)).collect();
        keys.sort_unstable();
        match keys.array_windows().find(|[one, other]| one.0 == other.0) {
            None => Ok(()),
            Some([one, other]) => {
                Err(SignError::SameKey { key: one.0, first: one.1, second: other.1 })
            }
        }
    }
}

fn envelope(workload: &Workload, user: &User, planned: &Planned, nonce: u64) -> TxEnvelope {
    let transaction = TxEip1559 {
        chain_id: workload.chain_id,
        nonce,
        gas_limit: planned.gas.0,
        max_fee_per_gas: workload.max_fee.saturating_to(),
        max_priority_fee_per_gas: workload.tip.saturating_to(),
        to: planned.to.map_or(TxKind::Create, TxKind::Call),
        value: planned.value,
        access_list: Default::default(),
        input: planned.input.clone(),
    };
    let digest = transaction.signature_hash();
    let signature = match workload.signatures {
        Signatures::Verify => signature::sign(&digest, &keys::secret(workload.seed, user.key)),
        Signatures::Assumed => stand_in(&digest, &user.address),
    };
    transaction.into_signed(signature).into()
}

/// What stands where `sender` would have signed `digest`. As every transaction must, it has a hash
/// of its own: two senders may well say the same.
fn stand_in(digest: &B256, sender: &Address) -> Signature {
    let half = |half| {
        let mut preimage = Preimage::new("shardlab/workload/stand-in");
        U256::from_be_bytes(preimage.u8(half).hash(digest).address(sender).finish().0)
    };
    // The lower half of the curve's order is where a signature has to be (EIP-2).
    Signature::new(half(0), half(1) >> 1, false)
}

/// What one thread signed at a time.
#[derive(Debug, Default)]
struct Chunk {
    buffer: Vec<u8>,
    hashes: Vec<B256>,
    transactions: Vec<SignedTransaction>,
}

impl Chunk {
    fn push(&mut self, planned: &Planned, encoded: &[u8]) {
        let Planned { stage, phase, load, at, sender, .. } = *planned;
        self.record(stage, (phase, load), at, sender, encoded);
    }

    fn record(
        &mut self,
        stage: Stage,
        (phase, load): (u16, u16),
        at: Duration,
        sender: UserIndex,
        encoded: &[u8],
    ) {
        // A chunk has at most a few thousand transactions of at most 128 KiB each.
        let offset = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
        let length = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
        self.buffer.extend_from_slice(encoded);
        let hash = keccak256(encoded);
        self.hashes.push(hash);
        self.transactions.push(SignedTransaction {
            key: TransactionKey::of(&hash),
            at,
            sender,
            phase,
            load,
            stage,
            buffer: 0,
            offset,
            length,
        });
    }
}
