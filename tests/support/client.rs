//! The other end of a node's API: one HTTP request at a time, and users with keys who
//! sign transactions. It never retries and takes no torn answer for an answer.

use super::{PATIENCE, Place};
use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Timestamp, TxId,
    transaction::{Payment, Transaction},
};
use ccoin_crypto::SecretKey;
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// One request on a connection of its own; a torn answer is an error.
pub(crate) fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    headers
        .iter()
        .for_each(|(key, value)| text += &format!("{key}: {value}\r\n"));
    write!(stream, "{text}Content-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let torn = || io::Error::other(format!("torn answer to {method} {path}: {answer}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(torn)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .ok_or_else(torn)?;
    let answer = Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    };
    if answer.header("transfer-encoding") == Some("chunked") {
        let body = join_chunks(body).ok_or_else(torn)?;
        return Ok(Answer { body, ..answer });
    }
    let length = answer
        .header("content-length")
        .and_then(|length| length.parse().ok());
    if length == Some(body.len()) {
        Ok(answer)
    } else {
        Err(torn())
    }
}

/// The text of a body in chunks, which end behind whole values; `None` if its end is missing.
fn join_chunks(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, behind) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body += behind.get(..size)?;
        rest = behind.get(size + 2..)?;
    }
}

/// Somebody with a key.
pub(crate) struct Sender(SecretKey);

impl Sender {
    pub(crate) fn new() -> Self {
        Self(SecretKey::generate(2048).unwrap())
    }

    /// With the key of the account at a place.
    pub(crate) fn of(place: &Place) -> Self {
        let pem = fs::read_to_string(place.data(".keys/id_rsa")).unwrap();
        Self(SecretKey::from_pem(&pem, None).unwrap())
    }

    pub(crate) fn address(&self) -> Address {
        self.0.public_key().address()
    }

    /// A signed transaction: its id and the body of a request.
    pub(crate) fn sign(
        &self,
        net: &BlockId,
        number: u64,
        to: Address,
        amount: u64,
        data: &str,
    ) -> (TxId, Value) {
        let (millis, second) = (number % 1000, 1_700_000_000_000);
        let payment = Payment {
            number: AccountNonce::new(number).unwrap(),
            to,
            amount: Amount::new(amount).unwrap(),
            data: data.to_owned(),
            time: Timestamp::new(second + millis).unwrap(),
        };
        let txn = Transaction::sign(payment, &self.0, net).unwrap();
        let body = json!({"number": number, "public_key": txn.from, "to": to, "amount": amount,
            "data": data, "time": format!("2023-11-14T22:13:20.{millis:03}Z"),
            "signature": txn.signature});
        (txn.id(net), body)
    }
}
