//! Facts about this machine and what processes used of it. Read from /proc; elsewhere unknown.

use std::fs;

/// What the run was made on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MachineFacts {
    /// Operating system and architecture.
    pub system: String,
    /// The processor's own name for itself.
    pub processor: Option<String>,
    /// Cores that this program may use.
    pub cores: usize,
    /// Memory in KiB.
    pub memory_kib: Option<u64>,
}

/// What a process used of the CPU up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuUse {
    /// CPU time of all its threads, in seconds (in steps of 1/100).
    pub seconds: f64,
    /// Time that its threads were ready, but another ran, in seconds.
    pub waited_seconds: f64,
}

/// Reads the machine's facts.
#[must_use]
pub fn machine() -> MachineFacts {
    MachineFacts {
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processor: field("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_kib: field("/proc/meminfo", "MemTotal")
            .and_then(|value| value.split_whitespace().next()?.parse().ok()),
    }
}

/// What the process with this id used so far; `None` when the system does not tell.
#[must_use]
pub fn cpu_use(process: u32) -> Option<CpuUse> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(CpuUse { seconds: cpu_seconds(&stat)?, waited_seconds: waited_seconds(process) })
}

impl CpuUse {
    /// What both used.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            waited_seconds: self.waited_seconds + other.waited_seconds,
        }
    }

    /// What was used since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            seconds: self.seconds - earlier.seconds,
            waited_seconds: self.waited_seconds - earlier.waited_seconds,
        }
    }
}

/// Fields 14 and 15 of /proc/PID/stat, user and system time in clock ticks; the second field is a
/// name in parentheses that may contain anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(f64::from(user + system) / TICKS_PER_SECOND)
}

/// Second field of /proc/PID/task/*/schedstat, in nanoseconds. Threads that ended are not counted.
fn waited_seconds(process: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let waited = |path: std::path::PathBuf| -> Option<f64> {
        let text = fs::read_to_string(path).ok()?;
        text.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    tasks.filter_map(|task| waited(task.path().join("schedstat"))).sum::<f64>() / 1e9
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_confuse() {
        let stat = "12 (a) b (c)) S 1 1 1 0 -1 4 5 6 7 8 250 50 0 0 20 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("garbage"), None);
    }

    #[test]
    fn this_process_is_known_where_the_system_tells() {
        if std::path::Path::new("/proc/self/stat").exists() {
            assert!(cpu_use(std::process::id()).is_some());
        }
    }
}
