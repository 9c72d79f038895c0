//! Writes one CSV table (RFC 4180) field by field. A run has tables of millions of rows, so what
//! such rows are made of is written without formatting machinery; all other fields by `Display`.

use std::fmt::Display;
use std::io::{self, Write};

use alloy_primitives::map::HashMap;
use alloy_primitives::{Address, B256};

use crate::metrics::Moment;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 16;

/// A table that is written from its first row to its last.
pub(super) struct Table<W: Write> {
    out: W,
    buffer: Vec<u8>,
    /// Whether the row has a field already.
    begun: bool,
    text: String,
    /// Checksums of addresses are hashes, and the same addresses come again and again.
    addresses: HashMap<Address, [u8; 42]>,
}

impl<W: Write> Table<W> {
    /// A table with its header.
    pub fn new(out: W, columns: &[&str]) -> io::Result<Self> {
        let buffer = Vec::with_capacity(BUFFER + BUFFER / 4);
        let addresses = HashMap::default();
        let mut table = Self { out, buffer, begun: false, text: String::new(), addresses };
        for column in columns {
            table.word(column);
        }
        table.end()?;
        Ok(table)
    }

    /// Any value, as it displays itself.
    pub fn field(&mut self, value: impl Display) {
        use std::fmt::Write as _;
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        // Writing to a string does not fail.
        let _ = write!(text, "{value}");
        self.word(&text);
        self.text = text;
    }

    /// Any value, or nothing.
    pub fn optional(&mut self, value: Option<impl Display>) {
        match value {
            Some(value) => self.field(value),
            None => self.nothing(),
        }
    }

    /// A whole number.
    pub fn number(&mut self, value: impl Into<u64>) {
        self.next();
        let mut digits = [0; 20];
        let mut first = digits.len();
        let mut rest = value.into();
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.buffer.extend_from_slice(&digits[first..]);
    }

    /// A whole number, or nothing.
    pub fn optional_number(&mut self, value: Option<impl Into<u64>>) {
        match value {
            Some(value) => self.number(value),
            None => self.nothing(),
        }
    }

    /// A time in nanoseconds, or nothing.
    pub fn moment(&mut self, moment: Moment) {
        self.optional_number(moment.time().map(|time| time.0));
    }

    /// A hash: 0x and lower-case digits.
    pub fn hash(&mut self, hash: &B256) {
        self.next();
        let digits = |byte: u8| [byte >> 4, byte & 15].map(|d| b"0123456789abcdef"[d as usize]);
        self.buffer.extend_from_slice(b"0x");
        self.buffer.extend(hash.0.into_iter().flat_map(digits));
    }

    /// An address, with its checksum (EIP-55).
    pub fn address(&mut self, address: &Address) {
        self.next();
        let text = self.addresses.entry(*address).or_insert_with(|| {
            let mut text = [0; 42];
            text.copy_from_slice(address.to_checksum(None).as_bytes());
            text
        });
        self.buffer.extend_from_slice(text.as_slice());
    }

    /// Text.
    pub fn word(&mut self, word: &str) {
        self.next();
        let bytes = word.as_bytes();
        if !bytes.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
            self.buffer.extend_from_slice(bytes);
            return;
        }
        self.buffer.push(b'"');
        for byte in bytes {
            if *byte == b'"' {
                self.buffer.push(b'"');
            }
            self.buffer.push(*byte);
        }
        self.buffer.push(b'"');
    }

    /// An empty field.
    pub fn nothing(&mut self) {
        self.next();
    }

    /// Ends the row.
    pub fn end(&mut self) -> io::Result<()> {
        self.buffer.push(b'\n');
        self.begun = false;
        if self.buffer.len() >= BUFFER {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Ends the table.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()
    }

    fn next(&mut self) {
        if self.begun {
            self.buffer.push(b',');
        }
        self.begun = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cross_shard_msg::Timestamp;

    /// What the crate `csv` writes of the same values as they display themselves.
    fn plain(rows: &[Vec<String>]) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in rows {
            writer.write_record(row).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn every_field_is_written_as_it_displays_itself() {
        let mut rows = vec![vec!["one".to_owned(), "two, three".to_owned()]];
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, &["one", "two, three"]).unwrap();
        let mut number: u64 = u64::MAX;
        loop {
            table.number(number);
            table.optional_number(Some(number as u32));
            rows.push(vec![number.to_string(), (number as u32).to_string()]);
            table.end().unwrap();
            if number == 0 {
                break;
            }
            number /= 7;
        }
        for seed in 0..50_u8 {
            let hash = alloy_primitives::keccak256([seed]);
            let address = Address::from_word(hash);
            for _ in 0..2 {
                table.address(&address);
                table.hash(&hash);
                rows.push(vec![address.to_string(), hash.to_string()]);
                table.end().unwrap();
            }
        }
        for word in ["plain", "", "a,b", "say \"so\"", "two\nlines", "\r", " space ", "0x,\"\""] {
            table.word("before");
            table.word(word);
            rows.push(vec!["before".to_owned(), word.to_owned()]);
            table.end().unwrap();
            table.field(12.5);
            table.optional(Some(word));
            rows.push(vec!["12.5".to_owned(), word.to_owned()]);
            table.end().unwrap();
        }
        table.moment(Moment::NONE);
        table.moment(Moment::at(Timestamp(7)));
        rows.push(vec![String::new(), "7".to_owned()]);
        table.end().unwrap();
        table.nothing();
        table.optional_number(None::<u64>);
        rows.push(vec![String::new(), String::new()]);
        table.end().unwrap();
        table.finish().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), plain(&rows));
    }
}
