//! From text to a resolved scenario: TOML with places, then `--set`, then section by section.
//!
//! A section's own checks stand with its reading; a check over two sections stands with the one
//! that is read later. The order is: top, network, accounts and client, phases, epochs, Byzantine
//! nodes, thresholds.

mod accounts;
mod byzantine;
mod calls;
mod communities;
mod curve;
mod faults;
mod kind;
mod loads;
mod network;
mod overrides;
mod partitioning;
mod phases;
mod regions;
mod section;
mod sweep;
mod sweep_axes;
mod sweep_values;
mod thresholds;
mod tree;

use std::path::Path;

use toml::de::DeTable;

use super::files::Places;
use super::problem::{Place, Problem, Rejected, Source};
use super::types::Scenario;
use section::{Notes, Section};

pub use kind::is_identifier;
pub use sweep::{is_sweep, load_sweep, parse_sweep};

/// The longest scenario file: 1 MiB.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the scenario at `path`, changed by the `overrides` (`path=value`).
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, overrides: &[String]) -> Result<Scenario, Rejected> {
    let text = read_file(path)?;
    parse(&path.display().to_string(), &text, overrides, &Places::of(path))
}

/// Refuses a scenario with Byzantine nodes, which a network of processes does not have.
///
/// # Errors
/// With the place of the first one.
pub fn refuse_byzantine(path: &Path) -> Result<(), Rejected> {
    let name = path.display().to_string();
    let text = read_file(path)?;
    // Who calls has parsed the file, so that it is TOML.
    let Ok(table) = DeTable::parse(&text) else { return Ok(()) };
    let root = tree::table(0, table.get_ref());
    let Some(byzantine) = root.entries.get("byzantine") else { return Ok(()) };
    let first = match &byzantine.node.value {
        tree::Value::Array(elements) => elements.first(),
        _ => None,
    };
    let Some(first) = first else { return Ok(()) };
    let problem = Problem {
        title: "`byzantine[0]` is only in `simulate`".to_owned(),
        at: Some(first.at.clone()),
        label: "a network of processes has no Byzantine nodes".to_owned(),
        help: Some(format!("try: shardlab simulate {name}")),
    };
    Err(Rejected::new(vec![Source { name, text: text.clone() }], vec![problem]))
}

/// Reads a scenario from its text. `name` is what messages call it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(
    name: &str,
    text: &str,
    overrides: &[String],
    places: &Places,
) -> Result<Scenario, Rejected> {
    let notes = Notes::default();
    parse_with(&notes, text, overrides, places)
        .ok_or_else(|| rejected(name, text, overrides, notes))
}

/// What was noted, with the texts that it points at.
fn rejected(name: &str, text: &str, overrides: &[String], notes: Notes) -> Rejected {
    let mut sources = vec![Source { name: name.to_owned(), text: text.to_owned() }];
    let argument = |text: &String| Source { name: "--set".to_owned(), text: text.clone() };
    sources.extend(overrides.iter().map(argument));
    Rejected::new(sources, notes.into_problems())
}

/// The scenario, if no problem was noted.
fn parse_with(
    notes: &Notes,
    text: &str,
    overrides: &[String],
    places: &Places,
) -> Option<Scenario> {
    let root = tree_of(notes, text, overrides)?;
    let scenario = read(notes, &root, places);
    if notes.is_empty() { scenario } else { None }
}

/// The file with its overrides; `None` if it is not TOML. Overrides that cannot be applied are
/// noted.
fn tree_of(notes: &Notes, text: &str, overrides: &[String]) -> Option<tree::Table> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut last_line = None;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let line = text.get(..span.start).map_or(0, |before| before.matches('\n').count());
        // What follows on the same line is a consequence.
        if last_line.replace(line) != Some(line) {
            notes.wrong(&Place::new(0, span), "not valid TOML", error.message());
        }
    }
    // What stands in a broken tree says little about what was meant.
    if !notes.is_empty() {
        return None;
    }
    let mut root = tree::table(0, table.get_ref());
    for (index, argument) in overrides.iter().enumerate() {
        if let Err(problem) = overrides::apply(&mut root, index + 1, argument) {
            notes.add(problem);
        }
    }
    Some(root)
}

fn read(notes: &Notes, root: &tree::Table, places: &Places) -> Option<Scenario> {
    let top = Section::top(notes, root);
    let name = top.required("name", "name = \"my-scenario\"", kind::identifier);
    let seed = top.with_default("seed", 1, kind::integer(0..=i64::MAX as u64));
    let network = network::read(notes, &top);
    let accounts = accounts::read_accounts(&top);
    let client = accounts::read_client(notes, &top, &network);
    let known = phases::Known { network: &network, accounts: &accounts, client: &client };
    let phases = phases::read(notes, &top, &known, places);
    let partitioning = partitioning::read(notes, &top, &network, phases.phases.as_deref(), places);
    let byzantine = byzantine::read(notes, &top, &network, phases.phases.as_deref());
    let thresholds = thresholds::read(notes, &top, &phases.names);
    if let Some(at) = top.key_at("sweep") {
        notes.add(Problem {
            title: "this scenario is a sweep of many runs".to_owned(),
            at: Some(at.clone()),
            label: "only `shardlab sweep` reads this".to_owned(),
            help: Some(
                "`shardlab sweep FILE` runs it, and leaves the scenario of each run beside its report"
                    .to_owned(),
            ),
        });
    }
    top.finish();
    Some(Scenario {
        name: name?.value,
        seed: seed?.value,
        network: network.network?,
        accounts: accounts.accounts?,
        client: client.client?,
        phases: phases.phases?,
        partitioning: partitioning?,
        byzantine: byzantine?,
        thresholds: thresholds?,
    })
}

fn read_file(path: &Path) -> Result<String, Rejected> {
    use std::io::Read as _;

    let reject = |title, help| Err(Rejected::file(path.to_owned(), title, help));
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => Some(
                "`shardlab examples` lists the scenarios that ship, `shardlab new NAME` writes one"
                    .to_owned(),
            ),
            _ => None,
        };
        return reject(format!("cannot read {shown}: {error}"), help);
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return reject(format!("{shown} is larger than 1 MiB, too large for a scenario"), None);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        // Bytes that are no text are shown as `�`; those before them keep their places.
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let source = Source { name: shown.to_string(), text };
        let problem = Problem {
            title: "not a text file".to_owned(),
            at: Some(Place::new(0, valid..valid + '�'.len_utf8())),
            label: "expected UTF-8".to_owned(),
            help: None,
        };
        Rejected::new(vec![source], vec![problem])
    })
}

#[cfg(test)]
mod documentation;
