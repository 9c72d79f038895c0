//! Agreement of a committee on a sequence of values by Simplex (eprint 2023/463).
//!
//! One [`Simplex`] is one validator's side of the protocol. It has no clock, no randomness and no
//! IO: the caller hands it an [`Input`] and the time, and carries out the [`Output`]s. Its state is
//! `Clone + Eq + Hash`, so that processes, simulations and exhaustive checking share it.
//!
//! In each **view** one leader proposes a value that extends a notarized one. Validators vote
//! `notarize`; a view that times out gets `nullify` votes. A quorum of either kind is a certificate
//! that moves everyone to the next view. A validator that sees a notarization of a view it has not
//! voted to nullify votes `finalize`; a quorum of those finalizes the value and its ancestors.
//!
//! Why this is safe: a quorum of `finalize` and a quorum of `nullify` in one view would share an
//! honest validator, who casts only one of the two. So a finalized view is never nullified, and
//! honest validators only vote for a proposal when every view between it and its parent is.
//!
//! Reader's order: [`quorum`], [`committee`], [`vote`], [`certificate`], [`message`], `view`,
//! `chain`, then the machine: `simplex` (inputs), `voting` (the paper's rules), `finality`,
//! `fetch`, [`recover`]; [`outline`] is for those who compare states. Rules R-CONS-1 to R-CONS-14 of
//! docs/protocol.md.

pub mod certificate;
mod chain;
pub mod checkpoint;
pub mod committee;
pub mod evidence;
mod fetch;
mod finality;
pub mod interface;
pub mod message;
pub mod outline;
pub mod quorum;
pub mod recover;
mod simplex;
pub mod timeout;
pub mod value;
mod view;
pub mod vote;
mod voting;

pub use certificate::{Certificate, CertificateError, FinalizationCertificate, Finalized};
pub use committee::{Committee, CommitteeError, Domain, Keyring, Signer, Verifier};
pub use evidence::Evidence;
pub use interface::{Config, Dropped, Input, Output, Verdict};
pub use message::{Message, MessageError, Proposal, Request, Response, Retry};
pub use outline::Outline;
pub use recover::Record;
pub use simplex::Simplex;
pub use timeout::Timing;
pub use value::{Tip, Value};
pub use vote::{Kind, Vote};
