//! `Outbox`: how a contract sends to another shard (contracts/src/Outbox.sol, R-EXE-8).
//!
//! The contract lives at [`OUTBOX`] on every shard. Its `Sent` events are calls to be released; the
//! executor reads them from the logs of a successful execution and takes what they carry out of
//! the contract's balance, so that it counts as sent from the moment of emission.

use alloy_primitives::{Address, B256, Bytes, Log, U256, b256};
use cross_shard_msg::{Call, Gas, Wei};
pub use partitioning::OUTBOX;

/// Runtime code of `Outbox`, compiled. A genesis puts it at [`OUTBOX`] on every shard.
#[must_use]
pub fn outbox_code() -> Bytes {
    Bytes::from_static(include_bytes!("../../../contracts/artifacts/Outbox.runtime.bin"))
}

/// What a contract sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxSend {
    /// The id that `send` returned to the contract, unique on this shard.
    pub local_id: U256,
    /// The call to release. What it carries, `value + gas · gas_price`, has left this shard's
    /// accounts.
    pub call: Call,
}

impl OutboxSend {
    /// All wei that the call carries.
    #[must_use]
    pub fn carried(&self) -> Wei {
        self.call.value.saturating_add(self.call.gas.cost(self.call.gas_price))
    }
}

/// keccak-256 of `Sent(uint256,address,address,uint256,uint64,uint128,address,bytes)`.
const SENT: B256 = b256!("a9160380857a25d035168bc25b2c2f00e66c07339defaa95a3486b33c44befab");

/// Reads what was sent from the logs of a successful execution. Nobody but `Outbox` can emit under
/// its address, and it emits well-formed events only.
pub(super) fn sends(logs: &[Log]) -> Vec<OutboxSend> {
    logs.iter().filter(|log| log.address == OUTBOX).filter_map(decode).collect()
}

/// `Sent` has id, from and to as topics; value, gas, gas price, refund account, and the offset,
/// length and bytes of the input as data, in words of 32 bytes.
fn decode(log: &Log) -> Option<OutboxSend> {
    let [signature, id, from, to] = log.topics() else {
        return None;
    };
    if *signature != SENT {
        return None;
    }
    let data = &log.data.data;
    let word = |index: usize| data.get(index * 32..(index + 1) * 32).map(U256::from_be_slice);
    let length = usize::try_from(word(5)?).ok()?;
    let call = Call {
        from: Address::from_word(*from),
        to: Address::from_word(*to),
        value: word(0)?,
        gas: Gas(u64::try_from(word(1)?).ok()?),
        gas_price: word(2)?,
        input: data.get(6 * 32..6 * 32 + length).map(|_| data.slice(6 * 32..6 * 32 + length))?,
        refund_to: Address::from_word(word(3)?.into()),
    };
    Some(OutboxSend { local_id: (*id).into(), call })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{LogData, address, keccak256};

    use super::*;

    #[test]
    fn the_event_is_the_one_in_solidity() {
        let signature = "Sent(uint256,address,address,uint256,uint64,uint128,address,bytes)";
        assert_eq!(keccak256(signature), SENT);
    }

    #[test]
    fn a_log_of_another_contract_or_event_is_nothing_sent() {
        let word = B256::with_last_byte(9);
        let forged = Log {
            address: address!("00000000000000000000000000000000000000aa"),
            data: LogData::new_unchecked(vec![SENT, word, word, word], vec![0; 192].into()),
        };
        let other = Log {
            address: OUTBOX,
            data: LogData::new_unchecked(vec![word, word, word, word], vec![0; 192].into()),
        };
        let truncated = Log {
            address: OUTBOX,
            data: LogData::new_unchecked(vec![SENT, word, word, word], vec![0; 191].into()),
        };
        assert_eq!(sends(&[forged, other, truncated]), []);
    }
}
