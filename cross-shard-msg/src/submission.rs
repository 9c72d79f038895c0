//! A transaction on its way to a shard, and the edge at which its sender becomes known.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use serde::{Deserialize, Serialize};

use crate::message::Admission;
use crate::refusal::Refusal;
use crate::transaction::{Recovered, Transaction, TransactionError};

/// A transaction on its way to a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// EIP-2718 encoding.
    pub encoded: Bytes,
    /// The sender, where the scenario says that signatures are assumed; otherwise it is recovered.
    pub assumed_sender: Option<Address>,
}

impl Submission {
    /// Decodes the transaction and makes its sender known. The work of a driver's edge, done once
    /// per submission and off the machine's thread, because recovery takes about 50 µs.
    ///
    /// `verify` says whether the network verifies signatures; if it does, an assumed sender is
    /// ignored.
    ///
    /// # Errors
    /// The refusal that the client must be told.
    pub fn recover(&self, verify: bool) -> Result<Recovered, Admission> {
        let refuse = |hash: B256, refusal| Admission { hash, outcome: Err(refusal) };
        let transaction = Transaction::decode(self.encoded.clone())
            .map_err(|_| refuse(keccak256(&self.encoded), Refusal::Malformed))?;
        let hash = transaction.hash();
        match self.assumed_sender {
            Some(sender) if !verify => Ok(Recovered::assumed(transaction, sender)),
            _ => Recovered::recover(transaction).map_err(|error| match error {
                TransactionError::Signature => refuse(hash, Refusal::Signature),
                TransactionError::TooLarge(_) | TransactionError::Malformed(_) => {
                    refuse(hash, Refusal::Malformed)
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction as _, TxEnvelope, TxLegacy};
    use alloy_primitives::{Signature, U256};

    use super::*;
    use crate::signature;

    fn transfer() -> (TxEnvelope, Address) {
        let key = secp256k1::SecretKey::from_byte_array([5; 32]).unwrap();
        let transaction = TxLegacy { chain_id: Some(1), gas_limit: 21_000, ..Default::default() };
        let signature = signature::sign(&transaction.signature_hash(), &key);
        let sender = signature::address_of(&key.public_key(secp256k1::SECP256K1));
        (transaction.into_signed(signature).into(), sender)
    }

    #[test]
    fn the_sender_is_recovered_or_assumed_as_the_network_says() {
        let (envelope, sender) = transfer();
        let encoded = Transaction::signed(envelope).encoded().clone();
        let liar = Address::repeat_byte(9);
        let submission = Submission { encoded, assumed_sender: Some(liar) };
        assert_eq!(submission.recover(true).unwrap().sender(), sender);
        assert_eq!(submission.recover(false).unwrap().sender(), liar);
        let honest = Submission { assumed_sender: None, ..submission };
        assert_eq!(honest.recover(false).unwrap().sender(), sender);
    }

    #[test]
    fn a_malleable_signature_is_refused() {
        let (envelope, _) = transfer();
        let TxEnvelope::Legacy(signed) = envelope else { unreachable!() };
        let order = U256::from_be_bytes(secp256k1::constants::CURVE_ORDER);
        let low = signed.signature();
        let high = Signature::new(low.r(), order - low.s(), !low.v());
        let envelope: TxEnvelope = signed.tx().clone().into_signed(high).into();
        let encoded = Transaction::signed(envelope).encoded().clone();
        let refused = Submission { encoded, assumed_sender: None }.recover(true);
        assert_eq!(refused.unwrap_err().outcome, Err(Refusal::Signature));
    }

    #[test]
    fn garbage_is_malformed() {
        for bytes in [&b""[..], &[0xc0], &[0x02, 0xff], &[0x7e; 100]] {
            let submission =
                Submission { encoded: Bytes::copy_from_slice(bytes), assumed_sender: None };
            assert_eq!(submission.recover(true).unwrap_err().outcome, Err(Refusal::Malformed));
        }
    }
}
