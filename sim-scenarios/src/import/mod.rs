//! Configurations of other emulators as scenarios.
//!
//! [`json`] reads the file with the place of every setting, [`config`] understands BlockEmulator's
//! settings, [`scenario`] writes what they come to. docs/blockemulator.md is for users.

pub mod config;
pub mod json;
pub mod scenario;

pub use config::Config;
pub use json::JsonFile;
pub use scenario::{Imported, imported};
