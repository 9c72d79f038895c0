//! `shardlab examples`: the scenarios that ship.

use super::Exit;
use super::terminal::{complain, print};
use crate::scenario::{EXAMPLES, Example};

/// List the scenarios that ship, or print one
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The one to print
    name: Option<String>,
}

/// Lists or prints.
pub fn run(arguments: &Arguments) -> Exit {
    let Some(name) = &arguments.name else {
        let width = EXAMPLES.iter().map(|example| example.name.len()).max().unwrap_or(0);
        let line = |example: &Example| format!("{:width$}  {}\n", example.name, example.shows());
        let lines: String = EXAMPLES.iter().map(line).collect();
        return print(&format!(
            "{lines}\nshardlab examples NAME > NAME.toml writes one to a file.\n"
        ));
    };
    match Example::named(name) {
        Some(example) => print(example.text),
        None => {
            let names: Vec<&str> = EXAMPLES.iter().map(|example| example.name).collect();
            complain(&format!(
                "error: no scenario named `{name}` ships; there are {}",
                names.join(", ")
            ));
            Exit::BadInput
        }
    }
}
