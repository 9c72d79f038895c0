//! A validator that as leader proposes one checkpoint to half of the committee and another one to
//! the rest, and votes for both.

use consensus::{Keyring, Kind, Message as Agreement, Proposal, Vote};
use coordinator::{CheckpointValue, ConfigError, Coordinator, CoordinatorConfig};
use cross_shard_msg::{
    Audience, Effect, Effects, Input, JobSize, Machine, Message, NodeId, Timestamp, ValidatorIndex,
    codec,
};

use super::ask;

/// A coordinator that equivocates when it leads.
#[derive(Debug)]
pub struct EquivocatingLeader {
    node: Coordinator,
    keys: Keyring,
    others: Vec<ValidatorIndex>,
}

impl EquivocatingLeader {
    /// Turns a coordinator into one.
    ///
    /// # Errors
    /// When the parts of the configuration do not fit together.
    pub fn new(config: CoordinatorConfig) -> Result<Self, ConfigError> {
        let committee = consensus::checkpoint::committee(&config.settings)?;
        let size = u32::try_from(config.settings.validators.len()).unwrap_or(u32::MAX);
        let others = (0..size).map(ValidatorIndex).filter(|other| *other != config.index).collect();
        let keys = Keyring::new(committee, config.key.clone())?;
        Ok(Self { node: Coordinator::new(config)?, keys, others })
    }

    /// Says two things where the node said one. False if the message is no proposal of its own.
    fn equivocate(&self, message: &Message, effects: &mut Effects<Self>) -> bool {
        let Message::Consensus(bytes) = message else { return false };
        let decoded = codec::decode::<Agreement<CheckpointValue>>(bytes);
        let Ok(Agreement::Propose(first)) = decoded else { return false };
        let Some(second) = self.another(&first) else { return false };
        let votes = [&first, &second].map(|proposal| Agreement::Vote(proposal.vote.clone()));
        let proposals = [first, second].map(Agreement::Propose);
        // The larger half hears the first one.
        let (most, rest) = self.others.split_at(self.others.len().div_ceil(2));
        for (half, proposal) in [most, rest].into_iter().zip(&proposals) {
            for to in half {
                send(*to, proposal, effects);
            }
        }
        // Votes go to everybody, or neither could win.
        for (to, vote) in self.others.iter().flat_map(|to| votes.iter().map(move |vote| (to, vote)))
        {
            send(*to, vote, effects);
        }
        true
    }

    /// The same proposal, a nanosecond later: as valid as the first one.
    fn another(&self, first: &Proposal<CheckpointValue>) -> Option<Proposal<CheckpointValue>> {
        let mut checkpoint = (**first.value.checkpoint()).clone();
        checkpoint.timestamp = Timestamp(checkpoint.timestamp.0.checked_add(1)?);
        let evidence = first.value.evidence().to_vec();
        let value =
            CheckpointValue::seal(cross_shard_msg::Proposal { checkpoint, evidence }).ok()?;
        let digest = consensus::Value::digest(&value);
        let vote = Vote::sign(&self.keys, first.vote.view, Kind::Notarize, digest);
        Some(Proposal { parent_view: first.parent_view, value, vote })
    }
}

fn send(
    to: ValidatorIndex,
    message: &Agreement<CheckpointValue>,
    effects: &mut Effects<EquivocatingLeader>,
) {
    if let Ok(bytes) = codec::encode(message) {
        effects.send(NodeId::Coordinator(to), Message::Consensus(bytes.into()));
    }
}

impl Machine for EquivocatingLeader {
    type Timer = <Coordinator as Machine>::Timer;
    type Record = <Coordinator as Machine>::Record;
    type Job = <Coordinator as Machine>::Job;
    type JobResult = <Coordinator as Machine>::JobResult;
    type Admin = <Coordinator as Machine>::Admin;
    type Executed = <Coordinator as Machine>::Executed;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        for effect in ask(&mut self.node, now, input.for_machine()) {
            match effect {
                Effect::Broadcast { to: Audience::Coordinators, message } => {
                    if !self.equivocate(&message, effects) {
                        effects.broadcast(Audience::Coordinators, message);
                    }
                }
                effect => effects.push(effect.of_machine()),
            }
        }
    }

    fn compute(job: Self::Job) -> Self::JobResult {
        Coordinator::compute(job)
    }

    fn job_size(job: &Self::Job) -> JobSize {
        Coordinator::job_size(job)
    }
}
