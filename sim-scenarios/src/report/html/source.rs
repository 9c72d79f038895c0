//! What the report is made from: the files of a run's directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use cross_shard_msg::Duration;
use csv::{ByteRecord, StringRecord};
use serde_json::Value;

use super::markup::escaped;
use crate::report::life::Row;
use crate::report::number::{grouped, millis, plain};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct HtmlError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl HtmlError {
    pub(crate) fn new(path: impl Into<PathBuf>, problem: impl ToString) -> Self {
        Self { path: path.into(), problem: problem.to_string() }
    }
}

/// A JSON file: `summary.json`, `manifest.json`.
#[derive(Clone, Debug)]
pub(super) struct Document(Value);

/// How a number of the summary is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A count: `160,000`.
    Count,
    /// A number with decimals: `231.2`.
    Number,
    /// A ratio of 0 to 1 as percent: `74.7 %`.
    Percent,
    /// Milliseconds: `376`.
    Millis,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or is no JSON object.
    pub fn read(path: &Path) -> Result<Self, HtmlError> {
        let text = fs::read_to_string(path).map_err(|error| HtmlError::new(path, error))?;
        match serde_json::from_str(&text) {
            Ok(value @ Value::Object(_)) => Ok(Self(value)),
            Ok(_) => Err(HtmlError::new(path, "not an object")),
            Err(error) => Err(HtmlError::new(path, error)),
        }
    }

    /// What a file has or will have.
    #[must_use]
    pub fn of(value: Value) -> Self {
        Self(value)
    }

    /// A file that may be missing.
    #[must_use]
    pub fn read_if_there(path: &Path) -> Self {
        Self::read(path).unwrap_or(Self(Value::Null))
    }

    /// The value at a JSON pointer; null where there is none.
    #[must_use]
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// A text, empty where there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// A number.
    #[must_use]
    pub fn number(&self, pointer: &str) -> Option<f64> {
        self.at(pointer).as_f64()
    }

    /// A count; 0 where there is none.
    #[must_use]
    pub fn count(&self, pointer: &str) -> u64 {
        self.at(pointer).as_u64().unwrap_or(0)
    }

    /// A list, empty where there is none.
    #[must_use]
    pub fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The texts of a list.
    pub fn texts(&self, pointer: &str) -> impl Iterator<Item = &str> {
        self.list(pointer).iter().filter_map(Value::as_str)
    }

    /// Names and counts of an object, the largest first.
    #[must_use]
    pub fn counts(&self, pointer: &str) -> Vec<(&str, u64)> {
        let entries = self.at(pointer).as_object().into_iter().flatten();
        let mut counts: Vec<(&str, u64)> =
            entries.filter_map(|(name, count)| Some((name.as_str(), count.as_u64()?))).collect();
        counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        counts
    }

    /// A number as an element that names where it is in the file and how it stands there.
    #[must_use]
    pub fn figure(&self, pointer: &str, unit: Unit) -> String {
        let value = self.at(pointer);
        let Some(number) = value.as_f64() else { return "<span>–</span>".to_owned() };
        let key = escaped(pointer);
        format!("<span data-key=\"{key}\" data-value=\"{value}\">{}</span>", shown(number, unit))
    }
}

/// A number as the report shows it.
#[must_use]
pub(super) fn shown(number: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => grouped(number.max(0.0).round() as u64),
        Unit::Number if number >= 1_000.0 => grouped(number.round() as u64),
        Unit::Number if number >= 10.0 => plain((number * 10.0).round() / 10.0),
        Unit::Number => plain(number),
        Unit::Percent => format!("{:.1} %", number * 100.0),
        Unit::Millis => millis(duration(number)),
    }
}

/// Milliseconds of a file as a span of time.
#[must_use]
pub(super) fn duration(millis: f64) -> Duration {
    Duration((millis.max(0.0) * 1e6).round() as u64)
}

/// A row of a table of which `N` columns matter.
pub(crate) struct Fields<'a, const N: usize> {
    record: &'a ByteRecord,
    places: [usize; N],
    columns: &'a Rc<StringRecord>,
}

impl<const N: usize> Fields<'_, N> {
    /// The field of the column at this place of those asked for; empty where there is nothing.
    pub fn bytes(&self, column: usize) -> &[u8] {
        self.record.get(self.places[column]).unwrap_or_default()
    }

    /// The same as a number.
    pub fn number(&self, column: usize) -> Option<u64> {
        let digits = self.bytes(column);
        if digits.is_empty() {
            return None;
        }
        digits.iter().try_fold(0_u64, |number, digit| {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
            number.checked_mul(10)?.checked_add(digit.into())
        })
    }

    /// The whole row.
    pub(super) fn row(&self) -> Row {
        let lossy = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let fields: Vec<String> = self.record.iter().map(lossy).collect();
        Row::new(Rc::clone(self.columns), StringRecord::from(fields))
    }
}

/// Reads a table from its first row to its last. A column whose name begins with `?` may be
/// missing, as in runs that are older than it.
///
/// # Errors
/// If it cannot be read or lacks one of the other columns.
pub(crate) fn each<const N: usize>(
    directory: &Path,
    name: &str,
    columns: [&str; N],
    mut take: impl FnMut(Fields<'_, N>),
) -> Result<(), HtmlError> {
    let path = directory.join(name);
    let unreadable = |error: csv::Error| HtmlError::new(&path, error);
    let mut reader =
        csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_path(&path).map_err(unreadable)?;
    let head = Rc::new(reader.headers().map_err(unreadable)?.clone());
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let known = head.iter().position(|name| name == column.trim_start_matches('?'));
        // No record has so many fields.
        let missing = column.starts_with('?').then_some(usize::MAX);
        *place = known
            .or(missing)
            .ok_or_else(|| HtmlError::new(&path, format!("has no column {column}")))?;
    }
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        take(Fields { record: &record, places, columns: &head });
    }
    Ok(())
}
