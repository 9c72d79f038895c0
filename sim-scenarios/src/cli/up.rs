//! `shardlab up`: the network of a scenario, without its load, until Ctrl-C.

use std::path::PathBuf;

use super::Exit;
use super::run_arguments::{open, refuse};
use super::terminal::{complain, print};
use crate::launch::LaunchError;
use crate::run::up::{Up, UpError};
use crate::scenario::{self, Places, Scenario};

/// The network that `up` starts when no scenario is given.
const DEFAULT: &str = "name = \"up\"\n[network]\n[accounts]\ncount = 10\n\
                       [[phase]]\nname = \"idle\"\nfor = \"1s\"\n";

/// Start a network and leave it running until Ctrl-C
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A scenario whose network and accounts to take; its load is not sent
    file: Option<PathBuf>,
    /// Number of shards
    #[arg(long)]
    shards: Option<u32>,
    /// Number of coordinators
    #[arg(long)]
    validators: Option<u32>,
    /// Changes one field, such as network.block_time=1s
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Where logs and records go [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// First port for /metrics; each further node takes the next one. 0 takes free ports
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    metrics_port: u16,
}

/// Starts the network and waits.
pub fn run(arguments: &Arguments) -> Exit {
    let scenario = match arguments.scenario() {
        Ok(scenario) => scenario,
        Err(rejected) => return refuse(&rejected),
    };
    if let Err(problem) = arguments.ports_suffice(&scenario) {
        complain(&problem);
        return Exit::BadInput;
    }
    let (directory, interrupt) = match open(arguments.out.as_deref(), &scenario.name) {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let mut up = match Up::start(&scenario, &directory, arguments.metrics_port, &interrupt) {
        Ok(up) => up,
        Err(error) => {
            complain(&error.to_string());
            return match error {
                UpError::Launch(LaunchError::Interrupted) => Exit::Interrupted,
                UpError::Launch(_) => Exit::NetworkDown,
                UpError::Plan(_) | UpError::Workload(_) | UpError::Directory(..) => Exit::BadInput,
            };
        }
    };
    let printed = print(&up.banner());
    let death = up.wait(&interrupt, complain);
    let late = up.stop();
    match death.or(late) {
        None => printed,
        Some(death) => {
            complain(&death.to_string());
            Exit::NetworkDown
        }
    }
}

impl Arguments {
    /// Each node takes a port for `/metrics`, from the first one on.
    fn ports_suffice(&self, scenario: &Scenario) -> Result<(), String> {
        let nodes = u64::from(scenario.network.shards) + u64::from(scenario.network.validators);
        let ports = 1 + u64::from(u16::MAX - self.metrics_port);
        if self.metrics_port == 0 || nodes <= ports {
            return Ok(());
        }
        Err(format!(
            "error: --metrics-port {}: the {nodes} nodes take a port each, and ports end at {}",
            self.metrics_port,
            u16::MAX
        ))
    }

    fn scenario(&self) -> Result<Scenario, scenario::Rejected> {
        let mut set = self.set.clone();
        set.extend(self.shards.map(|shards| format!("network.shards={shards}")));
        set.extend(self.validators.map(|count| format!("network.validators={count}")));
        match &self.file {
            Some(file) => scenario::load(file, &set),
            None => {
                let places = Places { base: PathBuf::from("."), data: None };
                scenario::parse("up", DEFAULT, &set, &places)
            }
        }
    }
}
