//! Writing to the user: text to standard output, complaints to standard error, colour only where
//! it is shown.

use std::io::{self, IsTerminal, Write as _};

use super::Exit;

/// Writes `text` to standard output. A reader that has gone (`| head`) is no error.
#[must_use]
pub fn print(text: &str) -> Exit {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            Exit::Internal
        }
        _ => Exit::Passed,
    }
}

/// Writes one message and a line break to standard error.
pub fn complain(message: &str) {
    // There is nowhere left to report that this failed.
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Whether messages on standard error are coloured: on a terminal, unless `NO_COLOR` is set.
#[must_use]
pub fn colour() -> bool {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !forbidden && !dumb && io::stderr().is_terminal()
}
