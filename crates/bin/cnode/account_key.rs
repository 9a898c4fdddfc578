//! The key of the node's account: in a file, or held by a program.

use ccoin_crypto::{KeySigner, PublicKey, SecretKey};
use ccoin_home::{
    CommandSigner, Config, DataDir, Failure, PassphraseSource, SignerConfig, load_public_key,
    unlock_key,
};
use std::sync::Arc;
use tokio::sync::watch;

/// What was found; no program runs yet.
pub(crate) enum AccountKey {
    /// The private key was read.
    File(Arc<SecretKey>),
    /// A program holds it.
    Signer(SignerConfig, PublicKey),
}

/// A key that signs.
pub(crate) struct OpenKey {
    pub(crate) key: Arc<dyn KeySigner>,
    /// The program, if one holds the key, and what keeps it from signing.
    pub(crate) program: Option<(Arc<CommandSigner>, watch::Receiver<Option<String>>)>,
}

impl AccountKey {
    pub(crate) fn find(
        config: &Config,
        dir: &DataDir,
        passphrase: &PassphraseSource,
    ) -> Result<Self, Failure> {
        Ok(match &config.signer {
            Some(signer) => Self::Signer(signer.clone(), load_public_key(dir)?),
            None => Self::File(Arc::new(unlock_key(dir, passphrase)?)),
        })
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        match self {
            Self::File(key) => key.public_key(),
            Self::Signer(_, public_key) => public_key,
        }
    }

    /// Starts the program, if one holds the key. It need not work yet: the node follows then.
    pub(crate) fn open(&self) -> Result<OpenKey, Failure> {
        match self {
            Self::File(key) => Ok(OpenKey {
                key: Arc::<SecretKey>::clone(key),
                program: None,
            }),
            Self::Signer(config, public_key) => {
                let (fault, faults) = watch::channel(None);
                let tell = move |now| drop(fault.send_replace(now));
                let signer = CommandSigner::start(config, public_key.clone(), tell)?;
                let signer = Arc::new(signer);
                Ok(OpenKey {
                    key: Arc::<CommandSigner>::clone(&signer),
                    program: Some((signer, faults)),
                })
            }
        }
    }

    /// `--check`: asks a program for one signature and says what came of it.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if let Self::Signer(config, public_key) = self {
            let took = CommandSigner::try_once(config, public_key.clone())?;
            println!(
                "signer         {}: started and signed a test message in {} ms",
                config.command.join(" "),
                took.as_millis()
            );
        }
        Ok(())
    }
}
