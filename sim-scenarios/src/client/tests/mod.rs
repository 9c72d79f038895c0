//! The client against a network that a test plays by hand, and against a small scripted one.

mod lab;

use std::collections::BTreeMap;

use alloy_consensus::Transaction as _;
use cross_shard_msg::{
    CheckpointNumber, Failure, Height, LegNotice, Placement, Recovered, Transaction,
};

use super::*;
use lab::{Lab, TOKENS, TRANSFERS, at, checkpoint};

#[test]
fn the_schedule_is_kept_whatever_the_network_does() {
    let mut lab = Lab::new(TRANSFERS, 10);
    lab.until(1_500);
    assert_eq!(lab.sent.len(), 10, "nothing answers, and all are sent");
    for (index, (sent, shard, transaction)) in lab.sent.clone().into_iter().enumerate() {
        assert_eq!((sent, transaction), (at(50 + 100 * index as u64), index));
        let sender = lab.workload.sender(index).unwrap();
        assert_eq!(shard, route(&lab.allocation, &sender));
        let key = lab.workload.transactions[index].key;
        let event = Event::Submitted { key, scheduled: sent, shard, attempt: 1 };
        assert!(lab.events.contains(&event));
    }
    assert_eq!(lab.tally().submitted, 10);
}

#[test]
fn what_is_due_within_a_tick_shares_messages() {
    let mut lab = Lab::new(TRANSFERS, 20_000);
    lab.until(1_100);
    assert_eq!(lab.sent.len(), 20_000);
    assert!(lab.messages <= 501 * 4, "{} messages", lab.messages);
    let lag = |(sent, _, index): &(Timestamp, ShardId, usize)| {
        sent.since(at(50) + lab.workload.transactions[*index].at)
    };
    assert!(lab.sent.iter().map(lag).max().unwrap() <= TICK);
}

#[test]
fn each_refusal_has_its_consequence() {
    for refusal in Refusal::ALL {
        let mut lab = Lab::new(TRANSFERS, 1);
        lab.until(60);
        lab.answer(0, Err(refusal));
        lab.until(1_000);
        let key = lab.workload.transactions[0].key;
        let gave_up = lab.events.contains(&Event::GaveUp { key, refusal });
        let retried = lab.sent.len() > 1;
        let tally = lab.tally();
        let (again, known) = (refusal.may_pass_later(), refusal == Refusal::AlreadyKnown);
        assert_eq!((retried, gave_up), (again, !again && !known), "{refusal}");
        assert_eq!(tally.admitted, u32::from(known), "{refusal}");
        assert_eq!(tally.replaced, u32::from(refusal == Refusal::Replaced), "{refusal}");
        assert_eq!(tally.refused, u32::from(gave_up && tally.replaced == 0), "{refusal}");
    }
}

#[test]
fn refusals_are_retried_in_nonce_order() {
    let mut lab = Lab::new(TRANSFERS, 400);
    lab.until(1_060);
    let sender = lab.workload.transactions[0].sender;
    let of_sender: Vec<usize> =
        (0..400).filter(|index| lab.workload.transactions[*index].sender == sender).collect();
    assert!(of_sender.len() >= 5);
    lab.sent.clear();
    for index in of_sender.iter().rev() {
        lab.answer(*index, Err(Refusal::MempoolFull));
        lab.until(lab.now.as_millis() + 2);
    }
    lab.until(1_400);
    let again: Vec<usize> = lab.sent.iter().map(|(_, _, index)| *index).collect();
    assert_eq!(again, of_sender);
    let nonces: Vec<u64> = again
        .iter()
        .map(|index| Transaction::decode(lab.workload.encoded(*index)).unwrap())
        .map(|transaction| transaction.envelope().nonce())
        .collect();
    assert!(nonces.is_sorted());
}

#[test]
fn retries_end_at_the_deadline() {
    let mut lab = Lab::new(TRANSFERS, 1);
    lab.until(60);
    for _ in 0..100 {
        if lab.tally().refused == 1 {
            break;
        }
        lab.answer(0, Err(Refusal::Congested));
        lab.until(lab.now.as_millis() + 105);
    }
    let sent = lab.sent_at(0);
    assert!(sent.len() >= 15 && *sent.last().unwrap() <= 2_050, "{sent:?}");
    let attempts = lab.events.iter().filter_map(|event| match event {
        Event::Submitted { scheduled, attempt, .. } => Some((*scheduled, *attempt)),
        _ => None,
    });
    let expected = (1..).take(sent.len()).map(|attempt| (at(50), attempt));
    assert!(attempts.eq(expected), "the scheduled time is the first one's");
    lab.until(2_200);
    let end = lab.end();
    assert_eq!(end.ended, Some(Ended::Complete));
    assert_eq!(end.outcomes, [Outcome::Refused(Refusal::Congested)]);
}

#[test]
fn a_dropped_transaction_is_retried_too() {
    let mut lab = Lab::new(TRANSFERS, 1);
    lab.until(60);
    lab.answer(0, Ok(()));
    let key = lab.workload.transactions[0].key;
    let notice = BlockNotice {
        shard: ShardId(0),
        height: Height(1),
        legs: Vec::new(),
        dropped: vec![(key, Refusal::Expired)],
        placements: Vec::new(),
    };
    lab.hear_shard(0, Message::Included(Arc::new(notice)));
    lab.until(200);
    assert_eq!(lab.sent.len(), 2);
}

/// A transaction whose sender moves from its home to the next shard while it waits there.
fn moving() -> (Lab, Address, u32, u32) {
    let mut lab = Lab::new(TRANSFERS, 1);
    lab.until(60);
    let sender = lab.workload.sender(0).unwrap();
    let old = route(&lab.allocation, &sender).0;
    (lab, sender, old, (old + 1) % 4)
}

#[test]
fn a_senders_new_home_gets_what_the_old_one_drops() {
    let (mut lab, sender, old, new) = moving();
    lab.answer_from(old, 0, Ok(()));
    lab.relocate(sender, old, new);
    lab.drop_moved(old, 1, &[0]);
    lab.until(70);
    let sent: Vec<u32> = lab.sent.iter().map(|(_, shard, _)| shard.0).collect();
    assert_eq!(sent, [old, new], "at once: the new home is known");
    // On its way it is asked for again and again, so that it misses no block.
    lab.answer_from(new, 0, Err(Refusal::InFlight));
    lab.until(85);
    lab.answer_from(new, 0, Err(Refusal::InFlight));
    lab.until(100);
    let sent = lab.sent_at(0);
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(lab.sent[2..].iter().all(|(_, shard, _)| shard.0 == new));
}

#[test]
fn a_client_that_knows_less_than_the_shard_follows_when_it_hears() {
    let (mut lab, sender, old, new) = moving();
    lab.answer_from(old, 0, Err(Refusal::Moved));
    lab.until(80);
    lab.answer_from(old, 0, Err(Refusal::Moved));
    lab.relocate(sender, old, new);
    lab.until(100);
    // And one that knows more waits for the shard.
    lab.answer_from(new, 0, Err(Refusal::Moved));
    lab.until(120);
    let sent: Vec<u32> = lab.sent.iter().map(|(_, shard, _)| shard.0).collect();
    assert_eq!(sent, [old, old, new, new]);
}

#[test]
fn a_moved_senders_transactions_stay_in_nonce_order() {
    let mut lab = Lab::new(TRANSFERS, 400);
    lab.until(1_060);
    let user = lab.workload.transactions[0].sender;
    let own: Vec<usize> =
        (0..400).filter(|index| lab.workload.transactions[*index].sender == user).collect();
    let sender = lab.workload.sender(0).unwrap();
    let old = route(&lab.allocation, &sender).0;
    lab.sent.clear();
    // One of them waits for another reason, and for longer.
    lab.answer_from(old, own[1], Err(Refusal::MempoolFull));
    lab.relocate(sender, old, (old + 1) % 4);
    let others: Vec<usize> = own.iter().copied().filter(|index| *index != own[1]).rev().collect();
    lab.drop_moved(old, 1, &others);
    lab.until(1_070);
    let again: Vec<usize> = lab.sent.iter().map(|(_, _, index)| *index).collect();
    assert_eq!(again, own);
    assert!(lab.sent.iter().all(|(_, shard, _)| shard.0 == (old + 1) % 4));
}

/// Every order of three notices and of three checkpoints ends the same way.
#[test]
fn legs_and_checkpoints_arrive_in_any_order() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (legs, covers) in orders.iter().flat_map(|a| orders.iter().map(move |b| (a, b))) {
        for fails in [false, true] {
            let mut lab = Lab::new(TRANSFERS, 1);
            lab.until(60);
            let mut call = lab.leg(0, false, 1);
            if fails {
                call.status = LegStatus::Failed(Failure::Revert);
            }
            let notices = [(0, 5, lab.leg(0, true, 1)), (1, 6, call), (0, 7, lab.leg(0, false, 0))];
            for index in legs {
                let (shard, height, leg) = notices[*index];
                lab.block(shard, height, &[leg]);
            }
            let tally = lab.tally();
            assert_eq!((tally.settled, tally.failed), (u32::from(!fails), u32::from(fails)));
            for (done, index) in (1..).zip(covers) {
                let (shard, height, _) = notices[*index];
                lab.finalize(&[(shard, height)], Vec::new());
                // Covering height 7 of shard 0 covers its height 5.
                let all = done == 3
                    || !covers[done..].iter().any(|left| {
                        let (shard, height, _) = notices[*left];
                        !covers[..done]
                            .iter()
                            .any(|seen| notices[*seen].0 == shard && notices[*seen].1 >= height)
                    });
                assert_eq!(lab.tally().finalized, u32::from(all), "{legs:?} {covers:?}");
            }
            lab.until(1_100);
            let outcome = if fails { Outcome::Failed } else { Outcome::Settled };
            assert_eq!(lab.end().outcomes, [outcome]);
            assert_eq!(lab.end().ended, Some(Ended::Complete));
        }
    }
}

#[test]
fn forwarded_receipts_count_once() {
    let mut lab = Lab::new(TRANSFERS, 1);
    lab.until(60);
    let forwarded = LegNotice { status: LegStatus::Forwarded, ..lab.leg(0, false, 1) };
    lab.block(0, 1, &[lab.leg(0, true, 1)]);
    lab.block(1, 1, &[forwarded]);
    assert_eq!(lab.tally().settled, 0);
    lab.block(2, 1, &[lab.leg(0, false, 0)]);
    assert_eq!(lab.tally().settled, 1);
    lab.finalize(&[(0, 1), (1, 1), (2, 1)], Vec::new());
    assert_eq!(lab.tally().finalized, 1);
}

#[test]
fn repeated_notices_and_lies_change_nothing() {
    let mut lab = Lab::new(TRANSFERS, 1);
    lab.until(60);
    lab.block(0, 1, &[lab.leg(0, true, 1)]);
    lab.block(0, 1, &[lab.leg(0, false, 0)]);
    assert_eq!((lab.tally().settled, lab.dropped(DropReason::Duplicate)), (0, 1));
    // A notice in another shard's name, an unknown transaction, a checkpoint from one alone.
    let key = TransactionKey(1);
    let stranger = LegNotice { key, ..lab.leg(0, true, 0) };
    let notice = BlockNotice {
        shard: ShardId(1),
        height: Height(1),
        legs: Vec::new(),
        dropped: vec![(key, Refusal::Expired)],
        placements: Vec::new(),
    };
    lab.hear_shard(0, Message::Included(Arc::new(notice)));
    lab.block(2, 1, &[stranger]);
    assert_eq!(lab.dropped(DropReason::Unexpected), 1);
    lab.block(1, 1, &[lab.leg(0, false, 0)]);
    lab.hear_coordinator(3, checkpoint(1, &[(0, 9), (1, 9)], Vec::new()));
    assert_eq!((lab.tally().settled, lab.tally().finalized), (1, 0));
    lab.hear_coordinator(1, checkpoint(1, &[(0, 9), (1, 9)], Vec::new()));
    assert_eq!(lab.tally().finalized, 1);
}

#[test]
fn missing_checkpoints_are_pulled_once_in_a_while() {
    let mut lab = Lab::new(TRANSFERS, 1);
    lab.until(60);
    for (number, time) in [(2, 60), (3, 70), (4, 2_000)] {
        lab.until(time);
        for validator in [0, 1] {
            lab.hear_coordinator(validator, checkpoint(number, &[], Vec::new()));
        }
    }
    let expected = (NodeId::Coordinator(ValidatorIndex(1)), CheckpointNumber(1));
    assert_eq!(lab.pulls.len(), 2);
    assert_eq!(lab.pulls[0], expected);
}

#[test]
fn what_no_block_includes_is_sent_again() {
    let mut lab = Lab::new(TRANSFERS, 1);
    let after = 5_000;
    lab.client.config.resubmit_after = Duration::from_millis(after);
    lab.until(60);
    lab.answer(0, Ok(()));
    lab.until(50 + after);
    assert_eq!(lab.sent_at(0), [50, 50 + after]);
    // Its shard had executed it all the same: not a refusal.
    lab.answer(0, Err(Refusal::NonceTooLow));
    assert_eq!(lab.tally().refused, 0);
    lab.block(0, 1, &[lab.leg(0, true, 0)]);
    lab.finalize(&[(0, 1)], Vec::new());
    assert_eq!(lab.tally().decided, 1);
}

#[test]
fn the_wait_for_what_is_open_is_bounded() {
    let mut lab = Lab::new(TRANSFERS, 2);
    lab.until(600);
    lab.block(0, 1, &[lab.leg(0, true, 0)]);
    lab.until(11_049);
    assert!(lab.client.ended.is_none());
    lab.until(11_050);
    let end = lab.end();
    assert_eq!(end.ended, Some(Ended::DrainTimeout));
    assert_eq!(end.outcomes, [Outcome::Unfinished; 2], "settled, but not final");
    assert_eq!((end.run.settled, end.run.submitted), (1, 2));
    let told = lab.progress.len();
    lab.answer(1, Ok(()));
    assert_eq!((lab.progress.len(), lab.wake), (told, None), "the end is the end");
}

#[test]
fn the_program_may_stop_it() {
    let mut lab = Lab::new(TRANSFERS, 2);
    lab.until(60);
    lab.input(Input::Admin(ClientAdmin::Stop));
    assert_eq!(lab.end().ended, Some(Ended::Stopped));
}

#[test]
fn a_run_lasts_as_long_as_its_phases() {
    let mut lab = Lab::new(TRANSFERS, 1);
    lab.until(60);
    lab.block(0, 1, &[lab.leg(0, true, 0)]);
    lab.finalize(&[(0, 1)], Vec::new());
    lab.until(1_049);
    assert_eq!((lab.tally().decided, lab.client.ended), (1, None));
    lab.until(1_050);
    assert_eq!(lab.end().ended, Some(Ended::Complete));
}

#[test]
fn contracts_are_set_up_before_the_clock_starts() {
    let mut lab = Lab::new(TOKENS, 10);
    lab.until(300);
    assert_eq!(lab.sent.len(), 1, "the deployment");
    let (_, home, _) = lab.sent[0];
    let deployed = LegNotice { created: 1, ..lab.leg(0, true, 0) };
    lab.block(home.0, 1, &[deployed]);
    lab.until(700);
    assert_eq!(lab.sent.len(), 1, "its placement is not final");
    let contract = lab.workload.sender(0).unwrap().create(0);
    lab.finalize(&[(home.0, 1)], vec![Placement { address: contract, shard: home }]);
    // Two block times later every shard knows of it.
    lab.until(899);
    assert_eq!(lab.sent.len(), 1);
    lab.until(905);
    let prepared = lab.workload.transactions.iter().filter(|t| t.stage == Stage::Prepare).count();
    assert!(prepared >= 2);
    assert_eq!(lab.sent.len(), 1 + prepared);
    let legs: Vec<LegNotice> = (1..=prepared).map(|index| lab.leg(index, true, 0)).collect();
    lab.until(1_000);
    assert_eq!(lab.progress.last().unwrap().origin, None);
    lab.block(home.0, 2, &legs);
    lab.until(2_100);
    let run: Vec<u64> = lab.sent[1 + prepared..].iter().map(|(at, _, _)| at.as_millis()).collect();
    assert_eq!(run, (0..10).map(|index| 1_000 + 100 * index).collect::<Vec<_>>());
    assert_eq!(lab.progress.last().unwrap().origin, Some(at(1_000)));
}

#[test]
fn a_failing_set_up_ends_the_run() {
    let failures: [fn(&mut Lab); 2] = [
        |lab| {
            let status = LegStatus::Failed(Failure::Halt);
            let leg = LegNotice { status, ..lab.leg(0, true, 0) };
            lab.block(0, 1, &[leg]);
        },
        |lab| lab.answer(0, Err(Refusal::GasLimit)),
    ];
    for fail in failures {
        let mut lab = Lab::new(TOKENS, 10);
        lab.until(60);
        fail(&mut lab);
        assert!(matches!(lab.end().ended, Some(Ended::SetupFailed(_))));
    }
    let mut lab = Lab::new(TOKENS, 10);
    lab.until(20_000);
    assert_eq!(lab.end().ended, Some(Ended::SetupFailed(SetupFailure::Stalled)));
}

/// Shards that take everything in blocks of 100 ms, and one checkpoint a second.
fn run(lab: &mut Lab) {
    let mut taken = 0;
    let mut heights = [0_u64; 4];
    let mut arriving: BTreeMap<u32, Vec<LegNotice>> = BTreeMap::new();
    for step in 1..100 {
        lab.until(step * 100);
        if lab.client.ended.is_some() {
            return;
        }
        let mut now = std::mem::take(&mut arriving);
        for (_, shard, index) in lab.sent[taken..].iter().copied() {
            let transaction = Transaction::decode(lab.workload.encoded(index)).unwrap();
            let recovered = Recovered::recover(transaction).unwrap();
            assert_eq!(Some(recovered.sender()), lab.workload.sender(index));
            let to = recovered.transaction().recipient().unwrap();
            let destination = lab.allocation.base_home(&to);
            let crosses = destination != shard;
            now.entry(shard.0).or_default().push(lab.leg(index, true, u32::from(crosses)));
            if crosses {
                arriving.entry(destination.0).or_default().push(lab.leg(index, false, 0));
            }
        }
        taken = lab.sent.len();
        for (shard, legs) in now {
            heights[shard as usize] += 1;
            lab.block(shard, heights[shard as usize], &legs);
        }
        if step % 10 == 0 {
            let tips: Vec<(u32, u64)> =
                (0..4).zip(heights).filter(|(_, height)| *height > 0).collect();
            lab.finalize(&tips, Vec::new());
        }
    }
}

#[test]
fn a_run_settles_and_is_the_same_each_time() {
    let one = || {
        let mut lab = Lab::new(TRANSFERS, 500);
        run(&mut lab);
        lab
    };
    let (first, second) = (one(), one());
    assert_eq!(first.end().outcomes, [Outcome::Settled; 500]);
    assert_eq!(first.end().ended, Some(Ended::Complete));
    let tally = first.end().run;
    assert_eq!((tally.total, tally.finalized, tally.decided), (500, 500, 500));
    assert_eq!(first.events, second.events);
    assert_eq!(first.sent, second.sent);
    assert!(first.progress.len() < 30, "progress is told now and then");
}
