//! Faults of a link: what they do to each message that is sent while they last.
//!
//! Links are streams: what a packet network loses, repeats or reorders, its transport mends, at the
//! price of time. So a message is never missing and never out of order; it is late, and so are those
//! behind it. A message counts as one packet. All of this is applied at the sender, before the real
//! stream: acknowledgements, which travel the other way, are not touched.

use std::time::Duration;

use cross_shard_msg::Duration as Span;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

/// First pause before what got lost is sent again; it doubles each time.
const RESEND_AFTER: Duration = Duration::from_millis(50);
/// Most times that one message gets lost.
const MOST_RESENDS: u32 = 8;

/// What a fault does to one directed link, until it is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkFault {
    /// What is sent waits, up to the bound of its queue. What was sent before still arrives.
    Disconnected,
    /// Messages take longer.
    Delayed {
        /// Added to every message.
        delay: Span,
        /// Up to so much more, drawn uniformly for each message.
        jitter: Span,
    },
    /// A message gets lost with this probability in thousandths, and is sent again after 50 ms,
    /// after 100 ms more, and so on, at most eight times.
    Lossy {
        /// In thousandths; more than 1000 counts as 1000.
        per_mille: u16,
    },
    /// A message is written twice with this probability; the receiver drops the second.
    Duplicating {
        /// In thousandths.
        per_mille: u16,
    },
    /// A message is late with this probability, and holds up those behind it.
    Reordering {
        /// In thousandths.
        per_mille: u16,
        /// By how much at most; drawn uniformly.
        within: Span,
    },
    /// The link carries less.
    Limited {
        /// Bytes per second; 0 counts as 1. A link that is slower already stays as it is.
        bytes_per_second: u64,
    },
}

/// What one message meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// It waits until the link is connected again.
    pub held: bool,
    /// How late it is.
    pub late: Duration,
    /// It is written twice.
    pub copied: bool,
    /// Bytes per second of the link.
    pub limit: Option<u64>,
}

/// What `faults` do to the next message of a link whose own limit is `limit`.
pub(super) fn suffer(faults: &[LinkFault], limit: Option<u64>, chance: &mut ChaCha8Rng) -> Fate {
    let mut fate = Fate { limit, ..Fate::default() };
    for fault in faults {
        match *fault {
            LinkFault::Disconnected => fate.held = true,
            LinkFault::Delayed { delay, jitter } => {
                fate.late += Duration::from(delay) + draw(chance, jitter);
            }
            LinkFault::Lossy { per_mille } => {
                let mut pause = RESEND_AFTER;
                for _ in 0..MOST_RESENDS {
                    if !happens(chance, per_mille) {
                        break;
                    }
                    fate.late += pause;
                    pause *= 2;
                }
            }
            LinkFault::Duplicating { per_mille } => fate.copied |= happens(chance, per_mille),
            LinkFault::Reordering { per_mille, within } => {
                if happens(chance, per_mille) {
                    fate.late += draw(chance, within);
                }
            }
            LinkFault::Limited { bytes_per_second } => {
                let limit = fate.limit.map_or(bytes_per_second, |own| own.min(bytes_per_second));
                fate.limit = Some(limit);
            }
        }
    }
    fate
}

/// Uniformly from zero to `most`. The bias of the remainder is below 2⁻²⁰ for every span under four
/// hours.
pub(super) fn draw(random: &mut ChaCha8Rng, most: Span) -> Duration {
    match most.0 {
        0 => Duration::ZERO,
        most => Duration::from_nanos(random.next_u64() % most.saturating_add(1).max(1)),
    }
}

fn happens(random: &mut ChaCha8Rng, per_mille: u16) -> bool {
    random.next_u64() % 1_000 < u64::from(per_mille)
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn fates(faults: &[LinkFault]) -> Vec<Fate> {
        let mut chance = ChaCha8Rng::seed_from_u64(1);
        (0..1_000).map(|_| suffer(faults, Some(500), &mut chance)).collect()
    }

    fn late(faults: &[LinkFault]) -> usize {
        fates(faults).iter().filter(|fate| fate.late > Duration::ZERO).count()
    }

    #[test]
    fn each_fault_does_its_own() {
        let untouched = Fate { limit: Some(500), ..Fate::default() };
        assert_eq!(fates(&[])[0], untouched);
        assert_eq!(fates(&[LinkFault::Disconnected])[9], Fate { held: true, ..untouched });
        assert!((150..250).contains(&late(&[LinkFault::Lossy { per_mille: 200 }])));
        let within = Span::from_millis(3);
        assert!((250..350).contains(&late(&[LinkFault::Reordering { per_mille: 300, within }])));
        let copied = fates(&[LinkFault::Duplicating { per_mille: 100 }]);
        assert!((50..150).contains(&copied.iter().filter(|fate| fate.copied).count()));
        let limit = |bytes_per_second| fates(&[LinkFault::Limited { bytes_per_second }])[0].limit;
        assert_eq!((limit(10), limit(900)), (Some(10), Some(500)));
    }

    #[test]
    fn losses_double_the_pause_and_come_to_an_end() {
        let all = fates(&[LinkFault::Lossy { per_mille: 1_000 }]);
        // 50 ms · (1 + 2 + … + 128).
        assert!(all.iter().all(|fate| fate.late == Duration::from_millis(50 * 255)));
    }

    #[test]
    fn faults_of_one_link_add_up() {
        let delayed = LinkFault::Delayed { delay: Span::from_millis(7), jitter: Span(0) };
        let limited = LinkFault::Limited { bytes_per_second: 100 };
        let fate = fates(&[delayed, limited, delayed, LinkFault::Disconnected])[0];
        assert_eq!((fate.late, fate.limit), (Duration::from_millis(14), Some(100)));
        assert!(fate.held);
    }
}
