//! Plain transfers between the scenario's accounts.

use alloy_primitives::Bytes;
use cross_shard_msg::Duration;

use super::build::{Context, Pool};
use super::{Planned, Stage, UserIndex, WorkloadError};
use crate::scenario::{TRANSFER_GAS, TransferLoad};

/// Appends one transfer for each moment of `due`. With a pinned share of cross-shard transfers
/// each is drawn independently: first whether it crosses, then the sender by popularity, then the
/// recipient by popularity among those that fit. A sender for which none fits is drawn again.
///
/// # Errors
/// When the pinned share cannot be had with these accounts.
pub(super) fn plan(
    load: &TransferLoad,
    context: &Context,
    due: &[Duration],
    pool: &Pool,
    transactions: &mut Vec<Planned>,
) -> Result<(), WorkloadError> {
    if let Some(share) = load.cross_shard {
        if share.millionths > 0 && !pool.by_shard.has_strangers() {
            return Err(context.pinned("all accounts live on one shard, so no transfer can cross"));
        }
        if share.millionths < 1_000_000 && !pool.by_shard.has_neighbours() {
            return Err(context.pinned("no two accounts live on one shard, so all transfers cross"));
        }
    }
    let mut crossing = context.stream("crossing");
    let mut pairs = context.stream("pairs");
    for (number, at) in (usize::from(context.load)..).zip(due) {
        let (sender, recipient) = match load.cross_shard {
            None => {
                let sender = pool.draw(&mut pairs);
                (sender, pool.draw_other(sender, &mut pairs))
            }
            Some(share) => {
                let crosses = crossing.chance(share.millionths);
                loop {
                    let sender = pool.draw(&mut pairs);
                    let recipient = if crosses {
                        pool.by_shard.stranger(sender, &mut pairs)
                    } else {
                        pool.by_shard.neighbour(sender, &mut pairs)
                    };
                    if let Some(recipient) = recipient {
                        break (sender, recipient);
                    }
                }
            }
        };
        let (sender, recipient) = pool.placed(number, sender, recipient);
        transactions.push(Planned {
            stage: Stage::Run,
            phase: context.phase,
            load: context.load,
            at: *at,
            sender: UserIndex(sender),
            to: Some(pool.address(recipient)),
            value: load.value,
            gas: TRANSFER_GAS,
            input: Bytes::new(),
        });
    }
    Ok(())
}
