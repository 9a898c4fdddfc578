//! Why a peer is rejected, in words that name the values of both sides: they go into both
//! logs. Ends no connection itself.

use crate::{HostPort, shared::Shared, state::State};
use ccoin_core::{
    Address, BlockId,
    message::{ByeReason, Hello, PROTOCOL},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

/// The reason, and both sides' values in words.
pub(crate) type Rejection = (ByeReason, String);

impl Shared {
    /// Checks everything that can be checked before the peer takes a seat. The address need
    /// not be proven yet: a false one only harms the peer that claims it.
    pub(crate) fn judge(
        &self,
        theirs: &Hello,
        place: Option<&HostPort>,
        ip: IpAddr,
    ) -> Result<(), Rejection> {
        if theirs.version != PROTOCOL {
            let text = format!(
                "this node speaks version {PROTOCOL}, the other {}",
                theirs.version
            );
            return Err((ByeReason::Version, text));
        }
        self.judge_genesis(theirs.network_id, theirs.genesis_id)?;
        self.judge_address(&theirs.address)?;
        let (state, now) = (self.state(), Instant::now());
        let address = &theirs.address;
        if state.admission.banned(address, now).is_some() {
            return Err(state.rejection(ByeReason::Banned, address, now));
        }
        let claim = state.claim(address, place, ip);
        let seat = state.seats.check(address, claim, now);
        seat.map(|_| ())
            .map_err(|reason| state.rejection(reason, address, now))
    }

    /// Whether the process behind a link is another one than this.
    pub(crate) fn judge_process(&self, process: &[u8]) -> Result<(), Rejection> {
        if process != self.tls.own_key {
            return Ok(());
        }
        let text = format!("{} is the address of this node itself", self.address);
        Err((ByeReason::OwnAddress, text))
    }

    /// Whether a peer whose key is proven uses another key than this node.
    pub(crate) fn judge_key(&self, theirs: &Hello, remote: SocketAddr) -> Result<(), Rejection> {
        if theirs.address != self.address {
            return Ok(());
        }
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        self.twin.send_replace(Some(remote));
        let text = format!(
            "another node at {remote} uses the key of {}: end one of them, two could sign two \
             different blocks of one number",
            self.address
        );
        Err((ByeReason::OwnAddress, text))
    }

    /// Whether both nodes are on the same chain, or one of them has none yet.
    pub(crate) fn judge_genesis(&self, network: u32, theirs: BlockId) -> Result<(), Rejection> {
        let local = *self.local.borrow();
        let mine = match local.genesis_id {
            BlockId::ZERO => self.wanted_genesis.unwrap_or(BlockId::ZERO),
            genesis => genesis,
        };
        if mine == BlockId::ZERO || theirs == BlockId::ZERO || mine == theirs {
            return Ok(());
        }
        let text = format!(
            "the genesis ids differ: this node has {mine} (network {}), the other has {theirs} (network {network})",
            local.network_id
        );
        Err((ByeReason::Network, text))
    }

    /// Whether the allow-list contains this address or is empty.
    pub(crate) fn judge_address(&self, address: &Address) -> Result<(), Rejection> {
        let allow = self.allow.borrow();
        if allow.is_empty() || allow.contains(address) {
            return Ok(());
        }
        let text = format!("{address} is not on the allow-list of this node");
        Err((ByeReason::NotAllowed, text))
    }
}

impl State {
    /// The rejection of this address for this reason.
    pub(crate) fn rejection(
        &self,
        reason: ByeReason,
        address: &Address,
        now: Instant,
    ) -> Rejection {
        let text = match (reason, self.connections_to(address).next()) {
            (ByeReason::Duplicate, Some(old)) => format!("{} works", old.describe(now)),
            (ByeReason::Banned, _) => {
                let until = self.admission.banned(address, now).unwrap_or(now);
                let rest = (until - now).as_secs_f32().ceil();
                format!("{address} is refused for {rest} s more because it broke a rule")
            }
            _ => {
                let seated = self.seats.len();
                format!("{seated} peers are connected: there is no seat for {address}")
            }
        };
        (reason, text)
    }
}
