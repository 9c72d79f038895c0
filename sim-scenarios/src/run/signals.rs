//! Ctrl-C, SIGTERM and a closed terminal: the first one stops a run in order, the second one at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Exit;

/// Set once the user wants to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to listen, on a thread of its own.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn listen() -> io::Result<Self> {
        let interrupt = Self::default();
        let flag = Arc::clone(&interrupt.0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Registered before this returns, so that no signal comes in between.
        let (mut int, mut term, mut hangup) = {
            let _guard = runtime.enter();
            let hangup = match is_ignored(SignalKind::hangup()) {
                // `nohup` asks for it; listening would undo that.
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            };
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, hangup)
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = int.recv() => {}
                        _ = term.recv() => {}
                        _ = hung_up(hangup.as_mut()) => {}
                    }
                    if flag.swap(true, Ordering::AcqRel) {
                        std::process::exit(Exit::Interrupted as i32);
                    }
                }
            });
        })?;
        Ok(interrupt)
    }

    /// Whether the user wants to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The next hang-up; never, where nobody listens for it.
async fn hung_up(hangup: Option<&mut Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether the process that started this one asked for the signal to be ignored. Read from /proc;
/// elsewhere unknown, and taken as no.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_signals(&status).is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

fn ignored_signals(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "Name:\tshardlab\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored_signals(status), Some(0x1001));
        assert_eq!(ignored_signals("Name:\tshardlab\n"), None);
    }
}
