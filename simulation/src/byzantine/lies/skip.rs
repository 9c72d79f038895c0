//! A batch that is never sent, though its header says that it was.

use cross_shard_msg::{Height, ShardId};

/// The batch that is held back: the first one.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::byzantine) struct Skipped(Option<(Height, ShardId)>);

impl Skipped {
    /// Holds this batch back, if it is the first.
    pub fn first(&mut self, batch: (Height, ShardId)) {
        self.0.get_or_insert(batch);
    }

    pub fn is(self, batch: (Height, ShardId)) -> bool {
        self.0 == Some(batch)
    }
}
