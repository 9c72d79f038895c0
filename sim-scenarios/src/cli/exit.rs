//! How the program ends.

use std::process::ExitCode;

/// The exit code of `shardlab`, the same for every subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done; of a run: everything held.
    Passed = 0,
    /// A fault of the program itself.
    Internal = 1,
    /// The arguments or the scenario are wrong. Also what wrong options end with.
    BadInput = 2,
    /// The network did not start, or one of its processes died.
    NetworkDown = 3,
    /// An invariant of the protocol did not hold.
    InvariantBroke = 4,
    /// A threshold of the scenario did not hold.
    ThresholdFailed = 99,
    /// Ctrl-C or SIGTERM.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
