//! Numbers as reports print them.

use cross_shard_msg::Duration;

/// Milliseconds, rounded to a microsecond, for files.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    // Below 2^53 microseconds this is exact, and one division gives the nearest decimal.
    (time.0.saturating_add(500) / 1_000) as f64 / 1_000.0
}

/// Milliseconds with three significant digits, or all digits before the point: `0.042`, `7.25`,
/// `83.1`, `1,250`.
#[must_use]
pub fn millis(time: Duration) -> String {
    let micros = time.0.saturating_add(500) / 1_000;
    match micros {
        0 if time.0 == 0 => "0".to_owned(),
        0..10_000 => format!("{}.{:03}", micros / 1_000, micros % 1_000)
            .chars()
            .take(if micros < 1_000 { 5 } else { 4 })
            .collect(),
        10_000..100_000 => {
            // From the nanoseconds: rounding twice would round 83.1499 up.
            let tenths = time.0.saturating_add(50_000) / 100_000;
            format!("{}.{}", tenths / 10, tenths % 10)
        }
        _ => grouped(time.0.saturating_add(500_000) / 1_000_000),
    }
}

/// A count with a comma every three digits: `160,000`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with at most three decimals and no zeros at its end.
#[must_use]
pub fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number rounded to three decimals, for files.
#[must_use]
pub fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

/// A number of bytes: `812 B`, `3.4 KiB`, `1.2 GiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", count as f64 / size as f64),
        None => format!("{count} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_milliseconds() {
        for (nanos, short, value) in [
            (0, "0", 0.0),
            (400, "0.000", 0.0),
            (42_000, "0.042", 0.042),
            (999_900, "1.00", 1.0),
            (7_253_400, "7.25", 7.253),
            (83_149_999, "83.1", 83.15),
            (99_960_000, "100.0", 99.96),
            (1_249_600_000, "1,250", 1_249.6),
            (3_600_000_000_000, "3,600,000", 3_600_000.0),
        ] {
            assert_eq!(millis(Duration(nanos)), short, "{nanos}");
            assert_eq!(milliseconds(Duration(nanos)), value, "{nanos}");
        }
        let _ = millis(Duration(u64::MAX));
    }

    #[test]
    fn counts_ratios_and_sizes() {
        let counts = [0, 999, 1_000, 160_000, 1_234_567].map(grouped);
        assert_eq!(counts, ["0", "999", "1,000", "160,000", "1,234,567"]);
        assert_eq!([0.75, 12.0, 0.333_333].map(plain), ["0.75", "12", "0.333"]);
        assert_eq!([812, 3_482, 5 << 30].map(bytes), ["812 B", "3.4 KiB", "5.0 GiB"]);
    }
}
