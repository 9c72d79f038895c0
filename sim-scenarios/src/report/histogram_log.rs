//! HdrHistogram interval logs: latencies over the time of a run, as HistogramLogProcessor and its
//! like read them (V2, compressed).
//!
//! One interval is a second of the run; a latency counts in the second in which it ended. Values
//! are nanoseconds, maxima in the text are milliseconds. Intervals without a tag hold all
//! transactions, those tagged `intra` and `cross` a class, others a part of the cross-shard
//! latency. Recorded phases only.

use std::io::{self, Write};

use cross_shard_msg::{Duration, Timestamp};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use crate::metrics::distribution::histogram;
use crate::metrics::stages::Part;
use crate::metrics::{Class, Lifecycle, Measured, Moment};
use crate::scenario::{Outcome, Span};

/// The length of an interval.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// What a tag selects of a transaction: when it ended and how long it took.
type Sample = (Timestamp, Duration);

/// Writes the log of one latency.
///
/// # Errors
/// What the writer says.
pub fn write(span: Span, measured: &Measured<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("[Histogram log format version 1.3]");
    builder.add_comment(&format!("[{span} latency of {}, ns]", measured.results.name));
    // Times in the log count from the run's start; a start in 1970 makes them absolute times.
    builder.with_start_time(std::time::SystemTime::UNIX_EPOCH);
    builder.with_max_value_divisor(1e6);
    let mut log = builder.begin_log_with(out, &mut serializer)?;
    let mut series: Vec<(Series, Vec<Sample>)> =
        tags(span).into_iter().map(|tag| (tag, samples(span, tag, measured))).collect();
    series.iter_mut().for_each(|(_, samples)| samples.sort_unstable());
    let mut rest: Vec<&[Sample]> = series.iter().map(|(_, samples)| samples.as_slice()).collect();
    // Readers want intervals in order of time, whatever their tags.
    while let Some(first) = rest.iter().filter_map(|samples| samples.first()).min() {
        let start = first.0.0 - first.0.0 % INTERVAL.0;
        for ((tag, _), samples) in series.iter().zip(&mut rest) {
            let end = samples.partition_point(|(at, _)| at.0 < start.saturating_add(INTERVAL.0));
            let (interval, later) = samples.split_at(end);
            *samples = later;
            if interval.is_empty() {
                continue;
            }
            let start = std::time::Duration::from_nanos(start);
            let tag = tag.name().and_then(Tag::new);
            log.write_histogram(&values(interval), start, INTERVAL.into(), tag)
                .map_err(io_error)?;
        }
    }
    Ok(())
}

fn values(samples: &[Sample]) -> Histogram<u64> {
    let mut values = histogram();
    for (_, time) in samples {
        // A histogram that grows takes every value.
        let _ = values.record(time.0);
    }
    values
}

/// What one series of intervals holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Series {
    All,
    Of(Class),
    Part(Part),
}

impl Series {
    fn name(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Of(class) => Some(class.name()),
            Self::Part(part) => Some(part.name()),
        }
    }
}

fn tags(span: Span) -> Vec<Series> {
    match span {
        Span::CrossShard => [Series::All].into_iter().chain(Part::ALL.map(Series::Part)).collect(),
        Span::Inclusion | Span::Settlement | Span::Finality => {
            vec![Series::All, Series::Of(Class::Intra), Series::Of(Class::Cross)]
        }
    }
}

fn samples(span: Span, series: Series, measured: &Measured<'_>) -> Vec<Sample> {
    let recorded = measured.recorded().map(|(_, _, life)| life);
    recorded.filter_map(|life| sample(span, series, life)).collect()
}

fn sample(span: Span, series: Series, life: &Lifecycle) -> Option<Sample> {
    let (ended, time): (Moment, Option<Duration>) = match span {
        Span::Inclusion => (life.executed, life.inclusion()),
        Span::CrossShard => (life.last_call, life.cross_shard()),
        Span::Settlement if life.outcome == Outcome::Settled => (life.settled, life.settlement()),
        Span::Finality if life.outcome == Outcome::Settled => (life.finalized, life.finality()),
        Span::Settlement | Span::Finality => return None,
    };
    let time = match series {
        Series::All => time?,
        Series::Of(class) if life.class == Some(class) => time?,
        Series::Of(_) => return None,
        Series::Part(part) => life.stages?.part(part),
    };
    Some((ended.time()?, time))
}

fn io_error<E: std::fmt::Display>(error: IntervalLogWriterError<E>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => io::Error::other(error.to_string()),
    }
}
