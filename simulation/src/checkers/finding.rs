//! What a checker found.

use std::fmt;

/// An invariant that every run must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// The books of every shard balance, and so does the sum over all at every checkpoint. What a
    /// shard holds is counted in its state, where its blocks were executed again.
    Conservation,
    /// Every receipt enters state and is executed at most once, as it was released.
    ExactlyOnce,
    /// Per (source, destination), sequences have no gap and no repeat.
    Order,
    /// No two finalized checkpoints have one number, each continues the one before, and what they
    /// crosslink is what the shards made durable.
    Agreement,
    /// Executing a shard's blocks again from genesis gives its headers, and the transactions in
    /// them were signed by those who pay.
    Validity,
    /// A mainnet block on one shard gives Ethereum's gas used and roots.
    Ethereum,
    /// When faults stop, what durable blocks began settles, and what a client tries again ends in
    /// a named outcome, within a bound.
    Liveness,
    /// A block writes only accounts whose home is its shard.
    OneHome,
}

impl Invariant {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 8] = [
        Self::Conservation,
        Self::ExactlyOnce,
        Self::Order,
        Self::Agreement,
        Self::Validity,
        Self::Ethereum,
        Self::Liveness,
        Self::OneHome,
    ];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Conservation => "conservation",
            Self::ExactlyOnce => "exactly_once",
            Self::Order => "order",
            Self::Agreement => "agreement",
            Self::Validity => "validity",
            Self::Ethereum => "ethereum",
            Self::Liveness => "liveness",
            Self::OneHome => "one_home",
        }
    }
}

/// What was looked at: how many of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked(pub Vec<(&'static str, u64)>);

impl Checked {
    /// So many of one thing.
    #[must_use]
    pub fn of(what: &'static str, count: usize) -> Self {
        Self::default().and(what, count)
    }

    /// And so many of another.
    #[must_use]
    pub fn and(mut self, what: &'static str, count: usize) -> Self {
        self.0.push((what, count as u64));
        self
    }

    /// Adds up, by name.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            match self.0.iter_mut().find(|(known, _)| known == what) {
                Some((_, sum)) => *sum += count,
                None => self.0.push((what, *count)),
            }
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (what, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {}", what.replace('_', " "))?;
        }
        Ok(())
    }
}

/// What came of checking an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It held in all of this.
    Held(Checked),
    /// It broke: where, and what was seen, for a person.
    Broken(String),
    /// There was nothing to check, or it cannot be judged: why.
    NotApplicable(String),
}

/// An invariant and what came of checking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The invariant.
    pub invariant: Invariant,
    /// What came of it.
    pub verdict: Verdict,
}

/// What a check returns: what it looked at, `None` when there was nothing; or what is wrong.
pub(super) type Outcome = Result<Result<Checked, NotApplicable>, String>;

/// Why an invariant is not judged.
pub(super) struct NotApplicable(pub String);

/// The invariant held.
pub(super) fn held(checked: Checked) -> Outcome {
    Ok(Ok(checked))
}

/// The invariant is not judged.
pub(super) fn not_applicable(why: impl Into<String>) -> Outcome {
    Ok(Err(NotApplicable(why.into())))
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Ok(Ok(checked)) => Self::Held(checked),
            Ok(Err(NotApplicable(why))) => Self::NotApplicable(why),
            Err(detail) => Self::Broken(detail),
        }
    }
}
