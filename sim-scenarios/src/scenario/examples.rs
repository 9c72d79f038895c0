//! The scenarios that ship with the program, and the one that `shardlab new` writes.

/// A scenario that ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// Its name, as in the file.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

macro_rules! examples {
    ($($name:literal),* $(,)?) => {
        /// Every scenario that ships, the first to try first.
        pub const EXAMPLES: &[Example] = &[$(
            Example {
                name: $name,
                text: include_str!(concat!("../../../scenarios/", $name, ".toml")),
            }
        ),*];
    };
}

examples!(
    "quickstart",
    "transfers",
    "erc20",
    "communities",
    "trace",
    "mainnet-blocks",
    "throughput",
    "large",
    "restarts",
    "faults",
    "migration",
    "byzantine",
);

const TEMPLATE: &str = include_str!("template.toml");

impl Example {
    /// What it shows: the first line of its comment.
    #[must_use]
    pub fn shows(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        EXAMPLES.iter().find(|example| example.name == name).copied()
    }
}

/// A commented scenario to start from, named `name`.
#[must_use]
pub fn template(name: &str) -> String {
    TEMPLATE.replace("NAME", name)
}
