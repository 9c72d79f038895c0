//! Executes transactions and incoming calls on a shard's state, with revm.
//!
//! In the order in which a block uses it:
//!
//! - [`Executor`] lives as long as the shard; [`Executor::block`] begins a [`BlockExecutor`] on the
//!   shard's state, with a [`Locality`] and a [`BlockEnvironment`].
//! - [`BlockExecutor::execute_call`] runs an incoming call, [`BlockExecutor::credit`] a refund.
//! - [`BlockExecutor::execute_transaction`] runs a transaction whose recipient lives here, or that
//!   creates a contract; [`BlockExecutor::source_leg`] the first leg of one whose recipient lives
//!   elsewhere.
//! - [`BlockResults`] gathers what they came to: Ethereum's receipts, their root, the bloom.
//!
//! Only local accounts can be opened. Whoever opens another one fails as `remote account`; the
//! shard never waits for another shard in the middle of an execution. Contracts are local where
//! they are created, whatever the base rule says of their address.

mod call;
mod database;
mod environment;
mod executor;
mod handler;
mod locality;
mod outbox;
mod refusal;
mod result;
mod results;
mod source_leg;
mod transaction;
mod transfer;
mod validation;

pub use call::CallOutcome;
pub use database::Arrived;
pub use environment::{BlockEnvironment, ChainRules, SpecId, mainnet_spec, next_base_fee};
pub use executor::{BlockExecutor, Executor};
pub use locality::{Locality, SingleShard};
pub use outbox::{OUTBOX, OutboxSend, outbox_code};
pub use refusal::NotExecuted;
pub use result::ExecutionResult;
pub use results::{BlockResults, INCOMING_RESULT_TYPE};
pub use source_leg::SourceLeg;
pub use validation::{IntrinsicGas, effective_gas_price, intrinsic_gas};
