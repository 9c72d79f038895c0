//! Single steps of one validator of four, told by hand.

mod network;

use alloy_primitives::B256;
use consensus::message::{MAX_CERTIFICATES, MessageError};
use consensus::{
    Certificate, CertificateError, Dropped, Evidence, FinalizationCertificate, Input, Keyring,
    Kind, Message, Output, Proposal, Record, Request, Simplex, Value, Verdict, Vote,
};
use cross_shard_msg::{Epoch, Timestamp, ValidatorIndex, View, WriteId};
use network::{Number, config, genesis, keyrings, millis};

/// Validator 0, at the time when the first proposal is due from leader 1.
struct Bench {
    keys: Vec<Keyring>,
    machine: Simplex<Number>,
    now: Timestamp,
    log: Vec<Record<Number>>,
    writes: u64,
}

impl Bench {
    fn new() -> Self {
        let keys = keyrings(4);
        let machine = Simplex::new(config(), &keys[0], genesis());
        let now = Timestamp::ZERO + millis(100);
        let mut bench = Self { keys, machine, now, log: Vec::new(), writes: 0 };
        bench.give(Input::Start);
        bench
    }

    fn give(&mut self, input: Input<Number>) -> Vec<Output<Number>> {
        let mut outputs = Vec::new();
        self.machine.handle(&self.keys[0], self.now, input, &mut outputs);
        for output in &outputs {
            if let Output::Persist { id, record } = output {
                assert_eq!(id.0, self.writes + 1, "writes are numbered without gaps");
                self.writes = id.0;
                self.log.push(record.clone());
            }
        }
        outputs
    }

    fn hear(&mut self, from: u32, message: Message<Number>) -> Vec<Output<Number>> {
        self.give(Input::Message { from: ValidatorIndex(from), message })
    }

    fn flush(&mut self) -> Vec<Output<Number>> {
        self.give(Input::Durable(WriteId(self.writes)))
    }

    fn vote(&self, who: usize, view: u64, kind: Kind, digest: B256) -> Vote {
        Vote::sign(&self.keys[who], View(view), kind, digest)
    }

    fn propose(&self, view: u64, value: &Number) -> Message<Number> {
        let leader = (view % 4) as usize;
        let vote = self.vote(leader, view, Kind::Notarize, value.digest());
        Message::Propose(Proposal { parent_view: View(0), value: value.clone(), vote })
    }

    fn certificate(&self, view: u64, kind: Kind, digest: B256) -> Certificate {
        let votes = [1, 2, 3].map(|who| self.vote(who, view, kind, digest));
        Certificate {
            epoch: network::domain().epoch,
            view: View(view),
            kind,
            digest,
            signatures: votes.iter().map(|vote| (vote.validator, vote.signature)).collect(),
        }
    }
}

fn value(payload: u64) -> Number {
    let timestamp = Timestamp::ZERO + millis(100);
    Number { parent: genesis().digest, number: 1, timestamp, payload }
}

fn kinds(outputs: &[Output<Number>]) -> Vec<&'static str> {
    let shown = outputs.iter().filter_map(|output| match output {
        Output::Broadcast(message) => Some(message.name()),
        Output::Persist { .. } => Some("persist"),
        Output::Validate { .. } => Some("validate"),
        Output::NeedValue { .. } => Some("need"),
        Output::Finalized(_) => Some("final"),
        Output::Send { .. } => Some("send"),
        Output::Evidence(_) => Some("evidence"),
        Output::Dropped(reason) => Some(reason.name()),
        Output::Entered { .. } => Some("entered"),
        Output::Serve { .. } => Some("serve"),
        Output::Wake(_) => None,
    });
    shown.collect()
}

#[test]
fn a_view_by_hand() {
    let mut bench = Bench::new();
    let value = value(5);
    let digest = value.digest();
    let proposal = bench.propose(1, &value);
    assert_eq!(kinds(&bench.hear(1, proposal)), ["validate"]);
    let valid = Input::Verdict { view: View(1), digest, verdict: Verdict::Valid };
    assert_eq!(kinds(&bench.give(valid.clone())), ["persist"], "not shown before it is durable");
    assert_eq!(kinds(&bench.give(valid)), ["late"], "nor voted twice");
    assert_eq!(kinds(&bench.flush()), ["notarize"]);
    // Leader's, own, and one more: a quorum of three.
    let vote = bench.vote(2, 1, Kind::Notarize, digest);
    let outputs = bench.hear(2, Message::Vote(vote));
    assert_eq!(kinds(&outputs), ["persist", "certificate", "entered", "persist"]);
    assert_eq!(bench.machine.view(), View(2));
    assert_eq!(kinds(&bench.flush()), ["finalize"]);
    for who in [1, 2] {
        let vote = bench.vote(who, 1, Kind::Finalize, digest);
        let outputs = bench.hear(who as u32, Message::Vote(vote));
        assert_eq!(kinds(&outputs), if who == 1 { vec![] } else { vec!["persist", "final"] });
    }
    assert_eq!(bench.machine.tip().digest, digest);
    let proof = bench.machine.tip().certificate.clone().unwrap();
    let committee = bench.keys[0].committee();
    assert_eq!(proof.verify(committee, &digest), Ok(()));
    assert!(proof.verify(committee, &B256::ZERO).is_err());
}

#[test]
fn time_out_and_repeat() {
    let mut bench = Bench::new();
    bench.now = bench.now + millis(119);
    assert_eq!(kinds(&bench.give(Input::Wake)), [""; 0]);
    bench.now = bench.now + millis(1);
    assert_eq!(kinds(&bench.give(Input::Wake)), ["persist"]);
    bench.now = bench.now + millis(99);
    assert_eq!(kinds(&bench.flush()), ["nullify"]);
    bench.now = bench.now + millis(1);
    let outputs = bench.give(Input::Wake);
    assert_eq!(kinds(&outputs), ["retry"]);
    // A late proposal may still be voted for, and is never finalized by this validator.
    let value = value(1);
    let proposal = bench.propose(1, &value);
    assert_eq!(kinds(&bench.hear(1, proposal)), ["validate"]);
    let digest = value.digest();
    bench.give(Input::Verdict { view: View(1), digest, verdict: Verdict::Valid });
    assert_eq!(kinds(&bench.flush()), ["notarize"]);
    let notarization = bench.certificate(1, Kind::Notarize, digest);
    let outputs = bench.hear(1, Message::Certificate(notarization));
    assert_eq!(kinds(&outputs), ["persist", "certificate", "entered"], "no vote to finalize");
}

#[test]
fn a_crash_around_durability_never_votes_twice() {
    let mut bench = Bench::new();
    let value = value(5);
    let digest = value.digest();
    let proposal = bench.propose(1, &value);
    bench.hear(1, proposal.clone());
    bench.give(Input::Verdict { view: View(1), digest, verdict: Verdict::Valid });
    assert!(matches!(&bench.log[..], [Record::Vote { proposal: Some(_), .. }]));

    // The record was durable when the crash came, though nobody had said so.
    let log = bench.log.clone();
    bench.machine = Simplex::recover(config(), &bench.keys[0], genesis(), log);
    bench.writes = 0;
    let outputs = bench.give(Input::Start);
    assert_eq!(kinds(&outputs), ["retry"], "the vote may be shown now");
    let Some(Output::Broadcast(Message::Retry(retry))) = outputs.first() else { panic!() };
    assert_eq!(retry.votes.len(), 1);
    assert!(bench.machine.value(&digest).is_some(), "the value is in the log too");
    assert_eq!(kinds(&bench.hear(1, proposal.clone())), ["duplicate"]);

    // It was not: then nobody has seen the vote, and any vote is open.
    bench.machine = Simplex::recover(config(), &bench.keys[0], genesis(), []);
    assert_eq!(kinds(&bench.hear(1, proposal)), ["validate"]);
}

#[test]
fn a_leader_keeps_to_its_proposal_over_a_crash() {
    let mut bench = Bench::new();
    // Views 1 to 3 are skipped; validator 0 leads view 4.
    let skip = bench.certificate(3, Kind::Nullify, B256::ZERO);
    bench.hear(1, Message::Certificate(skip));
    for view in [1, 2] {
        let skip = bench.certificate(view, Kind::Nullify, B256::ZERO);
        let outputs = bench.hear(1, Message::Certificate(skip));
        assert_eq!(kinds(&outputs).contains(&"need"), view == 2, "all between must be skipped");
    }
    let value = value(8);
    assert_eq!(
        kinds(&bench.give(Input::Proposal { view: View(3), value: value.clone() })),
        ["late"]
    );
    let early = Number { timestamp: Timestamp::ZERO, ..value.clone() };
    assert_eq!(kinds(&bench.give(Input::Proposal { view: View(4), value: early })), ["unlinked"]);
    assert_eq!(
        kinds(&bench.give(Input::Proposal { view: View(4), value: value.clone() })),
        ["persist"]
    );
    let log = bench.log.clone();
    assert_eq!(kinds(&bench.flush()), ["propose"]);

    bench.machine = Simplex::recover(config(), &bench.keys[0], genesis(), log);
    bench.writes = 0;
    assert_eq!(kinds(&bench.give(Input::Start)), ["retry"], "no new value is asked for");
    // Who has not voted gets the proposal again.
    let retry = consensus::Retry {
        view: View(4),
        entry: Some(bench.certificate(3, Kind::Nullify, B256::ZERO)),
        votes: vec![bench.vote(2, 4, Kind::Nullify, B256::ZERO)],
        finalized: 0,
    };
    let outputs = bench.hear(2, Message::Retry(retry));
    let again = outputs.iter().any(|output| {
        matches!(output, Output::Send { to: ValidatorIndex(2), message: Message::Propose(p) }
            if p.value == value)
    });
    assert!(again);
}

#[test]
fn what_is_dropped_and_why() {
    let mut bench = Bench::new();
    let value = value(1);
    let digest = value.digest();
    let good = bench.vote(2, 1, Kind::Nullify, B256::ZERO);
    let proposal = bench.propose(1, &value);
    let Message::Propose(parts) = proposal.clone() else { panic!() };
    let forged = Vote { validator: ValidatorIndex(3), ..good.clone() };
    let stale = Vote { epoch: Epoch(2), ..good.clone() };
    let far = Vote { view: View(18), ..good.clone() };
    let thin = {
        let mut thin = bench.certificate(1, Kind::Nullify, B256::ZERO);
        thin.signatures.pop();
        thin
    };
    let twice = {
        let mut twice = bench.certificate(1, Kind::Nullify, B256::ZERO);
        twice.signatures[1] = twice.signatures[0];
        twice
    };
    let not_leader = Message::Propose(Proposal {
        vote: bench.vote(2, 1, Kind::Notarize, digest),
        ..parts.clone()
    });
    let other_value = Message::Propose(Proposal {
        value: Number { payload: 2, ..value.clone() },
        ..parts.clone()
    });
    let orphan = Message::Propose(Proposal { parent_view: View(1), ..parts.clone() });
    let huge = Message::Request(Request {
        certificates: Some((View(1), View(1 + MAX_CERTIFICATES as u64))),
        values: Vec::new(),
        finalized: 0,
    });
    assert_eq!(huge.validate(4), Err(MessageError::TooMany("views")));
    let table: Vec<(u32, Message<Number>, Option<Dropped>)> = vec![
        (9, Message::Vote(good.clone()), Some(Dropped::Malformed)),
        (0, Message::Vote(good.clone()), Some(Dropped::Malformed)),
        (1, huge, Some(Dropped::Malformed)),
        (1, Message::Vote(forged), Some(Dropped::Unverified)),
        (1, Message::Vote(stale), Some(Dropped::Epoch)),
        // Its signature is wrong as well: it is dropped before anyone looks.
        (1, Message::Vote(far), Some(Dropped::Future)),
        (1, Message::Certificate(thin), Some(Dropped::Unverified)),
        (1, Message::Certificate(twice), Some(Dropped::Unverified)),
        (1, not_leader, Some(Dropped::NotLeader)),
        (1, other_value, Some(Dropped::Unverified)),
        (1, orphan, Some(Dropped::Unlinked)),
        (1, proposal.clone(), None),
        (1, proposal, Some(Dropped::Duplicate)),
        (2, Message::Vote(good.clone()), None),
        (3, Message::Vote(good), Some(Dropped::Duplicate)),
    ];
    for (row, (from, message, expected)) in table.into_iter().enumerate() {
        let outputs = bench.hear(from, message);
        let dropped = outputs.iter().find_map(|output| match output {
            Output::Dropped(reason) => Some(*reason),
            _ => None,
        });
        assert_eq!(dropped, expected, "row {row}");
    }
}

#[test]
fn evidence_needs_two_contradicting_signatures() {
    let keys = keyrings(4);
    let vote = |who: usize, view, kind, byte| {
        let digest = if kind == Kind::Nullify { B256::ZERO } else { B256::repeat_byte(byte) };
        Vote::sign(&keys[who], View(view), kind, digest)
    };
    use Kind::{Finalize, Notarize, Nullify};
    let a = vote(1, 1, Notarize, 1);
    let table = [
        (vote(1, 1, Notarize, 2), true),
        (vote(1, 1, Notarize, 1), false),
        (vote(1, 2, Notarize, 2), false),
        (vote(2, 1, Notarize, 2), false),
        (vote(1, 1, Nullify, 0), false),
        (vote(1, 1, Finalize, 2), false),
    ];
    for (row, (b, expected)) in table.into_iter().enumerate() {
        assert_eq!(Evidence::new(a.clone(), b).is_some(), expected, "row {row}");
    }
    let committee = keys[0].committee();
    let proof = Evidence::new(vote(1, 1, Nullify, 0), vote(1, 1, Finalize, 2)).unwrap();
    assert!(proof.verify(committee));
    let mut slander = proof.clone();
    slander.second.signature = slander.first.signature;
    assert!(!slander.verify(committee));
}

#[test]
fn equivocation_is_reported_once() {
    let mut bench = Bench::new();
    let proposal = bench.propose(1, &value(1));
    bench.hear(1, proposal);
    let other = bench.vote(1, 1, Kind::Notarize, B256::repeat_byte(1));
    let outputs = bench.hear(2, Message::Vote(other.clone()));
    assert_eq!(kinds(&outputs), ["evidence", "equivocation"]);
    let evidence = outputs.iter().find_map(|output| match output {
        Output::Evidence(evidence) => Some(evidence),
        _ => None,
    });
    // The committee's keys are all that a third party needs.
    assert!(evidence.unwrap().verify(bench.keys[0].committee()));
    assert_eq!(kinds(&bench.hear(2, Message::Vote(other))), ["duplicate"]);
}

#[test]
fn invalid_proposals_are_skipped_at_once() {
    let mut bench = Bench::new();
    let value = value(1);
    let digest = value.digest();
    let proposal = bench.propose(1, &value);
    bench.hear(1, proposal);
    let not_yet = Input::Verdict { view: View(1), digest, verdict: Verdict::NotYet };
    assert_eq!(kinds(&bench.give(not_yet)), [""; 0]);
    bench.now = bench.now + config().timing.fetch_retry;
    assert_eq!(kinds(&bench.give(Input::Wake)), ["validate"], "asked again");
    let invalid = Input::Verdict { view: View(1), digest, verdict: Verdict::Invalid };
    assert_eq!(kinds(&bench.give(invalid)), ["persist"]);
    assert_eq!(kinds(&bench.flush()), ["nullify"]);
}

#[test]
fn a_proposal_must_not_skip_what_may_be_final() {
    let mut bench = Bench::new();
    let first = value(1);
    let proposal = bench.propose(1, &first);
    bench.hear(1, proposal);
    let notarization = bench.certificate(1, Kind::Notarize, first.digest());
    bench.hear(1, Message::Certificate(notarization));
    assert_eq!(bench.machine.view(), View(2));

    // The leader of view 2 builds on genesis, as if view 1 were nullified.
    let fork = value(2);
    let proposal = bench.propose(2, &fork);
    assert_eq!(kinds(&bench.hear(2, proposal)), [""; 0]);
    bench.now = bench.now + config().timing.fetch_after;
    let outputs = bench.give(Input::Wake);
    let Some(Output::Send { message: Message::Request(request), .. }) = outputs.first() else {
        panic!("it asks for the proof: {outputs:?}");
    };
    assert_eq!(request.certificates, Some((View(1), View(1))));
    assert!(request.values.is_empty());
    // A notarization proves nothing of the kind, a nullification does.
    let skip = bench.certificate(1, Kind::Nullify, B256::ZERO);
    let certificates = vec![skip];
    let response = consensus::Response { certificates, values: Vec::new() };
    assert_eq!(kinds(&bench.hear(3, Message::Response(response))), ["validate"]);
}

#[test]
fn a_proposal_must_fit_its_parent() {
    let genesis = genesis().digest;
    let good = value(1);
    let table = [
        (Number { parent: B256::ZERO, ..good.clone() }, false),
        (Number { number: 2, ..good.clone() }, false),
        (Number { timestamp: Timestamp(99_999_999), ..good.clone() }, false),
        (Number { parent: genesis, ..good }, true),
    ];
    for (row, (value, fits)) in table.into_iter().enumerate() {
        let mut bench = Bench::new();
        let proposal = bench.propose(1, &value);
        let expected = if fits { "validate" } else { "unlinked" };
        assert_eq!(kinds(&bench.hear(1, proposal)), [expected], "row {row}");
    }
}

#[test]
fn a_missing_value_is_fetched_and_a_run_is_finalized_whole() {
    let mut bench = Bench::new();
    let first = value(1);
    let later = |parent: &Number, number| Number {
        parent: parent.digest(),
        number,
        timestamp: parent.timestamp + millis(100),
        payload: 0,
    };
    let second = later(&first, 2);
    // Only certificates arrive: view 1 is notarized, view 2 is final.
    let notarization = bench.certificate(1, Kind::Notarize, first.digest());
    bench.hear(1, Message::Certificate(notarization));
    let finalization = bench.certificate(2, Kind::Finalize, second.digest());
    bench.hear(1, Message::Certificate(finalization));
    assert_eq!(bench.machine.view(), View(3));
    assert_eq!(bench.machine.tip().number, 0);
    bench.now = bench.now + config().timing.fetch_after;
    let outputs = bench.give(Input::Wake);
    let Some(Output::Send { message: Message::Request(request), .. }) = outputs.first() else {
        panic!("{outputs:?}");
    };
    assert_eq!(request.values.len(), 2);
    let values = vec![second.clone(), value(77)];
    let answer = consensus::Response { certificates: Vec::new(), values };
    assert_eq!(kinds(&bench.hear(2, Message::Response(answer))), ["unasked", "send"]);
    let answer = consensus::Response { certificates: Vec::new(), values: vec![first.clone()] };
    let outputs = bench.hear(2, Message::Response(answer));
    let runs = outputs.iter().filter_map(|output| match output {
        Output::Finalized(run) => Some(run.clone()),
        _ => None,
    });
    let runs: Vec<_> = runs.collect();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].values, [first.clone(), second]);
    let committee = bench.keys[0].committee();
    assert_eq!(runs[0].verify(committee, (genesis().digest, 0)), Ok(()));
    let mut cut = runs[0].clone();
    cut.values.remove(0);
    assert_eq!(
        cut.verify(committee, (genesis().digest, 0)),
        Err(CertificateError::Chain(0)),
        "a part of a run proves nothing to one without the rest"
    );
    assert_eq!(cut.verify(committee, (first.digest(), 1)), Ok(()));
    // What is final is served from the caller's log.
    let request = Request { certificates: None, values: Vec::new(), finalized: 0 };
    let outputs = bench.hear(3, Message::Request(request));
    assert!(matches!(outputs[0], Output::Serve { to: ValidatorIndex(3), after: 0, .. }));
}

#[test]
fn a_proposal_from_the_future_waits() {
    let mut bench = Bench::new();
    let ahead = config().timing.max_skew + millis(5);
    let value = Number { timestamp: bench.now + ahead, ..value(1) };
    let proposal = bench.propose(1, &value);
    let outputs = bench.hear(1, proposal);
    let ready = bench.now + millis(5);
    assert_eq!(outputs, [Output::Wake(ready)]);
    bench.now = ready;
    assert_eq!(kinds(&bench.give(Input::Wake)), ["validate"]);
}

#[test]
fn only_a_finalization_is_one() {
    let bench = Bench::new();
    let digest = value(1).digest();
    let committee = bench.keys[0].committee();
    assert!(FinalizationCertificate::new(bench.certificate(1, Kind::Notarize, digest)).is_none());
    let finalization = bench.certificate(1, Kind::Finalize, digest);
    let proof = FinalizationCertificate::new(finalization.clone()).unwrap();
    assert_eq!(proof.verify(committee, &digest), Ok(()));
    let mut broken = finalization;
    broken.signatures[2].1 = broken.signatures[1].1;
    let proof = FinalizationCertificate::new(broken).unwrap();
    let wrong = Err(CertificateError::Signature(ValidatorIndex(3)));
    assert_eq!(proof.verify(committee, &digest), wrong);
}
