//! Recognises a caller that speaks another protocol, so that it can be told.

use crate::handshake_error::HandshakeError;
use ccoin_core::message::{Bye, ByeReason, Message, PROTOCOL};
use std::io;
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// The first four bytes of HTTP requests.
const HTTP_METHODS: [&[u8; 4]; 8] = [
    b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN",
];

/// The body of the answer to an HTTP client.
const HTTP_ANSWER: &str = "This port speaks the peer protocol of ccoin, not HTTP. \
    The HTTP API of this node listens on another port.\n";

/// A protocol that this port does not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    Http,
    /// The peer protocol up to version 1, without TLS.
    PlainFrames,
}

/// Looks at the first bytes that arrive and consumes none; `None`: they may be TLS.
pub(crate) async fn foreign_protocol(
    stream: &TcpStream,
) -> Result<Option<Foreign>, HandshakeError> {
    let mut first = [0; 7];
    let count = stream.peek(&mut first).await?;
    Ok(recognise(&first[..count]))
}

fn recognise(first: &[u8]) -> Option<Foreign> {
    match first {
        [_, _, _, _, b'H', b'E', b'Y'] => Some(Foreign::PlainFrames),
        [a, b, c, d, ..] if HTTP_METHODS.contains(&&[*a, *b, *c, *d]) => Some(Foreign::Http),
        _ => None,
    }
}

impl Foreign {
    /// Tells the caller, in its own protocol, that this is the wrong port or version.
    pub(crate) async fn answer(self, stream: &mut TcpStream) -> io::Result<()> {
        let answer = match self {
            Self::Http => http_answer(),
            Self::PlainFrames => {
                let text = format!("this node speaks version {PROTOCOL} and requires TLS");
                Message::Bye(Bye::new(ByeReason::Version, &text)).frame()
            }
        };
        stream.write_all(&answer).await?;
        stream.shutdown().await
    }
}

fn http_answer() -> Vec<u8> {
    let length = HTTP_ANSWER.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{HTTP_ANSWER}"
    );
    answer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_and_plain_frames_are_recognised_and_tls_is_not() {
        assert_eq!(recognise(b"GET / H"), Some(Foreign::Http));
        assert_eq!(recognise(b"POST"), Some(Foreign::Http));
        assert_eq!(recognise(b"\x00\x03\0\0HEY"), Some(Foreign::PlainFrames));
        for tls in [&b"\x16\x03\x01\x00\xf8\x01\x00"[..], b"", b"GE"] {
            assert_eq!(recognise(tls), None);
        }
    }
}
