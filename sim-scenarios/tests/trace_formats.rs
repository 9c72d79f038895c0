//! Traces as CSV and as Parquet: what is written is read, and broken files are errors.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::Address;
use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray};
use parquet::data_type::{FixedLenByteArrayType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;
use partitioning::{Allocation, Base, Residents};
use proptest::prelude::*;
use sim_scenarios::partition::Trace;
use sim_scenarios::scenario::{Places, Scenario, parse};
use sim_scenarios::sweep::table::{Column, Values, write_csv, write_parquet};
use sim_scenarios::workload::seen::{planned, traced};
use sim_scenarios::workload::{self, Workers, Workload, WorkloadError, export};
use tempfile::TempDir;

const COUNT: usize = 1_500;

fn read_scenario(base: &Path, load: &str) -> Scenario {
    let text =
        format!("name = \"formats\"\n[accounts]\ncount = 300\n[[phase]]\nname = \"one\"\n{load}\n");
    let places = Places { base: base.to_owned(), data: None };
    parse("formats.toml", &text, &[], &places).unwrap_or_else(|rejected| panic!("{rejected}"))
}

fn build(scenario: &Scenario) -> Result<Workload, WorkloadError> {
    let open = |path: &Path| -> std::io::Result<Box<dyn Read>> {
        Ok(Box::new(std::fs::File::open(path)?))
    };
    let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
    workload::build(scenario, &allocation, &open, &Workers::single())
}

/// The workload of a trace file, replayed.
fn replayed(file: &Path) -> Result<Workload, WorkloadError> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let load = format!("[[phase.load]]\nkind = \"trace\"\nfile = \"{name}\"\nrate = 1000\n");
    build(&read_scenario(file.parent().unwrap(), &load))
}

/// A generated workload, written in both formats.
fn written() -> (TempDir, Workload, [PathBuf; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let load = "for = \"3s\"\n[[phase.load]]\nkind = \"communities\"\nrate = 500\narrivals = \
                \"uniform\"\n";
    let scenario = read_scenario(directory.path(), load);
    let workload = build(&scenario).unwrap();
    let signed = workload::sign(&workload, &Workers::single()).unwrap();
    let columns = export::columns(&scenario, &workload, &signed);
    let files = ["trace.csv", "trace.parquet"].map(|name| directory.path().join(name));
    write_csv(&columns, &files[0]).unwrap();
    write_parquet(&columns, &files[1]).unwrap();
    (directory, workload, files)
}

#[test]
fn what_was_planned_is_read_back_from_both_formats() {
    let (_directory, workload, [csv, parquet]) = written();
    let mut expected = planned(&workload);
    assert_eq!(expected.len(), COUNT);
    let open = |path: &Path| -> std::io::Result<Box<dyn Read>> {
        Ok(Box::new(std::fs::File::open(path)?))
    };
    for file in [&csv, &parquet] {
        let mut found = traced(file, 0, &open).unwrap();
        // Blocks of a plan are counted, blocks of a trace are its own.
        assert_eq!(found.last().map(|seen| seen.block), Some(5));
        found.iter_mut().chain(&mut expected).for_each(|seen| seen.block = 0);
        assert_eq!(found, expected);
    }
    let (one, other) = (Trace::read(&csv).unwrap(), Trace::read(&parquet).unwrap());
    assert_eq!(one, other);
    assert_eq!(one.stream.len(), COUNT);
    assert!(!one.contracts.is_empty());
    let (one, other) = (replayed(&csv).unwrap(), replayed(&parquet).unwrap());
    assert_eq!(one.transactions.len(), COUNT);
    assert_eq!(one.transactions, other.transactions);
    assert_eq!(one.trace_names, other.trace_names);
}

fn cut(file: &Path, length: usize) -> PathBuf {
    let bytes = std::fs::read(file).unwrap();
    let short = file.with_file_name("short.parquet");
    std::fs::write(&short, &bytes[..length.min(bytes.len())]).unwrap();
    short
}

#[test]
fn a_truncated_file_is_an_error_that_names_it() {
    let (_directory, _, [_, parquet]) = written();
    let length = std::fs::metadata(&parquet).unwrap().len() as usize;
    for at in [0, 1, 4, 8, 100, length / 2, length - 9, length - 8, length - 1] {
        let short = cut(&parquet, at);
        let error = Trace::read(&short).unwrap_err().to_string();
        assert!(error.starts_with("cannot read ") && error.contains("short.parquet"), "{error}");
        let error = replayed(&short).unwrap_err().to_string();
        assert!(error.contains("short.parquet: a broken Parquet file"), "{error}");
    }
    assert!(Trace::read(&cut(&parquet, length)).is_ok());
}

/// A file of one row group and one column for each name.
fn file_of(
    schema: &str,
    fill: impl FnOnce(&mut SerializedFileWriter<std::fs::File>),
) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("odd.parquet");
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    fill(&mut writer);
    writer.close().unwrap();
    (directory, path)
}

#[test]
fn wrong_types_are_named_with_their_column() {
    let (_directory, path) =
        file_of("message m { REQUIRED DOUBLE from; REQUIRED BYTE_ARRAY to (UTF8); }", |writer| {
            let mut group = writer.next_row_group().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<DoubleType>().write_batch(&[1.5], None, None).unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            let text = ByteArray::from("0x00");
            column.typed::<ByteArrayType>().write_batch(&[text], None, None).unwrap();
            column.close().unwrap();
            group.close().unwrap();
        });
    let expected =
        "odd.parquet: column 4 (from): expected text, bytes or whole numbers, found DOUBLE";
    let error = Trace::read(&path).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    let error = replayed(&path).unwrap_err().to_string();
    let expected = "column 4 (`from`): expected text, bytes or whole numbers, found `DOUBLE`";
    assert!(error.contains(expected), "{error}");

    let (_directory, path) =
        file_of("message m { REQUIRED INT32 from; REQUIRED INT32 value; }", |_| {});
    let error = Trace::read(&path).unwrap_err().to_string();
    assert!(error.contains("column 5 (to): expected a column of this name, found none"), "{error}");

    let (_directory, path) = file_of(
        "message m { REQUIRED INT32 from; REPEATED INT32 to; REQUIRED INT32 value; }",
        |_| {},
    );
    let error = replayed(&path).unwrap_err().to_string();
    assert!(error.contains("column 5 (`to`): expected one value per row"), "{error}");

    // A good type with a bad value: the row is named.
    let (_directory, path) =
        file_of("message m { REQUIRED INT32 from; REQUIRED INT32 to; }", |writer| {
            let mut group = writer.next_row_group().unwrap();
            while let Some(mut column) = group.next_column().unwrap() {
                column.typed::<Int32Type>().write_batch(&[7], None, None).unwrap();
                column.close().unwrap();
            }
            group.close().unwrap();
        });
    let error = Trace::read(&path).unwrap_err().to_string();
    assert!(error.contains("odd.parquet, row 1, column 4 (from): expected an address"), "{error}");
}

#[test]
fn more_rows_than_bytes_can_hold_are_refused_before_they_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bomb.parquet");
    let same = || Values::Text(vec![Some(Address::repeat_byte(7).to_string()); 3_000_000]);
    let column = |name: &str| Column { name: name.to_owned(), values: same() };
    write_parquet(&[column("from"), column("to")], &path).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 50_000);
    let error = Trace::read(&path).unwrap_err().to_string();
    assert!(error.contains("that says it has 3000000 rows; expected at most"), "{error}");
}

#[test]
fn bytes_are_addresses_and_booleans_are_flags() {
    let schema = "message m { OPTIONAL FIXED_LEN_BYTE_ARRAY(20) to; REQUIRED BYTE_ARRAY from; \
                  REQUIRED BOOLEAN toIsContract; }";
    let (_directory, path) = file_of(schema, |writer| {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let to = FixedLenByteArray::from(vec![0xee; 20]);
        let written = column.typed::<FixedLenByteArrayType>();
        written.write_batch(&[to], Some(&[0, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let from = [1, 2].map(|byte| ByteArray::from(vec![byte; 20]));
        column.typed::<ByteArrayType>().write_batch(&from, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<BoolType>().write_batch(&[false, true], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    });
    let trace = Trace::read(&path).unwrap();
    assert_eq!(trace.without_recipient, 1);
    let (from, to) = (Address::repeat_byte(2), Address::repeat_byte(0xee));
    assert_eq!(trace.stream.iter().collect::<Vec<_>>(), [&[from, to][..]]);
    assert_eq!(trace.contracts.into_iter().collect::<Vec<_>>(), [to]);
}

/// Writes text columns with row groups of this many rows.
fn grouped(rows: &[(Address, Option<Address>, u64)], group_rows: usize) -> Vec<u8> {
    let text = |name: &str| {
        let builder = Type::primitive_type_builder(name, Physical::BYTE_ARRAY);
        let builder = builder.with_repetition(Repetition::OPTIONAL);
        Arc::new(builder.with_logical_type(Some(LogicalType::String)).build().unwrap())
    };
    let fields = ["value", "to", "from"].map(text).to_vec();
    let schema = Arc::new(Type::group_type_builder("m").with_fields(fields).build().unwrap());
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    for rows in rows.chunks(group_rows) {
        let columns: [Vec<Option<String>>; 3] = [
            rows.iter().map(|(_, _, value)| Some(value.to_string())).collect(),
            rows.iter().map(|(_, to, _)| to.map(|to| to.to_string())).collect(),
            rows.iter().map(|(from, ..)| Some(from.to_string())).collect(),
        ];
        let mut group = writer.next_row_group().unwrap();
        for values in columns {
            let mut column = group.next_column().unwrap().unwrap();
            let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
            let there: Vec<ByteArray> =
                values.iter().flatten().map(|text| ByteArray::from(text.as_str())).collect();
            column.typed::<ByteArrayType>().write_batch(&there, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

fn row() -> impl Strategy<Value = (Address, Option<Address>, u64)> {
    let address = || any::<[u8; 20]>().prop_map(Address::from);
    (address(), proptest::option::weighted(0.9, address()), any::<u64>())
}

fn traced_from(bytes: &[u8]) -> Result<Vec<(Address, Option<Address>)>, String> {
    let open =
        |_: &Path| -> std::io::Result<Box<dyn Read>> { Ok(Box::new(Cursor::new(bytes.to_vec()))) };
    let seen = traced(Path::new("any.parquet"), 0, &open).map_err(|error| error.to_string())?;
    Ok(seen.iter().map(|one| (one.from, one.to)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rows_survive(
        rows in proptest::collection::vec(row(), 1..3_000),
        group_rows in 1_usize..4_000,
    ) {
        let group_rows = group_rows.max(rows.len() / 20 + 1);
        let expected: Vec<_> = rows.iter().map(|(from, to, _)| (*from, *to)).collect();
        prop_assert_eq!(traced_from(&grouped(&rows, group_rows)).unwrap(), expected);
    }

    /// Neither a crash nor a long wait: an answer or an error.
    #[test]
    fn broken_bytes_are_survived(
        rows in proptest::collection::vec(row(), 1..40),
        breaks in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = grouped(&rows, 20);
        for (at, byte) in breaks {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = traced_from(&bytes);
    }
}
