//! The directory of a sweep: a new one, or one whose sweep goes on.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use runtime::logging::{LoggingError, log_to_file};
use serde::Serialize;

use super::plan::{self, Plan};
use super::results::{LoadError, MachineUse, SWEEP, SweepJson, read_json};
use crate::run::directory::{DirectoryError, LOG, make};
use crate::run::{LOG_FILTER, facts};

/// The text of the file that the sweep was made from.
pub const FILE: &str = "sweep.toml";

/// A directory that this program alone works in.
#[derive(Debug)]
pub struct Opened {
    /// Where it is.
    pub path: PathBuf,
    /// Whether runs may be there already.
    pub resumed: bool,
    /// Locked as long as it is open.
    _locked: File,
}

/// Why a sweep cannot have its directory.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Its log cannot be started.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// Its sweep cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It has another sweep.
    #[error(
        "{} has runs of another sweep: {difference}.\nName another directory with --out; a sweep \
         goes on only as it was begun, for its runs are compared with each other",
        path.display()
    )]
    Another {
        /// The directory.
        path: PathBuf,
        /// What is not the same.
        difference: String,
    },
    /// Somebody else works in it.
    #[error("another shardlab is working in {}", .0.display())]
    Busy(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Makes the directory of a sweep, or opens it again if `asked` has the same one.
///
/// # Errors
/// When it cannot be made, has something else in it, or is in use.
pub fn open(asked: Option<&Path>, plan: &Plan, text: &str) -> Result<Opened, OpenError> {
    match asked {
        Some(path) if path.join(SWEEP).exists() => resume(path, plan),
        _ => begin(asked, plan, text),
    }
}

fn begin(asked: Option<&Path>, plan: &Plan, text: &str) -> Result<Opened, OpenError> {
    let path = make(asked, &plan.name)?;
    let written = path.join(FILE);
    fs::write(&written, text).map_err(|source| OpenError::Write { path: written, source })?;
    let machine = MachineUse {
        shardlab: env!("CARGO_PKG_VERSION").to_owned(),
        program: program(),
        began: jiff::Timestamp::now().to_string(),
        facts: facts::machine(),
    };
    let sweep = path.join(SWEEP);
    write_json(&sweep, &SweepJson { plan: plan.clone(), machine })
        .map_err(|source| OpenError::Write { path: sweep, source })?;
    let locked = lock(&path)?;
    Ok(Opened { path, resumed: false, _locked: locked })
}

fn resume(path: &Path, plan: &Plan) -> Result<Opened, OpenError> {
    let before: SweepJson = read_json(&path.join(SWEEP))?;
    if let Some(difference) = difference(&before, plan) {
        return Err(OpenError::Another { path: path.to_owned(), difference });
    }
    let locked = lock(path)?;
    log_to_file(&path.join(LOG), LOG_FILTER)?;
    Ok(Opened { path: path.to_owned(), resumed: true, _locked: locked })
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let sweep = path.join(SWEEP);
    let file = File::open(&sweep).map_err(|source| LoadError::Read { path: sweep, source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::Busy(path.to_owned())),
        // Not every file system can.
        Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}

/// What is not as it was when the sweep was begun.
fn difference(before: &SweepJson, now: &Plan) -> Option<String> {
    let was = &before.plan;
    let version = (was.schema_version != now.schema_version).then_some("another version made them");
    let what = version
        .or((was.file_hash != now.file_hash).then_some("the scenario file has changed since"))
        .or((was.overrides != now.overrides).then_some("other --set were given"))
        .or((was.profile != now.profile).then_some("work had other costs (--profile)"))
        .or((was != now).then_some("the scenario file now means something else"));
    if let Some(what) = what {
        return Some(what.to_owned());
    }
    let other_build = before.machine.program.is_some() && before.machine.program != program();
    other_build.then(|| "another build of shardlab made them, which may give other numbers".into())
}

/// The digest of this program's file, if the system lets us read it.
fn program() -> Option<String> {
    let file = std::env::current_exe().ok()?;
    Some(plan::hash(&fs::read(file).ok()?))
}

/// Writes a file that is there as a whole or not at all.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)
}
