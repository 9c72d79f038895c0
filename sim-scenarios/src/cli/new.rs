//! `shardlab new`: a commented scenario to start from.

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use super::Exit;
use super::terminal::{complain, print};
use crate::scenario::{is_identifier, template};

/// Write a commented scenario to start from
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The scenario's name: a-z, 0-9, - and _
    name: String,
    /// The file to write, which must not exist [default: NAME.toml]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Writes the file.
pub fn run(arguments: &Arguments) -> Exit {
    let name = &arguments.name;
    if !is_identifier(name) {
        complain("error: expected a name of 1 to 64 characters out of a-z, 0-9, - and _");
        return Exit::BadInput;
    }
    let path = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.toml")));
    let shown = path.display();
    let written = std::fs::File::create_new(&path)
        .and_then(|mut file| file.write_all(template(name).as_bytes()));
    match written {
        Ok(()) => print(&format!("{shown} written. Next: shardlab check {shown}\n")),
        Err(error) => {
            match error.kind() {
                ErrorKind::AlreadyExists => complain(&format!(
                    "error: {shown} exists and is left as it is; choose another with --out"
                )),
                _ => complain(&format!("error: cannot write {shown}: {error}")),
            }
            Exit::BadInput
        }
    }
}
