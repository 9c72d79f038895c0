//! Cost profiles: what work costs a simulated node. Named ones, and files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use simulation::CostProfile;

/// The profile of a simulation that names none.
pub const DEFAULT_PROFILE: &str = "reference";

/// The profiles that have a name.
const NAMED: &[(&str, CostProfile)] =
    &[(DEFAULT_PROFILE, CostProfile::REFERENCE), ("free", CostProfile::FREE)];

/// Why a profile is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Neither a name nor a file.
    #[error(
        "no cost profile is named `{name}` and {source}\n  the names are `reference` and `free`"
    )]
    Unknown {
        /// As asked.
        name: String,
        /// What the system said when it was taken as a file.
        source: std::io::Error,
    },
    /// Not a profile.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: toml::de::Error,
    },
}

/// A profile file: TOML, prices in nanoseconds of one core.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Per 1,000 gas executed in the EVM.
    kilogas: u64,
    /// Per transfer executed natively.
    transfer: u64,
    /// Per leg, whatever it does.
    leg: u64,
    /// Per recovered user signature.
    recovery: u64,
    /// Per signature made by a node.
    signature: u64,
    /// Per node signature checked.
    verification: u64,
    /// Per account or slot updated in the trie.
    trie_update: u64,
    /// Per 1,000 bytes hashed, encoded or decoded.
    kilobyte: u64,
}

/// The profile with this name, or in this file.
///
/// # Errors
/// When there is none, or the file has other keys than a profile.
pub fn cost_profile(asked: &str) -> Result<CostProfile, ProfileError> {
    if let Some((_, profile)) = NAMED.iter().find(|(name, _)| *name == asked) {
        return Ok(*profile);
    }
    let text = std::fs::read_to_string(asked)
        .map_err(|source| ProfileError::Unknown { name: asked.to_owned(), source })?;
    let file: File = toml::from_str(&text)
        .map_err(|source| ProfileError::File { path: Path::new(asked).to_owned(), source })?;
    let File { kilogas, transfer, leg, recovery, signature, verification, trie_update, kilobyte } =
        file;
    Ok(CostProfile {
        kilogas,
        transfer,
        leg,
        recovery,
        signature,
        verification,
        trie_update,
        kilobyte,
    })
}
