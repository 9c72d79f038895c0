//! What a user sees while a run takes its time: one line on a terminal, nothing elsewhere.

use std::time::Duration;

use cross_shard_msg::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::client::ClientProgress;
use crate::workload::Stage;

/// The line. Cheap to call; drawn at most ten times a second.
#[derive(Clone, Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A line on standard error if that is a terminal, unless `quiet`.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Says what is going on.
    pub fn phase(&self, what: &'static str) {
        self.0.set_message(what);
    }

    /// Says anything.
    pub fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// Leaves a line above, for good.
    pub fn line(&self, text: &str) {
        self.0.println(text);
    }

    /// Says how many of all are done.
    pub fn count(&self, what: &str, done: usize, all: usize) {
        self.0.set_message(format!("{what}: {done} of {all}"));
    }

    /// Says how far the load is.
    pub fn client(&self, now: Timestamp, told: &ClientProgress) {
        let (tally, what) = match told.stage {
            Stage::Deploy => (&told.setup, "deploying contracts"),
            Stage::Prepare => (&told.setup, "preparing contracts"),
            Stage::Run => (&told.run, "running"),
        };
        let elapsed = told.origin.map_or(0, |origin| now.since(origin).as_millis() / 1_000);
        // Fits into 100 columns up to a million transactions.
        self.0.set_message(format!(
            "{what} {elapsed}/{} s  checkpoint {}  sent {}/{}  included {}  settled {}  retrying {}",
            told.load.as_millis() / 1_000,
            told.checkpoint,
            tally.submitted,
            tally.total,
            tally.included,
            tally.settled,
            told.retrying,
        ));
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}
