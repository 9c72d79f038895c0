//! The rules for headers and checkpoints, one small pure function each (rules R-HDR-1 to R-HDR-6,
//! R-LED-1 to R-LED-4, R-CKPT-1, R-CKPT-2, R-CKPT-4, R-EPOCH-1).
//!
//! Leaders and validators call the same functions, so a leader never proposes what an honest
//! validator refuses. R-CKPT-6 and R-CKPT-8 are about whole states and live in [`crate::state`],
//! R-EPOCH-4 is in [`crate::moves`].

use std::fmt;

use alloy_eips::eip1559::{BaseFeeParams, calc_next_block_base_fee};
use cross_shard_msg::checkpoint::MAX_CROSSLINK_HEADERS;
use cross_shard_msg::settings::Minting;
use cross_shard_msg::{
    Checkpoint, CheckpointNumber, Epoch, Header, Height, Sent, Sequence, Settings, ShardId,
    SignedHeader, Watermark, Wei,
};

use crate::state::{CheckpointState, Previous};

/// Largest base fee after which another one may follow, in wei. Half of what fits: it moves by at
/// most an eighth, so that no header makes a coordinator compute more than fits.
pub const MAX_BASE_FEE: u64 = u64::MAX / 2;

/// A rule that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// R-HDR-1: heights are consecutive, parents match.
    Chain,
    /// R-HDR-2: the shard's certificate.
    Certificate,
    /// R-HDR-3: timestamp, gas, and the checkpoint that is named.
    Progress,
    /// R-HDR-4: watermarks and sent are ordered and never decrease.
    Lists,
    /// R-HDR-5: the base fee.
    BaseFee,
    /// R-HDR-6: the ledger's parts never decrease.
    Monotone,
    /// R-LED-1: the ledger balances.
    Balance,
    /// R-LED-2: received and sent are the sums of the lists.
    Sums,
    /// R-LED-4: who may add value.
    Minting,
    /// R-LED-3: a watermark agrees with its source's header.
    Watermark,
    /// R-CKPT-1: number, parent, epoch and timestamp of a checkpoint.
    Parent,
    /// R-CKPT-2: the form of crosslinks.
    Crosslinks,
    /// R-CKPT-3: the evidence is what the crosslinks name.
    Evidence,
    /// R-CKPT-4: watermarks name crosslinked headers.
    Closed,
    /// R-CKPT-6: placements are those of the headers.
    Placements,
    /// R-CKPT-8: conservation over all shards.
    Conservation,
    /// R-EPOCH-4: accounts that move.
    Moves,
}

impl Rule {
    /// All of them, by code.
    const ALL: [Self; 17] = [
        Self::Chain,
        Self::Certificate,
        Self::Progress,
        Self::Lists,
        Self::BaseFee,
        Self::Monotone,
        Self::Balance,
        Self::Sums,
        Self::Minting,
        Self::Watermark,
        Self::Parent,
        Self::Crosslinks,
        Self::Evidence,
        Self::Closed,
        Self::Placements,
        Self::Conservation,
        Self::Moves,
    ];

    /// Its number in observations.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The rule with this number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Its name in docs/protocol.md.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chain => "R-HDR-1",
            Self::Certificate => "R-HDR-2",
            Self::Progress => "R-HDR-3",
            Self::Lists => "R-HDR-4",
            Self::BaseFee => "R-HDR-5",
            Self::Monotone => "R-HDR-6",
            Self::Balance => "R-LED-1",
            Self::Sums => "R-LED-2",
            Self::Watermark => "R-LED-3",
            Self::Minting => "R-LED-4",
            Self::Parent => "R-CKPT-1",
            Self::Crosslinks => "R-CKPT-2",
            Self::Evidence => "R-CKPT-3",
            Self::Closed => "R-CKPT-4",
            Self::Placements => "R-CKPT-6",
            Self::Conservation => "R-CKPT-8",
            Self::Moves => "R-EPOCH-4",
        }
    }
}

/// A broken rule, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Violation {
    /// What is broken.
    pub rule: Rule,
    /// By which shard; `None` when it is the checkpoint.
    pub shard: Option<ShardId>,
    /// In which header; `None` when it is not a single one.
    pub height: Option<Height>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken", self.rule.name())?;
        if let Some(shard) = self.shard {
            write!(f, " by shard {shard}")?;
        }
        self.height.map_or(Ok(()), |height| write!(f, " at height {height}"))
    }
}

impl std::error::Error for Violation {}

/// All rules of a header that need no signature and no other shard, for a checkpoint `number`.
///
/// # Errors
/// The first rule that is broken.
pub fn check_header(
    settings: &Settings,
    previous: &Previous<'_>,
    header: &Header,
    number: CheckpointNumber,
) -> Result<(), Violation> {
    check_chain(previous, header)?;
    check_progress(settings, previous, header, number)?;
    check_lists(settings, previous, header)?;
    check_base_fee(settings, previous, header)?;
    check_ledger(settings, previous, header)
}

/// R-HDR-1.
///
/// # Errors
/// When the header does not follow `previous`.
pub fn check_chain(previous: &Previous<'_>, header: &Header) -> Result<(), Violation> {
    let follows = header.height == previous.height.next() && header.parent == previous.hash;
    require(follows, Rule::Chain, header)
}

/// R-HDR-2. The expensive one.
///
/// # Errors
/// When the certificate is not the shard's.
pub fn check_certificate(settings: &Settings, signed: &SignedHeader) -> Result<(), Violation> {
    let keys = settings.shards.get(signed.shard.0 as usize);
    let signed_by_shard = keys.is_some_and(|keys| signed.verify(&settings.network, keys));
    require(signed_by_shard, Rule::Certificate, signed)
}

/// R-HDR-3.
///
/// # Errors
/// When time or the named checkpoint goes back, the named checkpoint is not older than `number`,
/// or gas is not within the network's limit.
pub fn check_progress(
    settings: &Settings,
    previous: &Previous<'_>,
    header: &Header,
    number: CheckpointNumber,
) -> Result<(), Violation> {
    let forward = previous.header.is_none_or(|before| {
        header.timestamp > before.timestamp && header.checkpoint >= before.checkpoint
    });
    let gas = header.gas_limit == settings.gas_limit && header.gas_used <= header.gas_limit;
    require(forward && gas && header.checkpoint < number, Rule::Progress, header)
}

/// R-HDR-4.
///
/// # Errors
/// When a list is not ascending, names the shard itself or none, or an entry disappears, decreases
/// or changes in part.
pub fn check_lists(
    settings: &Settings,
    previous: &Previous<'_>,
    header: &Header,
) -> Result<(), Violation> {
    let other = |id: ShardId| id != header.shard && id.0 < settings.shard_count();
    let marks = &header.watermarks;
    let sent = &header.sent;
    let ordered = marks.windows(2).all(|pair| pair[0].source < pair[1].source)
        && sent.windows(2).all(|pair| pair[0].destination < pair[1].destination)
        && marks.iter().all(|mark| other(mark.source))
        && sent.iter().all(|sent| other(sent.destination));
    let before = previous.header;
    let marks_grow = marks
        .iter()
        .all(|mark| mark_follows(before.and_then(|header| header.watermark(mark.source)), mark));
    let sent_grows = sent
        .iter()
        .all(|sent| sent_follows(before.and_then(|header| header.sent_to(sent.destination)), sent));
    let none_disappears = before.is_none_or(|before| {
        before.watermarks.iter().all(|mark| header.watermark(mark.source).is_some())
            && before.sent.iter().all(|sent| header.sent_to(sent.destination).is_some())
    });
    require(ordered && marks_grow && sent_grows && none_disappears, Rule::Lists, header)
}

/// R-HDR-5.
///
/// # Errors
/// When the base fee is not the one that follows.
pub fn check_base_fee(
    settings: &Settings,
    previous: &Previous<'_>,
    header: &Header,
) -> Result<(), Violation> {
    let expected = match previous.header {
        Some(before) if settings.base_fee_moves => {
            require(before.base_fee <= MAX_BASE_FEE, Rule::BaseFee, header)?;
            calc_next_block_base_fee(
                before.gas_used.0,
                before.gas_limit.0,
                before.base_fee,
                BaseFeeParams::ethereum(),
            )
        }
        _ => settings.base_fee,
    };
    require(header.base_fee == expected, Rule::BaseFee, header)
}

/// R-HDR-6 with R-LED-1, R-LED-2 and R-LED-4.
///
/// # Errors
/// When the ledger does not balance, is not the sum of the lists, says that somebody minted who may
/// not, or a part decreases.
pub fn check_ledger(
    settings: &Settings,
    previous: &Previous<'_>,
    header: &Header,
) -> Result<(), Violation> {
    let ledger = &header.ledger;
    let genesis = settings.genesis_held.get(header.shard.0 as usize);
    let balances = genesis.is_some_and(|genesis| ledger.balances(*genesis));
    require(balances, Rule::Balance, header)?;
    let received = sum(header.watermarks.iter().map(|mark| mark.value));
    let sent = sum(header.sent.iter().map(|sent| sent.value));
    let sums = received == Some(ledger.received) && sent == Some(ledger.sent);
    require(sums, Rule::Sums, header)?;
    let may_mint = settings.minting == Minting::Administrator;
    require(may_mint || ledger.minted.is_zero(), Rule::Minting, header)?;
    let grows = previous.header.is_none_or(|before| {
        let before = &before.ledger;
        ledger.received >= before.received
            && ledger.sent >= before.sent
            && ledger.burnt >= before.burnt
            && ledger.minted >= before.minted
    });
    require(grows, Rule::Monotone, header)
}

/// R-EPOCH-1: the epoch of a checkpoint. Without epochs all are of epoch 0.
#[must_use]
pub fn epoch_of(settings: &Settings, number: CheckpointNumber) -> Epoch {
    settings.epochs.map_or(Epoch::ZERO, |epochs| epochs.of(number))
}

/// R-CKPT-1, with R-EPOCH-1.
///
/// # Errors
/// When the checkpoint does not continue its parent, is not of the epoch that its number gives, or
/// comes too early.
pub fn check_parent(
    settings: &Settings,
    parent: &CheckpointState,
    checkpoint: &Checkpoint,
) -> Result<(), Violation> {
    let continues = checkpoint.number == parent.number().next()
        && checkpoint.parent == parent.digest()
        && checkpoint.epoch == epoch_of(settings, checkpoint.number)
        && checkpoint.timestamp >= parent.timestamp() + settings.checkpoint_every;
    let broken = Violation { rule: Rule::Parent, shard: None, height: None };
    if continues { Ok(()) } else { Err(broken) }
}

/// R-CKPT-2, as far as the crosslinks alone show it. That their headers continue the shard is
/// R-HDR-1.
///
/// # Errors
/// When crosslinks are not ascending, are empty or too long, or do not start where they must.
pub fn check_crosslinks(
    parent: &CheckpointState,
    checkpoint: &Checkpoint,
) -> Result<(), Violation> {
    let mut last = None;
    for crosslink in &checkpoint.crosslinks {
        let starts = parent
            .previous(crosslink.shard)
            .is_some_and(|previous| crosslink.first == previous.height.next());
        let sized = (1..=MAX_CROSSLINK_HEADERS).contains(&crosslink.headers.len());
        if !starts || !sized || last >= Some(crosslink.shard) {
            let shard = Some(crosslink.shard);
            return Err(Violation { rule: Rule::Crosslinks, shard, height: None });
        }
        last = Some(crosslink.shard);
    }
    Ok(())
}

/// What a watermark needs from its source's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it names a header that is crosslinked already, and agrees with it.
    Nothing,
    /// That so many headers of the source are taken; it agrees with the last of them.
    Headers(usize),
    /// A header that is not at hand.
    Missing,
    /// It does not agree with the header that it names: R-LED-3 is broken.
    Disagrees,
}

/// R-CKPT-4 and R-LED-3 for one watermark that is new in a header of `destination`. `chain` is the
/// source's headers above the parent checkpoint.
///
/// A header that released nothing for the destination can not be named: no batch came from it.
#[must_use]
pub fn watermark_need(
    parent: &CheckpointState,
    chain: &[SignedHeader],
    destination: ShardId,
    mark: &Watermark,
) -> Need {
    let Some(tip) = parent.previous(mark.source) else { return Need::Disagrees };
    let agrees = |header, sequence, value| {
        (mark.header, mark.sequence, mark.value) == (header, sequence, value)
    };
    if mark.height <= tip.height {
        return match parent.release(mark.source, destination, mark.height) {
            Some(release) if agrees(release.header, release.sequence, release.value) => {
                Need::Nothing
            }
            _ => Need::Disagrees,
        };
    }
    let index = usize::try_from(mark.height.0 - tip.height.0 - 1).unwrap_or(usize::MAX);
    let Some(header) = chain.get(index) else { return Need::Missing };
    let released =
        |header: &Header| header.sent_to(destination).map_or(Sequence::ZERO, |s| s.sequence);
    let before = match index.checked_sub(1) {
        Some(before) => chain.get(before).map(|signed| released(signed)),
        None => tip.header.map(released),
    };
    match header.sent_to(destination) {
        Some(sent)
            if agrees(header.hash(), sent.sequence, sent.value)
                && sent.sequence > before.unwrap_or(Sequence::ZERO) =>
        {
            Need::Headers(index + 1)
        }
        _ => Need::Disagrees,
    }
}

/// Watermarks of `header` that are not those of the header before.
pub fn new_watermarks<'a>(
    previous: &Previous<'a>,
    header: &'a Header,
) -> impl Iterator<Item = &'a Watermark> {
    let before = previous.header;
    header
        .watermarks
        .iter()
        .filter(move |mark| before.and_then(|header| header.watermark(mark.source)) != Some(mark))
}

fn mark_follows(before: Option<&Watermark>, mark: &Watermark) -> bool {
    match before {
        None => mark.height > Height::ZERO && mark.sequence > Sequence::ZERO,
        Some(before) => {
            before == mark
                || (mark.height > before.height
                    && mark.sequence > before.sequence
                    && mark.header != before.header
                    && mark.value >= before.value)
        }
    }
}

fn sent_follows(before: Option<&Sent>, sent: &Sent) -> bool {
    match before {
        None => sent.sequence > Sequence::ZERO,
        Some(before) => {
            before == sent || (sent.sequence > before.sequence && sent.value >= before.value)
        }
    }
}

fn sum(values: impl IntoIterator<Item = Wei>) -> Option<Wei> {
    values.into_iter().try_fold(Wei::ZERO, Wei::checked_add)
}

fn require(holds: bool, rule: Rule, header: &Header) -> Result<(), Violation> {
    if holds {
        return Ok(());
    }
    Err(Violation { rule, shard: Some(header.shard), height: Some(header.height) })
}
