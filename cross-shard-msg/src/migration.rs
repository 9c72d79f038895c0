//! Moving accounts between shards (rules R-EPOCH-1 to R-EPOCH-9): what a checkpoint decides, what
//! travels, and what shards report of their traffic.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use crate::hash::Preimage;
use crate::ids::{CheckpointNumber, Height, ShardId};
use crate::units::Wei;

/// Most slots of one part of an account: 64 KiB of keys and values.
pub const MAX_PART_SLOTS: usize = 1_024;
/// Most parts of one account: 67 million slots.
pub const MAX_PARTS: u32 = 1 << 16;
/// Most accounts that one checkpoint may move, whatever the settings say: three and a half MiB of a
/// proposal.
pub const MAX_MOVES: u32 = 100_000;
/// Longest code of an account, in bytes; EIP-170 allows 24,576, genesis may hold more.
pub const MAX_MIGRATED_CODE: usize = 1 << 20;
/// Most accounts that one execution is reported to touch; more are left out.
pub const MAX_ACCESSED: usize = 16;
/// Most executions that one block's report may have, whatever the settings say.
pub const MAX_ACCESSES: usize = 1 << 16;

/// One account's change of home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Move {
    /// The account.
    pub account: Address,
    /// Where it lives.
    pub from: ShardId,
    /// Where it shall live; another shard.
    pub to: ShardId,
}

/// One part of an account on its way to its new home. All parts of an account are caused in one
/// block; it is live again where all of them have arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The account.
    pub account: Address,
    /// The checkpoint that moved it.
    pub checkpoint: CheckpointNumber,
    /// Which part this is, from 0.
    pub part: u32,
    /// How many there are, 1 to [`MAX_PARTS`].
    pub parts: u32,
    /// Its nonce; 0 in all parts but the first.
    pub nonce: u64,
    /// Its balance in wei; 0 in all parts but the first.
    pub balance: Wei,
    /// Its code; empty in all parts but the first.
    pub code: Bytes,
    /// Its storage: slots and their values, none of them zero, ascending over all parts.
    pub slots: Vec<(U256, U256)>,
}

impl Migration {
    /// Whether every field is within its bounds.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let first = self.part == 0;
        let alone_in_first = self.nonce == 0 && self.balance.is_zero() && self.code.is_empty();
        self.part < self.parts
            && self.parts <= MAX_PARTS
            && (first || alone_in_first)
            && self.code.len() <= MAX_MIGRATED_CODE
            && self.slots.len() <= MAX_PART_SLOTS
            && self.slots.iter().all(|(_, value)| !value.is_zero())
            && self.slots.is_sorted_by(|a, b| a.0 < b.0)
    }

    pub(crate) fn write(&self, preimage: &mut Preimage) {
        preimage
            .address(&self.account)
            .u64(self.checkpoint.0)
            .u32(self.part)
            .u32(self.parts)
            .u64(self.nonce)
            .wei(&self.balance)
            .bytes(&self.code)
            .len(self.slots.len());
        for (slot, value) in &self.slots {
            preimage.wei(slot).wei(value);
        }
    }
}

/// What one block of a shard tells the partitioner: who was used together. Bound to the block by a
/// digest in its header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficReport {
    /// The shard.
    pub shard: ShardId,
    /// The block.
    pub height: Height,
    /// One entry per execution that touched two accounts or more, in order of execution.
    pub accesses: Vec<Access>,
    /// Executions that exceeded the bound and are left out.
    pub omitted: u32,
}

/// The accounts that one execution touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The caller first, then the account that is called, then others; each once, at least 2 and at
    /// most [`MAX_ACCESSED`]. Residents are left out.
    pub accounts: Vec<Address>,
    /// Bit i is set if `accounts[i]` is a contract that lives on the reporting shard.
    pub contracts: u16,
}

impl TrafficReport {
    /// What the block's header has to say of this report. A report of nothing is not made, and its
    /// digest is zero.
    #[must_use]
    pub fn digest(&self) -> B256 {
        if self.accesses.is_empty() && self.omitted == 0 {
            return B256::ZERO;
        }
        let mut preimage = Preimage::new("shardlab/traffic");
        preimage.u32(self.shard.0).u64(self.height.0).u32(self.omitted).len(self.accesses.len());
        for access in &self.accesses {
            preimage.u32(u32::from(access.contracts)).len(access.accounts.len());
            for account in &access.accounts {
                preimage.address(account);
            }
        }
        preimage.finish()
    }

    /// Whether every list is within its bounds.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        self.accesses.len() <= MAX_ACCESSES
            && self
                .accesses
                .iter()
                .all(|access| (2..=MAX_ACCESSED).contains(&access.accounts.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Migration);

    fn part() -> Migration {
        Migration {
            account: Address::with_last_byte(1),
            checkpoint: CheckpointNumber(4),
            part: 0,
            parts: 2,
            nonce: 3,
            balance: Wei::from(5),
            code: Bytes::from_static(&[0x60]),
            slots: vec![(U256::from(1), U256::from(2)), (U256::from(3), U256::from(4))],
        }
    }

    #[test]
    fn a_part_is_bounded() {
        assert!(part().is_well_formed());
        let slot = |at| (U256::from(at), U256::from(1));
        let wrong: [(&str, Change); 7] = [
            ("beyond the last part", |m| m.part = 2),
            ("no parts", |m| m.parts = 0),
            ("too many parts", |m| m.parts = MAX_PARTS + 1),
            ("a nonce in a later part", |m| m.part = 1),
            ("a zero slot", |m| m.slots[0].1 = U256::ZERO),
            ("slots out of order", |m| m.slots.reverse()),
            ("code too long", |m| m.code = vec![0; MAX_MIGRATED_CODE + 1].into()),
        ];
        for (name, change) in wrong {
            let mut part = part();
            change(&mut part);
            assert!(!part.is_well_formed(), "{name}");
        }
        let full = Migration { slots: (0..=MAX_PART_SLOTS).map(slot).collect(), ..part() };
        assert!(!full.is_well_formed(), "too many slots");
    }

    #[test]
    fn a_report_of_nothing_has_no_digest() {
        let empty = TrafficReport {
            shard: ShardId(1),
            height: Height(2),
            accesses: Vec::new(),
            omitted: 0,
        };
        assert_eq!(empty.digest(), B256::ZERO);
        assert_ne!(TrafficReport { omitted: 1, ..empty }.digest(), B256::ZERO);
    }
}
