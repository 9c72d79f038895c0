//! A resolved scenario: every field has a value, every value is within its bounds and fits the
//! others. Nothing here has a `Default`; defaults live in the parser.

use cross_shard_msg::{Duration, Wei};

use super::byzantine::Byzantine;
use super::fault::Fault;
use super::load::Load;
use super::network::Network;
use super::partitioning::Partitioning;
use super::threshold::Threshold;

/// One experiment: a network, its accounts, what is sent to it, and what must come out.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Name of the scenario and of its run directory: 1 to 64 of `a-z`, `0-9`, `-`, `_`.
    pub name: String,
    /// Every random choice of the run comes from this number. At most 2⁶³ − 1.
    pub seed: u64,
    /// The network to start.
    pub network: Network,
    /// The accounts that exist at genesis and send.
    pub accounts: Accounts,
    /// How the load generator behaves.
    pub client: ClientSettings,
    /// What is sent, one phase after the other. At least one, names unique.
    pub phases: Vec<Phase>,
    /// Epochs at which accounts move; `None`: they stay where they are.
    pub partitioning: Option<Partitioning>,
    /// Nodes that break the rules, each at most once, in the order of the file.
    pub byzantine: Vec<Byzantine>,
    /// What must hold of the results, in the order of the file.
    pub thresholds: Vec<Threshold>,
}

/// The prefunded accounts, with keys derived from the seed. A `trace` adds its own senders with
/// the same balance; `mainnet-blocks` uses none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Accounts {
    /// How many. 2 to 10,000,000.
    pub count: u32,
    /// What each holds at genesis.
    pub balance: Wei,
    /// How often each is drawn, as sender and as recipient alike.
    pub popularity: Popularity,
    /// Whether both ends of every planned transaction are brought to one shard, shards in turn: the
    /// upper bound of every placement. Not with `mainnet-blocks`.
    pub all_local: bool,
}

/// How often each of n accounts is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Popularity {
    /// Each with probability 1/n.
    Uniform,
    /// The account of rank r with a probability proportional to r^−exponent.
    Zipf {
        /// Above 0, at most 10. Mainnet's recipients: 1.08, its senders: 0.76.
        exponent: f64,
    },
}

/// The load generator's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// A refusal that may pass later is retried until this long after the scheduled time.
    pub retry_deadline: Duration,
    /// How long after the last phase the run waits for what is still open; what has not been
    /// finalized by then is counted as unfinished.
    pub drain_timeout: Duration,
    /// `maxFeePerGas` of generated transactions, per gas. At least the initial base fee + tip.
    pub max_fee: Wei,
    /// `maxPriorityFeePerGas` of generated transactions, per gas.
    pub tip: Wei,
}

/// A part of the run with its own load.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Unique among the phases: 1 to 64 of `a-z`, `0-9`, `-`, `_`.
    pub name: String,
    /// For how long arrivals are scheduled. `None`: until every load has sent all that it has,
    /// which only `trace` and `mainnet-blocks` ever do.
    pub duration: Option<Duration>,
    /// Whether what is scheduled in this phase enters the results.
    pub record: bool,
    /// All at the same time. None: the network idles.
    pub loads: Vec<Load>,
    /// What breaks in it, in the order of the file.
    pub faults: Vec<Fault>,
}
