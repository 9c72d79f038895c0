//! One child process: started, listened to, ended.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use cross_shard_msg::NodeId;
use runtime::process::{FromProcess, ToProcess};
use rustix::process::{Pid, Signal, kill_process};

/// Lines of a dead process's log that are shown.
const LAST_LINES: usize = 12;

/// A process that ended without being told to.
#[derive(Debug)]
pub struct Death {
    /// The node.
    pub node: NodeId,
    /// How it ended.
    pub status: String,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
    /// The log.
    pub log: PathBuf,
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} died ({}); the end of {}:", self.node, self.status, self.log.display())?;
        for line in &self.last_lines {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

/// What comes from a child.
#[derive(Debug)]
pub(super) enum FromChild {
    /// It said something.
    Said(FromProcess),
    /// Its standard output ended: it is ending too.
    Silent,
}

/// A started process. Killed when dropped.
#[derive(Debug)]
pub(super) struct Child {
    pub node: NodeId,
    log: PathBuf,
    process: Process,
    stdin: Option<ChildStdin>,
}

impl Child {
    /// Starts `program` for `node`; what it says goes to `sender`. Its standard error goes to the
    /// end of its log.
    pub fn start(
        program: &Path,
        node: NodeId,
        file: &Path,
        log: &Path,
        sender: Sender<(NodeId, FromChild)>,
    ) -> io::Result<Self> {
        let role = match node {
            NodeId::Shard(_) => "shard-node",
            NodeId::Coordinator(_) => "coordinator",
            NodeId::Client => unreachable!("the client runs in the launcher"),
        };
        let errors = OpenOptions::new().create(true).append(true).open(log)?;
        let mut process = Command::new(program)
            .arg(role)
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            // A group of its own: Ctrl-C in the terminal is for the launcher alone, which stops
            // its children in order.
            .process_group(0)
            .spawn()?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take();
        thread::Builder::new().name(format!("listen {node}")).spawn(move || {
            let lines = stdout.into_iter().flat_map(|out| BufReader::new(out).lines());
            for line in lines.map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(said) => drop(sender.send((node, FromChild::Said(said)))),
                    Err(error) => tracing::warn!(%node, %error, line, "not understood"),
                }
            }
            drop(sender.send((node, FromChild::Silent)));
        })?;
        Ok(Self { node, log: log.to_owned(), process, stdin })
    }

    /// The operating system's number of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells the process something. A process that is dead does not hear it; its death is noticed
    /// elsewhere.
    pub fn tell(&mut self, command: &ToProcess) {
        let Some(stdin) = &mut self.stdin else { return };
        let line = serde_json::to_string(command).unwrap_or_default();
        if writeln!(stdin, "{line}").and_then(|()| stdin.flush()).is_err() {
            self.stdin = None;
        }
    }

    /// Kills the process (SIGKILL): it ends in the middle of whatever it does.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(kill_process(id, signal)?)
    }

    /// Waits for the end of a process whose output has ended.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait()
    }

    /// Describes a process that ended by itself.
    pub fn death(mut self) -> Death {
        // Its output may end before itself; it must not linger.
        let _ = self.process.kill();
        let status = self.process.wait().map_or_else(|error| error.to_string(), |s| s.to_string());
        Death { node: self.node, status, last_lines: last_lines(&self.log), log: self.log.clone() }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Ends the process also if it is stuck; it is gone already in the ordinary case.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn last_lines(log: &Path) -> Vec<String> {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let skip = lines.len().saturating_sub(LAST_LINES);
    lines.into_iter().skip(skip).map(str::to_owned).collect()
}
