//! What a phase sends.

use std::path::PathBuf;

use alloy_primitives::{Address, B256, U256};
use cross_shard_msg::{Duration, Gas, Wei};

use super::types::Popularity;
use super::unit::{Fraction, Rate, print_duration};

/// One stream of transactions of a phase.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Plain transfers between the scenario's accounts.
    Transfer(TransferLoad),
    /// Calls to a contract that is deployed first.
    Call(CallLoad),
    /// Transfers and calls of accounts that form communities, with hubs and drift.
    Communities(CommunitiesLoad),
    /// A recorded list of transactions, replayed as transfers.
    Trace(TraceLoad),
    /// Real mainnet blocks, each in a network of its own.
    MainnetBlocks(MainnetBlocksLoad),
}

/// Plain transfers. Sender and recipient are drawn by popularity and differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferLoad {
    /// Mean number of arrivals per second.
    pub rate: Rate,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// How the rate changes over the phase.
    pub curve: Curve,
    /// What each transfers.
    pub value: Wei,
    /// This share has its recipient on another shard, the others on the sender's. `None`: as
    /// popularity and allocation have it. Above 0 only with at least two shards.
    pub cross_shard: Option<Fraction>,
}

/// Calls to a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLoad {
    /// Mean number of arrivals per second.
    pub rate: Rate,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// How the rate changes over the phase.
    pub curve: Curve,
    /// The contract's artifact.
    pub contract: Contract,
    /// How many copies are deployed before the run's clock starts, each by another account, and
    /// so spread over the shards. A call goes to one of them, drawn uniformly. 1 to 1,024, at most
    /// the number of accounts.
    pub instances: u32,
    /// The constructor's arguments. Empty for the ERC-20 that ships: a supply of a billion tokens.
    pub constructor: Vec<Argument>,
    /// Sent once by each account to each instance before the run's clock starts, in this order.
    /// Weights do not matter here. (The tokens of the ERC-20 that ships are handed out anyway.)
    pub setup: Vec<CallTemplate>,
    /// What is called, drawn by weight. At least one.
    pub mix: Vec<CallTemplate>,
    /// This share goes to an instance on another shard than the sender's, the others to one on
    /// the sender's; a sender is drawn again until there is one. `None`: as it falls.
    pub cross_shard: Option<Fraction>,
}

/// Which contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contract {
    /// One that ships with the program, by name ([`SHIPPED_CONTRACTS`]).
    Shipped(&'static str),
    /// A JSON artifact of solc, Foundry or Hardhat with its creation bytecode.
    File(FileRef),
}

/// Names of the contracts that ship.
pub const SHIPPED_CONTRACTS: &[&str] = &["erc20"];

/// One kind of call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTemplate {
    /// The function's name and the types of its parameters.
    pub function: Function,
    /// One per parameter, of a fitting kind.
    pub arguments: Vec<Argument>,
    /// What the call carries.
    pub value: Wei,
    /// The transaction's gas limit. At most the block's.
    pub gas: Gas,
    /// How often it is drawn, relative to the sum of weights. 1 to 1,000,000.
    pub weight: u32,
}

/// A function's signature, such as `transfer(address,uint256)`. Only types of one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The types of its parameters.
    pub parameters: Vec<Parameter>,
}

/// The type of a parameter. Each is encoded in one word of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// `address`
    Address,
    /// `bool`
    Bool,
    /// `uint8` to `uint256`, with the number of bits.
    Uint(u16),
    /// `bytes32`
    Bytes32,
}

/// Where an argument's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// `"account"`: the address of an account drawn by popularity, other than the sender.
    Account,
    /// `"sender"`: the address of the transaction's sender.
    Sender,
    /// A fixed address.
    Address(Address),
    /// A fixed number.
    Number(U256),
    /// A fixed truth value.
    Bool(bool),
    /// A fixed word.
    Word(B256),
}

/// Transfers and calls of the scenario's accounts, each of which belongs to a community. Contracts
/// are created before the run's clock starts, those alone that the plan calls.
#[derive(Clone, Debug, PartialEq)]
pub struct CommunitiesLoad {
    /// Mean number of arrivals per second.
    pub rate: Rate,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// How the rate changes over the phase.
    pub curve: Curve,
    /// What each plain transfer carries.
    pub value: Wei,
    /// How many. 1 to 65,536, at most half of the accounts: each has at least two.
    pub communities: u32,
    /// How large they are, relative to each other.
    pub sizes: Popularity,
    /// Of what does not go to a hub: the share that stays in the sender's community. Above 0 and
    /// below 1 only with two communities.
    pub inside: Fraction,
    /// Share of plain transfers.
    pub transfers: Fraction,
    /// Share of ERC-20 transfers.
    pub token_transfers: Fraction,
    /// Share of ERC-20 approvals. The three are at most 1; the rest calls services.
    pub approvals: Fraction,
    /// Who sends.
    pub senders: Senders,
    /// The communities' contracts.
    pub contracts: Contracts,
    /// What all communities use.
    pub hubs: Hubs,
    /// How all this changes. `None`: not at all.
    pub drift: Option<Drift>,
}

/// Regular senders come by Zipf's law; all others send in turn, so that each comes again only after
/// all of them did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Senders {
    /// Share of the accounts that are regulars; at least one account is.
    pub regulars: Fraction,
    /// Share of the transactions that regulars send.
    pub share: Fraction,
    /// Exponent of their popularity. Above 0, at most 10.
    pub zipf: f64,
}

/// Contracts that belong to communities, in turn by rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contracts {
    /// ERC-20 tokens of all communities. At least one for each, at most a million.
    pub tokens: u32,
    /// Other contracts of all communities. As many.
    pub services: u32,
    /// Exponent of their popularity, and of the services that are hubs. Above 0, at most 10.
    pub zipf: f64,
}

/// Accounts and contracts that all communities use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hubs {
    /// Accounts that all pay to. At most the number of accounts.
    pub accounts: u32,
    /// Share of the plain transfers that go there; 0 without any.
    pub account_share: Fraction,
    /// Tokens of all. At most 10,000.
    pub tokens: u32,
    /// Share of the token transfers that go there.
    pub token_share: Fraction,
    /// Share of the approvals that go there.
    pub approval_share: Fraction,
    /// Other contracts of all. At most 10,000.
    pub services: u32,
    /// Share of the calls of services that go there.
    pub service_share: Fraction,
    /// Exponent of the popularity of accounts and tokens. Above 0, at most 10.
    pub zipf: f64,
}

/// What changes, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// From one change to the next, counted from the phase's start. At least 1 ms.
    pub every: Duration,
    /// Share of the accounts that change community, in exchange with others.
    pub members: Fraction,
    /// Each regular sender and each hub is replaced with this probability.
    pub hot: Fraction,
}

/// How the rate changes over a phase. The mean over the phase stays the load's rate, so levels only
/// count relative to each other; they are numbers with three decimals, and not all of them 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Curve {
    /// Not at all.
    Constant,
    /// From one level to the other, in a straight line.
    Ramp(Rate, Rate),
    /// Levels for equal parts of the phase. 1 to 1,000.
    Steps(Vec<Rate>),
    /// A wave around 1 that begins upwards.
    Sine {
        /// Its period, at least 1 ms.
        every: Duration,
        /// How far it goes up and down.
        depth: Fraction,
    },
    /// Level 1, and bursts.
    Bursts {
        /// From the beginning of one to that of the next; the phase begins with one.
        every: Duration,
        /// How long each lasts. At most `every`.
        length: Duration,
        /// The level in it.
        height: Rate,
    },
    /// Levels from a CSV with lines `second,level`, ascending.
    File {
        /// The file, plain or gzip.
        file: FileRef,
        /// Whether its whole time is stretched to the phase. If not, the phase has its beginning,
        /// and begins with it again where it is shorter.
        stretch: bool,
    },
}

/// Replays a file in BlockEmulator's columns as transfers. Rows without a recipient and rows to
/// oneself are skipped and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLoad {
    /// A Parquet file by its name (`.parquet`), else a CSV, plain or gzip.
    pub file: FileRef,
    /// Mean number of arrivals per second.
    pub rate: Rate,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// How the rate changes over the phase.
    pub curve: Curve,
    /// Replaces the amount of every row.
    pub value: Option<Wei>,
    /// How many transactions are sent, repeating the file if need be. `None`: the file once.
    pub count: Option<u64>,
}

/// Runs real blocks: pre-state, fork, block environment, order and BLOCKHASH answers are the
/// block's own. The only load of its phase; needs chain id 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainnetBlocksLoad {
    /// A directory with one directory per block, named after its number.
    pub directory: FileRef,
    /// Which of them, in this order.
    pub blocks: Blocks,
}

/// A choice of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// All of the directory, by number.
    All,
    /// These, at least one, none twice.
    Numbers(Vec<u64>),
}

/// How arrivals are spaced around their mean rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Independent arrivals: exponential gaps, from the seed.
    Poisson,
    /// Equal gaps.
    Uniform,
}

/// A file or directory that a scenario names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// As `shardlab check --print` writes it: `data:NAME` as in the file, anything else as an
    /// absolute path.
    pub written: String,
    /// Where it is. It existed when the scenario was read.
    pub path: PathBuf,
}

impl Load {
    /// Mean arrivals per second, how they are spaced, and how the rate changes; none for real
    /// blocks, which come all at once.
    #[must_use]
    pub fn pace(&self) -> Option<(Rate, Arrivals, &Curve)> {
        match self {
            Self::Transfer(load) => Some((load.rate, load.arrivals, &load.curve)),
            Self::Call(load) => Some((load.rate, load.arrivals, &load.curve)),
            Self::Communities(load) => Some((load.rate, load.arrivals, &load.curve)),
            Self::Trace(load) => Some((load.rate, load.arrivals, &load.curve)),
            Self::MainnetBlocks(_) => None,
        }
    }
}

/// As a value in a scenario file.
impl std::fmt::Display for Curve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant => f.write_str("\"constant\""),
            Self::Ramp(from, to) => write!(f, "{{ ramp = [{from}, {to}] }}"),
            Self::Steps(levels) => {
                let levels: Vec<String> = levels.iter().map(ToString::to_string).collect();
                write!(f, "{{ steps = [{}] }}", levels.join(", "))
            }
            Self::Sine { every, depth } => {
                write!(f, "{{ sine = \"{}\", depth = {depth} }}", print_duration(*every))
            }
            Self::Bursts { every, length, height } => write!(
                f,
                "{{ bursts = \"{}\", length = \"{}\", height = {height} }}",
                print_duration(*every),
                print_duration(*length)
            ),
            Self::File { file, stretch } => {
                let file = toml::Value::String(file.written.clone());
                write!(f, "{{ file = {file}, stretch = {stretch} }}")
            }
        }
    }
}

impl Function {
    /// The canonical signature whose hash begins with the selector: `transfer(address,uint256)`.
    #[must_use]
    pub fn signature(&self) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(ToString::to_string).collect();
        format!("{}({})", self.name, parameters.join(","))
    }

    /// The first four bytes of the signature's keccak-256.
    #[must_use]
    pub fn selector(&self) -> [u8; 4] {
        let hash = alloy_primitives::keccak256(self.signature());
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl std::fmt::Display for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address => f.write_str("address"),
            Self::Bool => f.write_str("bool"),
            Self::Uint(bits) => write!(f, "uint{bits}"),
            Self::Bytes32 => f.write_str("bytes32"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selector_of_erc20_transfer() {
        let transfer = Function {
            name: "transfer".to_owned(),
            parameters: vec![Parameter::Address, Parameter::Uint(256)],
        };
        assert_eq!(transfer.signature(), "transfer(address,uint256)");
        assert_eq!(transfer.selector(), [0xa9, 0x05, 0x9c, 0xbb]);
    }
}
