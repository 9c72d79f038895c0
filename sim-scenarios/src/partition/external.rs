//! A strategy in any language: a program that gets the problem on its standard input and answers
//! with homes on its standard output, in the format of `exchange.rs`. Whatever goes wrong is an
//! error that says what, and the allocation in force stays.

use std::io::{self, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use partitioning::strategies::given::Given;
use partitioning::{PartitionError, Partitioner, Problem, Proposal};

use super::exchange::{Homes, Misunderstood, lines, question, understood};

/// What is kept of the end of a program's standard error, in bytes.
const MOST_COMPLAINT: usize = 2_048;
/// How long a program may take to end after its last line.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often a program that should end is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// A program of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    command: Vec<String>,
    timeout: Duration,
}

/// What a program did wrong.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot be started: {0}")]
    Start(io::Error),
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    #[error("ended with {0} before its answer was complete")]
    Short(ExitStatus),
    #[error("closed its output before its answer was complete, and did not end")]
    Closed,
    #[error("answered, but ended with {0}")]
    Status(ExitStatus),
    #[error("answered, but did not end within {} s", FAREWELL.as_secs())]
    Lingers,
    #[error("its answer cannot be read: {0}")]
    Read(io::Error),
    #[error(transparent)]
    Misunderstood(#[from] Misunderstood),
}

impl External {
    /// A program with its arguments, and how long it may take to answer. An empty command is none.
    #[must_use]
    pub fn new(command: Vec<String>, timeout: Duration) -> Option<Self> {
        (!command.is_empty()).then_some(Self { command, timeout })
    }

    fn ask(&self, problem: &Problem<'_>) -> Result<Homes, (Failure, String)> {
        let (program, arguments) = self
            .command
            .split_first()
            .map_or(("", &[][..]), |(program, arguments)| (program.as_str(), arguments));
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| (Failure::Start(error), String::new()))?;
        let complaint = child.stderr.take().map(|errors| aside(move || tail(errors)));
        let answer = self.converse(&mut child, problem);
        // Whatever happened, the program does not go on; what it has started is its own affair.
        let _ = child.kill();
        let _ = child.wait();
        answer.map_err(|failure| {
            // A grandchild may hold the pipe open; then there is no telling.
            let text = complaint.and_then(|text| text.recv_timeout(FAREWELL).ok());
            (failure, text.unwrap_or_default())
        })
    }

    fn converse(&self, child: &mut Child, problem: &Problem<'_>) -> Result<Homes, Failure> {
        if let Some(mut input) = child.stdin.take() {
            let text = question(problem);
            // A program need not read to the end; then there is nobody to tell.
            aside(move || input.write_all(text.as_bytes()).is_ok());
        }
        let accounts = problem.graph.accounts();
        let most = accounts.len();
        let Some(output) = child.stdout.take() else { return Err(Failure::Closed) };
        let answer = answer(output, most);
        let lines = match answer.recv_timeout(self.timeout) {
            Ok(lines) => lines.map_err(Failure::Read)?,
            Err(RecvTimeoutError::Timeout) => return Err(Failure::Timeout(self.timeout)),
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::Closed),
        };
        let Some(lines) = lines else {
            return Err(ended(child).map_or(Failure::Closed, Failure::Short));
        };
        let homes = understood(&lines, accounts, problem.allocation.shards())?;
        match ended(child) {
            Some(status) if status.success() => Ok(homes),
            Some(status) => Err(Failure::Status(status)),
            None => Err(Failure::Lingers),
        }
    }
}

impl Partitioner for External {
    fn name(&self) -> &'static str {
        "command"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let homes = self.ask(problem).map_err(|(failure, complaint)| {
            let said = match complaint.trim() {
                "" => String::new(),
                complaint => format!("\nit says:\n{complaint}"),
            };
            let message = format!("{}: {failure}{said}", self.command.join(" "));
            PartitionError::Library { strategy: "command", message }
        })?;
        // Residents and the budget are the same for everybody who gives homes.
        Given::new(homes).propose(problem)
    }
}

/// Reads an answer on a thread of its own, and whatever comes behind it: a program that goes on to
/// write must not find its reader gone.
#[expect(clippy::disallowed_methods, reason = "pipes of a child process, at the program's edge")]
fn answer(
    output: impl Read + Send + 'static,
    accounts: usize,
) -> Receiver<io::Result<Option<Vec<String>>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let lines = lines(&mut output, accounts);
        // Nobody may be waiting any more.
        let _ = sender.send(lines);
        let _ = io::copy(&mut output, &mut io::sink());
    });
    receiver
}

/// Runs what may block on a thread of its own, so that whoever waits can stop waiting.
#[expect(clippy::disallowed_methods, reason = "pipes of a child process, at the program's edge")]
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(work());
    });
    receiver
}

/// How a program ended; `None` if it does not end in time.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    let glances = FAREWELL.as_millis() / GLANCE.as_millis();
    for _ in 0..glances {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(GLANCE);
    }
    None
}

/// The end of what a program says; the rest is read and forgotten, so that it never blocks.
fn tail(mut errors: impl Read) -> String {
    let mut kept = Vec::new();
    let mut part = [0; 4_096];
    while let Ok(read @ 1..) = errors.read(&mut part) {
        kept.extend_from_slice(&part[..read]);
        let surplus = kept.len().saturating_sub(MOST_COMPLAINT);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
