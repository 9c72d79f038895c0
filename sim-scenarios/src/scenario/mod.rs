//! Scenario files: what they say, how they are read, how they are printed back.
//!
//! The types here are resolved: complete, within bounds, consistent. docs/scenarios.md describes
//! every field of the file.

mod load;
mod network;
mod threshold;
mod types;
mod unit;

pub use load::*;
pub use network::*;
pub use threshold::*;
pub use types::*;
pub use unit::*;
