//! Axes: where a value is drawn, and which values are named.
//!
//! Only operations that are the same on every machine, so that equal runs give equal bytes.

use crate::report::number::grouped;

/// An axis: a range of values and a range of pixels.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// The smallest and the largest value.
    pub domain: (f64, f64),
    /// Values that are named, and their names.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to at least `max`, with about `count` round ticks. The last one has the unit.
    #[must_use]
    pub fn linear(max: f64, count: usize, unit: &str) -> Self {
        let step = nice_step(max, count);
        let steps = (max / step).ceil().max(1.0);
        Self::stepped(steps * step, step, unit)
    }

    /// From zero to exactly `max`, with about `count` round ticks. The last one has the unit.
    #[must_use]
    pub fn until(max: f64, count: usize, unit: &str) -> Self {
        Self::stepped(max, nice_step(max, count), unit)
    }

    /// From at most `min` to at least `max`, with about `count` round ticks. The last one has the
    /// unit. Negative values have a minus sign.
    #[must_use]
    pub fn between(min: f64, max: f64, count: usize, unit: &str) -> Self {
        let step = nice_step(max - min, count);
        let (first, last) = ((min / step).floor(), (max / step).ceil());
        let last = if last > first { last } else { first + 1.0 };
        let count = (last - first) as u32;
        let name = |value: f64| match value < 0.0 {
            true => format!("−{}", compact(-value, step)),
            false => compact(value, step),
        };
        let at = |tick: u32| (first + f64::from(tick)) * step;
        let mut ticks: Vec<(f64, String)> =
            (0..=count).map(|tick| (at(tick), name(at(tick)))).collect();
        if let Some((_, last)) = ticks.last_mut().filter(|_| !unit.is_empty()) {
            last.push(' ');
            last.push_str(unit);
        }
        Self { domain: (first * step, last * step), ticks }
    }

    /// For values from `low` to `high`: from zero, unless that would press all of them into a corner.
    #[must_use]
    pub fn fitting(low: f64, high: f64, count: usize, unit: &str) -> Self {
        if low >= 0.0 && low < (high - low) * 1.5 {
            return Self::linear(high, count, unit);
        }
        let room = (high - low).max(high.abs() * 0.02).max(1e-9) * 0.06;
        Self::between(low - room, high + room, count, unit)
    }

    fn stepped(max: f64, step: f64, unit: &str) -> Self {
        let count = (max / step * (1.0 + 1e-9)).floor() as u32;
        let mut ticks: Vec<(f64, String)> = (0..=count)
            .map(|at| (f64::from(at) * step, compact(f64::from(at) * step, step)))
            .collect();
        if let Some((_, last)) = ticks.last_mut().filter(|_| !unit.is_empty()) {
            last.push(' ');
            last.push_str(unit);
        }
        Self { domain: (0.0, max), ticks }
    }

    /// Where `value` is drawn between the pixels `from` and `to`.
    #[must_use]
    pub fn at(&self, value: f64, from: f64, to: f64) -> f64 {
        let (min, max) = self.domain;
        let share = if max > min { (value - min) / (max - min) } else { 0.0 };
        from + share.clamp(0.0, 1.0) * (to - from)
    }
}

/// The smallest of 1, 2, 5, 10, 20, … that divides `max` into at most `count` steps. Fractions for
/// small maxima; 1 for zero.
#[must_use]
pub(super) fn nice_step(max: f64, count: usize) -> f64 {
    if max.is_nan() || max <= 0.0 {
        return 1.0;
    }
    let wanted = max / count.max(1) as f64;
    let mut decade = 1.0;
    while decade > wanted && decade > 1e-9 {
        decade /= 10.0;
    }
    while decade * 10.0 <= wanted {
        decade *= 10.0;
    }
    let fits = |factor: &f64| decade * factor * (1.0 + 1e-9) >= wanted;
    decade * [1.0, 2.0, 5.0, 10.0].into_iter().find(fits).unwrap_or(10.0)
}

/// The smallest of 1, 2, 5, 10, 20, … of at least `wanted`.
#[must_use]
pub(crate) fn nice_whole(wanted: u64) -> u64 {
    let mut decade = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = decade.saturating_mul(factor);
            if step >= wanted || step == u64::MAX {
                return step;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

/// A value of an axis: `0.5`, `250`, `1.5k`, `20k`, `3M`. `step` says how exact it must be.
#[must_use]
pub(super) fn compact(value: f64, step: f64) -> String {
    let (value, step, unit) = match value {
        v if v >= 1e9 => (value / 1e9, step / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, step / 1e6, "M"),
        v if v >= 1e4 => (value / 1e3, step / 1e3, "k"),
        _ => (value, step, ""),
    };
    let mut decimals = 0;
    let mut unit_step = step;
    // A step of 0.25 needs two decimals, one of 0.2 needs one.
    while decimals < 6 && (unit_step - unit_step.round()).abs() > 1e-6 {
        unit_step *= 10.0;
        decimals += 1;
    }
    match (value == 0.0, decimals) {
        (true, _) => "0".to_owned(),
        (false, 0) => format!("{}{unit}", grouped(value.round() as u64)),
        (false, _) => format!("{value:.decimals$}{unit}"),
    }
}

/// A coordinate, to a tenth of a pixel.
#[must_use]
pub(super) fn pixel(value: f64) -> String {
    let tenths = (value * 10.0).round() as i64;
    match tenths % 10 {
        0 => format!("{}", tenths / 10),
        _ => format!("{:.1}", tenths as f64 / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_largest() {
        for (max, last, count) in [
            (0.0, 1.0, 2),
            (7.3, 8.0, 5),
            (0.04, 0.04, 5),
            (160_000.0, 200_000.0, 5),
            (1.0, 1.0, 6),
        ] {
            let axis = Axis::linear(max, 5, "");
            assert!((axis.domain.1 - last).abs() < 1e-9, "{max}: {:?}", axis.domain);
            assert_eq!(axis.ticks.len(), count, "{max}: {:?}", axis.ticks);
        }
        let names = |axis: Axis| axis.ticks.into_iter().map(|tick| tick.1).collect::<Vec<_>>();
        assert_eq!(names(Axis::linear(30_000.0, 3, "ms")), ["0", "10k", "20k", "30k ms"]);
        assert_eq!(names(Axis::until(1.3, 3, "")), ["0", "0.5", "1.0"]);
        let around = Axis::between(-12.0, 31.0, 4, "%");
        assert_eq!(around.domain, (-20.0, 40.0));
        assert_eq!(names(around), ["−20", "0", "20", "40 %"]);
        assert_eq!([1, 3, 101, 5_000].map(nice_whole), [1, 5, 200, 5_000]);
        assert_eq!(nice_whole(u64::MAX), u64::MAX);
    }

    #[test]
    fn values_are_drawn_within_the_range() {
        let axis = Axis::linear(10.0, 5, "");
        assert_eq!([0.0, 5.0, 10.0, 20.0].map(|v| axis.at(v, 100.0, 0.0)), [100.0, 50.0, 0.0, 0.0]);
        assert_eq!([1.04, -0.05, 3.0].map(pixel), ["1", "-0.1", "3"]);
    }
}
