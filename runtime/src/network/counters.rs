//! What the network counts, for Prometheus. Families are looked up once per link; the paths that
//! messages take touch only atomics.

use cross_shard_msg::NodeId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::config::TrafficClass;
use super::events::RefusalReason;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    peer: String,
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabels {
    peer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// All families of the network.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    sent_messages: Family<LaneLabels, Counter>,
    sent_bytes: Family<LaneLabels, Counter>,
    resent_messages: Family<LaneLabels, Counter>,
    refused_messages: Family<LaneLabels, Counter>,
    queue_messages: Family<LaneLabels, Gauge>,
    queue_bytes: Family<LaneLabels, Gauge>,
    streams: Family<LaneLabels, Counter>,
    received_messages: Family<LaneLabels, Counter>,
    received_bytes: Family<LaneLabels, Counter>,
    repeated_messages: Family<LaneLabels, Counter>,
    connections: Family<PeerLabels, Counter>,
    inbox_messages: Family<ClassLabels, Gauge>,
    refused: Family<ReasonLabels, Counter>,
}

impl Counters {
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("network");
        let lane = [
            (
                "sent_messages",
                "Messages written to a stream for the first time",
                &self.sent_messages,
            ),
            ("sent_bytes", "Payload bytes of sent messages", &self.sent_bytes),
            ("resent_messages", "Messages written again on a new stream", &self.resent_messages),
            (
                "refused_messages",
                "Messages refused because the queue was full",
                &self.refused_messages,
            ),
            ("streams", "Outgoing streams opened", &self.streams),
            ("received_messages", "Messages delivered to the inbox", &self.received_messages),
            ("received_bytes", "Payload bytes of received messages", &self.received_bytes),
            ("repeated_messages", "Messages received again and dropped", &self.repeated_messages),
        ];
        for (name, help, family) in lane {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "queue_messages",
            "Messages waiting or not yet acknowledged",
            self.queue_messages.clone(),
        );
        registry.register(
            "queue_bytes",
            "Payload bytes waiting or not yet acknowledged",
            self.queue_bytes.clone(),
        );
        registry.register(
            "connections",
            "Connections established; more than one per peer are reconnects",
            self.connections.clone(),
        );
        registry.register(
            "inbox_messages",
            "Messages waiting for the process",
            self.inbox_messages.clone(),
        );
        registry.register(
            "refused",
            "Connections and streams refused or given up, by reason",
            self.refused.clone(),
        );
    }

    pub(super) fn outgoing(&self, peer: NodeId, class: TrafficClass) -> OutgoingCounters {
        let labels = LaneLabels { peer: peer.to_string(), class: class.name() };
        OutgoingCounters {
            sent_messages: self.sent_messages.get_or_create_owned(&labels),
            sent_bytes: self.sent_bytes.get_or_create_owned(&labels),
            resent_messages: self.resent_messages.get_or_create_owned(&labels),
            refused_messages: self.refused_messages.get_or_create_owned(&labels),
            queue_messages: self.queue_messages.get_or_create_owned(&labels),
            queue_bytes: self.queue_bytes.get_or_create_owned(&labels),
            streams: self.streams.get_or_create_owned(&labels),
        }
    }

    pub(super) fn incoming(&self, peer: NodeId, class: TrafficClass) -> IncomingCounters {
        let labels = LaneLabels { peer: peer.to_string(), class: class.name() };
        IncomingCounters {
            received_messages: self.received_messages.get_or_create_owned(&labels),
            received_bytes: self.received_bytes.get_or_create_owned(&labels),
            repeated_messages: self.repeated_messages.get_or_create_owned(&labels),
        }
    }

    pub(super) fn connections(&self, peer: NodeId) -> Counter {
        self.connections.get_or_create_owned(&PeerLabels { peer: peer.to_string() })
    }

    pub(super) fn inbox(&self, class: TrafficClass) -> Gauge {
        self.inbox_messages.get_or_create_owned(&ClassLabels { class: class.name() })
    }

    pub(super) fn refused(&self, reason: RefusalReason) -> Counter {
        self.refused.get_or_create_owned(&ReasonLabels { reason: reason.name() })
    }
}

/// Counters of one class of one outgoing link.
#[derive(Debug)]
pub(super) struct OutgoingCounters {
    pub sent_messages: Counter,
    pub sent_bytes: Counter,
    pub resent_messages: Counter,
    pub refused_messages: Counter,
    pub queue_messages: Gauge,
    pub queue_bytes: Gauge,
    pub streams: Counter,
}

/// Counters of one class of one incoming link.
#[derive(Debug)]
pub(super) struct IncomingCounters {
    pub received_messages: Counter,
    pub received_bytes: Counter,
    pub repeated_messages: Counter,
}
