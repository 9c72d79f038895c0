//! Quorum arithmetic, the only place that has it (rule R-CONS-1).
//!
//! Of `n` validators up to `f = ⌊(n − 1) / 3⌋` may be faulty in any way. A quorum is more than two
//! thirds of all, which is `n − f`: what the honest reach without the faulty. Two quorums share at
//! least one honest validator. Every validator has weight 1.

#[cfg(feature = "planted-bugs")]
pub mod planted;

/// The most faulty validators that `n` validators tolerate.
///
/// # Panics
/// When `n` is 0: a committee has at least one member.
#[must_use]
pub const fn max_faulty(n: usize) -> usize {
    assert!(n >= 1, "a committee has at least one member");
    (n - 1) / 3
}

/// The fewest votes that decide among `n` validators: more than 2/3 of them.
///
/// # Panics
/// When `n` is 0: a committee has at least one member.
#[must_use]
pub const fn quorum(n: usize) -> usize {
    n - max_faulty(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        // (n, f, quorum)
        let table = [
            (1, 0, 1),
            (2, 0, 2),
            (3, 0, 3),
            (4, 1, 3),
            (5, 1, 4),
            (6, 1, 5),
            (7, 2, 5),
            (8, 2, 6),
            (10, 3, 7),
            (100, 33, 67),
        ];
        for (n, f, q) in table {
            assert_eq!((max_faulty(n), quorum(n)), (f, q), "n = {n}");
        }
    }

    #[test]
    fn a_quorum_is_the_least_that_exceeds_two_thirds() {
        for n in 1..=1_000 {
            let q = quorum(n);
            assert!(3 * q > 2 * n, "n = {n}: more than two thirds");
            assert!(3 * (q - 1) <= 2 * n, "n = {n}: not one vote more than needed");
        }
    }

    #[test]
    fn two_quorums_share_an_honest_validator_and_the_honest_are_a_quorum() {
        for n in 1..=1_000 {
            let (f, q) = (max_faulty(n), quorum(n));
            assert!(2 * q - n > f, "n = {n}");
            assert!(n - f >= q, "n = {n}");
        }
    }

    #[test]
    #[should_panic(expected = "at least one member")]
    fn nobody_is_not_a_committee() {
        let _ = quorum(0);
    }
}
