//! The results of a block's legs: Ethereum's receipts, and the results root over them (R-BLK-4).

use alloy_primitives::{B256, Bloom, BloomInput, Log};
use alloy_rlp::{Encodable, Header};
use cross_shard_msg::Gas;
use state::ordered_root;

use super::result::ExecutionResult;

/// EIP-2718 type byte of the results of incoming receipts. Ethereum has no such transactions, so
/// that with one shard the results root is Ethereum's.
pub const INCOMING_RESULT_TYPE: u8 = 0x7e;

/// Results of a block's legs in order of execution. Each is encoded when it is added: the root is
/// all that a header keeps of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockResults {
    encoded: Vec<Vec<u8>>,
    gas_used: Gas,
    bloom: Bloom,
}

impl BlockResults {
    /// Adds a transaction of this EIP-2718 type (0 is legacy).
    pub fn push_transaction(&mut self, transaction_type: u8, result: &ExecutionResult) {
        self.push(transaction_type, result.is_success(), result.gas_used, &result.logs);
    }

    /// Adds an incoming call.
    pub fn push_call(&mut self, result: &ExecutionResult) {
        self.push(INCOMING_RESULT_TYPE, result.is_success(), result.gas_used, &result.logs);
    }

    /// Adds an incoming receipt that executes nothing and cannot fail: a refund, a migration, a
    /// call that is forwarded.
    pub fn push_without_execution(&mut self) {
        self.push(INCOMING_RESULT_TYPE, true, Gas::ZERO, &[]);
    }

    /// Number of results.
    #[must_use]
    pub fn len(&self) -> usize {
        self.encoded.len()
    }

    /// True for a block without legs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Gas that all legs used.
    #[must_use]
    pub fn gas_used(&self) -> Gas {
        self.gas_used
    }

    /// Bloom of all logs.
    #[must_use]
    pub fn bloom(&self) -> Bloom {
        self.bloom
    }

    /// Each result as it goes into the trie.
    #[must_use]
    pub fn encoded(&self) -> &[Vec<u8>] {
        &self.encoded
    }

    /// The results root: Ethereum's receipts root over all legs.
    #[must_use]
    pub fn root(&self) -> B256 {
        ordered_root(&self.encoded)
    }

    fn push(&mut self, type_byte: u8, success: bool, gas_used: Gas, logs: &[Log]) {
        self.gas_used = self.gas_used.plus(gas_used);
        let mut bloom = Bloom::ZERO;
        for log in logs {
            bloom.accrue(BloomInput::Raw(log.address.as_slice()));
            for topic in log.topics() {
                bloom.accrue(BloomInput::Raw(topic.as_slice()));
            }
        }
        self.bloom |= bloom;
        self.encoded.push(encode(type_byte, success, self.gas_used, &bloom, logs));
    }
}

/// Type byte unless legacy, then `rlp([status, cumulative gas, bloom, logs])` (EIP-658).
fn encode(type_byte: u8, success: bool, cumulative: Gas, bloom: &Bloom, logs: &[Log]) -> Vec<u8> {
    let payload_length =
        success.length() + cumulative.0.length() + bloom.length() + alloy_rlp::list_length(logs);
    let mut out = Vec::with_capacity(payload_length + 5);
    if type_byte != 0 {
        out.push(type_byte);
    }
    Header { list: true, payload_length }.encode(&mut out);
    success.encode(&mut out);
    cumulative.0.encode(&mut out);
    bloom.encode(&mut out);
    alloy_rlp::encode_list(logs, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{Eip658Value, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxType};
    use alloy_eips::eip2718::Encodable2718 as _;
    use alloy_primitives::{Address, LogData};
    use cross_shard_msg::{Failure, Wei};

    use super::*;

    fn result(failure: Option<Failure>, gas: u64, logs: Vec<Log>) -> ExecutionResult {
        ExecutionResult {
            failure,
            logs,
            ..ExecutionResult::success(Gas(gas), Wei::ZERO, Wei::ZERO)
        }
    }

    #[test]
    fn results_are_the_receipts_of_ethereum() {
        let log = Log {
            address: Address::with_last_byte(7),
            data: LogData::new_unchecked(vec![B256::with_last_byte(1)], vec![1, 2, 3].into()),
        };
        let mut results = BlockResults::default();
        let mut expected = Vec::new();
        let mut cumulative_gas_used = 0;
        for (kind, failure, logs) in [
            (TxType::Legacy, None, vec![]),
            (TxType::Eip2930, Some(Failure::Revert), vec![]),
            (TxType::Eip1559, None, vec![log.clone(), log]),
        ] {
            cumulative_gas_used += 30_000;
            results.push_transaction(kind as u8, &result(failure, 30_000, logs.clone()));
            let status = Eip658Value::Eip658(failure.is_none());
            let receipt = Receipt { status, cumulative_gas_used, logs };
            let receipt: ReceiptWithBloom<Receipt> = receipt.with_bloom();
            expected.push(ReceiptEnvelope::from_typed(kind, receipt).encoded_2718());
        }
        assert_eq!(results.encoded(), expected);
        assert_eq!(results.gas_used(), Gas(90_000));
        assert!(
            results.bloom().contains_input(BloomInput::Raw(Address::with_last_byte(7).as_slice()))
        );
    }

    #[test]
    fn incoming_receipts_have_a_type_of_their_own() {
        let mut results = BlockResults::default();
        results.push_call(&result(None, 5, vec![]));
        results.push_without_execution();
        assert_eq!(results.len(), 2);
        for encoded in results.encoded() {
            assert_eq!(encoded[0], INCOMING_RESULT_TYPE);
        }
    }
}
