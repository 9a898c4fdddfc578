//! An encrypted connection before its session: whole messages, one after another.

use crate::{
    frame_reader::FrameReader,
    handshake_error::HandshakeError,
    tls::{Channel, Tls},
};
use ccoin_core::{
    Hash,
    message::{Bye, ByeReason, Message},
};
use std::io;
use tokio::{
    io::{AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

/// The two halves of a connection.
pub(crate) type Reader = FrameReader<ReadHalf<TlsStream<TcpStream>>>;
pub(crate) type Writer = WriteHalf<TlsStream<TcpStream>>;

/// An encrypted connection.
pub(crate) struct Link {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    /// What both sides sign.
    pub(crate) binding: Hash,
    /// The TLS key of the other process.
    pub(crate) process: Vec<u8>,
}

impl Link {
    /// The TLS handshake of a connection that this node has dialled.
    pub(crate) async fn connect(tls: &Tls, stream: TcpStream) -> Result<Self, HandshakeError> {
        set_nodelay(&stream);
        let channel = tls.connect(stream).await;
        channel.map(Self::new).map_err(HandshakeError::tls)
    }

    /// The TLS handshake of an accepted connection.
    pub(crate) async fn accept(tls: &Tls, stream: TcpStream) -> Result<Self, HandshakeError> {
        set_nodelay(&stream);
        let channel = tls.accept(stream).await;
        channel.map(Self::new).map_err(HandshakeError::tls)
    }

    fn new(channel: Channel) -> Self {
        let (reader, writer) = split(channel.stream);
        Self {
            reader: FrameReader::new(reader),
            writer,
            binding: channel.binding,
            process: channel.peer_key,
        }
    }

    pub(crate) async fn say(&mut self, message: &Message) -> io::Result<()> {
        self.writer.write_all(&message.frame()).await?;
        self.writer.flush().await
    }

    pub(crate) async fn hear(&mut self) -> Result<Message, HandshakeError> {
        let frame = self.reader.frame().await?;
        match Message::decode(frame.header, &frame.body) {
            Ok(Message::Bye(bye)) => Err(HandshakeError::Refused(bye)),
            Ok(message) => Ok(message),
            Err(error) => Err(HandshakeError::Malformed(error.to_string())),
        }
    }

    /// Sends `BYE` and closes without losing it.
    pub(crate) async fn refuse(mut self, reason: ByeReason, text: &str) {
        let bye = Message::Bye(Bye::new(reason, text));
        if self.say(&bye).await.is_ok() && self.writer.shutdown().await.is_ok() {
            self.reader.drain().await;
        }
    }
}

/// Without it a small message waits for the acknowledgement of the one before.
fn set_nodelay(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
}
