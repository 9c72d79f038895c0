//! Quantities as a scenario writes them (`"500ms"`, `"5 gwei"`, `"100 Mbit/s"`, `"8 MiB"`) and as
//! the resolved scenario holds them. Reading is exact: decimal, no rounding, no overflow.

use std::fmt;

use alloy_primitives::U256;
use cross_shard_msg::{Duration, Wei};

/// Mean arrivals per time, in thousandths per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// Arrivals per 1,000 seconds. 1 to 10⁹ (a million per second).
    pub per_kilosecond: u64,
}

/// A share of a whole, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction {
    /// 0 to 1,000,000.
    pub millionths: u32,
}

/// How fast bytes enter a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bandwidth {
    /// At once.
    Unlimited,
    /// So many bits per second, at least 1,000.
    BitsPerSecond(u64),
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Why a quantity was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Not a number with one of the units.
    Form,
    /// More than the type holds.
    TooLarge,
    /// Finer than the type holds.
    TooFine,
}

impl Rate {
    /// Arrivals per second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.per_kilosecond as f64 / 1_000.0
    }

    /// The mean gap between arrivals, rounded down to a nanosecond.
    #[must_use]
    pub fn mean_gap(self) -> Duration {
        Duration::from_secs(1_000).divided(self.per_kilosecond)
    }

    /// Reads `200`, `0.5` or `200/s`.
    ///
    /// # Errors
    /// When it has another form or more than three decimals.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let number = text.strip_suffix("/s").unwrap_or(text).trim_end();
        Ok(Self { per_kilosecond: to_u64(decimal(number, 1_000)?)? })
    }
}

impl Fraction {
    /// 0 to 1.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.millionths) / 1_000_000.0
    }

    /// The number before the percent sign: `12.5`.
    #[must_use]
    pub fn percent(self) -> String {
        decimal_text(u64::from(self.millionths), 10_000, 4)
    }

    /// Reads `0.25` or `25%`.
    ///
    /// # Errors
    /// When it has another form, is above 1, or finer than a millionth.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let millionths = match text.strip_suffix('%') {
            Some(percent) => decimal(percent.trim_end(), 10_000)?,
            None => decimal(text, 1_000_000)?,
        };
        match u32::try_from(millionths) {
            Ok(millionths) if millionths <= 1_000_000 => Ok(Self { millionths }),
            _ => Err(Unreadable::TooLarge),
        }
    }
}

impl Bandwidth {
    /// Reads `100 Mbit/s` (also bit/s, kbit/s, Gbit/s) or `unlimited`.
    ///
    /// # Errors
    /// When it has another form or is not a whole number of bits per second.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let units =
            [("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)];
        Ok(Self::BitsPerSecond(to_u64(with_unit(text, &units)?)?))
    }
}

impl ByteSize {
    /// Reads `8 MiB` (also B, KiB, GiB and kB, MB, GB).
    ///
    /// # Errors
    /// When it has another form or is not a whole number of bytes.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let units = [
            ("B", 1),
            ("kB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ];
        Ok(Self(to_u64(with_unit(text, &units)?)?))
    }
}

/// Reads `500ms`, `1.5 s`, `2m` (units ns, us, ms, s, m, h).
///
/// # Errors
/// When it has another form, is finer than a nanosecond or longer than 584 years.
pub fn read_duration(text: &str) -> Result<Duration, Unreadable> {
    Ok(Duration(to_u64(with_unit(text, &DURATIONS)?)?))
}

/// Reads `1 wei`, `5 gwei`, `0.25 ether`.
///
/// # Errors
/// When it has another form, is finer than a wei or at least 2²⁵⁶ wei.
pub fn read_wei(text: &str) -> Result<Wei, Unreadable> {
    with_unit(text, &AMOUNTS)
}

/// The shortest exact form that [`read_duration`] reads.
#[must_use]
pub fn print_duration(duration: Duration) -> String {
    largest_unit(U256::from(duration.0), &DURATIONS, "s", "")
}

/// The shortest exact form that [`read_wei`] reads.
#[must_use]
pub fn print_wei(amount: Wei) -> String {
    largest_unit(amount, &AMOUNTS, "wei", " ")
}

/// Prints as [`Rate::read`] reads it: `0.5`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal_text(self.per_kilosecond, 1_000, 3))
    }
}

/// Prints as [`Fraction::read`] reads it: `0.25`.
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal_text(u64::from(self.millionths), 1_000_000, 6))
    }
}

/// Prints as [`Bandwidth::read`] reads it: `100 Mbit/s`.
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units =
            [("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)];
        match self {
            Self::Unlimited => f.write_str("unlimited"),
            Self::BitsPerSecond(bits) => {
                f.write_str(&largest_unit(U256::from(*bits), &units, "bit/s", " "))
            }
        }
    }
}

/// Prints as [`ByteSize::read`] reads it: `8 MiB`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        f.write_str(&largest_unit(U256::from(self.0), &units, "B", " "))
    }
}

const DURATIONS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const AMOUNTS: [(&str, u64); 3] =
    [("wei", 1), ("gwei", 1_000_000_000), ("ether", 1_000_000_000_000_000_000)];

/// A decimal number followed by one of the units, with or without a blank between.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Result<U256, Unreadable> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit.trim_start();
    let factor = units.iter().find(|(name, _)| *name == unit).ok_or(Unreadable::Form)?.1;
    decimal(number, factor)
}

/// `number · factor`, exactly. Digits, at most one point between digits, `_` between digits.
fn decimal(number: &str, factor: u64) -> Result<U256, Unreadable> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let (whole, part) = (digits(whole)?, digits(part)?);
    let part = part.trim_end_matches('0');
    // Two to the 64th has 64 binary places, hence at most 64 decimal ones.
    if part.len() > 64 {
        return Err(Unreadable::TooFine);
    }
    let unscaled = U256::from_str_radix(&format!("{whole}{part}"), 10)
        .ok()
        .and_then(|value| value.checked_mul(U256::from(factor)))
        .ok_or(Unreadable::TooLarge)?;
    let scale = U256::from(10).pow(U256::from(part.len()));
    if unscaled % scale == U256::ZERO { Ok(unscaled / scale) } else { Err(Unreadable::TooFine) }
}

/// The digits of a number without its `_`.
fn digits(text: &str) -> Result<String, Unreadable> {
    let separated = text.split('_').all(|group| !group.is_empty());
    if separated && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        Ok(text.replace('_', ""))
    } else {
        Err(Unreadable::Form)
    }
}

fn to_u64(value: U256) -> Result<u64, Unreadable> {
    u64::try_from(value).map_err(|_| Unreadable::TooLarge)
}

/// `value` in the largest unit that divides it; zero in unit `zero`.
fn largest_unit(value: U256, units: &[(&str, u64)], zero: &str, blank: &str) -> String {
    if value.is_zero() {
        return format!("0{blank}{zero}");
    }
    let exact = units.iter().rev().find(|(_, factor)| (value % U256::from(*factor)).is_zero());
    match exact {
        Some((unit, factor)) => format!("{}{blank}{unit}", value / U256::from(*factor)),
        // The first unit is always 1.
        None => format!("{value}{blank}{}", units[0].0),
    }
}

/// `value / scale` in decimal, where `scale` is ten to the power of `places`.
fn decimal_text(value: u64, scale: u64, places: usize) -> String {
    let part = format!("{:0places$}", value % scale);
    match part.trim_end_matches('0') {
        "" => (value / scale).to_string(),
        part => format!("{}.{part}", value / scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, nanos, printed) in [
            ("500ms", 500_000_000, "500ms"),
            ("0.5s", 500_000_000, "500ms"),
            ("1.5 s", 1_500_000_000, "1500ms"),
            ("90s", 90_000_000_000, "90s"),
            ("120s", 120_000_000_000, "2m"),
            ("1.5m", 90_000_000_000, "90s"),
            ("1_000us", 1_000_000, "1ms"),
            ("0ms", 0, "0s"),
            ("18446744073709551615ns", u64::MAX, "18446744073709551615ns"),
        ] {
            assert_eq!(read_duration(text), Ok(Duration(nanos)), "{text}");
            assert_eq!(print_duration(Duration(nanos)), printed);
            assert_eq!(read_duration(printed), Ok(Duration(nanos)));
        }
        for (text, error) in [
            ("", Unreadable::Form),
            ("5", Unreadable::Form),
            ("ms", Unreadable::Form),
            ("-5ms", Unreadable::Form),
            ("1.ms", Unreadable::Form),
            (".5ms", Unreadable::Form),
            ("1..5ms", Unreadable::Form),
            ("1_ms", Unreadable::Form),
            ("5 sec", Unreadable::Form),
            ("5ms ", Unreadable::Form),
            ("1e3ms", Unreadable::Form),
            ("0.5ns", Unreadable::TooFine),
            ("18446744073709551616ns", Unreadable::TooLarge),
            ("99999999999h", Unreadable::TooLarge),
        ] {
            assert_eq!(read_duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn amounts() {
        let ether = U256::from(1_000_000_000_000_000_000_u64);
        for (text, wei, printed) in [
            ("1 wei", U256::from(1), "1 wei"),
            ("5gwei", U256::from(5_000_000_000_u64), "5 gwei"),
            ("10 ether", ether * U256::from(10), "10 ether"),
            ("0.25 ether", ether / U256::from(4), "250000000 gwei"),
            ("0 ether", U256::ZERO, "0 wei"),
        ] {
            assert_eq!(read_wei(text), Ok(wei), "{text}");
            assert_eq!(print_wei(wei), printed);
            assert_eq!(read_wei(printed), Ok(wei));
        }
        assert_eq!(read_wei("0.5 wei"), Err(Unreadable::TooFine));
        assert_eq!(read_wei(&format!("{} wei", U256::MAX)), Ok(U256::MAX));
        assert_eq!(read_wei(&format!("{} gwei", U256::MAX)), Err(Unreadable::TooLarge));
        assert_eq!(read_wei(&format!("{}9 wei", U256::MAX)), Err(Unreadable::TooLarge));
    }

    #[test]
    fn rates_fractions_bandwidths_sizes() {
        assert_eq!(Rate::read("200").map(|rate| rate.per_kilosecond), Ok(200_000));
        assert_eq!(Rate::read("0.5/s").map(|rate| rate.to_string()), Ok("0.5".to_owned()));
        assert_eq!(Rate::read("0.0005"), Err(Unreadable::TooFine));
        assert_eq!(Rate { per_kilosecond: 250_000 }.mean_gap(), Duration::from_millis(4));
        assert_eq!(Fraction::read("12.5%").map(|share| share.to_string()), Ok("0.125".to_owned()));
        assert_eq!(Fraction::read("1"), Ok(Fraction { millionths: 1_000_000 }));
        assert_eq!(Fraction::read("1.01"), Err(Unreadable::TooLarge));
        for text in ["unlimited", "100 Mbit/s", "1500 kbit/s", "1 Gbit/s", "1 bit/s"] {
            assert_eq!(Bandwidth::read(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        for text in ["8 MiB", "1500 B", "3 KiB", "0 B"] {
            assert_eq!(ByteSize::read(text).map(|it| it.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(ByteSize::read("1.5 KiB"), Ok(ByteSize(1_536)));
        assert_eq!(ByteSize::read("0.3 KiB"), Err(Unreadable::TooFine));
    }
}
