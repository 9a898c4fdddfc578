//! A signed statement of a node about itself: its address, or that it has left. Signatures
//! are checked here; the registry checks the time.

use crate::{Host, HostError};
use ccoin_core::{BlockId, Timestamp, encoding::encode};
use ccoin_crypto::{
    Address, Hash, KeySigner, PublicKey, SignError, Signature, SignatureError, Urgency, Verifier,
    sha256,
};
use serde::Serialize;

/// The commands that carry a signed record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// List the node.
    Add,
    /// Remove it from the list.
    Remove,
}

impl Command {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
        }
    }
}

/// The address and the network of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// IP address or name; empty or `0.0.0.0`: the address that the request comes from.
    pub ip: String,
    /// TCP port for peers, not 0.
    pub port: u16,
    /// `network_id` of the genesis configuration, 0 when there is no chain yet.
    pub network_id: u32,
    /// Id of block 1, zeros when there is no chain yet.
    pub genesis_id: BlockId,
}

/// A signed record, not verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The address of `public_key`.
    pub id: Address,
    /// See [`Claim::ip`]; empty in a removal.
    pub ip: String,
    /// See [`Claim::port`]; 0 in a removal.
    pub port: u16,
    /// See [`Claim::network_id`].
    pub network_id: u32,
    /// See [`Claim::genesis_id`].
    pub genesis_id: BlockId,
    /// Time of the signature; each record of a node is newer than the one before.
    pub time: Timestamp,
    /// The account key.
    pub public_key: PublicKey,
    /// RSASSA-PSS over [`Record::digest`].
    pub signature: Signature,
}

/// Why a record is refused, independent of the registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The id belongs to another key.
    #[error("id {id} is not the address {owner} of the public key")]
    Foreign {
        /// The id claimed.
        id: Address,
        /// The address of the key.
        owner: Address,
    },
    /// The signature does not fit.
    #[error("bad signature: {0}")]
    Signature(#[from] SignatureError),
    /// No peer could connect to it.
    #[error("ip: {0}")]
    Host(#[from] HostError),
    /// No peer could connect to it.
    #[error("port 0 cannot be connected to")]
    Port,
}

/// A record that its owner has signed for this command, with a usable host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    command: Command,
    host: Host,
    record: Record,
}

impl Record {
    /// A signed request to be listed.
    ///
    /// # Errors
    /// If the key does not sign.
    pub fn add(claim: Claim, time: Timestamp, key: &dyn KeySigner) -> Result<Self, SignError> {
        Self::sign(Command::Add, claim, time, key)
    }

    /// A signed request to be listed no longer.
    ///
    /// # Errors
    /// If the key does not sign.
    pub fn remove(
        network_id: u32,
        genesis_id: BlockId,
        time: Timestamp,
        key: &dyn KeySigner,
    ) -> Result<Self, SignError> {
        let claim = Claim {
            ip: String::new(),
            port: 0,
            network_id,
            genesis_id,
        };
        Self::sign(Command::Remove, claim, time, key)
    }

    fn sign(
        command: Command,
        claim: Claim,
        time: Timestamp,
        key: &dyn KeySigner,
    ) -> Result<Self, SignError> {
        let mut record = Self {
            id: key.public_key().address(),
            ip: claim.ip,
            port: claim.port,
            network_id: claim.network_id,
            genesis_id: claim.genesis_id,
            time,
            public_key: key.public_key().clone(),
            signature: Signature::empty(),
        };
        record.signature = key.signature(&record.digest(command), Urgency::Low)?;
        Ok(record)
    }

    /// `SHA256("ccoin/1/dsc" | encode([command, id, ip, port, network_id, genesis_id,
    /// time, public_key]))`.
    #[must_use]
    pub fn digest(&self, command: Command) -> Hash {
        let Self {
            id,
            ip,
            port,
            network_id,
            genesis_id,
            time,
            public_key,
            signature: _,
        } = self;
        let command = command.word();
        let fields = encode(&(
            command, id, ip, port, network_id, genesis_id, time, public_key,
        ));
        sha256(&[b"ccoin/1/dsc", &fields])
    }

    /// Checks that the owner of `id` has signed this for `command`, and that a node to
    /// be listed has a host and a port.
    ///
    /// # Errors
    /// [`RecordError`], the cheap reasons first.
    pub fn verify(
        self,
        command: Command,
        verifier: &mut Verifier,
    ) -> Result<Verified, RecordError> {
        let owner = self.public_key.address();
        if self.id != owner {
            return Err(RecordError::Foreign { id: self.id, owner });
        }
        let host = if self.ip.is_empty() {
            Host::UNSPECIFIED
        } else {
            self.ip.parse()?
        };
        if command == Command::Add && self.port == 0 {
            return Err(RecordError::Port);
        }
        verifier.verify(&self.public_key, &self.digest(command), &self.signature)?;
        Ok(Verified {
            command,
            host,
            record: self,
        })
    }
}

impl Verified {
    /// The command that was signed.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command
    }

    /// May be unspecified.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The fields that were signed.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ccoin_crypto::SecretKey;
    use std::sync::OnceLock;

    /// Keys made once per test binary.
    pub(crate) fn key(index: usize) -> &'static SecretKey {
        static KEYS: [OnceLock<SecretKey>; 3] = [const { OnceLock::new() }; 3];
        KEYS[index].get_or_init(|| SecretKey::generate(2048).unwrap())
    }

    pub(crate) fn claim(ip: &str, port: u16) -> Claim {
        Claim {
            ip: ip.to_owned(),
            port,
            network_id: 7,
            genesis_id: BlockId::new([9; 32]),
        }
    }

    const TIME: Timestamp = Timestamp::ZERO;

    #[test]
    fn the_signed_bytes_are_the_array_of_the_specification() {
        let record = Record::add(claim("h", 300), Timestamp::new(5).unwrap(), key(0)).unwrap();
        let der = key(0).public_key().as_der();
        let mut bytes = b"ccoin/1/dsc\x98\xa3add\xc4\x14".to_vec();
        bytes.extend(record.id.as_bytes());
        bytes.extend(b"\xa1h\xcd\x01\x2c\x07\xc4\x20");
        bytes.extend([9; 32]);
        bytes.extend([5, 0xc5, 1, 38]);
        bytes.extend(der);
        assert_eq!(record.digest(Command::Add), sha256(&[&bytes]));
        assert_ne!(record.digest(Command::Add), record.digest(Command::Remove));
        let verified = record.clone().verify(Command::Add, &mut Verifier::new(1));
        assert_eq!(verified.unwrap().record(), &record);
    }

    /// In the toy there was no authentication: anyone removed anyone.
    #[test]
    fn only_the_owner_of_an_id_can_write_its_record() {
        let mut verifier = Verifier::new(4);
        let good = Record::add(claim("10.0.0.1", 4001), TIME, key(0)).unwrap();
        let mut stolen = Record::remove(7, BlockId::ZERO, TIME, key(1)).unwrap();
        stolen.id = good.id;
        let owner = key(1).public_key().address();
        assert_eq!(
            stolen.verify(Command::Remove, &mut verifier),
            Err(RecordError::Foreign { id: good.id, owner })
        );
        let spoilers: [fn(&mut Record); 6] = [
            |record| record.ip.push('1'),
            |record| record.port += 1,
            |record| record.network_id += 1,
            |record| record.genesis_id = BlockId::ZERO,
            |record| record.time = Timestamp::MAX,
            |record| record.signature = Signature::new(&[1; 256]).unwrap(),
        ];
        for (field, spoil) in spoilers.into_iter().enumerate() {
            let mut record = good.clone();
            spoil(&mut record);
            let verdict = record.verify(Command::Add, &mut verifier);
            let mismatch = RecordError::Signature(SignatureError::Mismatch);
            assert_eq!(verdict, Err(mismatch), "field {field}");
        }
        // A copied `add` does not remove.
        let verdict = good.clone().verify(Command::Remove, &mut verifier);
        assert!(matches!(verdict, Err(RecordError::Signature(_))));
        assert!(good.verify(Command::Add, &mut verifier).is_ok());
    }

    #[test]
    fn a_listed_node_needs_host_and_port_and_a_removed_one_does_not() {
        let mut verifier = Verifier::new(1);
        let mut verify = |ip, port| {
            let record = Record::add(claim(ip, port), TIME, key(0)).unwrap();
            record.verify(Command::Add, &mut verifier)
        };
        assert_eq!(verify("10.0.0.1", 0), Err(RecordError::Port));
        assert_eq!(verify("<b>", 1), Err(RecordError::Host(HostError)));
        assert!(verify("", 1).unwrap().host().is_unspecified());
        let gone = Record::remove(0, BlockId::ZERO, TIME, key(0)).unwrap();
        assert!(gone.verify(Command::Remove, &mut verifier).is_ok());
    }
}
