//! Calls to contracts that are deployed first.
//!
//! Before the run's clock starts, each instance is created by an account of its own (stage
//! `Deploy`); once its placement is finalized and known everywhere, set-up calls are made (stage
//! `Prepare`). The ERC-20 that ships mints its supply to its deployer, who therefore hands an equal
//! part to everyone who will call the instance.
//!
//! Where everything is local, every shard has its own instances: as many as it takes for no fewer
//! in all than the scenario asks for, at least one, each created by an account of that shard.

use std::collections::BTreeSet;
use std::io::Read as _;

use alloy_primitives::{Address, U256};
use cross_shard_msg::{Duration, ShardId};

use super::artifact::Artifact;
use super::build::{Context, Pool};
use super::contracts::{Deployments, Maker, SUPPLY, TOKEN, next_address};
use super::popularity::Sampler;
use super::random::Stream;
use super::{Open, Planned, Stage, WorkloadError, trace};
use crate::scenario::{Argument, CallLoad, CallTemplate, Contract, Scenario};

/// Plans one load.
pub(super) struct Planner<'a> {
    pub(super) call: &'a CallLoad,
    pub(super) context: &'a Context,
    pub(super) pool: &'a Pool,
    pub(super) open: Open<'a>,
    pub(super) scenario: &'a Scenario,
}

/// A contract of this load.
struct Instance {
    deployer: u32,
    address: Address,
    shard: ShardId,
}

impl Planner<'_> {
    /// Appends deployments, set-up calls and one call for each moment of `due`.
    ///
    /// # Errors
    /// When the artifact does not fit, or the pinned share cannot be had.
    pub(super) fn plan(
        &self,
        due: &[Duration],
        deployments: &mut Deployments,
        transactions: &mut Vec<Planned>,
    ) -> Result<(), WorkloadError> {
        let artifact = self.artifact()?;
        for template in self.call.setup.iter().chain(&self.call.mix) {
            let signature = template.function.signature();
            if !artifact.functions.contains(&signature) {
                return Err(self.misfit(format!("its ABI has no function `{signature}`")));
            }
        }
        let instances = self.instances(deployments);
        for instance in &instances {
            transactions.push(self.deployment(&artifact, instance)?);
        }
        let (calls, callers) = self.calls(due, &instances)?;
        if matches!(self.call.contract, Contract::Shipped(_)) {
            self.hand_out(&instances, &callers, transactions);
        }
        self.set_up(&instances, transactions);
        transactions.extend(calls);
        Ok(())
    }

    fn artifact(&self) -> Result<Artifact, WorkloadError> {
        let json = match &self.call.contract {
            Contract::Shipped(_) => TOKEN.to_owned(),
            Contract::File(file) => {
                let failed = |source| WorkloadError::Read { file: file.written.clone(), source };
                let mut json = String::new();
                let content = (self.open)(&file.path).and_then(trace::plain);
                content
                    .and_then(|mut content| content.read_to_string(&mut json))
                    .map_err(failed)?;
                json
            }
        };
        Artifact::read(&json).map_err(|problem| self.misfit(problem))
    }

    fn misfit(&self, problem: String) -> WorkloadError {
        let file = match &self.call.contract {
            Contract::Shipped(name) => (*name).to_owned(),
            Contract::File(file) => file.written.clone(),
        };
        WorkloadError::Artifact { file, problem }
    }

    fn instances(&self, deployments: &mut Deployments) -> Vec<Instance> {
        let instance = |deployer: u32| {
            let address = next_address(self.pool, deployer, deployments);
            Instance { deployer, address, shard: self.pool.by_shard.home(deployer) }
        };
        match &self.pool.local {
            None => (0..self.call.instances).map(instance).collect(),
            Some(local) => {
                let shards = self.scenario.network.shards;
                let places = 0..self.call.instances.div_ceil(shards.max(1)) as usize;
                let each = |shard| places.clone().filter_map(move |at| local.at(shard, at));
                (0..shards).map(ShardId).flat_map(each).map(instance).collect()
            }
        }
    }

    fn deployment(
        &self,
        artifact: &Artifact,
        instance: &Instance,
    ) -> Result<Planned, WorkloadError> {
        let supply = [Argument::Number(SUPPLY)];
        let arguments = match &self.call.contract {
            Contract::Shipped(_) if self.call.constructor.is_empty() => &supply[..],
            _ => &self.call.constructor,
        };
        if arguments.len() != artifact.constructor.len() {
            let types = artifact.constructor.join(",");
            let found = arguments.len();
            return Err(self.misfit(format!(
                "its constructor takes ({types}), but the scenario gives {found} arguments"
            )));
        }
        let mut stream = self.context.stream("constructor");
        let mut input = artifact.init_code.to_vec();
        for (argument, kind) in arguments.iter().zip(&artifact.constructor) {
            if !fits(*argument, kind) {
                let problem = format!("an argument does not fit its constructor's `{kind}`");
                return Err(self.misfit(problem));
            }
            input.extend(self.word(*argument, instance.deployer, &mut stream));
        }
        Ok(self.maker().deployment(instance.deployer, input.into()))
    }

    /// The ERC-20's deployer gives each caller the same part of the supply, and keeps one.
    fn hand_out(
        &self,
        instances: &[Instance],
        callers: &[BTreeSet<u32>],
        transactions: &mut Vec<Planned>,
    ) {
        let supply = match self.call.constructor.first() {
            Some(Argument::Number(supply)) => *supply,
            _ => SUPPLY,
        };
        for (instance, callers) in instances.iter().zip(callers) {
            let Instance { deployer, address, .. } = *instance;
            self.maker().hand_out(address, deployer, callers, supply, transactions);
        }
    }

    fn set_up(&self, instances: &[Instance], transactions: &mut Vec<Planned>) {
        if self.call.setup.is_empty() {
            return;
        }
        let mut stream = self.context.stream("setup");
        for account in (0..).zip(&self.pool.users).map(|(index, _)| index) {
            let home = self.pool.by_shard.home(account);
            let reached =
                |instance: &&Instance| self.pool.local.is_none() || instance.shard == home;
            for instance in instances.iter().filter(reached) {
                for template in &self.call.setup {
                    let planned = self.call_of(template, account, Duration::ZERO, &mut stream);
                    let to = Some(instance.address);
                    transactions.push(Planned { stage: Stage::Prepare, to, ..planned });
                }
            }
        }
    }

    /// The calls, and for each instance who calls it.
    fn calls(
        &self,
        due: &[Duration],
        instances: &[Instance],
    ) -> Result<(Vec<Planned>, Vec<BTreeSet<u32>>), WorkloadError> {
        let choice = self.choice(instances)?;
        let mix = Sampler::weighted(self.call.mix.iter().map(|call| u64::from(call.weight)));
        let mut targets = self.context.stream("targets");
        let mut arguments = self.context.stream("arguments");
        let mut callers = vec![BTreeSet::new(); instances.len()];
        let mut calls = Vec::with_capacity(due.len());
        for (number, at) in (usize::from(self.context.load)..).zip(due) {
            let (sender, index) = choice.draw(self.pool, &mut targets);
            let (sender, index) = self.placed(number, sender, index, &choice);
            let template =
                mix.draw(&mut targets).and_then(|index| self.call.mix.get(index as usize));
            let (Some(instance), Some(template)) = (instances.get(index), template) else {
                continue;
            };
            if let Some(callers) = callers.get_mut(index) {
                callers.insert(sender);
            }
            let planned = self.call_of(template, sender, *at, &mut arguments);
            calls.push(Planned { to: Some(instance.address), ..planned });
        }
        Ok((calls, callers))
    }

    /// Who calls which instance: as drawn or, where everything is local, who stands for them on the
    /// shard whose turn it is.
    fn placed(&self, number: usize, sender: u32, index: usize, choice: &Choice) -> (u32, usize) {
        let Some(local) = &self.pool.local else { return (sender, index) };
        let shard = local.turn(number);
        let here = choice.by_shard.get(shard.0 as usize).map(Vec::as_slice).unwrap_or_default();
        let instance = index.checked_rem(here.len()).and_then(|at| here.get(at));
        (local.of(sender, shard), instance.copied().unwrap_or(index))
    }

    fn choice(&self, instances: &[Instance]) -> Result<Choice, WorkloadError> {
        let shards = self.scenario.network.shards as usize;
        let mut by_shard = vec![Vec::new(); shards];
        for (index, instance) in instances.iter().enumerate() {
            if let Some(here) = by_shard.get_mut(instance.shard.0 as usize) {
                here.push(index);
            }
        }
        let share = self.call.cross_shard.map(|share| share.millionths);
        // Every deployer has an instance on its own shard, so only crossing can be impossible.
        if share.is_some_and(|share| share > 0) && !self.pool.by_shard.has_strangers() {
            let problem = "all accounts live on one shard, so no call can cross";
            return Err(self.context.pinned(problem));
        }
        Ok(Choice { share, by_shard, count: instances.len() })
    }

    fn call_of(
        &self,
        template: &CallTemplate,
        sender: u32,
        at: Duration,
        stream: &mut Stream,
    ) -> Planned {
        let mut input = template.function.selector().to_vec();
        for argument in &template.arguments {
            input.extend(self.word(*argument, sender, stream));
        }
        let (gas, input) = (template.gas, input.into());
        let planned = self.maker().planned(Stage::Run, at, sender, gas, input);
        Planned { value: template.value, ..planned }
    }

    fn word(&self, argument: Argument, sender: u32, stream: &mut Stream) -> [u8; 32] {
        match argument {
            Argument::Account => {
                let drawn = self.pool.draw_other(sender, stream);
                let home = self.pool.by_shard.home(sender);
                let local = self.pool.local.as_ref();
                let account = local.map_or(drawn, |local| local.beside(drawn, sender, home));
                self.pool.address(account).into_word().0
            }
            Argument::Sender => self.pool.address(sender).into_word().0,
            Argument::Address(address) => address.into_word().0,
            Argument::Number(number) => number.to_be_bytes(),
            Argument::Bool(truth) => U256::from(u8::from(truth)).to_be_bytes(),
            Argument::Word(word) => word.0,
        }
    }

    fn maker(&self) -> Maker<'_> {
        Maker { scenario: self.scenario, context: self.context, pool: self.pool }
    }
}

/// Chooses who calls which instance.
struct Choice {
    /// Pinned share of cross-shard calls, in millionths.
    share: Option<u32>,
    /// Per shard its instances.
    by_shard: Vec<Vec<usize>>,
    count: usize,
}

impl Choice {
    /// Draws a sender by popularity and an instance uniformly among those that fit; the sender is
    /// drawn again until one fits.
    fn draw(&self, pool: &Pool, stream: &mut Stream) -> (u32, usize) {
        let Some(share) = self.share else {
            return (pool.draw(stream), stream.below(self.count as u64) as usize);
        };
        let crosses = stream.chance(share);
        loop {
            let sender = pool.draw(stream);
            let home = pool.by_shard.home(sender).0 as usize;
            let here = self.by_shard.get(home).map(Vec::as_slice).unwrap_or_default();
            let drawn = if crosses {
                self.elsewhere(here, stream)
            } else {
                here.get(stream.below(here.len() as u64) as usize).copied()
            };
            if let Some(instance) = drawn {
                return (sender, instance);
            }
        }
    }

    /// An instance that is not `here`, which is ascending.
    fn elsewhere(&self, here: &[usize], stream: &mut Stream) -> Option<usize> {
        let others = self.count.checked_sub(here.len()).filter(|others| *others > 0)?;
        let mut instance = stream.below(others as u64) as usize;
        for own in here {
            if *own <= instance {
                instance += 1;
            }
        }
        Some(instance)
    }
}

/// Whether a constructor's parameter of this type takes the argument.
fn fits(argument: Argument, kind: &str) -> bool {
    match argument {
        Argument::Account | Argument::Sender | Argument::Address(_) => kind == "address",
        Argument::Bool(_) => kind == "bool",
        Argument::Word(_) => kind == "bytes32",
        Argument::Number(number) => kind
            .strip_prefix("uint")
            .and_then(|bits| bits.parse::<usize>().ok())
            .is_some_and(|bits| number.bit_len() <= bits),
    }
}
