//! A peer written by hand over TLS: it hears every message of a node, also the last one. It
//! answers none by itself.

use super::{PATIENCE, tls};
use ccoin_core::{
    BlockId, Hash, Height, Timestamp,
    message::{Bye, Header, Hello, Message, NodeType, PROTOCOL, frame, okay_digest},
};
use ccoin_crypto::SecretKey;
use rustls::{ClientConnection, StreamOwned};
use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::{SystemTime, UNIX_EPOCH},
};

/// One connection; its TLS handshake begins with the first message.
pub(crate) struct Caller(StreamOwned<ClientConnection, TcpStream>);

impl Caller {
    /// Sends no byte yet.
    pub(crate) fn connect(place: &str) -> Self {
        let stream = TcpStream::connect(place).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let name = tls::NAME.try_into().unwrap();
        let connection = ClientConnection::new(tls::client(1), name).unwrap();
        Self(StreamOwned::new(connection, stream))
    }

    /// Connects and proves a key; or how the node has refused that.
    pub(crate) fn call(place: &str, key: &SecretKey, genesis_id: BlockId) -> Result<Self, Bye> {
        let mut caller = Self::connect(place);
        let mine = hello(key, genesis_id);
        caller.say(&Message::Hey(mine.clone()));
        let theirs = match caller.hear() {
            Some(Message::Ack(acknowledgement)) => acknowledgement.hello,
            Some(Message::Bye(bye)) => return Err(bye),
            other => panic!("neither ACK nor BYE but {other:?}"),
        };
        let digest = okay_digest(&caller.binding(), &mine, &theirs);
        let signature = key.sign(&digest).unwrap();
        caller.say(&Message::Oky(signature));
        Ok(caller)
    }

    /// The exporter of RFC 9266.
    fn binding(&self) -> Hash {
        let (label, out) = (b"EXPORTER-Channel-Binding", [0; 32]);
        let bytes = self.0.conn.export_keying_material(out, label, None);
        Hash::new(bytes.unwrap())
    }

    pub(crate) fn say(&mut self, message: &Message) {
        self.write(&message.frame());
    }

    /// Any frame.
    pub(crate) fn tell(&mut self, header: Header, body: &[u8]) {
        self.write(&frame(header, body));
    }

    /// Any bytes; the other side may have hung up on those before.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
        let _ = self.0.flush();
    }

    /// The next message; `None`: the other side has closed.
    pub(crate) fn hear(&mut self) -> Option<Message> {
        let mut head = [0; 7];
        self.fill(&mut head)?;
        let [l0, l1, l2, l3, h0, h1, h2] = head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let mut body = vec![0; length - 3];
        self.fill(&mut body)?;
        Some(Message::decode([h0, h1, h2], &body).unwrap())
    }

    /// Reads to the end; its last message, if that was a `BYE`.
    pub(crate) fn last_word(&mut self) -> Option<Bye> {
        let mut last = None;
        while let Some(message) = self.hear() {
            last = Some(message);
        }
        match last? {
            Message::Bye(bye) => Some(bye),
            _ => None,
        }
    }

    /// Reads whatever comes until the other side has closed: waiting in vain is a failure.
    pub(crate) fn closed(&mut self) {
        let mut rest = [0; 4_096];
        loop {
            match self.0.read(&mut rest) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if waits(&error) => panic!("the connection stays open: {error}"),
                // reset, or cut within TLS
                Err(_) => return,
            }
        }
    }

    /// Whether the other side has closed by now.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.0.sock.set_nonblocking(true).unwrap();
        let mut rest = [0; 4_096];
        let read = self.0.read(&mut rest);
        self.0.sock.set_nonblocking(false).unwrap();
        match read {
            Ok(read) => read == 0,
            Err(error) => !waits(&error),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.0.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if waits(&error) => {
                panic!("neither a word nor the end of the connection")
            }
            Err(_) => None,
        }
    }
}

/// Whether a read has waited in vain.
fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// What a node with this key and no blocks says of itself.
pub(crate) fn hello(key: &SecretKey, genesis_id: BlockId) -> Hello {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let public_key = key.public_key().clone();
    Hello {
        version: PROTOCOL,
        agent: "caller".into(),
        network_id: 7,
        genesis_id,
        address: public_key.address(),
        public_key,
        node_type: NodeType::Basic,
        listen_port: 0,
        place: String::new(),
        height: Height::ZERO,
        final_number: Height::ZERO,
        clock: Timestamp::new(now.as_millis().try_into().unwrap()).unwrap(),
        challenge: Hash::new([7; 32]),
    }
}
