//! What the network reports to its process besides messages.

use std::fmt;

use cross_shard_msg::NodeId;

use super::config::TrafficClass;

/// Something that happened to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkEvent {
    /// The connection to this node stands.
    Connected(NodeId),
    /// The connection to this node is lost; queued messages wait, the lower peer id redials.
    Disconnected(NodeId),
    /// The node came back as another process. What it had acknowledged in its earlier life may be
    /// lost; what it had not is sent again.
    PeerRestarted(NodeId),
    /// A queue is full: messages to this node are refused from now on.
    Overflow {
        /// Destination of the refused messages.
        to: NodeId,
        /// Their class.
        class: TrafficClass,
    },
    /// The queue takes messages again.
    OverflowEnded {
        /// Destination of the refused messages.
        to: NodeId,
        /// Their class.
        class: TrafficClass,
        /// How many messages were refused meanwhile.
        refused: u64,
    },
    /// A connection or a stream was refused or given up.
    Refused {
        /// Why.
        reason: RefusalReason,
        /// The node that it came from, when that is known.
        from: Option<NodeId>,
    },
    /// So many events did not fit into the inbox and are only counted.
    EventsLost(u64),
}

/// Why a connection or a stream was refused. A refused stream is opened again by an honest peer
/// and resumes without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// The peer is not on the allow-list.
    NotAllowed,
    /// More connections than the limits allow.
    ConnectionLimit,
    /// A stream did not begin with a valid hello or welcome.
    BadHello,
    /// A frame announced more bytes than a message may have.
    Oversize,
    /// A frame was not the next in its sequence.
    SequenceGap,
    /// An acknowledgement named what was never sent.
    BadAcknowledgement,
}

impl RefusalReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::NotAllowed,
        Self::ConnectionLimit,
        Self::BadHello,
        Self::Oversize,
        Self::SequenceGap,
        Self::BadAcknowledgement,
    ];

    /// Name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::ConnectionLimit => "connection_limit",
            Self::BadHello => "bad_hello",
            Self::Oversize => "oversize",
            Self::SequenceGap => "sequence_gap",
            Self::BadAcknowledgement => "bad_acknowledgement",
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
