//! A peer of a test's own making: it proves a key like anybody else, then says what it is
//! told and hands over what it hears. It obeys no rule by itself.

use super::PATIENCE;
use ccoin_core::{
    BlockId, Height, Timestamp,
    message::{Header, NodeType, frame},
};
use ccoin_crypto::SecretKey;
use ccoin_p2p::{ChainStatus, Connection, Frame, Limits, Network, NetworkSetup};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    time::timeout,
};

/// One connection that this peer has begun; it ends when it is dropped.
pub(crate) struct Stranger {
    runtime: Runtime,
    network: Network,
    connection: Connection,
    _local: watch::Sender<ChainStatus>,
}

impl Stranger {
    /// Calls a node, with a new key; says that it has `height` blocks of this network.
    pub(crate) fn call(place: &str, genesis_id: BlockId, height: u64) -> Self {
        let key = SecretKey::generate(2048).unwrap();
        Self::call_as(key, NodeType::Basic, place, genesis_id, height)
    }

    /// The same with a certain key, and saying what it does.
    pub(crate) fn call_as(
        key: SecretKey,
        node_type: NodeType,
        place: &str,
        genesis_id: BlockId,
        height: u64,
    ) -> Self {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let (sender, local) = watch::channel(ChainStatus {
            network_id: 7,
            genesis_id,
            height: Height::new(height).unwrap(),
            final_number: Height::GENESIS,
        });
        let setup = NetworkSetup {
            key: Arc::new(key),
            node_type,
            agent: "stranger".into(),
            clock: now,
            listener: None,
            advertise: None,
            local,
            wanted_genesis: None,
            configured: vec![place.into()],
            miners: Vec::new(),
            remembered: Vec::new(),
            allow: watch::channel(Vec::new()).1,
            limits: Limits::default(),
        };
        let (network, connection) = runtime.block_on(async {
            let (network, mut connections) = Network::start(setup);
            let connection = timeout(PATIENCE, connections.recv()).await;
            (network, connection.expect("a connection").unwrap())
        });
        Self {
            runtime,
            network,
            connection,
            _local: sender,
        }
    }

    /// Sends a frame as it is; false: the connection has ended.
    pub(crate) fn say(&self, header: Header, body: &[u8]) -> bool {
        let frame = frame(header, body).into();
        let said = self.network.send_when_room(self.connection.id, frame);
        self.runtime.block_on(said)
    }

    /// The next frame that is not for the network itself; `None`: the connection has ended.
    pub(crate) fn hear(&mut self) -> Option<Frame> {
        let frames = &mut self.connection.frames;
        // The timer belongs to the runtime: it is made inside.
        let next = async { timeout(PATIENCE, frames.recv()).await };
        let heard = self.runtime.block_on(next);
        heard.expect("a frame or the end of the connection")
    }
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::new(now.as_millis().try_into().unwrap()).unwrap()
}
