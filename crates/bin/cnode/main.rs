//! `cnode`: a node. Reads options and files, opens sockets, starts the node and its
//! API, and ends both in order.

mod account_key;
mod by_hand;
mod check;
mod drop_future_blocks;
mod genesis;
mod options;
mod peer_setup;
mod ports;
mod recover_votes;
mod reload;
mod service;
#[path = "../signals.rs"]
mod signals;

use ccoin_home::{ExitCode, panics, run};
use options::{Command, Options};
use std::process::ExitCode as ProcessExitCode;

fn main() -> ProcessExitCode {
    let options: Options = ccoin_home::options();
    panics::end_the_process();
    let mut code = ExitCode::Done.into();
    let work = || -> anyhow::Result<()> {
        options.daemon.enter_directory()?;
        match &options.command {
            Some(Command::RecoverVotes(given)) => return Ok(recover_votes::run(&options, given)?),
            Some(Command::DropFutureBlocks(given)) => {
                return Ok(drop_future_blocks::run(&options, given)?);
            }
            None => {}
        }
        if options.check {
            return Ok(check::check(&options)?);
        }
        match options.daemon.detach("cnode")? {
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
