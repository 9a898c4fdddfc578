//! SIGHUP renews the log, the token and the allow-list without a restart.

use crate::peer_setup::PeerLinks;
use ccoin_home::{ApiToken, Config, DataDir, Failure, LogSink, environment};
use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

/// The parts that SIGHUP renews.
pub(crate) struct Reload<'p> {
    log: LogSink,
    token: Arc<RwLock<ApiToken>>,
    pub(crate) links: &'p PeerLinks,
    dir: &'p DataDir,
    config: &'p Path,
}

impl<'p> Reload<'p> {
    pub(crate) fn new(
        log: &LogSink,
        dir: &'p DataDir,
        config: &'p Path,
        links: &'p PeerLinks,
    ) -> Result<Self, Failure> {
        Ok(Self {
            log: log.clone(),
            token: Arc::new(RwLock::new(ApiToken::open(&dir.token())?)),
            links,
            dir,
            config,
        })
    }

    /// Reopens the log; reads token and allow-list again.
    pub(crate) fn now(&self) {
        if let Err(error) = self.log.reopen() {
            tracing::error!("{error}");
        }
        match ApiToken::open(&self.dir.token()) {
            Ok(fresh) => *self.token.write().unwrap_or_else(PoisonError::into_inner) = fresh,
            Err(error) => tracing::error!("{error}"),
        }
        match Config::load(self.config, &environment) {
            Ok(config) => self.links.reload(&config),
            Err(error) => tracing::error!("{error}"),
        }
        tracing::info!("log reopened; token and allow-list read again");
    }

    /// For the guard of the wallet path.
    pub(crate) fn token_matches(&self) -> Box<dyn Fn(&str) -> bool + Send + Sync> {
        let current = Arc::clone(&self.token);
        Box::new(move |offered| {
            current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .matches(offered)
        })
    }
}
