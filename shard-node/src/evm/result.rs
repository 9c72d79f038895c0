//! What executing one transaction or one incoming call came to.

use alloy_primitives::{Address, Bytes, Log};
use cross_shard_msg::{Failure, Gas, Wei};

use super::outbox::OutboxSend;

/// What an execution came to. All effects it mentions are in the state already: fees are taken,
/// the tip is on the beneficiary's account, what the outbox sends carry has left its balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionResult {
    /// Why it failed; `None` when it succeeded. A failed execution is included and paid for, and
    /// its sender's nonce has advanced, but nothing else of it is in the state.
    pub failure: Option<Failure>,
    /// The account that it opened although it lives on another shard
    /// ([`Failure::RemoteAccount`]). The whole gas limit is charged then.
    pub remote: Option<Address>,
    /// Gas charged, refunds of EIP-3529 deducted.
    pub gas_used: Gas,
    /// Wei burnt as fees: base fee and blob fee.
    pub fee_burnt: Wei,
    /// Wei that the beneficiary received.
    pub tip: Wei,
    /// Wei burnt by SELFDESTRUCT: a contract that named itself as heir, or that was paid after it
    /// had destroyed itself.
    pub selfdestruct_burnt: Wei,
    /// What the outermost call returned or reverted with; the code of a creation.
    pub output: Bytes,
    /// Logs in the order of emission; none after a failure.
    pub logs: Vec<Log>,
    /// The contract that a creation transaction made.
    pub created: Option<Address>,
    /// All contracts that it created and that exist at its end, in ascending order.
    pub placements: Vec<Address>,
    /// What it sent through the outbox, in the order of emission: outgoing `Call` receipts.
    pub sends: Vec<OutboxSend>,
    /// All accounts that the EVM opened, residents too, in ascending order; empty where it was not
    /// needed, and unless [`report_accesses`](super::BlockExecutor::report_accesses) asked for it.
    pub opened: Vec<Address>,
}

impl ExecutionResult {
    /// The status of Ethereum's receipt.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failure.is_none()
    }

    /// Everything that left circulation, in wei.
    #[must_use]
    pub fn burnt(&self) -> Wei {
        self.fee_burnt.saturating_add(self.selfdestruct_burnt)
    }

    /// A success without output.
    pub(super) fn success(gas_used: Gas, fee_burnt: Wei, tip: Wei) -> Self {
        Self {
            failure: None,
            remote: None,
            gas_used,
            fee_burnt,
            tip,
            selfdestruct_burnt: Wei::ZERO,
            output: Bytes::new(),
            logs: Vec::new(),
            created: None,
            placements: Vec::new(),
            sends: Vec::new(),
            opened: Vec::new(),
        }
    }

    /// The failure of an execution that opened `remote`.
    pub(super) fn remote_account(remote: Address, gas: Gas, fee_burnt: Wei, tip: Wei) -> Self {
        Self {
            failure: Some(Failure::RemoteAccount),
            remote: Some(remote),
            ..Self::success(gas, fee_burnt, tip)
        }
    }
}
