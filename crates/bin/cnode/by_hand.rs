//! A node of `ccoin devnet --manual`: SIGUSR2 asks it for a block.

use ccoin_core::genesis::Genesis;
use ccoin_home::{ExitCode, Failure};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The orders to make a block; none ever comes unless blocks are made by hand.
pub(crate) struct Orders(Option<Signal>);

impl Orders {
    /// Listens if blocks are made `by_hand`. In a network of several miners the others would
    /// wait for this one in each of its turns.
    ///
    /// # Errors
    /// [`Failure`] 2 with the number of miners unless it is one.
    pub(crate) fn open(by_hand: bool, genesis: &Genesis) -> Result<Self, Failure> {
        if !by_hand {
            return Ok(Self(None));
        }
        let miners = genesis.config.miners.len();
        if miners != 1 {
            let message = format!(
                "--blocks-by-hand is for a network of one miner, and this one has {miners}"
            );
            return Err(Failure::new(ExitCode::Usage, message)
                .hint("start cnode without it: blocks are made by the rules"));
        }
        let orders = signal(SignalKind::user_defined2())
            .map_err(|error| Failure::new(ExitCode::Unexpected, format!("no signals: {error}")))?;
        tracing::warn!("blocks are made by hand: ccoin devnet mine makes one");
        Ok(Self(Some(orders)))
    }

    /// Waits for the next order.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(orders) => drop(orders.recv().await),
            None => std::future::pending().await,
        }
    }
}
