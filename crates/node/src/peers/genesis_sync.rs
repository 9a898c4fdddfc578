//! A node without a chain: finds peers that have one and takes block 1 from the first,
//! or the one of the wanted network. It never changes its mind afterwards.

use super::setup::{Identity, PeerSetup};
use crate::error::NodeError;
use ccoin_core::{
    BlockId,
    genesis::Genesis,
    message::{BlockRequest, ByeReason, Message, NodeType},
    sync::{Action, Event, NodeState, next},
};
use ccoin_crypto::KeySigner;
use ccoin_p2p::{ChainStatus, Connection, Network};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// How long a peer may take to hand over block 1.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks for block 1 until a peer hands it over. Must run inside a tokio runtime;
/// dropping it ends the search. `connected` hears how many peers there are.
///
/// # Errors
/// [`NodeError::Socket`] if the listener cannot be used.
pub async fn fetch_genesis(
    peers: &PeerSetup,
    key: Arc<dyn KeySigner>,
    connected: watch::Sender<usize>,
) -> Result<Genesis, NodeError> {
    let (_local, local) = watch::channel(ChainStatus::default());
    let identity = Identity {
        key: Arc::clone(&key),
        node_type: NodeType::Basic,
        miners: Vec::new(),
        local,
    };
    let (network, mut connections) = peers.open(identity, Vec::new())?;
    let registered = peers.register(&network, &key, None);
    let (found, mut finds) = mpsc::channel(1);
    let mut count = network.count();
    let genesis = loop {
        tokio::select! {
            Some(genesis) = finds.recv() => break genesis,
            Some(connection) = connections.recv() => {
                tokio::spawn(ask(network.clone(), connection, found.clone()));
            }
            Ok(()) = count.changed() => {
                connected.send_replace(*count.borrow_and_update());
            }
        }
    };
    if let Some(registered) = registered {
        registered.end().await;
    }
    network.stop().await;
    Ok(genesis)
}

/// Keeps a connection open; asks for block 1 if the other side has one.
async fn ask(network: Network, mut connection: Connection, found: mpsc::Sender<Genesis>) {
    let (peer, wanted) = (connection.id, connection.hello.genesis_id);
    let (_, action) = next(NodeState::Genesis, Event::Stirred);
    if action == Action::AskGenesis && wanted != BlockId::ZERO {
        tracing::info!(
            "peer {} offers the network {wanted}: asking for its block 1",
            connection.hello.address
        );
        let request = BlockRequest {
            locator: Vec::new(),
            most: 1,
        };
        network.send(peer, Message::AskBlocks(request).frame().into());
        match tokio::time::timeout(PATIENCE, block_1(&mut connection, wanted)).await {
            Ok(Ok(genesis)) => {
                // Another peer may have been faster.
                let _ = found.send(genesis).await;
            }
            Ok(Err(text)) => network.ban(peer, ByeReason::Invalid, &text),
            Err(_) => network.disconnect(peer, ByeReason::Silent, "no block 1 within 10 s"),
        }
    }
    while connection.frames.recv().await.is_some() {}
}

async fn block_1(connection: &mut Connection, wanted: BlockId) -> Result<Genesis, String> {
    while let Some(frame) = connection.frames.recv().await {
        if &frame.header != b"ABL" {
            continue;
        }
        let answer =
            Message::decode(frame.header, &frame.body).map_err(|error| error.to_string())?;
        let Message::Blocks(answer) = answer else {
            continue;
        };
        let bytes = answer.blocks.first().ok_or("no block 1 in the answer")?;
        let genesis = Genesis::decode(bytes).map_err(|error| error.to_string())?;
        if genesis.id == wanted {
            return Ok(genesis);
        }
        return Err(format!("block 1 is {}, not {wanted}", genesis.id));
    }
    Err("the connection ended".into())
}
