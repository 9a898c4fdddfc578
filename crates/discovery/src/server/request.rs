//! The JSON of a command, parsed once. The caller bounds its length.

use super::problem::UNSIGNED;
use crate::{Command, Filter, Record};
use ccoin_core::{BlockId, Timestamp};
use ccoin_crypto::{Address, PublicKey, Signature};
use ccoin_http::{Problem, json::parse_object};
use serde::Deserialize;

pub(super) enum Parsed {
    /// A record to write, not verified yet.
    Signed(Command, Box<Record>),
    /// A list to give.
    List(Filter),
}

/// All fields of all commands. An absent field is empty, 0 or zeros.
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
    prefer: Option<Vec<Address>>,
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

/// Reads a command.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Problem> {
    let body: Body = parse_object(bytes)?;
    let missing = |field: &str| Problem::bad_field(format!("{} needs {field}", body.command));
    match body.command.as_str() {
        "get_all" => Ok(Parsed::List(Filter {
            network_id: body.network_id.filter(|id| *id != 0),
            genesis_id: body.genesis_id.filter(|id| *id != BlockId::ZERO),
            prefer: body.prefer.unwrap_or_default(),
        })),
        "add" => {
            let peer = body.peer.ok_or_else(|| missing("peer"))?;
            Ok(Parsed::Signed(Command::Add, peer.record()?))
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
            Ok(Parsed::Signed(Command::Remove, fields.record()?))
        }
        _ => Err(Problem::bad_field("there is no such command")
            .hint("the commands are add, remove and get_all")),
    }
}

impl Fields {
    fn record(self) -> Result<Box<Record>, Problem> {
        let unsigned = || {
            Problem::new(UNSIGNED, "the record is not signed")
                .hint("it needs time, public_key and signature")
        };
        // Checked first: a client of 2018 must learn this before the rules of `id`.
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
