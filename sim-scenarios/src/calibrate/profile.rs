//! A cost profile as a file: TOML with units in its names, and what machine it is of.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::Estimate;
use crate::run::facts::MachineFacts;

/// The version of the format.
pub const VERSION: u32 = 1;
/// The most that anything may cost: a minute.
const MOST: f64 = 60e9;

/// What work costs on a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`VERSION`].
    pub version: u32,
    /// What reports call it.
    pub name: String,
    /// Where and when it was measured.
    pub machine: Machine,
    /// What the simulation charges.
    pub costs: Costs,
    /// How fast the EVM is, by what gas is spent on. Only for people: the simulation charges
    /// transfers as transfers, and all other gas as ERC-20 transfers' (`kilogas_ns`).
    pub gas_per_second: GasRates,
}

/// Where and when a profile was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Operating system and architecture.
    pub system: String,
    /// The processor's own name.
    pub processor: String,
    /// Cores that the program might use.
    pub cores: usize,
    /// Memory in KiB; 0 if unknown.
    pub memory_kib: u64,
    /// Version of the program that measured.
    pub shardlab: String,
    /// When: RFC 3339, UTC.
    pub measured: String,
    /// Rounds of each measure.
    pub rounds: usize,
}

/// Nanoseconds of one core, unless a field says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Per 1,000 gas executed in the EVM, of ERC-20 transfers.
    pub kilogas_ns: Estimate,
    /// Per transfer executed natively.
    pub transfer_ns: Estimate,
    /// Per leg, beside all that has a price of its own.
    pub leg_ns: Estimate,
    /// Per user signature (secp256k1) whose signer is recovered.
    pub recovery_ns: Estimate,
    /// Per signature of a node (Ed25519) made.
    pub signature_ns: Estimate,
    /// Per signature of a node checked.
    pub verification_ns: Estimate,
    /// Per account of a block: into the diff and the state root.
    pub trie_update_ns: Estimate,
    /// Per 1,000 bytes hashed, encoded or decoded; the spread is over both.
    pub kilobyte_ns: Estimate,
    /// Per message taken from the network.
    pub input_ns: Estimate,
    /// Per message handed to the network.
    pub message_ns: Estimate,
    /// Time, not CPU, from the sender's hand to the receiver's thread.
    pub transit_ns: Estimate,
    /// Time, not CPU, by which a timer wakes a thread late.
    pub wake_ns: Estimate,
    /// Time, not CPU, until a record is durable.
    pub record_ns: Estimate,
    /// Not measured: messages between a client and shards leave together at multiples of this time.
    pub linger_ns: Estimate,
}

/// Gas per second of one core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GasRates {
    /// Plain transfers, which do not enter the EVM.
    pub transfer: Estimate,
    /// ERC-20 transfers.
    pub erc20: Estimate,
    /// Additions and multiplications in a loop.
    pub arithmetic: Estimate,
    /// Hashes in a loop.
    pub keccak: Estimate,
    /// Fresh storage slots in a loop.
    pub storage: Estimate,
}

/// What is wrong with a profile file, with the line where that is known.
#[derive(Debug, thiserror::Error)]
pub enum ProfileProblem {
    /// Not TOML, a field too many, too few or of another type.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A number that no machine has.
    #[error("line {line}: `{field}` is {value}: expected {expected}")]
    Value {
        /// Where, from 1.
        line: usize,
        /// Which.
        field: &'static str,
        /// As it stands there.
        value: f64,
        /// What would do.
        expected: &'static str,
    },
    /// Another format.
    #[error("line {line}: `version` is {found}: this program reads version {VERSION}")]
    Version {
        /// Where, from 1.
        line: usize,
        /// As it stands there.
        found: u32,
    },
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here(facts: &MachineFacts, measured: String, rounds: usize) -> Self {
        Self {
            system: facts.system.clone(),
            processor: facts.processor.clone().unwrap_or_else(|| "unknown".to_owned()),
            cores: facts.cores,
            memory_kib: facts.memory_kib.unwrap_or(0),
            shardlab: env!("CARGO_PKG_VERSION").to_owned(),
            measured,
            rounds,
        }
    }
}

impl Costs {
    /// Every cost with its name, and what one of it is.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &'static str, Estimate); 14] {
        [
            ("kilogas_ns", "1,000 gas of ERC-20 transfers", self.kilogas_ns),
            ("transfer_ns", "transfer", self.transfer_ns),
            ("leg_ns", "leg, beside what it does", self.leg_ns),
            ("recovery_ns", "user signature recovered", self.recovery_ns),
            ("signature_ns", "node signature made", self.signature_ns),
            ("verification_ns", "node signature checked", self.verification_ns),
            ("trie_update_ns", "account in a state root", self.trie_update_ns),
            ("kilobyte_ns", "1,000 bytes hashed or coded", self.kilobyte_ns),
            ("input_ns", "message taken", self.input_ns),
            ("message_ns", "message handed over", self.message_ns),
            ("transit_ns", "message's way (no CPU)", self.transit_ns),
            ("wake_ns", "timer, late (no CPU)", self.wake_ns),
            ("record_ns", "record of 1,000 bytes (no CPU)", self.record_ns),
            ("linger_ns", "client's messages, together (a setting)", self.linger_ns),
        ]
    }
}

impl GasRates {
    /// Every rate with its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Estimate); 5] {
        [
            ("transfer", self.transfer),
            ("erc20", self.erc20),
            ("arithmetic", self.arithmetic),
            ("keccak", self.keccak),
            ("storage", self.storage),
        ]
    }
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(text: &str) -> Result<Self, ProfileProblem> {
        let profile: Self = toml::from_str(text)?;
        if profile.version != VERSION {
            let line = line_of(text, "version");
            return Err(ProfileProblem::Version { line, found: profile.version });
        }
        let costs = profile.costs.named().map(|(field, _, estimate)| (field, estimate, MOST));
        let rates = profile.gas_per_second.named().map(|(field, estimate)| (field, estimate, 1e18));
        for (field, Estimate { median, low, high }, most) in costs.into_iter().chain(rates) {
            let fits = |value: f64| (0.0..=most).contains(&value);
            let wrong = [median, low, high].into_iter().find(|value| !fits(*value));
            if let Some(value) = wrong {
                let expected = match most < 1e18 {
                    true => "0 to 60,000,000,000 nanoseconds",
                    false => "0 or more gas per second",
                };
                let line = line_of(text, field);
                return Err(ProfileProblem::Value { line, field, value, expected });
            }
        }
        Ok(profile)
    }

    /// As a file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let Machine { system, processor, cores, memory_kib, shardlab, measured, rounds } =
            &self.machine;
        let mut text = String::from(
            "# A cost profile of shardlab: what work costs on a machine, measured by `shardlab \
             calibrate`.\n# `median` counts; `low` and `high` are the second smallest and second \
             largest round.\n",
        );
        let quoted = |value: &str| toml::Value::from(value).to_string();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "version = {}\nname = {}\n\n[machine]\nsystem = {}\nprocessor = {}\ncores = \
             {cores}\nmemory_kib = {memory_kib}\nshardlab = {}\nmeasured = {}\nrounds = \
             {rounds}\n\n# Nanoseconds of one core for each:\n[costs]\n",
            self.version,
            quoted(&self.name),
            quoted(system),
            quoted(processor),
            quoted(shardlab),
            quoted(measured),
        );
        for (field, what, Estimate { median, low, high }) in self.costs.named() {
            let _ = writeln!(
                text,
                "{field} = {{ median = {median:.1}, low = {low:.1}, high = {high:.1} }} # {what}"
            );
        }
        text.push_str("\n[gas_per_second]\n");
        for (field, Estimate { median, low, high }) in self.gas_per_second.named() {
            let _ = writeln!(
                text,
                "{field} = {{ median = {median:.0}.0, low = {low:.0}.0, high = {high:.0}.0 }}"
            );
        }
        text
    }
}

/// The line where a field is set, from 1; the first if it is not found.
fn line_of(text: &str, field: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start().strip_prefix(field);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    };
    text.lines().position(sets).map_or(1, |at| at + 1)
}
