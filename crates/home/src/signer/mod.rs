//! A program that holds the account's key and signs for the node (`signer` in `ccoin.json`):
//! 32-byte messages go to its standard input, signatures of the length of the modulus come from
//! its standard output, in order, one at a time. Each signature is verified before it is used.
//!
//! It never sees the private key and decides nothing about blocks: the vote file guards against
//! double signing, whatever the program does.

mod helper;
mod line_budget;
mod supervisor;
#[cfg(test)]
mod tests;
mod waiting;

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ccoin_crypto::{
    Hash, KeySigner, PublicKey, SignError, Signature, Urgency, random_bytes, sha256,
};
use serde::Deserialize;

use crate::{ExitCode, Failure};
use helper::Output;
use supervisor::Supervisor;

/// Requests and outputs that wait for the supervisor; then their senders wait.
const INBOX: usize = 64;

/// Longest time a signature may take: the setting's default and bounds, in ms.
const TIMEOUT_MS: u64 = 5_000;
const TIMEOUTS_MS: std::ops::RangeInclusive<u64> = 100..=60_000;

/// The setting `signer`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SignerConfig {
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// How long one signature may take, in ms.
    pub timeout_ms: u64,
}

impl Default for SignerConfig {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            timeout_ms: TIMEOUT_MS,
        }
    }
}

impl SignerConfig {
    /// The first fault of the setting: its key, and what to write instead.
    pub(crate) fn fault(&self) -> Option<(&'static str, String)> {
        if self.command.first().is_none_or(String::is_empty) {
            let advice = "names no program: write [\"/path/to/program\", \"argument\", ...]";
            return Some(("signer.command", advice.to_owned()));
        }
        (!TIMEOUTS_MS.contains(&self.timeout_ms)).then(|| {
            let (least, most) = TIMEOUTS_MS.into_inner();
            let advice = format!("is out of range: write {least} to {most}");
            ("signer.timeout_ms", advice)
        })
    }

    /// The program, as messages name it.
    fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }
}

/// What the supervisor hears.
enum Event {
    Request(Request),
    Output(Output),
    Stop,
}

/// A signature that somebody waits for.
struct Request {
    message: Hash,
    urgency: Urgency,
    /// When it was asked for.
    at: Instant,
    answer: SyncSender<Result<Signature, SignError>>,
}

/// A running signer program; it is started again, with pauses, whenever it fails.
pub struct CommandSigner {
    public_key: PublicKey,
    inbox: SyncSender<Event>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for CommandSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandSigner({})", self.public_key.address())
    }
}

impl CommandSigner {
    /// Starts the program. `tell` hears when it has signed a test message (`None`), and what
    /// keeps it from signing, after each change.
    ///
    /// # Errors
    /// [`Failure`] if the system has no thread.
    pub fn start(
        config: &SignerConfig,
        public_key: PublicKey,
        tell: impl Fn(Option<String>) + Send + 'static,
    ) -> Result<Self, Failure> {
        let (inbox, events) = mpsc::sync_channel(INBOX);
        let key = public_key.clone();
        let supervisor = Supervisor::new(config.clone(), key, inbox.clone(), Box::new(tell));
        let run = move || supervisor.run(&events);
        let thread = std::thread::Builder::new().name("signer".into());
        let supervisor = thread.spawn(run).map_err(|error| {
            Failure::new(
                ExitCode::Unexpected,
                format!("cannot start a thread: {error}"),
            )
        })?;
        Ok(Self {
            public_key,
            inbox,
            supervisor: Mutex::new(Some(supervisor)),
        })
    }

    /// Starts the program, has it sign one test message, and ends it; how long that took.
    ///
    /// # Errors
    /// [`Failure`] 9 with what keeps it from signing.
    pub fn try_once(config: &SignerConfig, public_key: PublicKey) -> Result<Duration, Failure> {
        let began = Instant::now();
        let (tell, told) = mpsc::channel();
        let signer = Self::start(config, public_key, move |fault| {
            // Only the first word counts.
            let _ = tell.send(fault);
        })?;
        let fault = told
            .recv()
            .unwrap_or_else(|_| Some("its thread ended".to_owned()));
        let took = began.elapsed();
        signer.stop();
        match fault {
            None => Ok(took),
            Some(fault) => {
                let message = format!("the signer does not sign: {fault}");
                Err(Failure::new(ExitCode::Locked, message)
                    .hint("it is the program of \"signer\" in the configuration; what it said stands above")
                    .hint("README.md, \"A key that is not on this disk\", says what it must do"))
            }
        }
    }

    /// Ends the program: closes its input, gives it a second, and kills it. Every signature
    /// that is still asked for is refused.
    pub fn stop(&self) {
        let thread = &self.supervisor;
        let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Without a receiver it has ended.
            let _ = self.inbox.send(Event::Stop);
            let _ = thread.join();
        }
    }
}

impl Drop for CommandSigner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl KeySigner for CommandSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn signature(&self, message: &Hash, urgency: Urgency) -> Result<Signature, SignError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let request = Request {
            message: *message,
            urgency,
            at: Instant::now(),
            answer,
        };
        let ended = || SignError::Unavailable("the node is stopping".to_owned());
        let sent = self.inbox.send(Event::Request(request));
        sent.map_err(|_| ended())?;
        answered.recv().unwrap_or_else(|_| Err(ended()))
    }
}

/// A message that is no id and no digest of anything else: what is hashed for those begins with
/// other tags, or with hex digits. It is never the same twice.
pub(crate) fn test_message() -> Hash {
    sha256(&[b"ccoin/1/tst", &random_bytes::<32>()])
}

/// A remark when the private key lies on this disk all the same.
#[must_use]
pub fn key_left_behind(private_key: &Path) -> Option<String> {
    private_key.exists().then(|| {
        format!(
            "the signer is used, but the private key is still on this disk: keep a copy elsewhere \
             and remove {}",
            private_key.display()
        )
    })
}
