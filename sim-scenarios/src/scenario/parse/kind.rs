//! The kinds of values: each function reads one kind within its bounds, or says what it expected.

use std::ops::RangeInclusive;

use cross_shard_msg::{Duration, Wei};

use super::super::problem::{Problem, nearest};
use super::super::unit::{
    Bandwidth, ByteSize, Fraction, Rate, Unreadable, print_duration, print_wei, read_duration,
    read_wei,
};
use super::tree::{Node, Value};

/// Why a value was not accepted.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    /// Completes "… for `path`".
    what: &'static str,
    label: String,
    help: Option<String>,
}

impl Wrong {
    /// The value is of another kind than `expected`.
    pub(super) fn kind(expected: &str, node: &Node) -> Self {
        let found = node.value.described();
        Self {
            what: "wrong type",
            label: format!("expected {expected}, found {found}"),
            help: None,
        }
    }

    /// The value is of the right kind, but not one of those that are allowed.
    pub(super) fn value(label: impl Into<String>) -> Self {
        Self { what: "wrong value", label: label.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn into_problem(self, path: &str, node: &Node) -> Problem {
        Problem {
            title: format!("{} for `{path}`", self.what),
            at: Some(node.at.clone()),
            label: self.label,
            help: self.help,
        }
    }

    fn unreadable(why: Unreadable, expected: &str) -> Self {
        match why {
            Unreadable::Form => Self::value(format!("expected {expected}")),
            Unreadable::TooLarge => Self::value("too large"),
            Unreadable::TooFine => {
                Self::value(format!("expected {expected}, without so many decimals"))
            }
        }
    }
}

/// A whole number in `range`. `u32` fields pass a range within `u32`.
pub(super) fn integer(range: RangeInclusive<u64>) -> impl Fn(&Node) -> Result<u64, Wrong> {
    move |node| {
        let expected =
            format!("a whole number from {} to {}", group(*range.start()), group(*range.end()));
        match &node.value {
            Value::Integer(number) => number
                .and_then(|number| u64::try_from(number).ok())
                .filter(|number| range.contains(number))
                .ok_or_else(|| Wrong::value(format!("expected {expected}"))),
            _ => Err(Wrong::kind(&expected, node)),
        }
    }
}

/// A whole number in `range` as `u32`.
pub(super) fn small(range: RangeInclusive<u32>) -> impl Fn(&Node) -> Result<u32, Wrong> {
    let read = integer(u64::from(*range.start())..=u64::from(*range.end()));
    move |node| {
        let number = read(node)?;
        u32::try_from(number).map_err(|_| Wrong::value("expected a smaller number"))
    }
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node) -> Result<bool, Wrong> {
    match node.value {
        Value::Boolean(value) => Ok(value),
        _ => Err(Wrong::kind("`true` or `false`", node)),
    }
}

/// Any string.
pub(super) fn text(node: &Node) -> Result<String, Wrong> {
    Ok(string(node, "a string")?.to_owned())
}

/// 1 to 64 of `a-z`, `0-9`, `-`, `_`: it becomes part of file names and metrics.
pub(super) fn identifier(node: &Node) -> Result<String, Wrong> {
    let expected = "a name of 1 to 64 characters out of `a-z`, `0-9`, `-`, `_`";
    let text = string(node, expected)?;
    if is_identifier(text) {
        Ok(text.to_owned())
    } else {
        Err(Wrong::value(format!("expected {expected}")))
    }
}

/// Whether `text` can name a scenario or a phase: 1 to 64 of `a-z`, `0-9`, `-`, `_`.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// One of a few words.
pub(super) fn choice<T: Copy>(words: &[(&'static str, T)]) -> impl Fn(&Node) -> Result<T, Wrong> {
    move |node| {
        let quoted: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let expected = one_of(&quoted);
        let text = string(node, &expected)?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let wrong = Wrong::value(format!("expected {expected}"));
            match nearest(text, words.iter().map(|(word, _)| *word)) {
                Some(near) => wrong.help(format!("did you mean \"{near}\"?")),
                None => wrong,
            }
        })
    }
}

/// A duration in `range`.
pub(super) fn duration(
    range: RangeInclusive<Duration>,
) -> impl Fn(&Node) -> Result<Duration, Wrong> {
    move |node| {
        let expected = "a duration such as \"500ms\" (ns, us, ms, s, m, h)";
        let value = read_duration(string(node, expected)?);
        within(value, &range, expected, |bound| print_duration(*bound))
    }
}

/// An amount in `range`.
pub(super) fn amount(range: RangeInclusive<Wei>) -> impl Fn(&Node) -> Result<Wei, Wrong> {
    move |node| {
        let expected = "an amount such as \"5 gwei\" (wei, gwei, ether)";
        let value = read_wei(string(node, expected)?);
        within(value, &range, expected, |bound| print_wei(*bound))
    }
}

/// A number of bytes in `range`.
pub(super) fn size(range: RangeInclusive<ByteSize>) -> impl Fn(&Node) -> Result<ByteSize, Wrong> {
    move |node| {
        let expected = "a size such as \"8 MiB\" (B, KiB, MiB, GiB, kB, MB, GB)";
        let value = ByteSize::read(string(node, expected)?);
        within(value, &range, expected, ToString::to_string)
    }
}

/// A bandwidth of at least 1 kbit/s.
pub(super) fn bandwidth(node: &Node) -> Result<Bandwidth, Wrong> {
    let expected =
        "a bandwidth such as \"100 Mbit/s\" (bit/s, kbit/s, Mbit/s, Gbit/s) or \"unlimited\"";
    match Bandwidth::read(string(node, expected)?) {
        Ok(Bandwidth::BitsPerSecond(bits)) if bits < 1_000 => {
            Err(Wrong::value("expected at least 1 kbit/s"))
        }
        other => other.map_err(|why| Wrong::unreadable(why, expected)),
    }
}

/// Transactions per second, above 0, at most a million.
pub(super) fn rate(node: &Node) -> Result<Rate, Wrong> {
    let expected = "a number of transactions per second, such as 200 or 0.5";
    let text = number_or_string(node, expected)?;
    let range = Rate { per_kilosecond: 1 }..=Rate { per_kilosecond: 1_000_000_000 };
    within(Rate::read(&text), &range, expected, |bound| match bound.per_kilosecond / 1_000 {
        0 => format!("{bound} per second"),
        whole => format!("{} per second", group(whole)),
    })
}

/// A share from 0 to 1.
pub(super) fn fraction(node: &Node) -> Result<Fraction, Wrong> {
    let expected = "a share from 0 to 1, such as 0.25 or \"25%\"";
    let text = number_or_string(node, expected)?;
    Fraction::read(&text).map_err(|why| match why {
        Unreadable::TooLarge => Wrong::value(format!("expected {expected}")),
        other => Wrong::unreadable(other, expected),
    })
}

/// The string of a node.
pub(super) fn string<'a>(node: &'a Node, expected: &str) -> Result<&'a str, Wrong> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => Err(Wrong::kind(expected, node)),
    }
}

/// Digits in groups of three: `1,024`.
pub(super) fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `a`, `a or b`, `a, b or c`.
fn one_of(words: &[String]) -> String {
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn number_or_string(node: &Node, expected: &str) -> Result<String, Wrong> {
    match &node.value {
        Value::Text(text) | Value::Float(text) => Ok(text.clone()),
        Value::Integer(Some(number)) => Ok(number.to_string()),
        Value::Integer(None) => Err(Wrong::value("too large")),
        _ => Err(Wrong::kind(expected, node)),
    }
}

fn within<T: PartialOrd>(
    value: Result<T, Unreadable>,
    range: &RangeInclusive<T>,
    expected: &str,
    show: impl Fn(&T) -> String,
) -> Result<T, Wrong> {
    let value = value.map_err(|why| Wrong::unreadable(why, expected))?;
    if value < *range.start() {
        Err(Wrong::value(format!("expected at least {}", show(range.start()))))
    } else if value > *range.end() {
        Err(Wrong::value(format!("expected at most {}", show(range.end()))))
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        let printed = [0, 999, 1_000, 1_234_567, u64::MAX].map(group);
        let expected = ["0", "999", "1,000", "1,234,567", "18,446,744,073,709,551,615"];
        assert_eq!(printed, expected);
    }
}
