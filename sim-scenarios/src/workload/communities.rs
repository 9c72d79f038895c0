//! `kind = "communities"`: transfers and contract calls that mostly stay among accounts that belong
//! together, so that a good placement can pay. docs/workloads.md says what each parameter does.
//!
//! [`Society`] knows who belongs where; this plans. A load of a later phase that describes the same
//! society goes on with it, so that a strategy can learn in one phase what counts in the next. Contracts are real: each that is called is
//! created before the clock starts, by a member of its community, and tokens are handed out to
//! whoever will transfer some. Where everything is local, each is created once per shard that calls
//! it.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, Bytes, U256};
use cross_shard_msg::{Duration, Gas, ShardId, Wei};

use super::artifact::Artifact;
use super::contracts::{
    Deployments, Maker, SERVICE, SUPPLY, call_data, next_address, token_code, words,
};
use super::random::Stream;
use super::society::{ContractId, Kind, Society};
use super::{Planned, Planted, Stage, WorkloadError};
use crate::scenario::{
    CommunitiesLoad, Contracts, Drift, Fraction, Function, Hubs, Parameter, Popularity, Senders,
    TRANSFER_GAS,
};

/// Gas limit of a call. A transfer to a new holder takes about 52,000.
const CALL_GAS: Gas = Gas(100_000);

/// Plans one load.
pub(super) struct Planner<'a> {
    pub(super) load: &'a CommunitiesLoad,
    pub(super) maker: Maker<'a>,
    /// The phase's first moment, from which drift counts.
    pub(super) start: Duration,
}

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Transfer,
    TokenTransfer,
    Approval,
    Service,
}

/// A contract, and on which shard, where everything is local.
type Copied = (ContractId, Option<ShardId>);

/// A contract that is created.
#[derive(Debug)]
struct Created {
    address: Address,
    deployer: u32,
    /// The community whose contract it is; `None` of a hub.
    owner: Option<u32>,
    /// Who transfers tokens, and has none yet.
    callers: BTreeSet<u32>,
    /// Who was given some.
    holders: BTreeSet<u32>,
    /// What the deployer has left.
    left: U256,
}

/// The societies of all phases so far.
pub(super) type Societies = Vec<Founded>;

/// A society with its contracts, for the loads of later phases that describe the same one.
#[derive(Debug)]
pub(super) struct Founded {
    shape: Shape,
    /// The last phase that has it.
    phase: u16,
    /// When it began: drift counts from there.
    start: Duration,
    society: Society,
    created: BTreeMap<Copied, Created>,
    /// In the order of their first call.
    order: Vec<Copied>,
}

/// What makes a society the same.
type Shape = (u32, Popularity, Senders, Contracts, Hubs, Option<Drift>);

fn shape(load: &CommunitiesLoad) -> Shape {
    (load.communities, load.sizes, load.senders, load.contracts, load.hubs, load.drift)
}

impl Planner<'_> {
    /// Appends deployments, tokens that are handed out, and one transaction for each moment of
    /// `due`. Returns what is planted.
    ///
    /// # Errors
    /// When a contract that ships cannot be read.
    pub(super) fn plan(
        &self,
        due: &[Duration],
        deployments: &mut Deployments,
        societies: &mut Societies,
        transactions: &mut Vec<Planned>,
    ) -> Result<Planted, WorkloadError> {
        let mut founded = self.found(societies);
        let planted = self.plan_in(&mut founded, due, deployments, transactions);
        societies.push(founded);
        planted
    }

    /// The society that an earlier phase left, or a new one.
    fn found(&self, societies: &mut Societies) -> Founded {
        let context = self.maker.context;
        let shape = shape(self.load);
        let same = |known: &Founded| known.shape == shape && known.phase < context.phase;
        if let Some(index) = societies.iter().position(same) {
            return Founded { phase: context.phase, ..societies.remove(index) };
        }
        let count = u32::try_from(self.maker.pool.users.len()).unwrap_or(u32::MAX);
        let count = count.min(self.maker.scenario.accounts.count);
        let society = Society::new(self.load, count, context.stream("society"));
        let (created, order) = (BTreeMap::new(), Vec::new());
        Founded { shape, phase: context.phase, start: self.start, society, created, order }
    }

    fn plan_in(
        &self,
        founded: &mut Founded,
        due: &[Duration],
        deployments: &mut Deployments,
        transactions: &mut Vec<Planned>,
    ) -> Result<Planted, WorkloadError> {
        let context = self.maker.context;
        let start = founded.start;
        let Founded { society, created, order, .. } = founded;
        let mut planted = Planted::new(context.phase, context.load);
        let first = society.communities().iter().zip(&self.maker.pool.users);
        planted.community.extend(first.map(|(community, user)| (user.address, *community)));
        for contract in order.iter().filter_map(|known| created.get(known)) {
            planted.contract(contract.address, contract.owner);
        }
        let periods = society.periods();
        let mut planning = Planning {
            planner: self,
            kinds: context.stream("kinds"),
            senders: context.stream("senders"),
            targets: context.stream("targets"),
            deployers: context.stream("deployers"),
            deployments,
            known: order.len(),
            created,
            order,
            store: store(),
            planted,
        };
        let mut run = Vec::with_capacity(due.len());
        for (number, at) in (usize::from(context.load)..).zip(due) {
            society.advance(*at - start);
            run.push(planning.transaction(number, *at, society));
        }
        planning.planted.periods = society.periods() - periods;
        let planted = planning.finish(transactions)?;
        transactions.extend(run);
        Ok(planted)
    }

    fn action(&self, stream: &mut Stream) -> Action {
        let point = stream.below(1_000_000);
        let CommunitiesLoad { transfers, token_transfers, approvals, .. } = self.load;
        let mut until = 0;
        for (share, action) in [
            (transfers, Action::Transfer),
            (token_transfers, Action::TokenTransfer),
            (approvals, Action::Approval),
        ] {
            until += u64::from(share.millionths);
            if point < until {
                return action;
            }
        }
        Action::Service
    }
}

struct Planning<'a, 'b> {
    planner: &'a Planner<'a>,
    kinds: Stream,
    senders: Stream,
    targets: Stream,
    deployers: Stream,
    deployments: &'b mut Deployments,
    /// How many contracts earlier phases have created.
    known: usize,
    created: &'b mut BTreeMap<Copied, Created>,
    /// In the order of their first call.
    order: &'b mut Vec<Copied>,
    /// Selector of the services' function.
    store: [u8; 4],
    planted: Planted,
}

impl Planning<'_, '_> {
    fn transaction(&mut self, number: usize, at: Duration, society: &mut Society) -> Planned {
        let load = self.planner.load;
        let regular = self.senders.chance(load.senders.share.millionths);
        let sender = society.sender(regular, &mut self.senders);
        let action = self.planner.action(&mut self.kinds);
        let (hub_share, kind) = match action {
            Action::Transfer => (load.hubs.account_share, None),
            Action::TokenTransfer => (load.hubs.token_share, Some(Kind::Token)),
            Action::Approval => (load.hubs.approval_share, Some(Kind::Token)),
            Action::Service => (load.hubs.service_share, Some(Kind::Service)),
        };
        let to_hub = self.kinds.chance(hub_share.millionths);
        let inside = self.kinds.chance(load.inside.millionths);
        let own = society.community_of(sender);
        let community = if inside { own } else { society.other_community(own, &mut self.targets) };
        let Some(kind) = kind else {
            let hub = if to_hub { society.hub_account(&mut self.targets) } else { None };
            let hub = hub.filter(|hub| *hub != sender);
            let recipient =
                hub.unwrap_or_else(|| society.member(community, sender, &mut self.targets));
            self.count(hub.is_some(), own == community);
            return self.transfer(number, at, sender, recipient);
        };
        let hub = if to_hub { society.hub(kind, &mut self.targets) } else { None };
        let contract = hub.or_else(|| society.local(kind, community, &mut self.targets));
        let beneficiary = society.member(community, sender, &mut self.targets);
        let Some(contract) = contract else {
            // A load has at least one contract of each kind for each community.
            self.count(false, own == community);
            return self.transfer(number, at, sender, beneficiary);
        };
        self.count(hub.is_some(), own == community);
        let owner = if hub.is_some() { None } else { Some(community) };
        self.call(number, at, sender, (contract, owner), (action, beneficiary), society)
    }

    fn count(&mut self, hub: bool, inside: bool) {
        let count = match (hub, inside) {
            (true, _) => &mut self.planted.hub,
            (false, true) => &mut self.planted.inside,
            (false, false) => &mut self.planted.outside,
        };
        *count += 1;
    }

    fn transfer(&self, number: usize, at: Duration, sender: u32, recipient: u32) -> Planned {
        let maker = self.planner.maker;
        let (sender, recipient) = maker.pool.placed(number, sender, recipient);
        let planned = maker.planned(Stage::Run, at, sender, TRANSFER_GAS, Bytes::new());
        let to = Some(maker.pool.address(recipient));
        Planned { to, value: self.planner.load.value, ..planned }
    }

    fn call(
        &mut self,
        number: usize,
        at: Duration,
        sender: u32,
        (contract, owner): (ContractId, Option<u32>),
        (action, beneficiary): (Action, u32),
        society: &Society,
    ) -> Planned {
        let maker = self.planner.maker;
        let (sender, beneficiary) = maker.pool.placed(number, sender, beneficiary);
        let shard = maker.pool.local.as_ref().map(|local| local.turn(number));
        let to = self.contract((contract, shard), owner, sender, action, society);
        let beneficiary = maker.pool.address(beneficiary);
        let input = match action {
            Action::Approval => call_data("approve", beneficiary, U256::from(1)),
            Action::Service => {
                let slot = maker.pool.address(sender).into_word().0;
                words(
                    self.store,
                    [slot, U256::from(number).saturating_add(U256::from(1)).to_be_bytes()],
                )
            }
            Action::TokenTransfer | Action::Transfer => {
                call_data("transfer", beneficiary, U256::from(1))
            }
        };
        let planned = maker.planned(Stage::Run, at, sender, CALL_GAS, input);
        Planned { to: Some(to), value: Wei::ZERO, ..planned }
    }

    /// The address of a contract, which is created if this is its first call.
    fn contract(
        &mut self,
        copied: Copied,
        owner: Option<u32>,
        sender: u32,
        action: Action,
        society: &Society,
    ) -> Address {
        let pool = self.planner.maker.pool;
        if !self.created.contains_key(&copied) {
            // A hub's creator is anybody: a member of any community.
            let community =
                owner.unwrap_or_else(|| society.other_community(u32::MAX, &mut self.deployers));
            let member = society.member(community, u32::MAX, &mut self.deployers);
            let deployer = match (&pool.local, copied.1) {
                (Some(local), Some(shard)) => local.of(member, shard),
                _ => member,
            };
            let address = next_address(pool, deployer, self.deployments);
            self.planted.contract(address, owner);
            self.order.push(copied);
            let created = Created {
                address,
                deployer,
                owner,
                callers: BTreeSet::new(),
                holders: BTreeSet::new(),
                left: SUPPLY,
            };
            self.created.insert(copied, created);
        }
        let Some(created) = self.created.get_mut(&copied) else { return Address::ZERO };
        if action == Action::TokenTransfer && !created.holders.contains(&sender) {
            created.callers.insert(sender);
        }
        created.address
    }

    /// Appends what comes before the run.
    fn finish(self, transactions: &mut Vec<Planned>) -> Result<Planted, WorkloadError> {
        let ships =
            |name: &str, problem| WorkloadError::Artifact { file: name.to_owned(), problem };
        let token = token_code().map_err(|problem| ships("erc20", problem))?;
        let service = Artifact::read(SERVICE).map_err(|problem| ships("service", problem))?;
        let maker = self.planner.maker;
        for copied @ (contract, _) in self.order.iter().skip(self.known) {
            let Some(created) = self.created.get(copied) else { continue };
            let code = match contract.kind {
                Kind::Token => token.clone(),
                Kind::Service => service.init_code.clone(),
            };
            transactions.push(maker.deployment(created.deployer, code));
        }
        for copied in self.order.iter() {
            let Some(created) = self.created.get_mut(copied) else { continue };
            let Created { address, deployer, callers, .. } = created;
            created.left = maker.hand_out(*address, *deployer, callers, created.left, transactions);
            created.holders.append(&mut created.callers);
        }
        Ok(self.planted)
    }
}

/// Selector of `store(uint256,uint256)`.
fn store() -> [u8; 4] {
    let parameters = vec![Parameter::Uint(256), Parameter::Uint(256)];
    Function { name: "store".to_owned(), parameters }.selector()
}

impl Planted {
    fn contract(&mut self, address: Address, owner: Option<u32>) {
        match owner {
            Some(community) => self.community.push((address, community)),
            None => self.hubs.push(address),
        }
    }

    fn new(phase: u16, load: u16) -> Self {
        Self {
            phase,
            load,
            community: Vec::new(),
            hubs: Vec::new(),
            inside: 0,
            outside: 0,
            hub: 0,
            periods: 0,
        }
    }

    /// Share of the transactions without a hub that stay inside a community; 0 without any.
    #[must_use]
    pub fn inside_share(&self) -> Fraction {
        let all = (self.inside + self.outside).max(1);
        let millionths = u128::from(self.inside) * 1_000_000 / u128::from(all);
        Fraction { millionths: u32::try_from(millionths).unwrap_or(u32::MAX) }
    }
}
