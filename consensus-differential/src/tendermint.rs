//! The setting, decided by `arc-malachitebft-core-consensus`.

use std::collections::{BTreeMap, VecDeque};

use arc_malachitebft_core_consensus as malachite;
use arc_malachitebft_core_types as core;
use core::{SignedMessage, Timeouts as _, ValuePayload};
use malachite::{
    Effect, Input, LivenessMsg, LocallyProposedValue, Params, Resumable, Resume,
    SignedConsensusMsg, State, process,
};

use crate::context::{Members, Number, Timeouts, Turns};
use crate::{Decisions, Queue, Setting, proposal};

enum Event {
    Input(Input<Turns>),
    /// Set when so many heights were decided.
    Timeout(usize, core::Timeout),
}

struct Process {
    state: State<Turns>,
    turns: Turns,
    decided: Vec<u64>,
}

/// Runs the setting.
#[must_use]
pub fn decide(setting: Setting) -> Decisions {
    let members = Members::new(setting.validators);
    let start =
        |height| Input::StartHeight(height, members.clone(), false, None, Default::default());
    let mut queue = Queue::new(setting);
    let mut processes = BTreeMap::new();
    for who in setting.running() {
        let turns = Turns::default();
        let params = Params {
            address: Number(who as u64),
            threshold_params: Default::default(),
            value_payload: ValuePayload::ProposalOnly,
            enabled: true,
        };
        let state = State::new(turns.clone(), Number(1), members.clone(), params, 10_000, 10_000);
        processes.insert(who, Process { state, turns, decided: Vec::new() });
        queue.schedule(who, 0, Event::Input(start(Number(1))));
    }
    while processes.values().any(|process| process.decided.len() < setting.decisions) {
        let (who, event) = queue.next().expect("nothing is left to happen");
        let Some(process) = processes.get_mut(&who) else { continue };
        let input = match event {
            Event::Input(input) => input,
            // Of a height that is decided: it is cancelled.
            Event::Timeout(height, _) if height != process.decided.len() => continue,
            Event::Timeout(_, timeout) => Input::TimeoutElapsed(timeout),
        };
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Process { state, turns, decided } = process;
            let before = decided.len();
            let done: Result<(), malachite::Error<Turns>> = process!(
                input: input,
                state: state,
                metrics: &(),
                with: effect => carry_out(setting, who, effect, &mut queue, &mut inputs, turns, decided)
            );
            done.expect("Tendermint fails");
            if decided.len() > before {
                let height = Number(decided.len() as u64 + 1);
                queue.schedule(who, queue.now + 1, Event::Input(start(height)));
            }
        }
    }
    let decided = processes
        .into_iter()
        .map(|(who, process)| (who, process.decided.into_iter().take(setting.decisions).collect()));
    decided.collect()
}

fn carry_out(
    setting: Setting,
    who: usize,
    effect: Effect<Turns>,
    queue: &mut Queue<Event>,
    inputs: &mut VecDeque<Input<Turns>>,
    turns: &Turns,
    decided: &mut Vec<u64>,
) -> Result<Resume<Turns>, malachite::Error<Turns>> {
    let mut broadcast = |input: Input<Turns>| {
        for to in setting.running().filter(|to| *to != who) {
            queue.send(who, to, Event::Input(input.clone()));
        }
    };
    Ok(match effect {
        Effect::PublishConsensusMsg(message, resume) => {
            broadcast(match message {
                SignedConsensusMsg::Vote(vote) => Input::Vote(vote),
                SignedConsensusMsg::Proposal(proposal) => Input::Proposal(proposal),
            });
            resume.resume_with(())
        }
        Effect::PublishLivenessMsg(message, resume) => {
            broadcast(match message {
                LivenessMsg::Vote(vote) => Input::Vote(vote),
                LivenessMsg::PolkaCertificate(certificate) => Input::PolkaCertificate(certificate),
                LivenessMsg::SkipRoundCertificate(certificate) => {
                    Input::RoundCertificate(certificate)
                }
            });
            resume.resume_with(())
        }
        Effect::RepublishVote(vote, resume) => {
            broadcast(Input::Vote(vote));
            resume.resume_with(())
        }
        Effect::RepublishRoundCertificate(certificate, resume) => {
            broadcast(Input::RoundCertificate(certificate));
            resume.resume_with(())
        }
        Effect::ScheduleTimeout(timeout, resume) => {
            let at = queue.now + Timeouts.duration_for(timeout).as_millis() as u64;
            queue.schedule(who, at, Event::Timeout(decided.len(), timeout));
            resume.resume_with(())
        }
        Effect::GetValue(height, round, _, resume) => {
            let value = Number(proposal(who, height.0));
            inputs.push_back(Input::Propose(LocallyProposedValue::new(height, round, value)));
            resume.resume_with(())
        }
        Effect::Decide(certificate, _, resume) => {
            assert_eq!(certificate.height.0, decided.len() as u64 + 1, "heights come in order");
            let round = certificate.round.as_u32().expect("a round has a number");
            turns.taken.lock().expect("one thread").push(u64::from(round) + 1);
            decided.push(certificate.value_id.0);
            resume.resume_with(())
        }
        Effect::SignVote(vote, resume) => resume.resume_with(SignedMessage::new(vote, ())),
        Effect::SignProposal(proposal, resume) => {
            resume.resume_with(SignedMessage::new(proposal, ()))
        }
        Effect::VerifySignature(_, _, resume) => resume.resume_with(true),
        Effect::VerifyCommitCertificate(_, _, _, resume) => resume.resume_with(Ok(())),
        Effect::VerifyPolkaCertificate(_, _, _, resume) => resume.resume_with(Ok(())),
        Effect::VerifyRoundCertificate(_, _, _, resume) => resume.resume_with(Ok(())),
        Effect::ExtendVote(_, _, _, _, resume) => resume.resume_with(None),
        _ => Resume::Continue,
    })
}
