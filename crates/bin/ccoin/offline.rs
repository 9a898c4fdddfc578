//! `ccoin sign`: finds key and network on this host, and signs.

use ccoin_client::devnet::RunningDevnet;
use ccoin_client::wallet::{self, Account, Draft};
use ccoin_core::{AccountNonce, BlockId};
use ccoin_home::{ExitCode, Failure, environment};

use crate::payment::Payment;
use crate::place::{config, known};
use crate::{Options, print};

/// Prints a signed payment; opens no socket.
pub(crate) fn print_signed(
    options: &Options,
    payment: &Payment,
    number: Option<AccountNonce>,
    genesis: Option<BlockId>,
) -> anyhow::Result<()> {
    let number = number.ok_or_else(|| {
        let message = format!(
            "the number of this transaction of {} is missing",
            payment.from
        );
        Failure::new(ExitCode::Usage, message).hint(format!(
            "ccoin nonce {}   tells it where there is a network; then --number N",
            payment.from
        ))
    })?;
    let devnet = RunningDevnet::newest_on_disk(&environment);
    let known = known(options, devnet.as_ref())?;
    let (from, to) = (known.find(&payment.from)?, known.find(&payment.to)?);
    let genesis_id = match genesis {
        Some(genesis_id) => genesis_id,
        None => network_of(options, &from, devnet.as_ref())?,
    };
    let line = wallet::sign(Draft {
        data: payment.data()?,
        from: payment.key(&from)?,
        to: to.address,
        amount: payment.amount,
        number,
        genesis_id,
    })?;
    print(&line);
    Ok(())
}

/// The network that is meant when none is named.
fn network_of(
    options: &Options,
    from: &Account,
    devnet: Option<&RunningDevnet>,
) -> Result<BlockId, Failure> {
    let of_devnet = devnet.map(|devnet| devnet.report.genesis_id);
    let in_devnet = devnet
        .zip(from.data_dir.as_ref())
        .is_some_and(|(devnet, dir)| dir.root().starts_with(&devnet.report.data_dir));
    let found = match in_devnet {
        true => of_devnet,
        false => config(options)?
            .and_then(|config| config.genesis_id)
            .or(of_devnet),
    };
    found.ok_or_else(|| {
        let message = "the network is not known: a signature counts on one network only";
        Failure::new(ExitCode::Usage, message)
            .hint("give --genesis ID, CCOIN_GENESIS, or genesis_id in the configuration")
            .hint("ccoin status   shows the id where there is a network")
    })
}
