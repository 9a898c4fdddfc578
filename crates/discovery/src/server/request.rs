//! The JSON of a command: bounded before it comes here, parsed once, one error for
//! each way in which it can be wrong.

use super::problem::Problem;
use crate::{Command, Filter, Record};
use axum::http::{HeaderMap, header};
use ccoin_core::{BlockId, Timestamp};
use ccoin_crypto::{PublicKey, Signature};
use serde::{Deserialize, de::IgnoredAny};

/// What a body asks for.
pub(super) enum Asked {
    /// To write a record; not yet verified.
    Signed(Command, Box<Record>),
    /// To list nodes.
    List(Filter),
}

/// All fields of all commands. What is absent is empty, 0 or zeros.
#[derive(Deserialize)]
struct Body {
    command: String,
    #[serde(default)]
    peer: Option<Fields>,
    #[serde(default)]
    peer_id: Option<String>,
    #[serde(default)]
    ip: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    network_id: Option<u32>,
    #[serde(default)]
    genesis_id: Option<BlockId>,
    #[serde(default)]
    time: Option<Timestamp>,
    #[serde(default)]
    public_key: Option<PublicKey>,
    #[serde(default)]
    signature: Option<Signature>,
}

/// A record as it comes.
#[derive(Deserialize)]
struct Fields {
    id: String,
    #[serde(default)]
    ip: Option<String>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    network_id: Option<u32>,
    #[serde(default)]
    genesis_id: Option<BlockId>,
    #[serde(default)]
    time: Option<Timestamp>,
    #[serde(default)]
    public_key: Option<PublicKey>,
    #[serde(default)]
    signature: Option<Signature>,
}

/// `application/json`, with or without parameters, or nothing at all: old clients say
/// nothing.
pub(super) fn accept_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let kind = kind.to_str().unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::unsupported_media_type(
        "send Content-Type: application/json",
    ))
}

/// Reads a command.
pub(super) fn parse(bytes: &[u8]) -> Result<Asked, Problem> {
    // serde alone would also take an array of the fields' values.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        json::<IgnoredAny>(bytes)?;
        return Err(Problem::bad_field("a JSON object is needed"));
    }
    let body: Body = json(bytes)?;
    let missing = |field: &str| Problem::bad_field(format!("{} needs {field}", body.command));
    match body.command.as_str() {
        "get_all" => Ok(Asked::List(Filter {
            network_id: body.network_id.filter(|id| *id != 0),
            genesis_id: body.genesis_id.filter(|id| *id != BlockId::ZERO),
        })),
        "add" => {
            let peer = body.peer.ok_or_else(|| missing("peer"))?;
            Ok(Asked::Signed(Command::Add, peer.record()?))
        }
        "remove" => {
            let id = body.peer_id.ok_or_else(|| missing("peer_id"))?;
            let fields = Fields {
                id,
                ip: body.ip,
                port: body.port,
                network_id: body.network_id,
                genesis_id: body.genesis_id,
                time: body.time,
                public_key: body.public_key,
                signature: body.signature,
            };
            Ok(Asked::Signed(Command::Remove, fields.record()?))
        }
        _ => Err(Problem::bad_field("there is no such command")
            .hint("the commands are add, remove and get_all")),
    }
}

impl Fields {
    fn record(self) -> Result<Box<Record>, Problem> {
        let unsigned = || {
            Problem::unsigned("the record is not signed")
                .hint("it needs time, public_key and signature")
        };
        // First, so that an old client learns this and not what its id lacks.
        let public_key = self.public_key.ok_or_else(unsigned)?;
        let signature = self.signature.ok_or_else(unsigned)?;
        let id = self.id.parse();
        Ok(Box::new(Record {
            id: id.map_err(|error| Problem::bad_field(format!("id: {error}")))?,
            ip: self.ip.unwrap_or_default(),
            port: self.port.unwrap_or_default(),
            network_id: self.network_id.unwrap_or_default(),
            genesis_id: self.genesis_id.unwrap_or(BlockId::ZERO),
            time: self.time.unwrap_or_default(),
            public_key,
            signature,
        }))
    }
}

/// Parses one JSON value; duplicate keys are refused. What is not JSON at all is told
/// from a field that does not fit.
fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        if !error.is_data() || text.starts_with("duplicate field") {
            return Problem::bad_json(text);
        }
        match serde_json::from_slice::<IgnoredAny>(bytes) {
            Ok(_) => Problem::bad_field(text),
            Err(error) => Problem::bad_json(error.to_string()),
        }
    })
}
