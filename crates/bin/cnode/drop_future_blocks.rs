//! `cnode drop-future-blocks`: the way out for the only validator of a network whose clock
//! was ahead, when it cannot wait until the time of its blocks has come.

use crate::{
    check::{check_miner, find},
    options::{DropFutureBlocks, NodeType, Options},
    recover_votes::{hold, store},
};
use ccoin_home::{ExitCode, Failure};

/// Takes the blocks out, then writes a new vote record: the old one speaks of blocks that are gone.
pub(crate) fn run(options: &Options, given: &DropFutureBlocks) -> Result<(), Failure> {
    let found = find(options)?;
    let Some(genesis) = &found.genesis else {
        let message = "there is no chain here";
        return Err(Failure::new(ExitCode::BadConfig, message)
            .hint("say where it is with -c, or make one with initc"));
    };
    check_miner(genesis, NodeType::Validator, &found.dir)?;
    let miners = genesis.config.miners.len();
    if miners > 1 {
        let message = format!(
            "this network has {miners} miners: others have voted for its blocks, and no node can \
             take them back alone"
        );
        return Err(Failure::new(ExitCode::BadConfig, message).hint(
            "set the clock (NTP) and start the node: blocks go on when their time has come",
        ));
    }
    if !given.no_other_copy {
        let message = "a node that has these blocks as final would never follow this one again";
        return Err(Failure::new(ExitCode::BadConfig, message).hint(
            "set the clock first, then say --no-other-copy if no other node has the blocks",
        ));
    }
    let (_key_lock, _chain_lock) = hold(&found.dir, &found.chain)?;
    let Some(dropped) = found.chain.drop_future_blocks(genesis)? else {
        println!("nothing to do: no block is dated ahead of this clock");
        return Ok(());
    };
    let record = found.chain.recover_votes(genesis, &[])?;
    store(&found.dir.votes(), record)?;
    println!(
        "taken out of the chain: {} blocks, from number {} on; transactions that wait again: {}; \
         the log as it was is kept in {}; start the node now",
        dropped.blocks,
        dropped.first,
        dropped.txns,
        dropped.kept_in.display()
    );
    Ok(())
}
