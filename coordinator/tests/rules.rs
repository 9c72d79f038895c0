//! Each rule of headers and checkpoints: what keeps it, and every way to break it.

mod support;

use alloy_primitives::{Address, B256};
use consensus::Value as _;
use coordinator::proposal::{build, validate};
use coordinator::rules::{MAX_BASE_FEE, check_certificate, check_header};
use coordinator::state::Previous;
use coordinator::{CheckpointState, CheckpointValue, Rule};
use cross_shard_msg::settings::Minting;
use cross_shard_msg::{
    CheckpointNumber, Crosslink, Gas, Header, Height, Placement, Proposal, SealedHeader, Sent,
    Sequence, Settings, ShardId, SignedHeader, Timestamp, Watermark, Wei, codec,
};

use support::shards::{INTERVAL, Plan, Shards, settings, settle};

type Forge = fn(&mut Header, &Settings);
type ForgeProposal = fn(&mut Proposal, &Shards);

/// Three shards with some traffic between them.
fn busy() -> Shards {
    let mut shards = Shards::new(&settings(3, 4));
    shards.round();
    shards.round();
    shards
}

#[test]
fn a_header_breaks_each_rule_in_its_own_way() {
    let shards = busy();
    let table: [(&str, Rule, Forge); 33] = [
        ("height", Rule::Chain, |h, _| h.height = Height(7)),
        ("parent", Rule::Chain, |h, _| h.parent = B256::ZERO),
        ("time stands", Rule::Progress, |h, _| h.timestamp = Timestamp(1_000_000_000)),
        ("time goes back", Rule::Progress, |h, _| h.timestamp = Timestamp(1)),
        ("gas over limit", Rule::Progress, |h, _| h.gas_used = Gas(30_000_001)),
        ("gas limit", Rule::Progress, |h, _| h.gas_limit = Gas(30_000_001)),
        ("checkpoint of the future", Rule::Progress, |h, _| h.checkpoint = CheckpointNumber(5)),
        ("watermarks out of order", Rule::Lists, |h, _| h.watermarks.reverse()),
        ("watermark twice", Rule::Lists, |h, _| h.watermarks.push(h.watermarks[1])),
        ("own watermark", Rule::Lists, |h, _| h.watermarks[0].source = ShardId(1)),
        ("watermark of nobody", Rule::Lists, |h, _| h.watermarks[1].source = ShardId(3)),
        ("watermark disappears", Rule::Lists, |h, s| {
            h.watermarks.pop();
            settle(h, s);
        }),
        ("only the height of a watermark", Rule::Lists, |h, _| h.watermarks[0].height.0 += 1),
        ("only the hash of a watermark", Rule::Lists, |h, _| h.watermarks[0].header = B256::ZERO),
        ("only its sequence", Rule::Lists, |h, _| h.watermarks[0].sequence.0 += 1),
        ("only its value", Rule::Lists, |h, s| {
            h.watermarks[0].value += Wei::from(1);
            settle(h, s);
        }),
        ("a watermark goes back", Rule::Lists, |h, s| {
            let mark = &mut h.watermarks[0];
            *mark =
                Watermark { height: Height(1), header: B256::ZERO, sequence: Sequence(1), ..*mark };
            settle(h, s);
        }),
        ("value of a watermark falls", Rule::Lists, |h, s| {
            let mark = &mut h.watermarks[0];
            let (height, sequence) = (mark.height.next(), mark.sequence.next());
            *mark = Watermark { height, header: B256::ZERO, sequence, value: Wei::ZERO, ..*mark };
            settle(h, s);
        }),
        ("sent out of order", Rule::Lists, |h, _| h.sent.reverse()),
        ("sent to itself", Rule::Lists, |h, _| h.sent[1].destination = ShardId(1)),
        ("sent to nobody", Rule::Lists, |h, _| h.sent[1].destination = ShardId(9)),
        ("sent disappears", Rule::Lists, |h, s| {
            h.sent.remove(0);
            settle(h, s);
        }),
        ("sent value without a sequence", Rule::Lists, |h, s| {
            h.sent[0].value += Wei::from(1);
            settle(h, s);
        }),
        ("sent goes back", Rule::Lists, |h, s| {
            h.sent[0].sequence = Sequence(1);
            settle(h, s);
        }),
        ("sent value falls", Rule::Lists, |h, s| {
            h.sent[0] = Sent { sequence: Sequence(9), value: Wei::ZERO, ..h.sent[0] };
            settle(h, s);
        }),
        ("base fee", Rule::BaseFee, |h, _| h.base_fee += 1),
        ("held out of nothing", Rule::Balance, |h, _| h.ledger.held += Wei::from(1)),
        ("burnt is forgotten", Rule::Balance, |h, _| h.ledger.burnt -= Wei::from(1)),
        ("overflow", Rule::Balance, |h, _| h.ledger.minted = Wei::MAX),
        ("received more than watermarks say", Rule::Sums, |h, _| {
            h.ledger.received += Wei::from(5);
            h.ledger.held += Wei::from(5);
        }),
        ("sent less than the list says", Rule::Sums, |h, _| {
            h.ledger.sent -= Wei::from(5);
            h.ledger.held += Wei::from(5);
        }),
        ("burnt falls", Rule::Monotone, |h, s| {
            h.ledger.burnt = Wei::from(1);
            settle(h, s);
        }),
        ("a sequence of zero", Rule::Lists, |h, _| {
            h.watermarks[0].sequence = Sequence::ZERO;
        }),
    ];
    let before = shards.chains[1].last().unwrap();
    let (settings, number) = (&shards.settings, CheckpointNumber(5));
    let check = |header: &Header| check_header(settings, &Previous::from(before), header, number);
    let quiet = shards.draft(1, &Plan { gas_used: 50_000, ..Plan::default() });
    assert_eq!(check(&quiet), Ok(()));
    assert_eq!(check(&shards.draft(1, &shards.traffic(1))), Ok(()));
    for (name, rule, forge) in table {
        let mut header = quiet.clone();
        forge(&mut header, settings);
        let violation = check(&header).expect_err(name);
        assert_eq!(violation.rule, rule, "{name}");
        assert_eq!(violation.shard, Some(ShardId(1)), "{name}");
    }
}

#[test]
fn minted_may_grow_and_not_fall() {
    let mut shards = busy();
    let network = shards.settings.clone();
    let mint = |header: &mut Header, amount: u64| {
        header.ledger.minted = Wei::from(amount);
        settle(header, &network);
    };
    let minted = shards.forged(0, &Plan::default(), |header| mint(header, 500));
    let number = CheckpointNumber(1);
    let before = &shards.chains[0][1];
    assert_eq!(check_header(&network, &Previous::from(before), &minted, number), Ok(()));
    let less = shards.forged(0, &Plan::default(), |header| mint(header, 499));
    let violation = check_header(&network, &Previous::from(&minted), &less, number).unwrap_err();
    assert_eq!(violation.rule, Rule::Monotone);
    assert_eq!(violation.to_string(), "R-HDR-6 is broken by shard 0 at height 4");
}

#[test]
fn nobody_mints_where_the_settings_say_never() {
    let shards = busy();
    let trusting = &*shards.settings;
    let never = Settings { minting: Minting::Never, ..trusting.clone() };
    let before = shards.chains[0].last().unwrap();
    let check = |settings: &Settings, amount: u64| {
        let mut header = shards.draft(0, &Plan::default());
        header.ledger.minted = Wei::from(amount);
        settle(&mut header, trusting);
        check_header(settings, &Previous::from(before), &header, CheckpointNumber(1))
    };
    assert_eq!((check(&never, 0), check(trusting, 1)), (Ok(()), Ok(())));
    let violation = check(&never, 1).unwrap_err();
    assert_eq!(violation.to_string(), "R-LED-4 is broken by shard 0 at height 3");
}

#[test]
fn rules_are_known_by_their_codes() {
    let mut code = 0;
    while let Some(rule) = Rule::from_code(code) {
        assert_eq!(rule.code(), code);
        code += 1;
    }
    assert_eq!(code, Rule::Moves.code() + 1);
}

#[test]
fn the_base_fee_moves_unless_it_is_fixed() {
    let mut network = settings(1, 1);
    let mut shards = Shards::new(&network);
    shards.block(0, &Plan { gas_used: 30_000_000, ..Plan::default() });
    let full = shards.chains[0][0].clone();
    let next = shards.draft(0, &Plan::default());
    assert_eq!(next.base_fee, 1_125);
    let number = CheckpointNumber(1);
    assert_eq!(check_header(&network, &Previous::from(&full), &next, number), Ok(()));
    network.base_fee_moves = false;
    let check = |header: &Header| check_header(&network, &Previous::from(&full), header, number);
    assert_eq!(check(&next).unwrap_err().rule, Rule::BaseFee);
    assert_eq!(check(&Header { base_fee: 1_000, ..next }), Ok(()));
}

#[test]
fn no_base_fee_makes_a_coordinator_overflow() {
    let mut network = settings(1, 1);
    for base_fee in [MAX_BASE_FEE, MAX_BASE_FEE + 1, u64::MAX] {
        network.base_fee = base_fee;
        let full = Header {
            base_fee,
            gas_used: network.gas_limit,
            ..Shards::new(&network).draft(0, &Plan::default())
        };
        let before = Shards::new(&network).sign(full.clone());
        let next = Header { height: Height(2), parent: before.hash(), ..full };
        let next = Header { timestamp: Timestamp(u64::MAX), ..next };
        let result = check_header(&network, &Previous::from(&before), &next, CheckpointNumber(1));
        assert_eq!(result.unwrap_err().rule, Rule::BaseFee, "{base_fee}");
    }
}

#[test]
fn a_certificate_is_of_its_shard_and_network() {
    let shards = busy();
    let signed = &shards.chains[0][0];
    let rule = |settings: &Settings, signed: &SignedHeader| {
        check_certificate(settings, signed).map_err(|violation| violation.rule)
    };
    assert_eq!(rule(&shards.settings, signed), Ok(()));
    let mut other = settings(3, 4);
    other.network.0 = B256::ZERO;
    assert_eq!(rule(&other, signed), Err(Rule::Certificate));
    let stolen = SignedHeader {
        header: signed.header.clone(),
        certificate: shards.chains[1][0].certificate.clone(),
    };
    assert_eq!(rule(&shards.settings, &stolen), Err(Rule::Certificate));
    let nobody = SealedHeader::seal(Header { shard: ShardId(9), ..(**signed).clone() });
    let nobody = SignedHeader { header: nobody, certificate: signed.certificate.clone() };
    assert_eq!(rule(&shards.settings, &nobody), Err(Rule::Certificate));
}

/// A checkpoint over two rounds, and traffic above it with contracts.
fn above_a_checkpoint() -> (Shards, CheckpointState) {
    let mut shards = busy();
    let plan = Plan { places: vec![Address::repeat_byte(1)], ..shards.traffic(0) };
    shards.block(0, &plan);
    let genesis = CheckpointState::genesis(&shards.settings);
    let pool = shards.pool(&genesis);
    let (first, violations) =
        build(&genesis, &shards.settings, &pool, Timestamp(INTERVAL.0), &[]).unwrap();
    assert_eq!(violations, []);
    assert_eq!(first.evidence().len(), 7);
    let parent = validate(&genesis, &shards.settings, &first, |_| false).unwrap();
    shards.round();
    let places = vec![Address::repeat_byte(2), Address::repeat_byte(1), Address::repeat_byte(3)];
    shards.block(1, &Plan { places, ..shards.traffic(1) });
    let places = vec![Address::repeat_byte(4), Address::repeat_byte(3)];
    shards.block(2, &Plan { places, ..shards.traffic(2) });
    (shards, parent)
}

fn honest(shards: &Shards, parent: &CheckpointState) -> Proposal {
    let pool = shards.pool(parent);
    let timestamp = parent.timestamp() + INTERVAL;
    let (value, violations) = build(parent, &shards.settings, &pool, timestamp, &[]).unwrap();
    assert_eq!(violations, []);
    Proposal { checkpoint: (**value.checkpoint()).clone(), evidence: value.evidence().to_vec() }
}

/// Replaces a header by a forged one, and lets all that names it follow.
fn reforge(proposal: &mut Proposal, shards: &Shards, index: usize, forge: impl Fn(&mut Header)) {
    let mut header = (*proposal.evidence[index].header).clone();
    forge(&mut header);
    proposal.evidence[index] = shards.sign(header);
    relink(proposal);
}

/// Makes crosslinks name the evidence again.
fn relink(proposal: &mut Proposal) {
    let mut hashes = proposal.evidence.iter().map(SignedHeader::hash);
    for crosslink in &mut proposal.checkpoint.crosslinks {
        for hash in &mut crosslink.headers {
            *hash = hashes.next().unwrap();
        }
    }
}

/// Replaces a crosslink's headers.
fn replace_chain(proposal: &mut Proposal, at: usize, chain: &[SignedHeader]) {
    let start: usize = proposal.checkpoint.crosslinks[..at].iter().map(|c| c.headers.len()).sum();
    let crosslink: &mut Crosslink = &mut proposal.checkpoint.crosslinks[at];
    proposal.evidence.splice(start..start + crosslink.headers.len(), chain.to_vec());
    crosslink.headers = chain.iter().map(SignedHeader::hash).collect();
    if let Some(tip) = chain.last() {
        crosslink.congestion = tip.congestion;
    }
}

#[test]
fn a_proposal_breaks_each_rule_in_its_own_way() {
    let (shards, parent) = above_a_checkpoint();
    let honest = honest(&shards, &parent);
    assert_eq!(honest.evidence.len(), 5, "one of shard 0, two of shards 1 and 2");
    let placed = |address, shard| Placement {
        address: Address::repeat_byte(address),
        shard: ShardId(shard),
    };
    assert_eq!(honest.checkpoint.placements, [placed(2, 1), placed(3, 1), placed(4, 2)]);
    let table: [(&str, Rule, ForgeProposal); 28] = [
        ("number", Rule::Parent, |p, _| p.checkpoint.number.0 += 1),
        ("parent", Rule::Parent, |p, _| p.checkpoint.parent = B256::ZERO),
        ("epoch", Rule::Parent, |p, _| p.checkpoint.epoch.0 += 1),
        ("too early", Rule::Parent, |p, _| p.checkpoint.timestamp.0 -= 1),
        ("crosslinks out of order", Rule::Crosslinks, |p, _| {
            p.checkpoint.crosslinks.swap(1, 2);
            p.evidence.sort_by_key(|signed| [0, 2, 1][signed.shard.0 as usize]);
        }),
        ("a shard twice", Rule::Crosslinks, |p, _| {
            let again = p.checkpoint.crosslinks[2].clone();
            p.checkpoint.crosslinks.push(again);
            p.evidence.extend_from_within(3..);
        }),
        ("a shard that is none", Rule::Crosslinks, |p, _| {
            p.checkpoint.crosslinks[2].shard = ShardId(3);
        }),
        ("a gap", Rule::Crosslinks, |p, _| {
            let crosslink = &mut p.checkpoint.crosslinks[1];
            crosslink.first.0 += 1;
            crosslink.headers.remove(0);
            p.evidence.remove(1);
        }),
        ("an empty crosslink", Rule::Crosslinks, |p, _| replace_chain(p, 0, &[])),
        ("257 headers", Rule::Crosslinks, |p, s| {
            let mut long = s.clone();
            long.chains[0].truncate(3);
            let chain: Vec<_> = (0..257).map(|_| long.block(0, &Plan::default())).collect();
            replace_chain(p, 0, &chain);
        }),
        ("headers of another shard", Rule::Evidence, |p, s| {
            let mut header = (*p.evidence[0].header).clone();
            header.shard = ShardId(1);
            replace_chain(p, 0, &[s.sign(header)]);
        }),
        ("congestion", Rule::Evidence, |p, _| p.checkpoint.crosslinks[0].congestion.level += 1),
        ("an unlinked header", Rule::Chain, |p, s| {
            reforge(p, s, 2, |header| header.parent = B256::ZERO);
        }),
        ("a height of a header", Rule::Chain, |p, s| {
            reforge(p, s, 0, |header| header.height.0 += 1);
        }),
        ("a header's time", Rule::Progress, |p, s| {
            reforge(p, s, 4, |header| header.timestamp = Timestamp::ZERO);
        }),
        ("names this very checkpoint", Rule::Progress, |p, s| {
            reforge(p, s, 4, |header| header.checkpoint = CheckpointNumber(2));
        }),
        ("a header's lists", Rule::Lists, |p, s| {
            reforge(p, s, 4, |header| header.sent.clear());
        }),
        ("a header's base fee", Rule::BaseFee, |p, s| {
            reforge(p, s, 4, |header| header.base_fee += 1);
        }),
        ("a header's ledger", Rule::Balance, |p, s| {
            reforge(p, s, 4, |header| header.ledger.held += Wei::from(1));
        }),
        ("a header's sums", Rule::Sums, |p, s| {
            reforge(p, s, 4, |header| {
                header.ledger.received += Wei::from(1);
                header.ledger.held += Wei::from(1);
            });
        }),
        ("a watermark above what was sent", Rule::Watermark, |p, s| {
            reforge(p, s, 4, |header| {
                header.watermarks[1].value += Wei::from(1);
                settle(header, &s.settings);
            });
        }),
        ("a watermark of another sequence", Rule::Watermark, |p, s| {
            reforge(p, s, 4, |header| header.watermarks[1].sequence.0 += 1);
        }),
        ("a watermark of a fork", Rule::Watermark, |p, s| {
            reforge(p, s, 4, |header| header.watermarks[1].header = B256::ZERO);
        }),
        ("a source is left out", Rule::Closed, |p, s| {
            replace_chain(p, 1, &s.chains[1][2..3]);
            p.checkpoint.placements.clear();
        }),
        ("placements are left out", Rule::Placements, |p, _| p.checkpoint.placements.clear()),
        ("placements are in another order", Rule::Placements, |p, _| {
            p.checkpoint.placements.reverse();
        }),
        ("a placement again", Rule::Placements, |p, _| {
            let again = Placement { address: Address::repeat_byte(1), shard: ShardId(1) };
            p.checkpoint.placements.insert(1, again);
        }),
        ("a certificate", Rule::Certificate, |p, _| {
            p.evidence[4].certificate = p.evidence[3].certificate.clone();
        }),
    ];
    let check = |proposal: Proposal| {
        let value = CheckpointValue::seal(proposal).unwrap();
        validate(&parent, &shards.settings, &value, |_| false)
    };
    let state = check(honest.clone()).unwrap();
    state.check_conservation(&shards.settings).unwrap();
    for (name, rule, forge) in table {
        let mut proposal = honest.clone();
        forge(&mut proposal, &shards);
        match check(proposal) {
            Ok(_) => panic!("{name} passes"),
            Err(violation) => assert_eq!(violation.rule, rule, "{name}"),
        }
    }
}

#[test]
fn evidence_is_what_the_checkpoint_names() {
    let (shards, parent) = above_a_checkpoint();
    let honest = honest(&shards, &parent);
    let value = CheckpointValue::seal(honest.clone()).unwrap();
    let bytes = codec::encode(&honest).unwrap();
    assert_eq!(codec::encode(&value).unwrap(), bytes, "one encoding");
    assert_eq!(codec::decode::<CheckpointValue>(&bytes).unwrap(), value);
    assert_eq!(value.digest(), honest.checkpoint.digest());
    let table: [fn(&mut Proposal); 3] = [
        |p| {
            p.evidence.pop();
        },
        |p| p.evidence.push(p.evidence[0].clone()),
        |p| p.evidence.swap(0, 1),
    ];
    for forge in table {
        let mut proposal = honest.clone();
        forge(&mut proposal);
        let bytes = codec::encode(&proposal).unwrap();
        assert!(CheckpointValue::seal(proposal).is_err());
        assert!(codec::decode::<CheckpointValue>(&bytes).is_err());
    }
}

#[test]
fn a_header_that_released_nothing_can_not_be_named() {
    let mut shards = Shards::new(&settings(2, 1));
    shards.block(0, &Plan { sends: vec![(1, 5)], ..Plan::default() });
    shards.block(0, &Plan::default());
    let quiet = shards.chains[0][1].clone();
    let take = Plan { takes: vec![0], ..Plan::default() };
    shards.forged(1, &take, |header| {
        header.watermarks[0].height = quiet.height;
        header.watermarks[0].header = quiet.hash();
    });
    let genesis = CheckpointState::genesis(&shards.settings);
    let pool = shards.pool(&genesis);
    let (value, violations) =
        build(&genesis, &shards.settings, &pool, Timestamp(INTERVAL.0), &[]).unwrap();
    assert_eq!(violations[0].rule, Rule::Watermark);
    assert!(value.checkpoint().crosslink(ShardId(1)).is_none());
    // Nor when it is crosslinked already.
    let state = validate(&genesis, &shards.settings, &value, |_| false).unwrap();
    let pool = shards.pool(&state);
    let (value, violations) =
        build(&state, &shards.settings, &pool, Timestamp(2 * INTERVAL.0), &[]).unwrap();
    assert_eq!(violations[0].rule, Rule::Watermark);
    assert_eq!(value.checkpoint().crosslinks, []);
}

#[test]
fn what_flies_is_conserved() {
    let mut shards = Shards::new(&settings(4, 1));
    let mut state = CheckpointState::genesis(&shards.settings);
    let mut crosslinked = 0;
    for number in 1..40 {
        shards.round();
        // One shard sends ever more than is taken in.
        let plan = Plan { sends: vec![(3, 1_000)], ..Plan::default() };
        shards.block(0, &plan);
        let mut pool = shards.pool(&state);
        if number % 3 == 0 {
            // Shard 3 is not heard of in every checkpoint.
            let mut silent = shards.clone();
            silent.chains[3].clear();
            pool = silent.pool(&state);
        }
        let timestamp = Timestamp(number * INTERVAL.0);
        let (value, violations) = build(&state, &shards.settings, &pool, timestamp, &[]).unwrap();
        assert_eq!(violations, []);
        crosslinked += value.evidence().len();
        state = validate(&state, &shards.settings, &value, |_| true).unwrap();
        state.check_conservation(&shards.settings).unwrap();
    }
    assert!(crosslinked > 39 * 4);
}
