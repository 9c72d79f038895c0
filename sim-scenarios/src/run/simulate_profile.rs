//! Cost profiles: what work costs a simulated node. Named ones, and files of `shardlab calibrate`.

use std::path::{Path, PathBuf};

use simulation::CostProfile;

use crate::calibrate::{Profile, ProfileProblem};

/// The profile of a simulation that names none: that of the machine on which docs/performance.md was
/// measured.
pub const DEFAULT_PROFILE: &str = "epyc-2-core";
/// What else the default is called.
const DEFAULT_ALIASES: [&str; 2] = ["default", "reference"];
/// The profile in which work takes no time.
const FREE_PROFILE: &str = "free";

/// The profile that ships, as a file.
pub const SHIPPED: &str = include_str!("../../profiles/epyc-2-core.toml");

/// A cost profile and what reports call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProfile {
    /// Its name.
    pub name: String,
    /// What work costs.
    pub costs: CostProfile,
}

impl Default for NamedProfile {
    fn default() -> Self {
        Self { name: DEFAULT_PROFILE.to_owned(), costs: CostProfile::REFERENCE }
    }
}

impl NamedProfile {
    /// All prices in nanoseconds, by their names in profile files.
    #[must_use]
    pub fn prices(&self) -> [(&'static str, u64); 14] {
        let CostProfile {
            kilogas,
            transfer,
            leg,
            recovery,
            signature,
            verification,
            trie_update,
            kilobyte,
            input,
            message,
            transit,
            wake,
            record,
            linger,
        } = self.costs;
        [
            ("kilogas_ns", kilogas),
            ("transfer_ns", transfer),
            ("leg_ns", leg),
            ("recovery_ns", recovery),
            ("signature_ns", signature),
            ("verification_ns", verification),
            ("trie_update_ns", trie_update),
            ("kilobyte_ns", kilobyte),
            ("input_ns", input),
            ("message_ns", message),
            ("transit_ns", transit),
            ("wake_ns", wake),
            ("record_ns", record),
            ("linger_ns", linger),
        ]
    }
}

/// Why a profile is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Neither a name nor a file.
    #[error(
        "no cost profile is named `{name}`, and as a file: {source}\n  the names are \
         `{DEFAULT_PROFILE}` (the default) and `{FREE_PROFILE}`; `shardlab calibrate --out FILE` \
         makes a file"
    )]
    Unknown {
        /// As asked.
        name: String,
        /// What the system said when it was taken as a file.
        source: std::io::Error,
    },
    /// Not a profile.
    #[error("{path}: {problem}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and where.
        problem: ProfileProblem,
    },
}

/// The profile with this name, or in this file.
///
/// # Errors
/// When there is none, or the file is no profile.
pub fn cost_profile(asked: &str) -> Result<NamedProfile, ProfileError> {
    if asked == DEFAULT_PROFILE || DEFAULT_ALIASES.contains(&asked) {
        return Ok(NamedProfile::default());
    }
    if asked == FREE_PROFILE {
        return Ok(NamedProfile { name: asked.to_owned(), costs: CostProfile::FREE });
    }
    let text = std::fs::read_to_string(asked)
        .map_err(|source| ProfileError::Unknown { name: asked.to_owned(), source })?;
    let profile = Profile::read(&text)
        .map_err(|problem| ProfileError::File { path: Path::new(asked).to_owned(), problem })?;
    Ok(NamedProfile { costs: profile.cost_profile(), name: profile.name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_that_ships_is_the_one_in_the_code() {
        let shipped = Profile::read(SHIPPED).unwrap();
        assert_eq!(shipped.name, DEFAULT_PROFILE);
        assert_eq!(shipped.cost_profile(), CostProfile::REFERENCE);
        for name in [DEFAULT_PROFILE, "default", "reference"] {
            assert_eq!(cost_profile(name).unwrap(), NamedProfile::default());
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let shipped = Profile::read(SHIPPED).unwrap();
        assert_eq!(Profile::read(&shipped.to_toml()).unwrap(), shipped);
    }

    #[test]
    fn a_bad_profile_is_refused_with_line_and_field() {
        let line = |text: &str, field: &str| {
            text.lines().position(|line| line.starts_with(field)).map_or(0, |at| at + 1)
        };
        let changed = |from: &str, to: &str| {
            assert!(SHIPPED.contains(from), "{from}");
            SHIPPED.replacen(from, to, 1)
        };
        let said = |text: &str| Profile::read(text).unwrap_err().to_string();

        let text = changed("leg_ns", "legg_ns");
        let error = said(&text);
        let at = format!("line {}", line(&text, "legg_ns"));
        assert!(error.contains(&at) && error.contains("legg_ns"), "{error}");

        let text = changed("wake_ns = { median = ", "wake_ns = { median = -");
        let error = said(&text);
        let expected = format!("line {}: `wake_ns` is -", line(&text, "wake_ns"));
        assert!(error.starts_with(&expected), "{error}");

        let text = changed("version = 1", "version = 9");
        assert_eq!(
            said(&text),
            format!(
                "line {}: `version` is 9: this program reads version 1",
                line(&text, "version")
            )
        );

        let text = changed("[machine]", "[machine");
        let error = said(&text);
        assert!(error.contains(&format!("line {}", line(&text, "[machine"))), "{error}");

        let missing: String = SHIPPED.lines().filter(|line| !line.starts_with("input_ns")).fold(
            String::new(),
            |mut text, line| {
                text.push_str(line);
                text.push('\n');
                text
            },
        );
        let error = said(&missing);
        assert!(error.contains("missing field `input_ns`"), "{error}");
    }

    #[test]
    fn an_unknown_name_says_what_there_is() {
        let error = cost_profile("no-such-profile").unwrap_err().to_string();
        assert!(error.contains("`epyc-2-core`") && error.contains("calibrate"), "{error}");
    }
}
