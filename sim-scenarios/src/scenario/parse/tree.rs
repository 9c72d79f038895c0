//! TOML as a tree in which every key and value knows its place, whether it comes from the file or
//! from a `--set`.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::super::problem::Place;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: Place,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    /// `None`: more than 127 bits.
    Integer(Option<i128>),
    /// As written, without `_`.
    Float(String),
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key_at: Place,
    pub(super) node: Node,
}

impl Value {
    /// What a message calls this value.
    pub(super) fn described(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number with a decimal point",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date or time",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

/// The table of a whole file.
pub(super) fn table(source: usize, table: &DeTable<'_>) -> Table {
    Table { entries: entries(source, 0, table) }
}

/// A value whose text begins at byte `offset` of its source.
pub(super) fn node(source: usize, offset: usize, value: &Spanned<DeValue<'_>>) -> Node {
    let at = place(source, offset, value);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            Value::Integer(i128::from_str_radix(number.as_str(), number.radix()).ok())
        }
        DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(values) => {
            Value::Array(values.iter().map(|value| node(source, offset, value)).collect())
        }
        DeValue::Table(table) => Value::Table(Table { entries: entries(source, offset, table) }),
    };
    Node { value, at }
}

fn entries(source: usize, offset: usize, table: &DeTable<'_>) -> BTreeMap<String, Entry> {
    let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let key_at = place(source, offset, key);
        (key.get_ref().to_string(), Entry { key_at, node: node(source, offset, value) })
    };
    table.iter().map(entry).collect()
}

fn place<T>(source: usize, offset: usize, spanned: &Spanned<T>) -> Place {
    let span = spanned.span();
    Place::new(source, span.start + offset..span.end + offset)
}
