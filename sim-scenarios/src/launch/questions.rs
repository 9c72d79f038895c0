//! What asking a strategy takes of the machine, and what goes wrong: one entry per question, kept
//! beside the run, as none of it is the same on two machines.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cross_shard_msg::{Duration, Epoch, ValidatorIndex};
use partitioning::{AccessGraph, PartitionError, Partitioner, Problem, Proposal};
use runtime::clock::{monotonic_nanos, thread_cpu_nanos};
use serde::{Deserialize, Serialize};

use crate::partition::memory;

/// One question to a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Who asked.
    pub coordinator: ValidatorIndex,
    /// The epoch that had ended.
    pub epoch: Epoch,
    /// Accounts of the traffic.
    pub accounts: u64,
    /// Pairs of accounts that were used together.
    pub pairs: u64,
    /// Moves that the strategy wanted before the bound cut them; 0 if it failed.
    pub wanted: u64,
    /// Moves that it proposed; 0 if it failed.
    pub moves: u64,
    /// How long it took.
    pub wall: Duration,
    /// CPU time of the thread that asked. What a command uses is not in it.
    pub cpu: Duration,
    /// By how many bytes the process grew at most meanwhile, whoever grew it. `None` where the system
    /// does not tell.
    pub grown: Option<u64>,
    /// What went wrong, if anything did.
    pub failure: Option<String>,
}

/// Where questions are written down. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Questions(Arc<Place>);

#[derive(Debug)]
enum Place {
    Memory(Mutex<Vec<Question>>),
    File(PathBuf),
}

impl Default for Place {
    fn default() -> Self {
        Self::Memory(Mutex::default())
    }
}

impl Questions {
    /// Writes to a file, behind what an earlier life of the node has written.
    #[must_use]
    pub fn to_file(path: PathBuf) -> Self {
        Self(Arc::new(Place::File(path)))
    }

    /// What is kept in memory, which is then empty.
    #[must_use]
    pub fn take(&self) -> Vec<Question> {
        match &*self.0 {
            Place::Memory(all) => {
                std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Place::File(_) => Vec::new(),
        }
    }

    /// Reads a file of questions. A last line that was cut off with its process is left out.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> io::Result<Vec<Question>> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn add(&self, question: Question) {
        let written = match &*self.0 {
            Place::Memory(all) => {
                all.lock().unwrap_or_else(PoisonError::into_inner).push(question);
                return;
            }
            Place::File(path) => append(path, &question),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "a question to the strategy could not be written down");
        }
    }
}

fn pairs(graph: &AccessGraph) -> u64 {
    let above = |vertex: u32| graph.neighbours(vertex).filter(move |(to, _)| *to > vertex).count();
    (0..graph.len()).map(|vertex| above(vertex) as u64).sum()
}

/// One write of one line, so that nothing tears it but the end of the process.
fn append(path: &Path, question: &Question) -> io::Result<()> {
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    OpenOptions::new().create(true).append(true).open(path)?.write_all(&line)
}

/// A strategy whose questions are written down.
#[derive(Debug)]
pub(super) struct Watched {
    pub strategy: Arc<dyn Partitioner>,
    pub coordinator: ValidatorIndex,
    pub questions: Questions,
}

impl Partitioner for Watched {
    fn name(&self) -> &'static str {
        self.strategy.name()
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let before = if memory::forget_peak() { memory::resident() } else { None };
        let (wall, cpu) = (monotonic_nanos(), thread_cpu_nanos());
        let answer = self.strategy.propose(problem);
        let since = |now: u64, then: u64| Duration(now.saturating_sub(then));
        let (wall, cpu) = (since(monotonic_nanos(), wall), since(thread_cpu_nanos(), cpu));
        let grown = before.zip(memory::peak()).map(|(before, peak)| peak.saturating_sub(before));
        let failure = answer.as_ref().err().map(ToString::to_string);
        if let Some(failure) = &failure {
            tracing::warn!(epoch = problem.epoch.0, failure, "the strategy failed");
        }
        let given = answer.as_ref().ok();
        self.questions.add(Question {
            coordinator: self.coordinator,
            epoch: problem.epoch,
            accounts: problem.graph.accounts().len() as u64,
            pairs: pairs(problem.graph),
            wanted: given.map_or(0, |given| given.stats.wanted),
            moves: given.map_or(0, |given| given.moves.len() as u64),
            wall,
            cpu,
            grown,
            failure,
        });
        answer
    }
}
