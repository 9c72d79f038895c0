//! What must hold of the results: a metric, a comparison, a limit.

use std::fmt;

use cross_shard_msg::Duration;

use super::unit::Fraction;

/// One line of `[thresholds]`. If it does not hold, the run ends with exit code 99.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Only what was scheduled in this phase, which is recorded; `None`: all recorded phases.
    pub phase: Option<String>,
    /// What is compared.
    pub metric: Metric,
    /// How.
    pub comparison: Comparison,
    /// With what; of the metric's unit.
    pub limit: Limit,
}

/// A number of the report. Prints as its path: `finality.cross.p99`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// `inclusion.p99`, `finality.cross.p50`, …
    Latency(Span, Scope, Statistic),
    /// `cross_shard.gate.p99`, …: a part of the cross-shard latency.
    Stage(Stage, Statistic),
    /// `throughput_tps`
    Throughput,
    /// `cross_shard_ratio`
    CrossShardRatio,
    /// `transactions.settled`, …
    Transactions(Outcome),
    /// `checkpoints.finalized`
    CheckpointsFinalized,
    /// `checkpoints.latency.p99`, …
    CheckpointLatency(Statistic),
    /// `migrations.accounts`, …
    Migrations(MigrationCount),
    /// `migrations.stalled.p99`, …: how long an account was nowhere.
    Stalled(Statistic),
    /// `migrations.cross_shard_ratio.before`, `.after`
    MigrationRatio(Side),
}

/// What is counted of migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationCount {
    /// Accounts that arrived at a new home.
    Accounts,
    /// Moves that checkpoints decided.
    Moves,
    /// Accounts that left and did not arrive.
    Unfinished,
    /// Slots of storage that moved.
    Slots,
    /// Bytes of what moved.
    Bytes,
    /// Receipts that waited for an account.
    Parked,
    /// Receipts that were sent on.
    Forwarded,
    /// Epochs about which the strategy was asked.
    Asked,
    /// Epochs about which it failed.
    Failed,
}

/// Before the first migration, or after the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before.
    Before,
    /// After.
    After,
}

/// Which part of a transaction's life is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Submitted → executed at the source.
    Inclusion,
    /// Executed at the source → last call leg executed. Cross-shard transactions only.
    CrossShard,
    /// Scheduled → settled.
    Settlement,
    /// Scheduled → finalized.
    Finality,
}

/// Which transactions are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every one. The only scope of [`Span::CrossShard`].
    All,
    /// Those that stayed on one shard.
    Intra,
    /// Those that crossed.
    Cross,
}

/// A part of the cross-shard latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting until the gate lets the receipt pass.
    Gate,
    /// On the way.
    Network,
    /// Arrived, not yet executed.
    Queue,
    /// Executing.
    Execution,
}

/// A number of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// How many were measured.
    Count,
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 99th percentile.
    P99,
    /// 99.9th percentile.
    P999,
    /// The largest.
    Max,
}

/// How transactions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Scheduled.
    Offered,
    /// Accepted by a mempool.
    Admitted,
    /// Refused for good, for any reason.
    Refused,
    /// Done everywhere.
    Settled,
    /// Included with status 0, or failed in a later leg.
    Failed,
    /// Replaced by another with the same nonce.
    Replaced,
    /// Without an outcome when the run ended.
    Unfinished,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
}

/// What a metric is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// For latencies, except their `count`.
    Duration(Duration),
    /// For counts, `throughput_tps` and `cross_shard_ratio` (0 to 1).
    Number(f64),
    /// For `transactions.…`, except `offered`, as a share of the offered ones.
    OfOffered(Fraction),
}

impl Metric {
    /// Whether this is a time, and so limited by a [`Limit::Duration`].
    #[must_use]
    pub fn is_time(self) -> bool {
        match self {
            Self::Latency(_, _, statistic)
            | Self::Stage(_, statistic)
            | Self::Stalled(statistic)
            | Self::CheckpointLatency(statistic) => statistic != Statistic::Count,
            Self::Throughput
            | Self::CrossShardRatio
            | Self::Transactions(_)
            | Self::Migrations(_)
            | Self::MigrationRatio(_)
            | Self::CheckpointsFinalized => false,
        }
    }

    /// Every metric there is, in the order of the report.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut metrics = Vec::new();
        for span in Span::ALL {
            for scope in Scope::ALL {
                if *span != Span::CrossShard || *scope == Scope::All {
                    metrics.extend(Statistic::ALL.iter().map(|s| Self::Latency(*span, *scope, *s)));
                }
            }
        }
        for stage in Stage::ALL {
            metrics.extend(Statistic::ALL.iter().map(|s| Self::Stage(*stage, *s)));
        }
        metrics.extend([Self::Throughput, Self::CrossShardRatio]);
        metrics.extend(Outcome::ALL.iter().map(|o| Self::Transactions(*o)));
        metrics.push(Self::CheckpointsFinalized);
        metrics.extend(Statistic::ALL.iter().map(|s| Self::CheckpointLatency(*s)));
        metrics.extend(MigrationCount::ALL.iter().map(|count| Self::Migrations(*count)));
        metrics.extend(Statistic::ALL.iter().map(|s| Self::Stalled(*s)));
        metrics.extend(Side::ALL.iter().map(|side| Self::MigrationRatio(*side)));
        metrics
    }

    /// The metric with this path. `finality.all.p50` is `finality.p50`.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let path = path.replacen(".all.", ".", 1);
        Self::all().into_iter().find(|metric| metric.to_string() == path)
    }
}

impl Comparison {
    /// Whether `measured` compares so with `limit`. Never for NaN.
    #[must_use]
    pub fn holds(self, measured: f64, limit: f64) -> bool {
        match self {
            Self::Less => measured < limit,
            Self::LessOrEqual => measured <= limit,
            Self::Greater => measured > limit,
            Self::GreaterOrEqual => measured >= limit,
            Self::Equal => measured == limit,
        }
    }
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// Every value, in the order of the report.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),* })
            }
        }
    };
}

words!(Span {
    Inclusion = "inclusion",
    CrossShard = "cross_shard",
    Settlement = "settlement",
    Finality = "finality",
});
words!(Scope { All = "all", Intra = "intra", Cross = "cross" });
words!(Stage { Gate = "gate", Network = "network", Queue = "queue", Execution = "execution" });
words!(Statistic {
    Count = "count",
    P50 = "p50",
    P90 = "p90",
    P99 = "p99",
    P999 = "p999",
    Max = "max",
});
words!(Outcome {
    Offered = "offered",
    Admitted = "admitted",
    Refused = "refused",
    Settled = "settled",
    Failed = "failed",
    Replaced = "replaced",
    Unfinished = "unfinished",
});
words!(MigrationCount {
    Accounts = "accounts",
    Moves = "moves",
    Unfinished = "unfinished",
    Slots = "slots",
    Bytes = "bytes",
    Parked = "parked",
    Forwarded = "forwarded",
    Asked = "asked",
    Failed = "failed",
});
words!(Side { Before = "before", After = "after" });
// `<=` before `<`, so that the first that fits is the longest that fits.
words!(Comparison {
    LessOrEqual = "<=",
    GreaterOrEqual = ">=",
    Equal = "==",
    Less = "<",
    Greater = ">",
});

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(span, Scope::All, statistic) => write!(f, "{span}.{statistic}"),
            Self::Latency(span, scope, statistic) => write!(f, "{span}.{scope}.{statistic}"),
            Self::Stage(stage, statistic) => write!(f, "cross_shard.{stage}.{statistic}"),
            Self::Throughput => f.write_str("throughput_tps"),
            Self::CrossShardRatio => f.write_str("cross_shard_ratio"),
            Self::Transactions(outcome) => write!(f, "transactions.{outcome}"),
            Self::CheckpointsFinalized => f.write_str("checkpoints.finalized"),
            Self::CheckpointLatency(statistic) => write!(f, "checkpoints.latency.{statistic}"),
            Self::Migrations(count) => write!(f, "migrations.{count}"),
            Self::Stalled(statistic) => write!(f, "migrations.stalled.{statistic}"),
            Self::MigrationRatio(side) => write!(f, "migrations.cross_shard_ratio.{side}"),
        }
    }
}

/// Prints as one line of the report: `steady: cross_shard.p99 < 3s`.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(phase) = &self.phase {
            write!(f, "{phase}: ")?;
        }
        write!(f, "{} {} {}", self.metric, self.comparison, self.limit)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration(duration) => f.write_str(&super::unit::print_duration(*duration)),
            Self::Number(number) => write!(f, "{number}"),
            Self::OfOffered(share) => write!(f, "{}%", share.percent()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_path() {
        let all = Metric::all();
        assert_eq!(all.len(), 10 * 6 + 4 * 6 + 2 + 7 + 1 + 6 + 9 + 6 + 2);
        for metric in all {
            assert_eq!(Metric::from_path(&metric.to_string()), Some(metric));
        }
        assert_eq!(Metric::from_path("finality.all.p50"), Metric::from_path("finality.p50"));
        assert_eq!(Metric::from_path("cross_shard.intra.p50"), None);
        assert_eq!(Metric::from_path("finality.p95"), None);
    }

    #[test]
    fn comparisons_at_the_boundary() {
        for (comparison, below, at, above) in [
            (Comparison::Less, true, false, false),
            (Comparison::LessOrEqual, true, true, false),
            (Comparison::Greater, false, false, true),
            (Comparison::GreaterOrEqual, false, true, true),
            (Comparison::Equal, false, true, false),
        ] {
            let found = [1.0, 2.0, 3.0].map(|measured| comparison.holds(measured, 2.0));
            assert_eq!(found, [below, at, above], "{comparison}");
            assert!(!comparison.holds(f64::NAN, 2.0));
        }
    }
}
