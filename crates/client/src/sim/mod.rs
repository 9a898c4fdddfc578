//! `ccoin sim`: reads the user's genesis file and options, runs the simulation on all cores and
//! says what it has shown. It opens no socket and decides nothing.

mod network;
mod paint;
mod seeds;

pub use ccoin_sim::scenario::{ATTACKS, ScenarioTexts};
pub use seeds::Seeds;

use std::panic;
use std::path::PathBuf;

use ccoin_home::{ExitCode, Failure};
use ccoin_sim::scenario::{Report, Scenario, ScenarioError, Summary, simulate};

use crate::cores::on_all_cores;
use crate::files::json;

/// A simulation to run.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// `None`: validators with the settings of a devnet.
    pub genesis: Option<PathBuf>,
    /// `None`: the miners of the genesis file, or four.
    pub validators: Option<u16>,
    /// What shall happen.
    pub texts: ScenarioTexts,
    pub seeds: Seeds,
    /// Whether the result is one line of JSON.
    pub json: bool,
    /// Whether the result may have colours.
    pub colours: bool,
}

/// What to print, and what was broken.
#[derive(Debug)]
pub struct Simulated {
    pub text: String,
    /// Exit code 7: an invariant does not hold.
    pub failure: Option<Failure>,
}

/// Runs a simulation.
///
/// # Errors
/// [`Failure`] 2 for options that cannot be, 3 for a genesis file that cannot be read.
pub fn run(simulation: &Simulation) -> Result<Simulated, Failure> {
    let network = network::config(simulation.genesis.as_deref(), simulation.validators)?;
    let scenario = simulation.texts.parse(network).map_err(refused)?;
    let reports = reports(&scenario, simulation.seeds)?;
    let broken = reports.iter().find(|report| report.violation.is_some());
    let failure = broken.map(|report| failure(simulation, report));
    let text = match (simulation.seeds.is_one(), reports.first()) {
        (true, Some(report)) if simulation.json => json(report),
        (true, Some(report)) if simulation.colours => paint::paint(report),
        (true, Some(report)) => report.to_string(),
        _ if simulation.json => json(&Summary::of(&reports)),
        _ => {
            let timeline = broken.map_or(String::new(), |report| format!("{report}\n\n"));
            format!("{timeline}{}", Summary::of(&reports))
        }
    };
    Ok(Simulated { text, failure })
}

/// One report for each seed.
fn reports(scenario: &Scenario, seeds: Seeds) -> Result<Vec<Report>, Failure> {
    let report = |seed| Report::new(scenario, &simulate(scenario, seed));
    // A broken invariant unwinds out of the simulation, and is told as what it is.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let reports = if seeds.is_one() {
        Ok(seeds.all().map(report).collect())
    } else {
        let all: Vec<u64> = seeds.all().collect();
        on_all_cores("simulated runs", &all, |_| 1, |seed| Ok(report(*seed)))
    };
    panic::set_hook(hook);
    reports
}

fn refused(error: ScenarioError) -> Failure {
    Failure::new(ExitCode::Usage, error.to_string()).hint(error.advice())
}

/// What is broken, and the command that shows it again.
fn failure(simulation: &Simulation, report: &Report) -> Failure {
    let mut network = Vec::new();
    if let Some(genesis) = &simulation.genesis {
        network.extend(["-g".to_owned(), genesis.display().to_string()]);
    }
    if let Some(validators) = simulation.validators {
        network.extend(["--validators".to_owned(), validators.to_string()]);
    }
    let what = report.violation.clone().unwrap_or_default();
    let command = simulation.texts.command(&network, report.seed);
    Failure::new(ExitCode::No, format!("seed {}: {what}", report.seed))
        .hint(report.fault_model.clone())
        .hint(format!("again: {command}"))
}
