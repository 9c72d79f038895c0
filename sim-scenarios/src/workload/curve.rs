//! How the rate of a load changes over its phase.
//!
//! A schedule is made at a constant rate and then bent: the time until which the curve has spent
//! the same share of its area replaces each arrival's. The number of arrivals stays, and so does
//! the mean rate; Poisson arrivals become those of an inhomogeneous process. All of it in integers,
//! for levels are straight lines between points.

use std::io::{BufRead as _, BufReader, Read as _};

use cross_shard_msg::Duration;

use super::{Open, WorkloadError, trace};
use crate::scenario::{Curve, FileRef, Rate};

/// Levels are below this, so that areas fit into 128 bits.
const TOP: u128 = 1 << 24;
/// Straight pieces of one period of a sine.
const PER_WAVE: u64 = 64;
/// The most pieces of a curve: what repeats more often is refused.
const MAX_PIECES: usize = 4_000_000;
/// The longest curve file.
const MAX_FILE: u64 = 64 << 20;

/// Bends times of a phase.
#[derive(Clone, Debug)]
pub(super) struct Warp {
    pieces: Vec<Piece>,
    /// Twice the area below the whole curve.
    area: u128,
    length: u64,
}

/// A straight line; times in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u64,
    end: u64,
    from: u128,
    to: u128,
    /// Twice the area before it.
    before: u128,
}

/// A level at a time; two at one time make a jump.
type Point = (u64, u64);

impl Warp {
    /// The warp of a curve over a phase; `None` where it changes nothing.
    ///
    /// # Errors
    /// When the curve's file cannot be used.
    pub(super) fn new(
        curve: &Curve,
        length: Option<Duration>,
        open: Open<'_>,
    ) -> Result<Option<Self>, WorkloadError> {
        let Some(length) = length.map(|length| length.0) else { return Ok(None) };
        let points = match curve {
            Curve::Constant => return Ok(None),
            Curve::Ramp(from, to) => vec![(0, level(*from)), (length, level(*to))],
            Curve::Steps(levels) => steps(levels, length),
            Curve::Sine { every, depth } => sine(every.0, depth.millionths, length),
            Curve::Bursts { every, length: burst, height } => {
                bursts(every.0, burst.0, level(*height), length)
            }
            Curve::File { file, stretch } => {
                let points = read(file, open)?;
                let warp =
                    if *stretch { stretched(&points, length) } else { repeated(points, length) };
                let wrong = "its levels are all 0 in the phase, or it repeats too often";
                return Self::of(&warp, length).map(Some).ok_or_else(|| unusable(file, wrong));
            }
        };
        Ok(Self::of(&points, length))
    }

    /// `None` without any area.
    fn of(points: &[Point], length: u64) -> Option<Self> {
        if points.len() > MAX_PIECES {
            return None;
        }
        let top =
            points.iter().map(|(_, level)| u128::from(*level)).max().filter(|top| *top > 0)?;
        let scaled = |level: u64| u128::from(level) * (TOP - 1) / top;
        let mut pieces = Vec::with_capacity(points.len());
        let mut area = 0;
        for [(start, from), (end, to)] in points.array_windows() {
            let (from, to) = (scaled(*from), scaled(*to));
            let end = (*end).min(length);
            if end > *start {
                pieces.push(Piece { start: *start, end, from, to, before: area });
                area += (from + to) * u128::from(end - *start);
            }
        }
        (area > 0).then_some(Self { pieces, area, length })
    }

    /// The moment by which the curve has spent the share of its area that `at` is of the phase.
    pub(super) fn at(&self, at: Duration) -> Duration {
        // Below 2⁴⁷ · 2⁷².
        let wanted = u128::from(at.0.min(self.length)) * self.area / u128::from(self.length.max(1));
        let index = self.pieces.partition_point(|piece| piece.before <= wanted).saturating_sub(1);
        let Some(piece) = self.pieces.get(index) else { return at };
        let (mut low, mut high) = (0, piece.end - piece.start);
        while low < high {
            let middle = low + (high - low) / 2;
            if piece.area(middle) >= wanted - piece.before {
                high = middle
            } else {
                low = middle + 1
            }
        }
        Duration((piece.start + low).min(self.length.saturating_sub(1)))
    }
}

impl Piece {
    /// Twice the area of its first `time` nanoseconds.
    fn area(&self, time: u64) -> u128 {
        let (time, whole) = (u128::from(time), u128::from(self.end - self.start).max(1));
        let flat = 2 * self.from * time;
        let rise = self.to.abs_diff(self.from) * time * time / whole;
        if self.to >= self.from { flat + rise } else { flat.saturating_sub(rise) }
    }
}

fn level(rate: Rate) -> u64 {
    rate.per_kilosecond
}

fn steps(levels: &[Rate], length: u64) -> Vec<Point> {
    let count = levels.len().max(1) as u128;
    let at = |index: usize| (u128::from(length) * index as u128 / count) as u64;
    let step =
        |(index, rate): (usize, &Rate)| [(at(index), level(*rate)), (at(index + 1), level(*rate))];
    levels.iter().enumerate().flat_map(step).collect()
}

fn sine(every: u64, depth: u32, length: u64) -> Vec<Point> {
    let count = (u128::from(length) * u128::from(PER_WAVE) / u128::from(every.max(1))) as u64 + 1;
    let point = |index: u64| {
        let turn = (index % PER_WAVE) as f64 / PER_WAVE as f64;
        let wave = libm::sin(turn * core::f64::consts::TAU) * f64::from(depth);
        // At least 0: the depth is at most a million.
        let level = libm::round(1_000_000.0 + wave) as u64;
        ((u128::from(every) * u128::from(index) / u128::from(PER_WAVE)) as u64, level)
    };
    (0..=count.min(MAX_PIECES as u64)).map(point).collect()
}

fn bursts(every: u64, burst: u64, height: u64, length: u64) -> Vec<Point> {
    let count = (length / every.max(1)).min(MAX_PIECES as u64) + 1;
    let one = |index: u64| {
        let start = every.saturating_mul(index);
        let (over, end) = (start.saturating_add(burst), start.saturating_add(every));
        [(start, height), (over, height), (over, 1_000), (end, 1_000)]
    };
    (0..count).flat_map(one).collect()
}

/// A curve whose end is brought to the phase's.
fn stretched(points: &[Point], length: u64) -> Vec<Point> {
    let end = points.last().map_or(1, |(end, _)| *end).max(1);
    let bend = |(at, level): &Point| {
        ((u128::from(*at) * u128::from(length) / u128::from(end)) as u64, *level)
    };
    points.iter().map(bend).collect()
}

/// A curve that begins again until the phase ends.
fn repeated(points: Vec<Point>, length: u64) -> Vec<Point> {
    let end = points.last().map_or(0, |(end, _)| *end);
    if end == 0 || end >= length {
        return points;
    }
    let times = (length / end + 1) as usize;
    if times.saturating_mul(points.len()) > MAX_PIECES {
        return vec![(0, 0); 1];
    }
    let again = |time: usize| {
        let shift = end.saturating_mul(time as u64);
        points.iter().map(move |(at, level)| (at.saturating_add(shift), *level))
    };
    (0..times).flat_map(again).collect()
}

/// Lines `second,level`. With the second column named `requests`, each line counts the requests of
/// its second; else levels are joined by straight lines.
fn read(file: &FileRef, open: Open<'_>) -> Result<Vec<Point>, WorkloadError> {
    let failed = |source| WorkloadError::Read { file: file.written.clone(), source };
    let content = open(&file.path).and_then(trace::plain).map_err(failed)?;
    let mut points: Vec<Point> = Vec::new();
    let mut counts = false;
    for (number, line) in (1_u64..).zip(BufReader::new(content.take(MAX_FILE)).lines()) {
        let line = line.map_err(failed)?;
        let mut fields = line.split(',').map(str::trim);
        let (second, value) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        if number == 1 && second.parse::<f64>().is_err() {
            counts = value == "requests";
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |column, field, expected, found: &str| WorkloadError::Row {
            file: file.written.clone(),
            place: format!("line {number}"),
            column,
            field,
            expected,
            found: found.chars().take(80).collect(),
        };
        let ascending = "a number of seconds from 0 to 86,400, above the line before";
        let last = points.last().map(|(at, _)| *at);
        let at = Rate::read(second).ok().map(level).filter(|at| *at <= 86_400_000);
        let at = at.map(|millis| millis * 1_000_000);
        let free = |at: &u64| match last {
            None => true,
            Some(last) if counts => *at >= last,
            Some(last) => *at > last,
        };
        let at = at.filter(free).ok_or_else(|| wrong(1, "second", ascending, second))?;
        let most = "a number from 0 to a billion";
        let value = Rate::read(value)
            .ok()
            .map(level)
            .filter(|value| *value <= 1_000_000_000_000)
            .ok_or_else(|| wrong(2, "level", most, value))?;
        if let Some(last) = last.filter(|last| counts && at > *last) {
            // Seconds without a line had no requests.
            points.extend([(last, 0), (at, 0)]);
        }
        points.push((at, value));
        if counts {
            points.push((at + 1_000_000_000, value));
        }
        if points.len() > MAX_PIECES {
            return Err(unusable(file, "it has more lines than a curve may have"));
        }
    }
    match points.first() {
        None => Err(unusable(file, "it has no line `second,level`")),
        Some((start, _)) if *start > 0 => Err(unusable(file, "its first second is not 0")),
        Some(_) => Ok(points),
    }
}

fn unusable(file: &FileRef, problem: &'static str) -> WorkloadError {
    WorkloadError::Curve { file: file.written.clone(), problem }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Error, ErrorKind};
    use std::path::Path;

    use super::*;
    use crate::scenario::Fraction;

    const SECOND: u64 = 1_000_000_000;

    fn rate(per_kilosecond: u64) -> Rate {
        Rate { per_kilosecond }
    }

    /// Arrivals in each tenth of a phase of 100 s with 10,000 of them.
    fn tenths(curve: &Curve, content: &'static str) -> Vec<usize> {
        let open = |_: &Path| -> std::io::Result<Box<dyn std::io::Read>> {
            Ok(Box::new(Cursor::new(content)))
        };
        let length = Duration(100 * SECOND);
        let warp = Warp::new(curve, Some(length), &open).unwrap().unwrap();
        let mut counts = vec![0; 10];
        let mut last = Duration::ZERO;
        for index in 0..10_000 {
            let at = warp.at(Duration(index * SECOND / 100));
            assert!(at >= last && at < length);
            last = at;
            counts[(at.0 / (10 * SECOND)) as usize] += 1;
        }
        counts
    }

    fn near(found: &[usize], expected: [usize; 10]) {
        let close = |(a, b): (&usize, &usize)| a.abs_diff(*b) <= 2;
        assert!(found.iter().zip(&expected).all(close), "{found:?}");
    }

    #[test]
    fn curves_shape_the_rate_and_keep_the_mean() {
        let ramp = tenths(&Curve::Ramp(rate(0), rate(1_000)), "");
        near(&ramp, [100, 300, 500, 700, 900, 1_100, 1_300, 1_500, 1_700, 1_900]);
        let down = tenths(&Curve::Ramp(rate(2_000), rate(0)), "");
        near(&down, [1_900, 1_700, 1_500, 1_300, 1_100, 900, 700, 500, 300, 100]);
        let steps = tenths(&Curve::Steps(vec![rate(1_000), rate(3_000)]), "");
        near(&steps, [500, 500, 500, 500, 500, 1_500, 1_500, 1_500, 1_500, 1_500]);
        let every = Duration(20 * SECOND);
        let bursts = Curve::Bursts { every, length: Duration(10 * SECOND), height: rate(4_000) };
        near(&tenths(&bursts, ""), [1_600, 400, 1_600, 400, 1_600, 400, 1_600, 400, 1_600, 400]);
        let sine = Curve::Sine { every, depth: Fraction { millionths: 1_000_000 } };
        let (up, down) = (1_637, 363);
        near(&tenths(&sine, ""), [up, down, up, down, up, down, up, down, up, down]);
    }

    fn file(stretch: bool) -> Curve {
        let file = FileRef { written: "curve.csv".into(), path: "curve.csv".into() };
        Curve::File { file, stretch }
    }

    #[test]
    fn curves_come_from_files() {
        let steps = "second,requests\n0,1\n1,3\n";
        near(
            &tenths(&file(true), steps),
            [500, 500, 500, 500, 500, 1_500, 1_500, 1_500, 1_500, 1_500],
        );
        near(&tenths(&file(false), steps), [1_000; 10]);
        let line = "0,0\n200,10\n";
        near(
            &tenths(&file(false), line),
            [100, 300, 500, 700, 900, 1_100, 1_300, 1_500, 1_700, 1_900],
        );
    }

    #[test]
    fn bad_curves_are_named() {
        for (content, message) in [
            ("", "curve.csv: it has no line `second,level`"),
            ("5,1\n", "curve.csv: its first second is not 0"),
            ("0,0\n10,0\n", "curve.csv: its levels are all 0"),
            ("0,1\n0,2\n", "curve.csv, line 2, column 1 (`second`): expected a number of seconds"),
            ("0,1\n1,x\n", "line 2, column 2 (`level`): expected a number from 0 to a billion"),
        ] {
            let open = |_: &Path| -> std::io::Result<Box<dyn std::io::Read>> {
                Ok(Box::new(Cursor::new(content)))
            };
            let error = Warp::new(&file(true), Some(Duration(SECOND)), &open).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
        let none = |_: &Path| -> std::io::Result<Box<dyn std::io::Read>> {
            Err(Error::new(ErrorKind::NotFound, "gone"))
        };
        let error = Warp::new(&file(true), Some(Duration(SECOND)), &none).unwrap_err();
        assert_eq!(error.to_string(), "cannot read curve.csv: gone");
    }
}
