//! All strategies by name: one variant each, with its options, and one constructor that can refuse.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use cross_shard_msg::ShardId;
use serde::{Deserialize, Serialize};

use crate::partitioner::{OptionsError, Partitioner};
use crate::strategies::clpa::{Clpa, ClpaOptions};
use crate::strategies::communities::{Communities, CommunityOptions};
use crate::strategies::fennel::{Fennel, FennelOptions};
use crate::strategies::forecast::{Forecast, ForecastOptions};
use crate::strategies::given::Given;
use crate::strategies::hash::Hash;
use crate::strategies::label_propagation::LabelPropagation;
use crate::strategies::lb_chain::LbChain;
use crate::strategies::ldg::{Ldg, LdgOptions};
use crate::strategies::metis::{Metis, MetisOptions};
use crate::strategies::options::RoundsOptions;
use crate::strategies::oracle::Oracle;
use crate::strategies::range::Range;
use crate::strategies::region::Region;
use crate::strategies::shard_scheduler::{ShardScheduler, ShardSchedulerOptions};
use crate::strategies::txallo::{AdaptiveOptions, TxAllo};

/// A strategy with its options. Each module says what they mean and what may be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The base rule.
    Hash,
    /// Ranges of addresses.
    Range,
    /// The METIS library.
    Metis(MetisOptions),
    /// Linear deterministic greedy.
    Ldg(LdgOptions),
    /// Fennel.
    Fennel(FennelOptions),
    /// Constrained label propagation.
    Clpa(ClpaOptions),
    /// Label propagation with a cap.
    LabelPropagation(RoundsOptions),
    /// TxAllo's global algorithm in every epoch.
    TxalloGlobal,
    /// TxAllo's adaptive algorithm.
    TxalloAdaptive(AdaptiveOptions),
    /// Shard Scheduler.
    ShardScheduler(ShardSchedulerOptions),
    /// LB-Chain.
    LbChain,
    /// Louvain communities.
    Louvain(CommunityOptions),
    /// Leiden communities.
    Leiden(CommunityOptions),
    /// Near the users.
    Region(RoundsOptions),
    /// The next window's graph as predicted.
    Forecast {
        /// How it predicts.
        predict: ForecastOptions,
        /// What partitions the prediction: none of forecast, reactive and oracle.
        then: Box<Strategy>,
    },
    /// The last window's graph as it was.
    Reactive {
        /// What partitions it: none of forecast, reactive and oracle.
        then: Box<Strategy>,
    },
    /// The next window's graph as it will be.
    Oracle {
        /// What partitions it: none of forecast, reactive and oracle.
        then: Box<Strategy>,
    },
    /// A given allocation.
    TraceFile {
        /// Accounts and their shards.
        homes: BTreeMap<Address, ShardId>,
    },
}

impl Strategy {
    /// Names of all strategies that need no file, in the order of documentation.
    pub const NAMES: [&'static str; 17] = [
        "hash",
        "range",
        "metis",
        "ldg",
        "fennel",
        "clpa",
        "label-propagation",
        "txallo-global",
        "txallo-adaptive",
        "shard-scheduler",
        "lb-chain",
        "louvain",
        "leiden",
        "region",
        "forecast",
        "reactive",
        "oracle",
    ];

    /// A strategy with its published options; those that ask another one ask Fennel.
    #[must_use]
    pub fn published(name: &str) -> Option<Self> {
        let fennel = || Box::new(Self::Fennel(FennelOptions::PUBLISHED));
        Some(match name {
            "hash" => Self::Hash,
            "range" => Self::Range,
            "metis" => Self::Metis(MetisOptions::PUBLISHED),
            "ldg" => Self::Ldg(LdgOptions::PUBLISHED),
            "fennel" => Self::Fennel(FennelOptions::PUBLISHED),
            "clpa" => Self::Clpa(ClpaOptions::PUBLISHED),
            "label-propagation" => Self::LabelPropagation(LabelPropagation::PUBLISHED),
            "txallo-global" => Self::TxalloGlobal,
            "txallo-adaptive" => Self::TxalloAdaptive(AdaptiveOptions::PUBLISHED),
            "shard-scheduler" => Self::ShardScheduler(ShardSchedulerOptions::PUBLISHED),
            "lb-chain" => Self::LbChain,
            "louvain" => Self::Louvain(CommunityOptions::PUBLISHED),
            "leiden" => Self::Leiden(CommunityOptions::PUBLISHED),
            "region" => Self::Region(Region::PUBLISHED),
            "forecast" => Self::Forecast { predict: ForecastOptions::PUBLISHED, then: fennel() },
            "reactive" => Self::Reactive { then: fennel() },
            "oracle" => Self::Oracle { then: fennel() },
            _ => return None,
        })
    }

    /// The strategy itself.
    ///
    /// # Errors
    /// Options out of their bounds; a strategy that asks one that asks another.
    pub fn build(&self) -> Result<Box<dyn Partitioner>, OptionsError> {
        Ok(match self {
            Self::Hash => Box::new(Hash),
            Self::Range => Box::new(Range),
            Self::Metis(options) => Box::new(Metis::new(*options)?),
            Self::Ldg(options) => Box::new(Ldg::new(*options)?),
            Self::Fennel(options) => Box::new(Fennel::new(*options)?),
            Self::Clpa(options) => Box::new(Clpa::new(*options)?),
            Self::LabelPropagation(options) => Box::new(LabelPropagation::new(*options)?),
            Self::TxalloGlobal => Box::new(TxAllo::global()),
            Self::TxalloAdaptive(options) => Box::new(TxAllo::adaptive(*options)?),
            Self::ShardScheduler(options) => Box::new(ShardScheduler::new(*options)?),
            Self::LbChain => Box::new(LbChain),
            Self::Louvain(options) => Box::new(Communities::louvain(*options)?),
            Self::Leiden(options) => Box::new(Communities::leiden(*options)?),
            Self::Region(options) => Box::new(Region::new(*options)?),
            Self::Forecast { predict, then } => {
                Box::new(Forecast::new(*predict, then.build_inner("forecast")?)?)
            }
            Self::Reactive { then } => Box::new(Forecast::reactive(then.build_inner("reactive")?)),
            Self::Oracle { then } => Box::new(Oracle::new(then.build_inner("oracle")?)),
            Self::TraceFile { homes } => Box::new(Given::new(homes.clone())),
        })
    }

    /// The strategy that another one asks.
    fn build_inner(&self, strategy: &'static str) -> Result<Box<dyn Partitioner>, OptionsError> {
        let inner = self.build()?;
        let asks =
            matches!(self, Self::Forecast { .. } | Self::Reactive { .. } | Self::Oracle { .. });
        if asks {
            let expected = "a strategy that asks no other";
            let found = inner.name().to_owned();
            return Err(OptionsError { strategy, option: "then", expected, found });
        }
        Ok(inner)
    }
}
