//! What a command works with: the configuration, the node that is asked, the accounts with a
//! name here.

use std::path::{Path, PathBuf};

use ccoin_client::{LocalNode, NodeUrl, devnet::RunningDevnet, wallet::KnownAccounts};
use ccoin_home::{Config, ExitCode, Failure, environment};

use crate::Options;

/// Configuration that is read, if it exists, without `--config`
const CONFIG: &str = "ccoin.json";

/// The configuration; without `--config` it may be absent.
pub(crate) fn config(options: &Options) -> Result<Option<Config>, Failure> {
    let path = options.config.as_deref().unwrap_or(Path::new(CONFIG));
    if options.config.is_none() && !path.exists() {
        return Ok(None);
    }
    Ok(Some(Config::load(path, &environment)?))
}

/// The directory of the data directories; `None` without a configuration and a home.
fn known_base_path(options: &Options) -> Result<Option<PathBuf>, Failure> {
    Ok(match config(options)? {
        Some(config) => Some(config.app.base_path),
        // The default of an empty configuration.
        None => Config::parse("{}", CONFIG, &environment)
            .map(|config| config.app.base_path)
            .ok(),
    })
}

/// The directory of the data directories.
pub(crate) fn base_path(options: &Options) -> Result<PathBuf, Failure> {
    known_base_path(options)?.ok_or_else(|| {
        let message = "there is no place for keys: HOME is not set, and there is no ccoin.json";
        Failure::new(ExitCode::BadConfig, message)
            .hint("export HOME=DIR, or name a configuration with app.base_path: -c FILE")
    })
}

/// The running node of the configured account. The default configuration may be absent or
/// without an account, one that the user names may not.
pub(crate) fn local_node(options: &Options) -> Result<Option<LocalNode>, Failure> {
    match config(options)? {
        Some(config) if options.config.is_some() || config.client.account_address.is_some() => {
            LocalNode::of(&config)
        }
        _ => Ok(None),
    }
}

/// The node that is asked: `--url`, the running node of the account, the newest devnet, or the
/// default address.
pub(crate) fn node_url(options: &Options, local: Option<&LocalNode>) -> Result<NodeUrl, Failure> {
    let newest = || RunningDevnet::newest(&environment).ok()?.url();
    Ok(NodeUrl::choose(options.url.as_deref(), local, newest)?)
}

/// The node, found as [`node_url`] does.
pub(crate) fn node(options: &Options) -> Result<NodeUrl, Failure> {
    // With --url a broken configuration does no harm.
    match &options.url {
        Some(url) => Ok(url.parse()?),
        None => node_url(options, local_node(options)?.as_ref()),
    }
}

/// The accounts with a name or a key here; those of the newest devnet only if `url` is one of
/// its nodes.
pub(crate) fn known_accounts(options: &Options, url: &NodeUrl) -> Result<KnownAccounts, Failure> {
    let newest = RunningDevnet::newest(&environment).ok();
    let asked = newest.filter(|devnet| devnet.report.has(url));
    known(options, asked.as_ref())
}

/// The same for commands that ask no node: with all accounts of `devnet`.
pub(crate) fn known(
    options: &Options,
    devnet: Option<&RunningDevnet>,
) -> Result<KnownAccounts, Failure> {
    let mut known = KnownAccounts::default();
    if let Some(devnet) = devnet {
        known.add_devnet(&devnet.report);
    }
    if let Some(base_path) = known_base_path(options)? {
        known.add_base_path(&base_path);
    }
    Ok(known)
}
