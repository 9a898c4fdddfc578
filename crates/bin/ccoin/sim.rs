//! `ccoin sim`: simulates a network with faults, and says whether it stays safe and how long it
//! waits.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use ccoin_client::sim::{self, ScenarioTexts, Seeds, Simulation};
use clap::Args;

use crate::Options;

#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// The rules and the number of miners [default: four validators with the rules of a devnet]
    #[arg(short, long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Simulate N validators, v1, v2 ..., in place of the miners of the file
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    validators: Option<u16>,
    /// Validators without a process, and from when to when: v2@10s..70s
    #[arg(long, value_name = "V@FROM..TO")]
    kill: Vec<String>,
    /// Sides that do not reach each other: 'v1,v2|v3@10s..70s'; who is on no side reaches all
    #[arg(long, value_name = "V|V@FROM..TO")]
    cut: Vec<String>,
    /// Validators whose clock is ahead, or with a minus behind: v1=400ms, v1=-2s@10s..70s
    #[arg(long, value_name = "V=TIME")]
    skew: Vec<String>,
    /// What lying validators do: NAME for the last third, or v1,v2=NAME
    #[arg(long, value_name = "NAME", long_help = attacks())]
    attack: Vec<String>,
    /// Between two validators, there and back [default: 20ms]
    #[arg(long, value_name = "TIME")]
    rtt: Option<String>,
    /// Length of the run [default: until 30 s or ten slots behind the last fault, 60 s at least]
    #[arg(long = "for", value_name = "TIME")]
    length: Option<String>,
    /// The run, or the first and the last of many: 1..100. The same seed gives the same bytes
    #[arg(long, value_name = "N|A..B", default_value = "1")]
    seed: Seeds,
}

/// The help of `--attack`: one line for each.
fn attacks() -> String {
    let lines = sim::ATTACKS
        .iter()
        .map(|attack| format!("- {}: {}", attack.name, attack.does));
    let lines: Vec<_> = lines.collect();
    format!(
        "What lying validators do: NAME for the last third, or v1,v2=NAME\n\n{}",
        lines.join("\n")
    )
}

impl Sim {
    /// Does what the options say.
    pub(crate) fn run(&self, options: &Options) -> anyhow::Result<()> {
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let simulated = sim::run(&Simulation {
            genesis: self.genesis.clone(),
            validators: self.validators,
            texts: ScenarioTexts {
                kill: self.kill.clone(),
                cut: self.cut.clone(),
                skew: self.skew.clone(),
                attack: self.attack.clone(),
                rtt: self.rtt.clone(),
                length: self.length.clone(),
            },
            seeds: self.seed,
            json: options.json,
            colours: io::stdout().is_terminal() && !no_colour,
        })?;
        // Its reader may have gone.
        drop(writeln!(io::stdout(), "{}", simulated.text));
        match simulated.failure {
            Some(failure) => Err(failure.into()),
            None => Ok(()),
        }
    }
}
