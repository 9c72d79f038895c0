//! What one coordinator is told before it starts.

use std::sync::Arc;

use consensus::{Committee, CommitteeError, Config, Keyring, Signer as _, Timing};
use cross_shard_msg::{Duration, SecretKey, Settings, ValidatorIndex};
use partitioning::{Partitioner, Places, Weights};

/// Votes and proposals more than this many views ahead are dropped unverified.
const FUTURE_VIEWS: u64 = 64;
/// Bounds of the timeout of a view: long enough for a proposal and two rounds of votes round the
/// world, short enough that a crashed leader costs little.
const MIN_TIMEOUT: Duration = Duration::from_millis(500);
const MAX_TIMEOUT: Duration = Duration::from_secs(4);
/// How often missing headers are looked for.
const MIN_PULL: Duration = Duration::from_millis(20);
const MAX_PULL: Duration = Duration::from_millis(500);

/// Everything that one coordinator must know.
#[derive(Clone, Debug)]
pub struct CoordinatorConfig {
    /// Which validator this is.
    pub index: ValidatorIndex,
    /// Its secret key.
    pub key: SecretKey,
    /// What all nodes of the network agree on.
    pub settings: Settings,
    /// How it finds out which accounts should move. Without it, it never proposes to move any; what
    /// others propose it checks all the same. Only for networks whose settings have epochs.
    pub partitioner: Option<PartitionerConfig>,
}

/// How a coordinator finds out which accounts should move (rule R-EPOCH-3). Not part of what the
/// network agrees on: nobody computes again what a leader proposes.
#[derive(Clone, Debug)]
pub struct PartitionerConfig {
    /// The strategy. In the simulated world it must be a function of what it is asked.
    pub partitioner: Arc<dyn Partitioner>,
    /// What counts how much.
    pub weights: Weights,
    /// How many past epochs' traffic it is shown; at least 1.
    pub windows: u32,
    /// Where shards and users are, for strategies that care.
    pub places: Option<Arc<Places>>,
    /// Its only source of randomness.
    pub seed: u64,
}

/// Why a coordinator can not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The validators are no committee, or the key is not of one of them.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// The key is another validator's.
    #[error("the key of validator {found} was given to validator {expected}")]
    OtherKey {
        /// Who was meant.
        expected: ValidatorIndex,
        /// Whose key it is.
        found: ValidatorIndex,
    },
    /// Settings name shards, but not what each holds.
    #[error("{shards} shards, but {held} genesis holdings")]
    Genesis {
        /// Number of shards.
        shards: usize,
        /// Number of holdings.
        held: usize,
    },
    /// A partitioner in a network in which nothing moves.
    #[error("a partitioner was given, but the network has no epochs")]
    NoEpochs,
}

impl CoordinatorConfig {
    /// Checks the configuration and takes the key out.
    ///
    /// # Errors
    /// When the parts do not fit together.
    pub(crate) fn keyring(&self) -> Result<Keyring, ConfigError> {
        let (shards, held) = (self.settings.shards.len(), self.settings.genesis_held.len());
        if shards != held {
            return Err(ConfigError::Genesis { shards, held });
        }
        if self.partitioner.is_some() && self.settings.epochs.is_none() {
            return Err(ConfigError::NoEpochs);
        }
        let committee: Committee = consensus::checkpoint::committee(&self.settings)?;
        let keyring = Keyring::new(committee, self.key.clone())?;
        if keyring.validator() != self.index {
            let (expected, found) = (self.index, keyring.validator());
            return Err(ConfigError::OtherKey { expected, found });
        }
        Ok(keyring)
    }
}

/// The agreement's settings for a network whose checkpoints are `interval` apart. The view timeout
/// is the interval within fixed bounds, and grows sixteenfold at most; the other times are parts
/// of it.
#[must_use]
pub fn agreement(interval: Duration) -> Config {
    let timeout = interval.clamp(MIN_TIMEOUT, MAX_TIMEOUT);
    Config {
        timing: Timing {
            interval,
            timeout,
            max_timeout: timeout.times(16),
            retry: timeout,
            fetch_after: timeout.divided(8),
            fetch_retry: timeout.divided(4),
            max_skew: timeout.divided(4),
        },
        future_views: FUTURE_VIEWS,
    }
}

/// Time between two looks for missing headers: an eighth of the interval within fixed bounds.
#[must_use]
pub fn pull_every(interval: Duration) -> Duration {
    interval.divided(8).clamp(MIN_PULL, MAX_PULL)
}
