//! What is said to a strategy in another language, and what it answers: version [`VERSION`] of the
//! format that docs/strategies.md describes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead};

use alloy_primitives::Address;
use cross_shard_msg::ShardId;
use partitioning::access_graph::TRANSACTION_WEIGHT;
use partitioning::{Home, Problem, VertexWeight};
use serde::{Deserialize, Serialize};

/// Version of the format. It grows when a program that speaks the old one would misunderstand.
pub const VERSION: u32 = 1;

/// The last line of an answer.
const END: &str = "end";
/// The longest line of an answer that is read, in bytes.
const MOST_LINE: u64 = 4_096;

/// Accounts and where they shall live.
pub(super) type Homes = BTreeMap<Address, ShardId>;

/// An answer that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of its answer: expected {expected}, found {found:?}")]
pub struct Misunderstood {
    line: usize,
    expected: String,
    found: String,
}

#[derive(Serialize)]
struct Question {
    shardlab_strategy: u32,
    shards: u32,
    accounts: usize,
    pairs: usize,
    /// Absent: any number of moves.
    budget: Option<usize>,
    vertex: VertexWeight,
    eta: f64,
    epoch: u64,
    seed: u64,
    transaction: u64,
}

#[derive(Deserialize)]
struct Answer {
    shardlab_strategy: u32,
}

/// The problem as text.
pub(super) fn question(problem: &Problem<'_>) -> String {
    let graph = problem.graph;
    let header = Question {
        shardlab_strategy: VERSION,
        shards: problem.allocation.shards(),
        accounts: graph.accounts().len(),
        pairs: graph.graph().edge_count() / 2,
        budget: (problem.budget < graph.accounts().len()).then_some(problem.budget),
        vertex: problem.weights.vertex,
        eta: problem.weights.eta,
        epoch: problem.epoch.0,
        seed: problem.seed,
        transaction: TRANSACTION_WEIGHT,
    };
    let mut text = serde_json::to_string(&header).unwrap_or_default();
    text.push('\n');
    for (account, load) in graph.accounts().iter().zip(graph.loads()) {
        let contract = u8::from(problem.contracts.contains(account));
        // Writing to a string cannot fail.
        let _ = match problem.allocation.home(account) {
            Home::Shard(home) => writeln!(text, "{account:?},{home},{load},{contract}"),
            Home::Everywhere => writeln!(text, "{account:?},,{load},{contract}"),
        };
    }
    for a in 0..graph.len() {
        for (b, weight) in graph.neighbours(a).filter(|(b, _)| *b > a) {
            let _ = writeln!(text, "{a},{b},{weight}");
        }
    }
    text
}

/// The lines of an answer up to its end; `None` if the output ends before. Never more than an
/// answer for `accounts` accounts can have, plus one that is too many. What follows the end is
/// left in `output`.
pub(super) fn lines(output: &mut impl BufRead, accounts: usize) -> io::Result<Option<Vec<String>>> {
    let mut lines = Vec::new();
    while lines.len() <= accounts + 1 {
        let mut line = Vec::new();
        io::Read::take(&mut *output, MOST_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line == END {
            return Ok(Some(lines));
        }
        lines.push(line);
    }
    Ok(Some(lines))
}

/// What an answer means.
pub(super) fn understood(
    lines: &[String],
    accounts: &[Address],
    shards: u32,
) -> Result<Homes, Misunderstood> {
    let wrong = |at: usize, expected: String| Misunderstood {
        line: at + 1,
        expected,
        found: lines.get(at).map_or("", |line| line).chars().take(80).collect(),
    };
    let header = lines.first().and_then(|line| serde_json::from_str::<Answer>(line).ok());
    if header.is_none_or(|header| header.shardlab_strategy != VERSION) {
        return Err(wrong(0, format!(r#"{{"shardlab_strategy": {VERSION}}}"#)));
    }
    let mut homes = Homes::new();
    for (at, line) in lines.iter().enumerate().skip(1) {
        if at > accounts.len() {
            return Err(wrong(at, format!("{END:?} after {} accounts", accounts.len())));
        }
        let fields = line.split_once(',');
        let numbers = fields.and_then(|(position, shard)| {
            Some((position.trim().parse::<usize>().ok()?, shard.trim().parse::<u32>().ok()?))
        });
        let Some((position, shard)) = numbers else {
            return Err(wrong(at, format!("POSITION,SHARD or {END:?}")));
        };
        let Some(account) = accounts.get(position) else {
            return Err(wrong(at, format!("a position below {}", accounts.len())));
        };
        if shard >= shards {
            return Err(wrong(at, format!("a shard below {shards}")));
        }
        if homes.insert(*account, ShardId(shard)).is_some() {
            return Err(wrong(at, "each account once".to_owned()));
        }
    }
    Ok(homes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<usize, String> {
        let accounts: Vec<Address> = (0x40..0x43).map(Address::with_last_byte).collect();
        let lines = lines(&mut text.as_bytes(), accounts.len()).unwrap();
        let lines = lines.ok_or("incomplete")?;
        understood(&lines, &accounts, 4).map(|homes| homes.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn answers() {
        let header = "{\"shardlab_strategy\": 1}\n";
        let cases: &[(&str, Result<usize, &str>)] = &[
            ("end\n", Ok(0)),
            ("0,1\n 2 , 3 \nend", Ok(2)),
            ("0,1\nend\nwhatever follows", Ok(1)),
            ("0,1\n", Err("incomplete")),
            ("", Err("incomplete")),
            ("0,4\nend", Err("line 2 of its answer: expected a shard below 4, found \"0,4\"")),
            ("3,0\nend", Err("line 2 of its answer: expected a position below 3, found \"3,0\"")),
            (
                "1,0\n1,0\nend",
                Err("line 3 of its answer: expected each account once, found \"1,0\""),
            ),
            (
                "nonsense\nend",
                Err("line 2 of its answer: expected POSITION,SHARD or \"end\", found \"nonsense\""),
            ),
            (
                "0,-1\nend",
                Err("line 2 of its answer: expected POSITION,SHARD or \"end\", found \"0,-1\""),
            ),
            (
                "0,0\n1,0\n2,0\n2,1\nend",
                Err("line 5 of its answer: expected \"end\" after 3 accounts, found \"2,1\""),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(&format!("{header}{text}")), expected.map_err(str::to_owned), "{text}");
        }
        let expected = "line 1 of its answer: expected {\"shardlab_strategy\": 1}, found \"";
        for text in ["{\"shardlab_strategy\":2}\nend", "hello\nend", "{}\nend"] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        // An answer without an end, or without a line break, is read to a bound only.
        assert!(read(&format!("{header}{}", "0,1\n".repeat(1_000))).is_err());
        assert!(read(&"x".repeat(100_000)).is_err());
    }
}
