//! Finds the directory of real Ethereum data for tests and benches. Not used by any node: it
//! reads the environment and the file system.

use std::path::{Path, PathBuf};

/// Environment variable that overrides where the data is.
pub const VARIABLE: &str = "SHARDLAB_DATA";

/// The data directory, or `None` when it is absent: `$SHARDLAB_DATA`, else `../shared/data` beside
/// the workspace.
#[must_use]
pub fn dir() -> Option<PathBuf> {
    // Cargo tells a running test where its crate is; what was true when this crate was compiled may
    // be another checkout.
    let beside = || {
        let compiled = || env!("CARGO_MANIFEST_DIR").into();
        let crate_directory = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(compiled);
        Path::new(&crate_directory).join("../../shared/data")
    };
    let path = std::env::var_os(VARIABLE).map_or_else(beside, PathBuf::from);
    path.is_dir().then_some(path)
}

/// The data directory, or `None` after a visible line that says which test skips.
#[must_use]
pub fn or_skip(test: &str) -> Option<PathBuf> {
    let found = dir();
    if found.is_none() {
        eprintln!("SKIPPED {test}: no data directory; set {VARIABLE} to run it");
    }
    found
}
