//! Counters of a machine for Prometheus, from what it observes.

use cross_shard_msg::Event;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Why something was refused or dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// What a node has done so far.
#[derive(Clone, Debug, Default)]
pub struct NodeMetrics {
    submitted: Counter,
    admitted: Counter,
    refused: Family<Reason, Counter>,
    dropped: Family<Reason, Counter>,
    height: Gauge,
    waiting: Gauge,
    batches_arrived: Counter,
    batches_accepted: Counter,
    checkpoint: Gauge,
    views_nullified: Counter,
    accounts_left: Counter,
    accounts_arrived: Counter,
    partitioner_failures: Counter,
}

impl NodeMetrics {
    /// Counters at zero, registered.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = &metrics;
        registry.register("submitted", "transactions sent to shards", m.submitted.clone());
        registry.register("admitted", "transactions admitted", m.admitted.clone());
        registry.register("refused", "transactions refused, by reason", m.refused.clone());
        registry.register("dropped", "inputs dropped, by reason", m.dropped.clone());
        registry.register("height", "height of the newest block", m.height.clone());
        registry.register("mempool_transactions", "transactions that wait", m.waiting.clone());
        let arrived = m.batches_arrived.clone();
        registry.register("batches_arrived", "receipt batches that arrived", arrived);
        let accepted = m.batches_accepted.clone();
        registry.register("batches_accepted", "receipt batches that the gate let in", accepted);
        registry.register("checkpoint", "newest finalized checkpoint", m.checkpoint.clone());
        let nullified = m.views_nullified.clone();
        registry.register("views_nullified", "views that ended without a value", nullified);
        let left = m.accounts_left.clone();
        registry.register("accounts_left", "accounts that moved away", left);
        let arrived = m.accounts_arrived.clone();
        registry.register("accounts_arrived", "accounts that moved here and are live", arrived);
        let failures = m.partitioner_failures.clone();
        registry.register("partitioner_failures", "epochs without an answer", failures);
        metrics
    }

    /// Counts an observation.
    pub fn count(&self, event: &Event) {
        match event {
            Event::Submitted { .. } => {
                self.submitted.inc();
            }
            Event::Admitted { .. } => {
                self.admitted.inc();
            }
            Event::Refused { refusal, .. } => {
                self.refused.get_or_create(&Reason { reason: refusal.name() }).inc();
            }
            Event::Dropped { reason } => {
                self.dropped.get_or_create(&Reason { reason: reason.name() }).inc();
            }
            Event::BlockExecuted { height, waiting, .. } => {
                self.height.set(i64::try_from(height.0).unwrap_or(i64::MAX));
                self.waiting.set(i64::from(*waiting));
            }
            Event::BatchArrived { .. } => {
                self.batches_arrived.inc();
            }
            Event::BatchAccepted { .. } => {
                self.batches_accepted.inc();
            }
            Event::CheckpointFinalized { number, .. } => {
                self.checkpoint.set(i64::try_from(number.0).unwrap_or(i64::MAX));
            }
            Event::ViewNullified { .. } => {
                self.views_nullified.inc();
            }
            Event::AccountLeft { .. } => {
                self.accounts_left.inc();
            }
            Event::AccountArrived { .. } => {
                self.accounts_arrived.inc();
            }
            Event::PartitionerFailed { .. } => {
                self.partitioner_failures.inc();
            }
            Event::GaveUp { .. }
            | Event::PartitionerAsked { .. }
            | Event::PartitionerAnswered { .. }
            | Event::BlockReleased { .. }
            | Event::ShardEquivocated { .. }
            | Event::ValidatorEquivocated { .. }
            | Event::LeftOut { .. }
            | Event::CheckpointProposed { .. } => {}
        }
    }
}
