//! `accounts.all_local`: who stands for an account on another shard, so that both ends of a
//! transaction live on one.
//!
//! The accounts of each shard stand in a row, in the order of their indices. The account at place p
//! of its own shard's row is replaced, on shard s, by the one at place p of that shard's row (or, in
//! a shorter row, at place p modulo its length). So who deals with whom, and how often each account
//! is drawn, stay alike, while every account is spread over as many as there are shards.

use cross_shard_msg::ShardId;

/// The rows of all shards.
#[derive(Clone, Debug)]
pub(super) struct Counterparts {
    /// Each index's place in its shard's row; none for one that is left out.
    place: Vec<Option<u32>>,
    /// Per shard its row: indices, ascending.
    rows: Vec<Vec<u32>>,
}

impl Counterparts {
    /// Of indices whose homes are given; those without a home are left out.
    pub(super) fn new(homes: impl Iterator<Item = Option<ShardId>>, shards: u32) -> Self {
        let mut rows = vec![Vec::new(); shards as usize];
        let place = (0_u32..)
            .zip(homes)
            .map(|(index, home)| {
                let row = rows.get_mut(home?.0 as usize)?;
                row.push(index);
                u32::try_from(row.len() - 1).ok()
            })
            .collect();
        Self { place, rows }
    }

    /// The first shard whose row is shorter than `least`.
    pub(super) fn too_short(&self, least: usize) -> Option<ShardId> {
        let index = self.rows.iter().position(|row| row.len() < least)?;
        u32::try_from(index).ok().map(ShardId)
    }

    /// The shard whose turn it is: round robin.
    pub(super) fn turn(&self, number: usize) -> ShardId {
        let shard = number.checked_rem(self.rows.len()).unwrap_or(0);
        ShardId(u32::try_from(shard).unwrap_or(0))
    }

    /// Who stands for `index` on `shard`.
    pub(super) fn of(&self, index: u32, shard: ShardId) -> u32 {
        self.at(shard, self.place(index)).unwrap_or(index)
    }

    /// Who stands for `index` on `shard` beside `taken`: if that is the same one, the next in the
    /// row.
    pub(super) fn beside(&self, index: u32, taken: u32, shard: ShardId) -> u32 {
        let place = self.place(index);
        let found = self.at(shard, place).filter(|found| *found != taken);
        found.or_else(|| self.at(shard, place + 1)).unwrap_or(index)
    }

    /// The account at a place of a shard's row, which begins again after its end.
    pub(super) fn at(&self, shard: ShardId, place: usize) -> Option<u32> {
        let row = self.rows.get(shard.0 as usize)?;
        row.get(place.checked_rem(row.len())?).copied()
    }

    fn place(&self, index: u32) -> usize {
        self.place.get(index as usize).copied().flatten().unwrap_or(0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_counterpart_on_every_shard() {
        let homes = [0, 1, 1, 0, 1, 2, 2].map(ShardId);
        let rows = Counterparts::new(homes.iter().copied().map(Some), 3);
        for index in 0..7_u32 {
            assert_eq!(rows.of(index, homes[index as usize]), index, "at home it is itself");
            for shard in [0, 1, 2].map(ShardId) {
                let stands = rows.of(index, shard);
                assert_eq!(homes[stands as usize], shard);
                for other in 0..7 {
                    let beside = rows.beside(other, stands, shard);
                    assert_eq!(homes[beside as usize], shard);
                    assert_ne!(beside, stands);
                }
            }
        }
        assert_eq!(rows.of(4, ShardId(0)), 0, "the third of a row of two is its first");
        assert_eq!((rows.too_short(2), rows.too_short(3)), (None, Some(ShardId(0))));
        assert_eq!([0, 1, 2, 3].map(|number| rows.turn(number).0), [0, 1, 2, 0]);
    }
}
