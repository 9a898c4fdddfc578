//! `cnode`: a node. Reads options and files, opens sockets, starts the node and its
//! API, and ends both in order.

mod check;
mod links;
mod options;
mod ports;
mod reload;
mod service;
#[path = "../signals.rs"]
mod signals;

use ccoin_home::{DaemonOptions, ExitCode, Failure, run};
use clap::Parser as _;
use options::Options;
use std::process::ExitCode as ProcessExitCode;

fn main() -> ProcessExitCode {
    let options = Options::parse();
    // A panic in any thread or task ends the node, and the next start is as after a power
    // cut: going on without a part of it would look alive.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{panic}");
        std::process::exit(ExitCode::Unexpected as i32);
    }));
    let mut code = ExitCode::Done.into();
    let work = || -> anyhow::Result<()> {
        if options.check {
            return Ok(check::check(&options)?);
        }
        match DaemonOptions::enter(&options.daemon)? {
            Some(detached) => code = detached,
            None => service::run(&options)?,
        }
        Ok(())
    };
    let outcome = run(work);
    if outcome == ProcessExitCode::SUCCESS {
        code
    } else {
        outcome
    }
}

/// The failure of an address that cannot be listened on.
fn taken(port: u16, host: &str, what: &str) -> Failure {
    Failure::new(
        ExitCode::Busy,
        format!("port {port} on {host} is taken ({what})"),
    )
}
