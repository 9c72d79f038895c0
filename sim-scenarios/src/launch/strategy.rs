//! The strategy of a network: made from what the scenario says, where the coordinators are.

use std::sync::Arc;

use coordinator::PartitionerConfig;
use cross_shard_msg::{Duration, ValidatorIndex};
use partitioning::{PartitionError, Partitioner, Places, Problem, Proposal, Weights};
use serde::{Deserialize, Serialize};

use super::questions::{Questions, Watched};
use crate::partition::ChosenError;
use crate::scenario::{Scenario, StrategyChoice};

/// What coordinators must know to ask a strategy. Travels to their processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategyPlan {
    choice: StrategyChoice,
    weights: Weights,
    window: u32,
    /// Delay from each shard to each shard, if it is known where they are.
    delays: Option<Vec<Vec<Duration>>>,
    seed: u64,
}

/// A strategy that is ready to be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OpenStrategy {
    plan: StrategyPlan,
    strategy: Arc<dyn Partitioner>,
    places: Option<Arc<Places>>,
    questions: Questions,
}

/// `hash` in a network that began with it: nobody moves. On its own it would bring contracts, which
/// live where they were created, to where their addresses say.
#[derive(Debug)]
struct Still;

impl Still {
    const NAME: &str = "hash";
}

impl Partitioner for Still {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn propose(&self, _: &Problem<'_>) -> Result<Proposal, PartitionError> {
        Ok(Proposal::default())
    }
}

impl StrategyPlan {
    /// What a scenario says; `None` if no account ever moves.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Option<Self> {
        let partitioning = scenario.partitioning.as_ref()?;
        Some(Self {
            choice: partitioning.strategy.clone(),
            weights: partitioning.weights,
            window: partitioning.window,
            delays: scenario.network.places().map(|places| places.delays),
            seed: scenario.seed,
        })
    }

    /// Makes the strategy.
    ///
    /// # Errors
    /// Its file was there when the scenario was read, and is not any more.
    pub fn open(self, questions: Questions) -> Result<OpenStrategy, ChosenError> {
        let chosen = self.choice.build()?;
        let strategy: Arc<dyn Partitioner> = match chosen.label.as_str() {
            Still::NAME => Arc::new(Still),
            _ => Arc::from(chosen.partitioner),
        };
        let nearest = std::collections::BTreeMap::new();
        let places = self.delays.clone().map(|delays| Arc::new(Places { delays, nearest }));
        Ok(OpenStrategy { plan: self, strategy, places, questions })
    }
}

impl OpenStrategy {
    /// What a coordinator is told.
    #[must_use]
    pub fn config(&self, coordinator: ValidatorIndex) -> PartitionerConfig {
        let watched = Watched {
            strategy: Arc::clone(&self.strategy),
            coordinator,
            questions: self.questions.clone(),
        };
        PartitionerConfig {
            partitioner: Arc::new(watched),
            weights: self.plan.weights,
            windows: self.plan.window,
            places: self.places.clone(),
            seed: self.plan.seed,
        }
    }

    /// The part that travels.
    #[must_use]
    pub fn plan(&self) -> &StrategyPlan {
        &self.plan
    }

    /// What was asked in this process.
    #[must_use]
    pub fn questions(&self) -> &Questions {
        &self.questions
    }
}
