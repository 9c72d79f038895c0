//! The time of a run: bins, and what was going on. The networks of a run, which each count from
//! their own start, stand one after the other.

use std::collections::BTreeMap;

use super::chart::{Along, Band, Chart, Series, Shape};
use super::markup::Table;
use super::scale::{Axis, nice_whole};
use super::source::{Document, duration};
use crate::report::number::plain;

/// Most bins of a time series.
pub(super) const MOST_BINS: u64 = 120;
/// Most faults that are drawn.
pub(super) const MOST_BANDS: usize = 100;
/// Most phases or networks that are drawn.
const MOST_MARKS: usize = 40;
/// Most shards that have a line, and a column of the table, of their own.
pub(super) const MOST_LINES: usize = 40;
/// Most shards whose lines have a colour and a name of their own.
const MOST_COLOURS: usize = 6;
/// Colours of lines.
pub(super) const COLOURS: [&str; MOST_COLOURS] = ["c1", "c2", "c3", "c4", "c5", "c6"];

/// The time of a run.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// Where each network begins, in nanoseconds.
    offsets: BTreeMap<u64, u64>,
    /// The end of the last network.
    end: u64,
    /// The length of a bin.
    width: u64,
    /// When phases began, and networks where there are several.
    pub marks: Vec<(f64, String)>,
    /// When faults were at work, and accounts on their way.
    pub bands: Vec<Band>,
}

impl Timeline {
    /// The time of networks that ended so, with bins of at least `coarsest` nanoseconds.
    #[must_use]
    pub fn new(ends: &BTreeMap<u64, u64>, coarsest: u64, summary: &Document) -> Self {
        let mut end = 0_u64;
        let mut offsets = BTreeMap::new();
        for (network, length) in ends {
            offsets.insert(*network, end);
            end = end.saturating_add(*length);
        }
        let millis = (end / MOST_BINS).max(coarsest).div_ceil(1_000_000).max(1);
        let width = nice_whole(millis).saturating_mul(1_000_000);
        let mut timeline = Self { offsets, end, width, marks: Vec::new(), bands: Vec::new() };
        let faults = summary.list("/faults").iter().take(MOST_BANDS);
        timeline.bands = faults.filter_map(|fault| timeline.band(fault)).collect();
        if ends.len() > 1 {
            let begins = timeline.offsets.iter().take(MOST_MARKS);
            timeline.marks =
                begins.map(|(network, at)| (seconds(*at), format!("block {network}"))).collect();
        }
        timeline
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// How many bins there are.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.end.div_ceil(self.width) as usize
    }

    /// The length of a bin in seconds.
    #[must_use]
    pub fn bin_seconds(&self) -> f64 {
        seconds(self.width)
    }

    /// `500 ms`, `2 s`.
    #[must_use]
    pub fn bin_name(&self) -> String {
        match self.width {
            width if width >= 1_000_000_000 => format!("{} s", plain(seconds(width))),
            width => format!("{} ms", width / 1_000_000),
        }
    }

    /// A time of a network on the whole line.
    #[must_use]
    pub fn place(&self, network: u64, time: u64) -> u64 {
        self.offsets.get(&network).map_or(time, |offset| offset.saturating_add(time))
    }

    /// The bin of a time of a network; `None` after the end.
    #[must_use]
    pub fn bin(&self, network: u64, time: u64) -> Option<usize> {
        let at = self.place(network, time);
        (at <= self.end && !self.is_empty())
            .then(|| ((at / self.width) as usize).min(self.bins() - 1))
    }

    /// The middle of a bin in seconds.
    #[must_use]
    pub fn middle(&self, bin: usize) -> f64 {
        let (from, to) = self.bounds(bin);
        (from + to) / 2.0
    }

    /// Begin and end of a bin in seconds.
    #[must_use]
    pub fn bounds(&self, bin: usize) -> (f64, f64) {
        let from = bin as u64 * self.width;
        (seconds(from), seconds(from.saturating_add(self.width).min(self.end)))
    }

    /// Names the phases at the first time that something was due in them.
    pub fn phases(&mut self, begins: &BTreeMap<(u64, String), u64>) {
        if self.marks.is_empty() && begins.len() > 1 {
            let mut begins: Vec<(u64, &str)> = begins
                .iter()
                .map(|((network, phase), at)| (self.place(*network, *at), phase.as_str()))
                .collect();
            begins.sort_unstable();
            let marks = begins.into_iter().filter(|(at, _)| *at <= self.end).take(MOST_MARKS);
            self.marks = marks.map(|(at, phase)| (seconds(at), phase.to_owned())).collect();
        }
    }

    /// The axis of time.
    #[must_use]
    pub fn axis(&self) -> Axis {
        Axis::until(seconds(self.end), 6, "s")
    }

    /// A chart over time without anything in it; one row of the table per bin is to be added.
    #[must_use]
    pub fn chart(&self, title: &str, unit: &str, largest: f64) -> Chart {
        Chart {
            title: title.to_owned(),
            unit: unit.to_owned(),
            x: self.axis(),
            y: Axis::linear(largest, 4, ""),
            series: Vec::new(),
            bands: self.bands.clone(),
            marks: self.marks.clone(),
            along: Along::X,
            at: (0..self.bins()).map(|bin| self.middle(bin)).collect(),
            table: Table::default(),
            note: String::new(),
        }
    }

    /// Lines over time, one value per bin, with their table.
    #[must_use]
    pub fn lines(&self, title: &str, unit: &str, lines: Vec<Values>) -> Chart {
        let all = lines.iter().flat_map(|line| &line.values).flatten();
        let mut chart = self.chart(title, unit, all.fold(0.0, |most, v| f64::max(most, *v)));
        chart.table = self.table(lines.iter().map(|line| (line.title.as_str(), &line.values[..])));
        chart.series = lines
            .into_iter()
            .map(|Values { title, name, class, values }| Series {
                name: name.unwrap_or(title),
                class,
                shape: Shape::Line(self.points(values)),
            })
            .collect();
        chart
    }

    /// One line per shard, or for more than [`MOST_LINES`] the largest, the median and the smallest
    /// of all shards.
    #[must_use]
    pub fn shards(&self, title: &str, unit: &str, shards: &[Vec<Option<f64>>]) -> Chart {
        if shards.len() > MOST_LINES {
            return self.range(title, unit, shards);
        }
        let named = shards.len() <= MOST_COLOURS;
        let lines = shards.iter().enumerate().map(|(shard, values)| Values {
            title: format!("shard {shard}"),
            name: if named { None } else { Some(String::new()) },
            class: if named { COLOURS[shard % MOST_COLOURS] } else { "thin" },
            values: values.clone(),
        });
        self.lines(title, unit, lines.collect())
    }

    fn range(&self, title: &str, unit: &str, shards: &[Vec<Option<f64>>]) -> Chart {
        let at = |bin: usize| {
            let mut all: Vec<f64> =
                shards.iter().filter_map(|shard| shard.get(bin).copied().flatten()).collect();
            all.sort_by(f64::total_cmp);
            let middle = all.get(all.len() / 2).copied();
            Some((*all.first()?, middle?, *all.last()?))
        };
        let ranges: Vec<Option<(f64, f64, f64)>> = (0..self.bins()).map(at).collect();
        let pick = |of: fn((f64, f64, f64)) -> f64| -> Vec<Option<f64>> {
            ranges.iter().map(|range| range.map(of)).collect()
        };
        let (low, middle, high) = (pick(|r| r.0), pick(|r| r.1), pick(|r| r.2));
        let largest = high.iter().flatten().fold(0.0, |most, v| f64::max(most, *v));
        let mut chart = self.chart(title, unit, largest);
        chart.table = self.table(
            [("largest", &high[..]), ("median shard", &middle[..]), ("smallest", &low[..])]
                .into_iter(),
        );
        let spans = (0..)
            .zip(&ranges)
            .map(|(bin, range)| (self.middle(bin), range.map(|(low, _, high)| (low, high))));
        let area = Shape::Area(spans.collect());
        let line = |values| Shape::Line(self.points(values));
        chart.series = vec![
            Series { name: String::new(), class: "c1", shape: area },
            Series { name: "largest".to_owned(), class: "edge", shape: line(high) },
            Series { name: "smallest".to_owned(), class: "edge", shape: line(low) },
            Series { name: "median".to_owned(), class: "c1", shape: line(middle) },
        ];
        chart.note = format!("{} shards: the band spans all of them.", shards.len());
        chart
    }

    /// A table with one row per bin.
    #[must_use]
    pub fn table<'a>(&self, columns: impl Iterator<Item = (&'a str, &'a [Option<f64>])>) -> Table {
        let columns: Vec<(&str, &[Option<f64>])> = columns.collect();
        let head = columns.iter().map(|(name, _)| (*name).to_owned());
        let mut table = Table::new(["from s".to_owned()].into_iter().chain(head));
        for bin in 0..self.bins() {
            let value = |values: &[Option<f64>]| match values.get(bin).copied().flatten() {
                Some(value) => figure(value),
                None => "–".to_owned(),
            };
            let values = columns.iter().map(|(_, values)| value(values));
            table.row([plain(self.bounds(bin).0)].into_iter().chain(values).collect());
        }
        table
    }

    fn points(&self, values: Vec<Option<f64>>) -> Vec<(f64, Option<f64>)> {
        (0..).zip(values).map(|(bin, value)| (self.middle(bin), value)).collect()
    }

    fn band(&self, fault: &serde_json::Value) -> Option<Band> {
        let network = fault.get("network")?.as_u64()?;
        let at = |key: &str| Some(duration(fault.get(key)?.as_f64()?).0);
        let start = self.place(network, at("start_ms")?);
        let end = at("end_ms").map_or(self.end, |end| self.place(network, end));
        let text = |key: &str| fault.get(key).and_then(|it| it.as_str()).unwrap_or_default();
        let (kind, target) = (text("kind"), text("target"));
        let until = match at("end_ms") {
            Some(_) => format!("{} s", plain(seconds(end))),
            None => "the end".to_owned(),
        };
        Some(Band {
            span: (seconds(start), seconds(end.min(self.end).max(start))),
            name: format!("{kind} {target}"),
            title: format!("{kind} of {target}: {} s to {until}", plain(seconds(start))),
            class: "band",
        })
    }
}

/// A line: what its column says, its name where that differs, its colour, one value per bin.
pub(super) struct Values {
    /// Name of the column.
    pub title: String,
    /// Name beside the line; `None` is the column's.
    pub name: Option<String>,
    /// Colour.
    pub class: &'static str,
    /// Values.
    pub values: Vec<Option<f64>>,
}

/// Nanoseconds as seconds.
#[must_use]
pub(super) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// A number of a table: whole from a hundred on.
#[must_use]
pub(super) fn figure(value: f64) -> String {
    match value {
        v if v >= 100.0 => crate::report::number::grouped(v.round() as u64),
        v if v >= 1.0 => plain((v * 100.0).round() / 100.0),
        _ => plain(value),
    }
}
