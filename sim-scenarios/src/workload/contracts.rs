//! Creating contracts before the run's clock starts, for the loads that call some.
//!
//! A contract lives where it is created: at its deployer's home (R-HOME-4). The ERC-20 that ships
//! mints its supply to its deployer, who therefore hands an equal part to everyone who will call it.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, Bytes, U256};
use cross_shard_msg::{Duration, Gas, Wei};

use super::artifact::Artifact;
use super::build::{Context, Pool};
use super::{Planned, Stage, UserIndex};
use crate::scenario::{Function, Parameter, Scenario};

/// The ERC-20 that ships.
pub(super) const TOKEN: &str = include_str!("../../../contracts/artifacts/Token.json");
/// The contract that stands for all others.
pub(super) const SERVICE: &str = include_str!("../../../contracts/artifacts/Vault.json");
/// Supply of the ERC-20 if the scenario gives none: a billion tokens of 18 decimals.
pub(super) const SUPPLY: U256 = U256::from_limbs([0x9fd0_803c_e800_0000, 0x033b_2e3c, 0, 0]);
/// Gas limit of a deployment, unless the block's is less.
const DEPLOY_GAS: Gas = Gas(10_000_000);
/// Gas limit of handing out tokens. A transfer to a new holder takes about 52,000.
const HAND_OUT_GAS: Gas = Gas(100_000);

/// How many contracts each account has created so far, over all loads.
pub(super) type Deployments = BTreeMap<u32, u64>;

/// The address of the next contract that an account creates.
pub(super) fn next_address(pool: &Pool, deployer: u32, deployments: &mut Deployments) -> Address {
    let nonce = deployments.entry(deployer).or_default();
    let address = pool.address(deployer).create(*nonce);
    *nonce += 1;
    address
}

/// `transfer(address,uint256)` or another function of two words: its call data.
pub(super) fn call_data(name: &str, first: Address, second: U256) -> Bytes {
    let function = Function {
        name: name.to_owned(),
        parameters: vec![Parameter::Address, Parameter::Uint(256)],
    };
    words(function.selector(), [first.into_word().0, second.to_be_bytes()])
}

/// A selector and two words.
pub(super) fn words(selector: [u8; 4], words: [[u8; 32]; 2]) -> Bytes {
    [&selector[..], &words[0], &words[1]].concat().into()
}

/// Plans the transactions of one load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maker<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) context: &'a Context,
    pub(super) pool: &'a Pool,
}

impl Maker<'_> {
    /// The transaction that creates a contract.
    pub(super) fn deployment(&self, deployer: u32, init_code: Bytes) -> Planned {
        let planned = self.planned(Stage::Deploy, Duration::ZERO, deployer, DEPLOY_GAS, init_code);
        Planned { to: None, ..planned }
    }

    /// The token's deployer gives each caller the same part of what it has, and keeps one. Returns
    /// what it has left.
    pub(super) fn hand_out(
        &self,
        token: Address,
        deployer: u32,
        callers: &BTreeSet<u32>,
        supply: U256,
        transactions: &mut Vec<Planned>,
    ) -> U256 {
        let part = supply / U256::from(callers.len() + 1);
        let mut left = supply;
        for caller in callers.iter().filter(|caller| **caller != deployer) {
            left -= part;
            let input = call_data("transfer", self.pool.address(*caller), part);
            let planned =
                self.planned(Stage::Prepare, Duration::ZERO, deployer, HAND_OUT_GAS, input);
            transactions.push(Planned { to: Some(token), ..planned });
        }
        left
    }

    /// A transaction to nobody yet, with a gas limit that fits into a block.
    pub(super) fn planned(
        &self,
        stage: Stage,
        at: Duration,
        sender: u32,
        gas: Gas,
        input: Bytes,
    ) -> Planned {
        Planned {
            stage,
            phase: self.context.phase,
            load: self.context.load,
            at,
            sender: UserIndex(sender),
            to: None,
            value: Wei::ZERO,
            gas: Gas(gas.0.min(self.scenario.network.gas_limit.0)),
            input,
        }
    }
}

/// The init code of the token, with its supply.
pub(super) fn token_code() -> Result<Bytes, String> {
    let mut code = Artifact::read(TOKEN)?.init_code.to_vec();
    code.extend(SUPPLY.to_be_bytes::<32>());
    Ok(code.into())
}
