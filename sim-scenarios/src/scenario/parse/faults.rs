//! `[[phase.fault]]`: what breaks. Which keys a fault has depends on its kind.

use cross_shard_msg::Duration;

use super::super::fault::{Damage, Fault, FaultKind, FaultTarget, PerMille};
use super::super::load::Load;
use super::super::network::Endpoint;
use super::super::unit::Bandwidth;
use super::kind::{self, Wrong};
use super::network::named_endpoint;
use super::phases::{DAY, Known};
use super::section::{Field, Notes, Section};
use super::tree::{Node, Value};

const NODES: &str = "\"shard:0\", \"shard:*\", \"coordinator:0\", \"coordinator:*\" or \"leader\"";
const ENDS: &str = "\"shard:0\", \"shard:*\", \"coordinator:0\", \"coordinator:*\", \"leader\", \
                    \"client\" or \"*\"";
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Crash,
    Pause,
    Disconnect,
    Delay,
    Loss,
    Duplicate,
    Reorder,
    Bandwidth,
}

const KINDS: &[(&str, Kind)] = &[
    ("crash", Kind::Crash),
    ("pause", Kind::Pause),
    ("disconnect", Kind::Disconnect),
    ("delay", Kind::Delay),
    ("loss", Kind::Loss),
    ("duplicate", Kind::Duplicate),
    ("reorder", Kind::Reorder),
    ("bandwidth", Kind::Bandwidth),
];

/// The faults of `phase`, whose loads are `loads`; `None` if one of them cannot be read.
pub(super) fn read(
    notes: &Notes,
    phase: &Section<'_>,
    known: &Known<'_>,
    duration: Option<&Field<Duration>>,
    loads: Option<&[Load]>,
) -> Option<Vec<Fault>> {
    let sections = phase.sections("fault")?;
    let mut faults = Some(Vec::new());
    for section in sections {
        let prescribed = |load: &Load| matches!(load, Load::MainnetBlocks(_));
        if loads.is_some_and(|loads| loads.iter().any(prescribed)) {
            notes.wrong(
                section.at(),
                "a fault does not go with `mainnet-blocks`",
                "each block is a network of its own, which is over in a moment",
            );
        }
        let fault = fault(&Context { notes, known, duration }, section);
        faults = faults.zip(fault).map(|(mut faults, fault)| {
            faults.push(fault);
            faults
        });
    }
    faults
}

struct Context<'a> {
    notes: &'a Notes,
    known: &'a Known<'a>,
    duration: Option<&'a Field<Duration>>,
}

fn fault(context: &Context<'_>, section: Section<'_>) -> Option<Fault> {
    let kind = section.required("kind", "kind = \"crash\"", kind::choice(KINDS));
    // Which keys it has depends on its kind: without one the others are not looked at.
    let kind = kind?;
    let at = context.at(&section);
    let span = kind::duration(Duration::from_millis(1)..=DAY);
    let fault = match kind.value {
        Kind::Crash => {
            let nodes = context.nodes(&section);
            let restart_after = section.optional("restart_after", &span);
            let complete = restart_after.is_some() || !section.has("restart_after");
            nodes.filter(|_| complete).map(|nodes| FaultKind::Crash {
                nodes,
                restart_after: restart_after.map(|field| field.value),
            })
        }
        Kind::Pause => {
            let nodes = context.nodes(&section);
            let span = section.required("for", "for = \"2s\"", &span);
            nodes.zip(span).map(|(nodes, span)| FaultKind::Pause { nodes, span: span.value })
        }
        links => {
            let ends = context.ends(&section);
            let one_way = section.with_default("one_way", false, kind::boolean);
            let span = section.required("for", "for = \"2s\"", &span);
            let damage = damage(links, &section);
            let links = || {
                let ((from, to), one_way) = (ends?, one_way?.value);
                Some(FaultKind::Links { from, to, one_way, span: span?.value, damage: damage? })
            };
            links()
        }
    };
    section.finish();
    Some(Fault { at: at?, kind: fault? })
}

/// The keys that say how links are damaged. `None`: one of them cannot be read.
fn damage(kind: Kind, section: &Section<'_>) -> Option<Damage> {
    let minute = kind::duration(Duration::ZERO..=MINUTE);
    let share = || section.required("share", "share = \"10%\"", per_mille);
    match kind {
        Kind::Crash | Kind::Pause => None,
        Kind::Disconnect => Some(Damage::Disconnect),
        Kind::Delay => {
            let delay = section.required("delay", "delay = \"200ms\"", &minute);
            let jitter = section.with_default("jitter", Duration::ZERO, &minute);
            Some(Damage::Delay { delay: delay?.value, jitter: jitter?.value })
        }
        Kind::Loss => Some(Damage::Loss { share: share()?.value }),
        Kind::Duplicate => Some(Damage::Duplicate { share: share()?.value }),
        Kind::Reorder => {
            let share = share();
            let within = kind::duration(Duration(1)..=MINUTE);
            let within = section.with_default("within", Duration::from_millis(100), within);
            Some(Damage::Reorder { share: share?.value, within: within?.value })
        }
        Kind::Bandwidth => {
            let field = section.required("bandwidth", "bandwidth = \"1 Mbit/s\"", |node| {
                match kind::bandwidth(node)? {
                    Bandwidth::BitsPerSecond(bits) => Ok(bits),
                    Bandwidth::Unlimited => Err(Wrong::value("expected less than unlimited")),
                }
            });
            Some(Damage::Bandwidth { bits_per_second: field?.value })
        }
    }
}

/// A share in thousandths, above 0.
fn per_mille(node: &Node) -> Result<PerMille, Wrong> {
    let millionths = kind::fraction(node)?.millionths;
    if millionths == 0 || !millionths.is_multiple_of(1_000) {
        return Err(Wrong::value("expected a share from 0.001 to 1 in steps of a thousandth"));
    }
    u16::try_from(millionths / 1_000).map(PerMille).map_err(|_| Wrong::value("too large"))
}

impl Context<'_> {
    /// `at`: within the phase, if that has a length.
    fn at(&self, section: &Section<'_>) -> Option<Duration> {
        let at =
            section.with_default("at", Duration::ZERO, kind::duration(Duration::ZERO..=DAY))?;
        if let Some(phase) = self.duration
            && at.value >= phase.value
        {
            self.notes.wrong(
                &at.at,
                format!("`{}` is not within the phase", at.path),
                format!(
                    "expected less than its `for`, {}",
                    super::super::unit::print_duration(phase.value)
                ),
            );
        }
        Some(at.value)
    }

    /// `node`: who dies or stands still.
    fn nodes(&self, section: &Section<'_>) -> Option<Vec<FaultTarget>> {
        let nodes = section.required("node", "node = \"shard:1\"", |node| {
            let targets = self.targets(node, NODES)?;
            let forbidden = |target: &FaultTarget| {
                matches!(target, FaultTarget::Nodes(Endpoint::Any | Endpoint::Client))
            };
            if targets.iter().any(forbidden) {
                let wrong = Wrong::value(format!("expected {NODES}"));
                return Err(wrong.help("the client is part of the experiment, not of the network"));
            }
            Ok(targets)
        });
        nodes.map(|field| field.value)
    }

    /// `from` and `to`: between them is at least one link.
    fn ends(&self, section: &Section<'_>) -> Option<(Vec<FaultTarget>, Vec<FaultTarget>)> {
        let read = |node: &Node| self.targets(node, ENDS);
        let from = section.required("from", "from = \"shard:1\"", read);
        let to = section.required("to", "to = \"*\"", read);
        let (from, to) = (from?, to?);
        if let ([FaultTarget::Nodes(one)], [FaultTarget::Nodes(other)]) =
            (from.value.as_slice(), to.value.as_slice())
            && one == other
            && matches!(one, Endpoint::Shard(_) | Endpoint::Coordinator(_) | Endpoint::Client)
        {
            self.notes.wrong(
                to.blame(&from),
                "a node has no link to itself",
                format!("expected another one than `{one}`"),
            );
        }
        Some((from.value, to.value))
    }

    /// A target or an array of them.
    fn targets(&self, node: &Node, expected: &str) -> Result<Vec<FaultTarget>, Wrong> {
        let elements = match &node.value {
            Value::Text(_) => std::slice::from_ref(node),
            Value::Array(elements) if !elements.is_empty() => elements.as_slice(),
            Value::Array(_) => return Err(Wrong::value("expected at least one node")),
            _ => return Err(Wrong::kind(&format!("{expected}, or an array of these"), node)),
        };
        let mut targets = Vec::new();
        for element in elements {
            let text = kind::string(element, expected)?;
            let target = match text {
                "leader" => FaultTarget::Leader,
                text => {
                    let value = |field: &Option<Field<u32>>| field.as_ref().map(|it| it.value);
                    let network = self.known.network;
                    let (shards, validators) = (value(&network.shards), value(&network.validators));
                    FaultTarget::Nodes(named_endpoint(text, expected, shards, validators)?)
                }
            };
            if targets.contains(&target) {
                return Err(Wrong::value(format!("`{target}` is listed twice")));
            }
            targets.push(target);
        }
        Ok(targets)
    }
}
