//! Judging partitioning strategies on a trace, without running a network.
//!
//! [`trace`] reads who touched whom; [`chosen`] makes the strategies that were asked for,
//! [`external`] those that are programs of the user's, [`own`] those that the program brings along; [`evaluate`] lets windows move forward over
//! the trace; [`report`] prints what came of it. docs/strategies.md is for users.

pub mod chosen;
pub mod evaluate;
mod exchange;
pub mod external;
pub(crate) mod memory;
pub mod own;
pub mod quality;
pub mod report;
pub mod trace;

pub use chosen::{Chosen, ChosenError};
pub use evaluate::{Evaluation, Options, WindowResult, evaluate};
pub use external::External;
pub use own::{OwnStrategy, Registration, RegistrationError, register};
pub use quality::Quality;
pub use trace::{Trace, TraceError};
