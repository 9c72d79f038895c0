//! Everything that a committee of four with one faulty validator can do in three views.
//!
//! **What is explored.** Three honest validators are the real [`consensus::Simplex`]; every
//! transition of theirs is a call of its `handle`. The faulty one may show anything that its key can
//! sign to anyone at any time, which includes whatever two twins with one key say. Messages are lost,
//! late, repeated and out of order, views time out at any moment, and validators crash and recover
//! from their logs. Searched for: two quorums that contradict one another (two final values that are
//! not on one chain, two notarized values in one view, a view that is both final and skipped, a
//! final value that was never notarized), an honest validator that contradicts itself over its lives
//! or is accused, a final value delivered without proof or with a gap.
//!
//! **Bounds.** Nothing is proposed and no view times out after the last view. One incarnation, one
//! epoch. Signatures are assumed, and so are a log that keeps what it says is durable, and an
//! application that finds every linked value valid (one that does not is a view that times out).
//!
//! **Why it is finite and small.** Nothing that was voted is ever unsaid, so the network is the set
//! of what the honest have voted; it need not be stored beside them.
//!
//! 1. *Votes travel as certificates.* A single vote changes nothing that shows until a quorum is
//!    there, and the faulty one's votes are always there: a certificate exists as soon as the honest
//!    lack one vote. (The machine counts its votes one by one in `steps.rs`, `safety.rs` and the
//!    swarm.)
//! 2. *Outlines.* Validators with one [`consensus::Outline`] and the same past votes are one: times,
//!    signatures, open requests and numbers of writes decide no vote. This is not only argued: up to
//!    two unequal machines of each outline are given the same steps and must end alike.
//! 3. *Values.* A digest spells out its value. A missing value only keeps a validator from something,
//!    so values are fetched at once. The faulty leader's proposals name parents that are notarized;
//!    no other is ever voted for. It gets votes for at most two values in a view: with three honest
//!    voters, a third value has one vote and no quorum, which is as good as no vote. Its first
//!    payload on a parent is called 1.
//! 4. *Writes and verdicts* come at once: until then a vote is not shown, so it is as good as not
//!    cast yet. That nothing is shown before it is durable is tested in `steps.rs`.
//!
//! With these, two views are searched step by step ([`Search::Singles`]), with restarts in
//! one view and in two if the environment says `SHARDLAB_EXHAUSTIVE`. For three views:
//!
//! 5. *Less knowledge is more.* What a validator knows beyond its votes can be told again later, and
//!    only ever narrows what it does next. So it learns certificates just before the vote that needs
//!    them, no more than that vote needs, and restarts from its log after every vote.
//! 6. *More votes are worse.* All that is searched for can only be brought about by votes, and a vote
//!    keeps its caster from another in two cases only: two values in one view, and `nullify` against
//!    `finalize`. So `finalize`, which is cast after the view is left, and `notarize` for what an
//!    honest leader proposed are cast as soon as they can be.
//!
//! 5 and 6 are not only argued either: in two views, whatever votes the search by single steps ends
//! with, the reduced one ends with those or more.

mod committee;
mod table;
mod validator;
mod word;

use std::sync::{Mutex, PoisonError};

use committee::{Committee, Search};
use stateright::{Checker, Model};

/// Searches hold millions of states: one at a time.
static MEMORY: Mutex<()> = Mutex::new(());

/// Runs a search to its end and requires what always holds, and that it saw enough.
fn prove(name: &str, model: &Committee) {
    let _one = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let done = model.clone().checker().spawn_bfs().join();
    println!("{name}: {} states, {} steps", done.unique_state_count(), done.state_count());
    assert!(done.is_done(), "the search is complete");
    done.assert_no_discovery("agreement");
    done.assert_no_discovery("the honest keep the rules");
    done.assert_any_discovery("a value is final");
    done.assert_any_discovery("a view is skipped");
    done.assert_any_discovery("a value is notarized and its view skipped");
    let (different, compared) = model.compare_doubles();
    println!("{name}: {compared} steps of machines with equal outlines compared");
    assert_eq!(different, 0, "machines with one outline behave alike");
}

#[test]
fn one_view_by_single_steps() {
    for genesis in [3, 4, 5, 6] {
        let model = Committee::new(Search::Singles { restarts: true }, 3, genesis, 1);
        prove(&format!("view {} by single steps", genesis + 1), &model);
    }
}

/// The faulty one leads the first of the two views, or the second. With restarts this takes 22 million
/// states, so they are left to those who ask.
#[test]
fn two_views_by_single_steps_and_the_reduction_loses_nothing() {
    let restarts = std::env::var_os("SHARDLAB_EXHAUSTIVE").is_some();
    for genesis in [3, 6] {
        let singles = Committee::new(Search::Singles { restarts }, 3, genesis, 2);
        prove(&format!("two views from {} by single steps", genesis + 1), &singles);
        let votes = singles.searched(Search::Votes);
        prove(&format!("two views from {} by votes", genesis + 1), &votes);
        let (beyond, ends) = singles.ends_beyond(&votes);
        println!("{ends} ends, {beyond} not reached by votes");
        assert_eq!(beyond, 0, "the reduced search reaches all votes");
    }
}

/// The faulty one leads the first view, none, the third or the second.
#[test]
fn three_views() {
    for genesis in [3, 4, 5, 6] {
        let model = Committee::new(Search::Votes, 3, genesis, 3);
        prove(&format!("three views from {}", genesis + 1), &model);
    }
}

#[test]
fn a_quorum_of_two_divides_the_committee() {
    for (search, genesis, views) in
        [(Search::Singles { restarts: false }, 3, 1), (Search::Votes, 3, 1), (Search::Votes, 4, 2)]
    {
        let model = Committee::new(search, 2, genesis, views);
        model.checker().spawn_bfs().join().assert_any_discovery("agreement");
    }
}
