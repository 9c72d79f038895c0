//! Sweeps: one scenario run many times, each time a little different, and what the differences came
//! to. docs/sweeps.md describes them for users.
//!
//! In the order in which data flows: [`plan`] says which runs there are, [`directory`] where they
//! are, [`execute`] makes those that are missing, [`leaves`] takes the numbers
//! out of their summaries, [`effects`] says what they show, [`tables`] writes them down, [`terminal`]
//! tells. [`load`] reads everything back from a sweep's directory.

pub mod directory;
pub mod effects;
pub mod execute;
pub mod leaves;
mod memory;
pub mod plan;
pub mod results;
pub mod table;
pub mod tables;
pub mod terminal;

pub use effects::Effect;
pub use plan::{Cell, Plan};
pub use results::{LoadError, MachineUse, Made, RunRow, SweepResults, load};
