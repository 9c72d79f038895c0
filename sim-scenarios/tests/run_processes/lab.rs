//! A directory for one test, runs of the program in it, and what they leave.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two shards, four coordinators, one phase `steady` of one load. Blocks and checkpoints are
/// frequent, so a run takes a few seconds.
pub const TRANSFERS: &str = r#"
name = "transfers"

[network]
shards = 2
validators = 4
block_time = "150ms"
checkpoint_every = "400ms"

[accounts]
count = 20

[[phase]]
name = "steady"
for = "1s"

[[phase.load]]
kind = "transfer"
rate = 50
"#;

/// Lets the load of [`TRANSFERS`] last until somebody ends the run.
pub const ENDLESS: &[&str] = &["--set", "phase.steady.for=120s"];

/// Waits until `happened` says something. It looks again and again: that a process of another parent
/// ends or stops, what a running program has written so far, and the numbers of a node are states
/// that the system tells when asked, and of which it sends no word.
#[expect(clippy::disallowed_methods, reason = "what does not happen must fail the test")]
pub fn until<T>(what: &str, mut happened: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = happened() {
            return result;
        }
        assert!(Instant::now() < end, "this did not happen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a process that is there.
pub fn kill(name: &str, process: u32) {
    assert!(signal(name, process), "kill -{name} {process}");
}

/// Sends a signal to a process; says whether it was there.
pub fn signal(name: &str, process: u32) -> bool {
    let command = format!("kill -{name} {process}");
    Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status().unwrap().success()
}

/// A table of a run.
pub type Rows = Vec<BTreeMap<String, String>>;

/// A directory of one test's own.
pub struct Lab(tempfile::TempDir);

impl Lab {
    /// With a file `scenario.toml`.
    pub fn new(scenario: &str) -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        lab.write("scenario.toml", scenario);
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Starts the program here.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Running {
        let program = assert_cmd::cargo::cargo_bin!("shardlab");
        self.start_program(name, Command::new(program).args(arguments))
    }

    /// Starts `shardlab run scenario.toml` with files under `name`.
    pub fn start_run(&self, name: &str, arguments: &[&str]) -> Running {
        let directory = self.path(name);
        let run = ["run", "scenario.toml", "--out", directory.to_str().unwrap()];
        self.start(name, &[&run, arguments].concat())
    }

    /// Starts a program here; what it prints goes to files called after `name`.
    pub fn start_program(&self, name: &str, command: &mut Command) -> Running {
        let (out, err) =
            (self.path(&format!("{name}.stdout")), self.path(&format!("{name}.stderr")));
        let process = command
            .current_dir(self.0.path())
            .env_remove("SHARDLAB_DATA")
            .env_remove("SHARDLAB_LOG")
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Running { process, directory: self.path(name), out, err }
    }

    /// Runs `shardlab run scenario.toml` to its end.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Finished {
        self.start_run(name, arguments).finish()
    }
}

/// A program that runs. Killed when dropped.
pub struct Running {
    process: Child,
    directory: PathBuf,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What it has printed so far.
    pub fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    /// What it has complained about so far.
    pub fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    /// The process of a node, such as `shard-1`.
    pub fn node(&self, name: &str) -> u32 {
        let file = self.directory.join(format!("nodes/{name}.node"));
        let file = file.to_str().unwrap();
        until(name, || processes_with(file).first().copied())
    }

    /// Waits until a shard has made blocks.
    pub fn under_way(&self) {
        until("blocks", || {
            let records = fs::metadata(self.directory.join("nodes/shard-0.records")).ok()?;
            (records.len() > 0).then_some(())
        });
    }

    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        let status = until("the program's end", || self.process.try_wait().unwrap());
        Finished {
            code: status.code(),
            out: self.out(),
            err: self.err(),
            directory: self.directory.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program that has ended.
pub struct Finished {
    /// `None` when a signal killed it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    pub directory: PathBuf,
}

impl Finished {
    /// Ended with this code, and has left no process behind.
    #[track_caller]
    pub fn ended(&self, code: i32) {
        let Self { out, err, .. } = self;
        assert_eq!(self.code, Some(code), "\n--- out\n{out}\n--- err\n{err}");
        let left = processes_with(self.directory.to_str().unwrap());
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    pub fn file(&self, name: &str) -> String {
        let path = self.directory.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.file(name)).unwrap()
    }

    pub fn summary(&self) -> Value {
        self.json("summary.json")
    }

    pub fn rows(&self, name: &str) -> Rows {
        let mut reader = csv::Reader::from_path(self.directory.join(name)).unwrap();
        reader.deserialize().map(Result::unwrap).collect()
    }

    /// Every file that a run promises is there.
    #[track_caller]
    pub fn has_all_files(&self) {
        for file in sim_scenarios::report::FILES.iter().filter(|file| **file != "senders.csv") {
            assert!(self.directory.join(file).exists(), "{file}");
        }
        assert!(self.directory.join("launcher.log").exists());
    }

    /// All invariants were checked and held.
    #[track_caller]
    pub fn invariants_held(&self) {
        let summary = self.summary();
        for invariant in ["conservation", "order", "agreement", "validity", "one_home"] {
            let found = &summary["invariants"][invariant];
            assert_eq!(found["verdict"], "held", "{invariant}: {found} {}", summary["breaches"]);
        }
        for (invariant, found) in summary["invariants"].as_object().unwrap() {
            assert_ne!(found["verdict"], "broken", "{invariant}: {}", summary["breaches"]);
        }
    }

    /// A count of transactions in the summary; its parts add up to what was offered.
    #[track_caller]
    pub fn count(&self, outcome: &str) -> u64 {
        let counts = &self.summary()["transactions"];
        let count = |name: &str| counts[name].as_u64().unwrap();
        let ended = ["refused", "settled", "failed", "replaced", "unfinished"].map(count);
        assert_eq!(count("offered"), ended.into_iter().sum::<u64>(), "{counts}");
        count(outcome)
    }
}

/// Processes with an argument that has `text` in it; a zombie has no arguments.
pub fn processes_with(text: &str) -> Vec<u32> {
    let id = |entry: fs::DirEntry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let arguments = fs::read(entry.path().join("cmdline")).ok()?;
        let nodes = ["shard-node", "coordinator", "run", "up"];
        let mut arguments = arguments.split(|byte| *byte == 0).skip(1);
        let ours = nodes.map(str::as_bytes).contains(&arguments.next()?);
        let has = |argument: &[u8]| String::from_utf8_lossy(argument).contains(text);
        (ours && arguments.any(has)).then_some(id)
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(id).collect()
}
