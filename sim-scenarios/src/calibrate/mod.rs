//! Measures what work costs on this machine, for the cost profile of a simulation.
//!
//! In the order of [`calibrate`]: every measure makes itself ready (`execution`, `bytes`, `legs`,
//! `messages`), then all are taken in turn, round by round (`rounds`), until there are enough or
//! time is up. [`Profile`] is what comes of it, and what `shardlab simulate --profile` reads.

mod bytes;
mod execution;
mod legs;
mod messages;
pub mod profile;
mod rounds;

use cross_shard_msg::NodeId;
use runtime::network::NetworkConfig;
use runtime::records::RecordError;
use simulation::CostProfile;

pub use profile::{Costs, GasRates, Machine, Profile, ProfileProblem};
pub use rounds::Estimate;

use crate::run::facts;
use legs::Shares;

/// Rounds of every measure, unless somebody asks for another number.
pub const ROUNDS: usize = 21;
/// No new round begins after this time, once there are [`FEWEST_ROUNDS`].
const TIME: u64 = 20_000_000_000;
/// Rounds without which there is no estimate.
const FEWEST_ROUNDS: usize = 3;

/// Takes one round; nanoseconds per unit of its measure.
type Batch = Box<dyn FnMut() -> f64>;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// What is measured cannot be made.
    #[error("calibrate: {0}")]
    Token(String),
    /// Two nodes on this machine do not reach each other, or the small network cannot be simulated.
    #[error("calibrate: the small network: {0}")]
    Network(String),
    /// No record can be written.
    #[error("calibrate: {0}")]
    Records(#[from] RecordError),
    /// The user stopped it.
    #[error("calibrate: interrupted")]
    Interrupted,
}

/// What is measured, in the order of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Measured {
    Transfer,
    Token,
    Arithmetic,
    Keccak,
    Storage,
    Leg,
    Recovery,
    Signature,
    Verification,
    Update,
    Codec,
    Hash,
    Input,
    Message,
    Transit,
    Wake,
    Record,
}

/// Measures this machine in at most so many rounds. `progress` is told (done, all); it ends early when `stop` says so.
///
/// # Errors
/// When something cannot be measured at all.
pub fn calibrate(
    name: &str,
    rounds: usize,
    progress: &dyn Fn(usize, usize),
    stop: &dyn Fn() -> bool,
) -> Result<Profile, CalibrateError> {
    let started = jiff::Timestamp::now().to_string();
    let (leg, shares) = legs::legs()?;
    let [transit, message, input] = messages::messages()?;
    let mut measures: Vec<(Measured, Batch, Vec<f64>)> = [
        (Measured::Transfer, execution::transfers()?),
        (Measured::Token, execution::tokens()?),
        (Measured::Arithmetic, execution::arithmetic()?),
        (Measured::Keccak, execution::keccak()?),
        (Measured::Storage, execution::storage()?),
        (Measured::Leg, leg),
        (Measured::Recovery, bytes::recoveries()?),
        (Measured::Signature, bytes::signatures()?),
        (Measured::Verification, bytes::verifications()?),
        (Measured::Update, bytes::updates()?),
        (Measured::Codec, bytes::codec_bytes()?),
        (Measured::Hash, bytes::hashed_bytes()?),
        (Measured::Input, input),
        (Measured::Message, message),
        (Measured::Transit, transit),
        (Measured::Wake, messages::wakes()?),
        (Measured::Record, bytes::records()?),
    ]
    .into_iter()
    .map(|(measured, batch)| (measured, batch, Vec::new()))
    .collect();
    let began = runtime::clock::monotonic_nanos();
    let all = rounds * measures.len();
    let mut done = 0;
    for round in 0..rounds {
        let spent = runtime::clock::monotonic_nanos() - began;
        if round >= FEWEST_ROUNDS && spent > TIME {
            break;
        }
        for (_, batch, results) in &mut measures {
            if stop() {
                return Err(CalibrateError::Interrupted);
            }
            results.push(batch());
            done += 1;
            progress(done, all);
        }
    }
    let estimate = |wanted: Measured| {
        let found = measures.iter().find(|(measured, ..)| *measured == wanted);
        found.map_or_else(Estimate::default, |(_, _, results)| Estimate::of(results))
    };
    let rounds = measures.first().map_or(0, |(_, _, results)| results.len());
    Ok(Profile {
        version: profile::VERSION,
        name: name.to_owned(),
        machine: Machine::here(&facts::machine(), started, rounds),
        costs: costs(&estimate, shares),
        gas_per_second: GasRates {
            transfer: estimate(Measured::Transfer).map(|nanos| 21_000.0 * 1e9 / nanos.max(1.0)),
            erc20: estimate(Measured::Token).map(per_second),
            arithmetic: estimate(Measured::Arithmetic).map(per_second),
            keccak: estimate(Measured::Keccak).map(per_second),
            storage: estimate(Measured::Storage).map(per_second),
        },
    })
}

/// How long a client's messages wait for others, in nanoseconds.
fn linger() -> f64 {
    let config = NetworkConfig::new(NodeId::Client, [0; 32]);
    config.linger.iter().max().map_or(0.0, |longest| longest.as_nanos() as f64)
}

/// Gas per second from nanoseconds per 1,000 gas.
fn per_second(nanos: f64) -> f64 {
    1_000.0 * 1e9 / nanos.max(1e-3)
}

fn costs(estimate: &dyn Fn(Measured) -> Estimate, shares: Shares) -> Costs {
    let [codec, hash] = [Measured::Codec, Measured::Hash].map(estimate);
    let kilobyte = Estimate {
        median: (codec.median + hash.median) / 2.0,
        low: codec.low.min(hash.low),
        high: codec.high.max(hash.high),
    };
    let [transfer, update, signature, whole] =
        [Measured::Transfer, Measured::Update, Measured::Signature, Measured::Leg].map(estimate);
    let known = transfer.median * shares.transfers
        + update.median * shares.updates
        + signature.median * shares.signatures
        + kilobyte.median * shares.kilobytes;
    Costs {
        kilogas_ns: estimate(Measured::Token),
        transfer_ns: transfer,
        leg_ns: whole.map(|whole| (whole - known).max(0.0)),
        recovery_ns: estimate(Measured::Recovery),
        signature_ns: signature,
        verification_ns: estimate(Measured::Verification),
        trie_update_ns: update,
        kilobyte_ns: kilobyte,
        input_ns: estimate(Measured::Input),
        message_ns: estimate(Measured::Message),
        transit_ns: estimate(Measured::Transit),
        wake_ns: estimate(Measured::Wake),
        record_ns: estimate(Measured::Record),
        linger_ns: Estimate::of(&[linger()]),
    }
}

impl Profile {
    /// What the simulation charges.
    #[must_use]
    pub fn cost_profile(&self) -> CostProfile {
        let Costs {
            kilogas_ns,
            transfer_ns,
            leg_ns,
            recovery_ns,
            signature_ns,
            verification_ns,
            trie_update_ns,
            kilobyte_ns,
            input_ns,
            message_ns,
            transit_ns,
            wake_ns,
            record_ns,
            linger_ns,
        } = &self.costs;
        let price = |estimate: &Estimate| estimate.median.max(0.0).round() as u64;
        CostProfile {
            kilogas: price(kilogas_ns),
            transfer: price(transfer_ns),
            leg: price(leg_ns),
            recovery: price(recovery_ns),
            signature: price(signature_ns),
            verification: price(verification_ns),
            trie_update: price(trie_update_ns),
            kilobyte: price(kilobyte_ns),
            input: price(input_ns),
            message: price(message_ns),
            transit: price(transit_ns),
            wake: price(wake_ns),
            record: price(record_ns),
            linger: price(linger_ns),
        }
    }
}
