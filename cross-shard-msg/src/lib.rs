//! The vocabulary of Shardlab: what nodes say to one another, and the shape of a node.
//!
//! Everything here is plain data and pure functions. No clock, no IO, no EVM, no network. Rule
//! numbers (`R-…`) refer to docs/protocol.md.
//!
//! In the order in which data flows: a [`Transaction`] is admitted as [`Recovered`] and put into a
//! [`Block`]; its execution causes [`Receipt`]s, which leave in a [`ReceiptBatch`] under a
//! [`SignedHeader`]; headers are gathered in a [`Checkpoint`]. A [`Message`] carries each of them,
//! a [`Machine`] handles it.

pub mod block;
pub mod certificate;
pub mod checkpoint;
pub mod codec;
pub mod hash;
pub mod header;
pub mod ids;
pub mod machine;
pub mod merkle;
pub mod message;
pub mod migration;
pub mod observation;
pub mod receipt;
pub mod refusal;
pub mod settings;
pub mod signature;
pub mod submission;
pub mod testdata;
pub mod transaction;
pub mod units;
pub mod verified;

pub use block::{Block, Body, Cause, Failure, Incoming, Leg, LegStatus, ReceiptKind};
pub use certificate::{Certificate, ShardKeys};
pub use checkpoint::{Checkpoint, Crosslink, FinalizedCheckpoint, Placement, Proposal};
pub use header::{Congestion, Header, Ledger, SealedHeader, Sent, SignedHeader, Watermark};
pub use ids::*;
pub use machine::{Effect, Effects, Input, JobSize, Machine, Work};
pub use merkle::InclusionProof;
pub use message::{Admission, Audience, BlockNotice, LegNotice, Message};
pub use migration::{Access, Migration, Move, TrafficReport};
pub use observation::{DropReason, Event, Observation};
pub use receipt::{Action, Call, Outgoing, Receipt, ReceiptBatch};
pub use refusal::Refusal;
pub use settings::{Epochs, Gate, Settings};
pub use signature::{NodeSignature, PublicKey, SecretKey};
pub use submission::Submission;
pub use transaction::{Recovered, Transaction, TransactionError};
pub use units::*;
