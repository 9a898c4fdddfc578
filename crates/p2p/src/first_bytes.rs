//! Recognises a caller that speaks another protocol, so that it can be told.

use std::io;
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// The first four bytes of HTTP requests.
const HTTP_METHODS: [&[u8; 4]; 8] = [
    b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN",
];

/// What an HTTP client gets as the answer.
const HTTP_ANSWER: &str = "This port speaks the peer protocol of ccoin, not HTTP. \
    The HTTP API of this node listens on another port.\n";

/// Whether the first bytes that arrive are those of an HTTP request. Consumes nothing.
pub(crate) async fn is_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; 4];
    let count = stream.peek(&mut first).await?;
    Ok(count == first.len() && HTTP_METHODS.contains(&&first))
}

/// Tells an HTTP client that this is not an HTTP port.
pub(crate) async fn answer_http(stream: &mut TcpStream) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{HTTP_ANSWER}",
        HTTP_ANSWER.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
