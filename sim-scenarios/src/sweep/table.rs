//! A table in memory, written as CSV and as Parquet with the same columns.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

/// A named column with one value per row; `None` is an empty field.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Values,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Text.
    Text(Vec<Option<String>>),
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Numbers.
    Number(Vec<Option<f64>>),
}

/// Why a table cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// Parquet.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

impl Column {
    /// A column of text.
    pub fn text<T: Into<String>>(
        name: impl Into<String>,
        values: impl Iterator<Item = Option<T>>,
    ) -> Self {
        let values = values.map(|value| value.map(Into::into)).collect();
        Self { name: name.into(), values: Values::Text(values) }
    }

    /// A column of numbers.
    pub fn number(name: impl Into<String>, values: impl Iterator<Item = Option<f64>>) -> Self {
        Self { name: name.into(), values: Values::Number(values.collect()) }
    }

    /// A column of whole numbers; what is too large for one of 63 bits is empty.
    pub fn whole(name: impl Into<String>, values: impl Iterator<Item = Option<u64>>) -> Self {
        let values = values.map(|value| value.and_then(|value| i64::try_from(value).ok()));
        Self { name: name.into(), values: Values::Whole(values.collect()) }
    }

    /// A column of what was written as text: whole numbers or numbers, if all values are some.
    #[must_use]
    pub fn guessed(name: &str, texts: &[&str]) -> Self {
        let whole: Option<Vec<_>> = texts.iter().map(|text| text.parse().ok().map(Some)).collect();
        let number: Option<Vec<_>> = texts.iter().map(|text| text.parse().ok().map(Some)).collect();
        let values = match (whole, number) {
            (Some(whole), _) => Values::Whole(whole),
            (None, Some(number)) => Values::Number(number),
            (None, None) => Values::Text(texts.iter().map(|t| Some((*t).to_owned())).collect()),
        };
        Self { name: name.to_owned(), values }
    }

    fn field(&self, row: usize) -> String {
        match &self.values {
            Values::Text(values) => values.get(row).cloned().flatten().unwrap_or_default(),
            Values::Whole(values) => shown(values.get(row)),
            Values::Number(values) => shown(values.get(row)),
        }
    }

    fn rows(&self) -> usize {
        match &self.values {
            Values::Text(values) => values.len(),
            Values::Whole(values) => values.len(),
            Values::Number(values) => values.len(),
        }
    }
}

fn shown<T: ToString>(value: Option<&Option<T>>) -> String {
    value.and_then(Option::as_ref).map(T::to_string).unwrap_or_default()
}

/// Writes columns of equal length as CSV (RFC 4180) with a header.
///
/// # Errors
/// When the file cannot be written.
pub fn write_csv(columns: &[Column], path: &Path) -> Result<(), TableError> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(columns.iter().map(|column| column.name.as_str()))?;
    for row in 0..columns.first().map_or(0, Column::rows) {
        writer.write_record(columns.iter().map(|column| column.field(row)))?;
    }
    writer.flush()?;
    Ok(())
}

/// Writes columns of equal length as Parquet: one row group, Snappy.
///
/// # Errors
/// When the file cannot be written.
pub fn write_parquet(columns: &[Column], path: &Path) -> Result<(), TableError> {
    let fields: Result<Vec<_>, ParquetError> = columns.iter().map(schema).collect();
    let root = Type::group_type_builder("schema").with_fields(fields?).build()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = File::create(path)?;
    let mut writer = SerializedFileWriter::new(file, Arc::new(root), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for column in columns {
        let Some(mut open) = group.next_column()? else { break };
        write_column(&mut open, &column.values)?;
        open.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

fn schema(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match column.values {
        Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Values::Whole(_) => (Physical::INT64, None),
        Values::Number(_) => (Physical::DOUBLE, None),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
        .map(Arc::new)
}

/// Only values that are there are written; levels say where they are.
fn write_column(
    open: &mut SerializedColumnWriter<'_>,
    values: &Values,
) -> Result<(), ParquetError> {
    fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
        values.iter().map(|value| i16::from(value.is_some())).collect()
    }
    match values {
        Values::Text(values) => {
            let there: Vec<ByteArray> =
                values.iter().flatten().map(|text| ByteArray::from(text.as_str())).collect();
            open.typed::<ByteArrayType>().write_batch(&there, Some(&levels(values)), None)?;
        }
        Values::Whole(values) => {
            let there: Vec<i64> = values.iter().flatten().copied().collect();
            open.typed::<Int64Type>().write_batch(&there, Some(&levels(values)), None)?;
        }
        Values::Number(values) => {
            let there: Vec<f64> = values.iter().flatten().copied().collect();
            open.typed::<DoubleType>().write_batch(&there, Some(&levels(values)), None)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::text("name", ["a", "b,\"c\""].into_iter().map(Some)),
            Column::whole("seed", [Some(7), None].into_iter()),
            Column::number("latency_ms.all.p50", [None, Some(1.25)].into_iter()),
            Column::guessed("shards", &["4", "16"]),
            Column::guessed("share", &["0.5", "1"]),
            Column::guessed("gate", &["1", "certified"]),
        ]
    }

    #[test]
    fn csv_has_empty_fields_where_there_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.csv");
        write_csv(&columns(), &path).unwrap();
        let expected = "name,seed,latency_ms.all.p50,shards,share,gate\n\
                        a,7,,4,0.5,1\n\"b,\"\"c\"\"\",,1.25,16,1,certified\n";
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    }

    #[test]
    fn parquet_says_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.parquet");
        write_parquet(&columns(), &path).unwrap();
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let rows: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            rows,
            [
                "{name: \"a\", seed: 7, latency_ms.all.p50: null, shards: 4, share: 0.5, gate: \"1\"}",
                "{name: \"b,\"c\"\", seed: null, latency_ms.all.p50: 1.25, shards: 16, share: 1.0, \
                 gate: \"certified\"}",
            ]
        );
    }
}
