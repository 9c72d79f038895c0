//! The file that tells a child process who it is. Written by the launcher into the run's
//! directory, read by the child; not meant for people.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use coordinator::CoordinatorConfig;
use cross_shard_msg::codec::{self, CodecError};
use cross_shard_msg::{NodeId, SecretKey, Settings, ShardId, ValidatorIndex};
use partitioning::{Base, Residents};
use runtime::network::{LinkShape, LinkTable, NetworkBounds, NetworkConfig};
use runtime::process::ProcessPlan;
use serde::{Deserialize, Serialize};
use shard_node::evm::{BlockEnvironment, SpecId};
use shard_node::{Environment, Prescribed, ShardConfig};
use state::GenesisAccount;

use super::plan::NetworkPlan;
use super::questions::Questions;
use super::strategy::StrategyPlan;
use crate::partition::ChosenError;

/// Everything that one child process needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeFile {
    /// Paths, ports and threads.
    pub process: ProcessPlan,
    /// The process's own log.
    pub log: PathBuf,
    /// What to log, in `tracing`'s syntax.
    pub log_filter: String,
    /// What it is.
    pub role: Role,
    settings: Arc<Settings>,
    base: Base,
    seed: u64,
    default_link: LinkShape,
    links: Vec<(NodeId, LinkShape)>,
    bounds: NetworkBounds,
}

/// What a process is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Role {
    /// The node of a shard.
    Shard {
        /// Which one.
        shard: ShardId,
        /// Its accounts at genesis.
        genesis: Vec<(Address, GenesisAccount)>,
        /// A prescribed block: the fork's number, its values, and this shard's transactions.
        prescribed: Option<(u8, BlockEnvironment, Vec<B256>)>,
    },
    /// A committee member.
    Coordinator {
        /// Which one.
        index: ValidatorIndex,
        /// How it asks which accounts should move, as JSON, and where it writes down that it did.
        strategy: Option<(String, PathBuf)>,
    },
}

/// Why a node file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum NodeFileError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no node file of this version.
    #[error("{path}: not a node file of this version of shardlab: {source}")]
    Codec {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: CodecError,
    },
    /// The fork is unknown to this version.
    #[error("{0} is no fork of Ethereum that this version knows")]
    Fork(u8),
    /// The strategy cannot be read.
    #[error("the strategy is none that this version knows: {0}")]
    StrategyPlan(#[from] serde_json::Error),
    /// The strategy cannot be made.
    #[error("the strategy: {0}")]
    Strategy(#[from] Box<ChosenError>),
}

impl NodeFile {
    /// The file of one node of a plan.
    #[must_use]
    pub fn new(plan: &NetworkPlan, process: ProcessPlan, log: PathBuf, log_filter: String) -> Self {
        let node = process.node;
        let role = match node {
            NodeId::Shard(shard) => shard_role(plan, shard),
            NodeId::Coordinator(index) => coordinator_role(plan, index, &process),
            NodeId::Client => unreachable!("the client runs in the launcher"),
        };
        let leaving = plan.links.overrides.iter().filter(|((from, _), _)| *from == node);
        Self {
            process,
            log,
            log_filter,
            role,
            settings: Arc::clone(&plan.settings),
            base: plan.base,
            seed: plan.seed,
            default_link: plan.links.default,
            links: leaving.map(|((_, to), shape)| (*to, *shape)).collect(),
            bounds: plan.network_bounds,
        }
    }

    /// The same node in a later life: it goes on from its records.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.process.again = true;
        self
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it is too large or cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), NodeFileError> {
        let bytes = codec::encode_record(self)
            .map_err(|source| NodeFileError::Codec { path: path.to_owned(), source })?;
        std::fs::write(path, bytes)
            .map_err(|source| NodeFileError::Io { path: path.to_owned(), source })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is no node file of this version.
    pub fn read(path: &Path) -> Result<Self, NodeFileError> {
        let bytes = std::fs::read(path)
            .map_err(|source| NodeFileError::Io { path: path.to_owned(), source })?;
        codec::decode_record(&bytes)
            .map_err(|source| NodeFileError::Codec { path: path.to_owned(), source })
    }

    /// How the node takes part in the network.
    #[must_use]
    pub fn network(&self) -> NetworkConfig {
        let node = self.process.node;
        let mut config = NetworkConfig::new(node, NetworkPlan::transport_seed(self.seed, node).0);
        config.links = LinkTable {
            default: self.default_link,
            overrides: self.links.iter().map(|(to, shape)| ((node, *to), *shape)).collect(),
        };
        config.seed = self.seed;
        config.bounds = self.bounds;
        config
    }

    /// The machine's configuration, if this is a shard.
    ///
    /// # Errors
    /// When the prescribed fork is unknown.
    pub fn shard_config(
        &self,
        shard: ShardId,
        genesis: &[(Address, GenesisAccount)],
        prescribed: Option<&(u8, BlockEnvironment, Vec<B256>)>,
    ) -> Result<ShardConfig, NodeFileError> {
        let mut residents = Residents::standard(self.settings.shard_count());
        let environment = match prescribed {
            None => Environment::Lab,
            Some((fork, block, order)) => {
                residents = residents.with(block.beneficiary);
                Environment::Prescribed(Prescribed {
                    spec: SpecId::try_from_u8(*fork).ok_or(NodeFileError::Fork(*fork))?,
                    block: block.clone(),
                    order: order.clone(),
                })
            }
        };
        Ok(ShardConfig {
            shard,
            key: self.signing_key(),
            settings: Arc::clone(&self.settings),
            base: self.base,
            residents,
            environment,
            genesis: genesis.to_vec(),
        })
    }

    /// The machine's configuration, if this is a coordinator.
    ///
    /// # Errors
    /// When its strategy cannot be made.
    pub fn coordinator_config(
        &self,
        index: ValidatorIndex,
        strategy: Option<&(String, PathBuf)>,
    ) -> Result<CoordinatorConfig, NodeFileError> {
        let settings = Settings::clone(&self.settings);
        let partitioner = match strategy {
            None => None,
            Some((plan, questions)) => {
                let plan: StrategyPlan = serde_json::from_str(plan)?;
                let open = plan.open(Questions::to_file(questions.clone())).map_err(Box::new)?;
                Some(open.config(index))
            }
        };
        Ok(CoordinatorConfig { index, key: self.signing_key(), settings, partitioner })
    }

    fn signing_key(&self) -> SecretKey {
        SecretKey::from_seed(&NetworkPlan::signing_seed(self.seed, self.process.node))
    }
}

fn coordinator_role(plan: &NetworkPlan, index: ValidatorIndex, process: &ProcessPlan) -> Role {
    // Options of strategies are of any type, which only JSON can tell.
    let strategy = plan.strategy.as_ref().and_then(|strategy| {
        let plan = serde_json::to_string(strategy.plan()).ok()?;
        Some((plan, questions_file(&process.records)))
    });
    Role::Coordinator { index, strategy }
}

/// Where a coordinator with these records writes down what it asked its strategy.
#[must_use]
pub fn questions_file(records: &Path) -> PathBuf {
    records.with_extension("questions")
}

fn shard_role(plan: &NetworkPlan, shard: ShardId) -> Role {
    let own = plan.shards.get(shard.0 as usize);
    Role::Shard {
        shard,
        genesis: own.map(|own| own.genesis.clone()).unwrap_or_default(),
        prescribed: plan.prescription.as_ref().map(|prescription| {
            let order = own.map(|own| own.order.clone()).unwrap_or_default();
            (prescription.spec, prescription.block.clone(), order)
        }),
    }
}
