//! Why there is no local network, and what to do about it.

use std::io;
use std::path::PathBuf;

use ccoin_core::BlockId;
use ccoin_home::{ExitCode, Failure};

/// Why a network was not made, did not start, or did not obey.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// A binary is nowhere.
    #[error("there is no {program} in {} or in PATH", .beside.display())]
    ProgramMissing {
        /// The binary.
        program: &'static str,
        /// Where it was looked for first.
        beside: PathBuf,
    },
    /// A file or directory cannot be used.
    #[error("cannot use {}: {source}", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process runs a network there.
    #[error("another devnet (process {pid}) runs in {}", .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process, as it wrote itself down.
        pid: String,
    },
    /// The directory holds something else.
    #[error("{} is not empty and holds no devnet", .0.display())]
    Stranger(PathBuf),
    /// The description of a network cannot be read.
    #[error("{} does not describe a devnet: {reason}", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The network that is continued is another one than the options say.
    #[error("the devnet in {} has {got}, not {expected}", .dir.display())]
    Different {
        /// The directory.
        dir: PathBuf,
        /// What it has.
        got: String,
        /// What the options say.
        expected: String,
    },
    /// Nobody can send transfers.
    #[error("--traffic needs accounts, and this network has none")]
    NoPayers,
    /// Block 1 was not made.
    #[error("initc ended with {how}: {said}")]
    Initc {
        /// Exit status.
        how: String,
        /// The end of what it said.
        said: String,
    },
    /// A process did not start.
    #[error("cannot start {}: {source}", .program.display())]
    Spawn {
        /// The binary.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A process ended before it was ready.
    #[error("{name} ended before it was ready: {how}")]
    Ended {
        /// The process.
        name: String,
        /// Exit status.
        how: String,
        /// Where it wrote why.
        log: PathBuf,
        /// Its last line.
        said: String,
    },
    /// A process runs but is not ready.
    #[error("{name} was not ready after {waited} s: {state}")]
    NotReady {
        /// The process.
        name: String,
        /// Seconds.
        waited: u64,
        /// How far it got.
        state: String,
        /// Where it writes what it does.
        log: PathBuf,
    },
    /// A node is in another network.
    #[error("{name} is in the network {got}, expected {expected}")]
    OtherNetwork {
        /// The node.
        name: String,
        /// Its genesis id.
        got: BlockId,
        /// That of the network.
        expected: BlockId,
    },
    /// The user ended it before it was ready.
    #[error("interrupted before the network was ready")]
    Interrupted,
    /// No network runs.
    #[error("no devnet runs")]
    NoneLive,
    /// The running network cannot be told anything.
    #[error("the devnet of process {pid} does not answer: {reason}")]
    Mute {
        /// Its process.
        pid: u32,
        /// Why not.
        reason: String,
    },
    /// The running network did not do it.
    #[error("{0}")]
    Refused(String),
    /// Not an order that is known.
    #[error("{0:?} is not an order, expected stop, start or kill and the name of a node")]
    Order(String),
    /// Failed below.
    #[error("{0}")]
    Failed(#[from] Failure),
}

impl DevnetError {
    /// Is there nothing that anybody would want to look at?
    pub(super) fn leaves_nothing(&self) -> bool {
        matches!(self, Self::Interrupted | Self::NoPayers)
    }
}

impl From<DevnetError> for Failure {
    fn from(error: DevnetError) -> Self {
        let of = |code| Self::new(code, error.to_string());
        let log = |log: &PathBuf| format!("log: {}", log.display());
        match &error {
            DevnetError::ProgramMissing { .. } => {
                of(ExitCode::NotFound).hint("cargo build --release   makes all of them")
            }
            DevnetError::File { .. } => of(ExitCode::BadConfig),
            DevnetError::InUse { .. } => {
                of(ExitCode::Busy).hint("end it, or name another directory with --data-dir")
            }
            DevnetError::Stranger(_) | DevnetError::Manifest { .. } => of(ExitCode::BadConfig)
                .hint("nothing was changed; name another directory with --data-dir"),
            DevnetError::Different { .. } => of(ExitCode::Usage)
                .hint("leave the option out to continue it, or name another --data-dir"),
            DevnetError::NoPayers => {
                of(ExitCode::Usage).hint("leave --traffic out, or make a network with --accounts N")
            }
            DevnetError::Initc { .. } | DevnetError::Spawn { .. } => of(ExitCode::Unexpected),
            DevnetError::Ended {
                log: file, said, ..
            } => {
                let failure = of(ExitCode::Unexpected);
                match said.as_str() {
                    "" => failure.hint(log(file)),
                    said => failure.hint(said).hint(log(file)),
                }
            }
            DevnetError::NotReady { log: file, .. } => of(ExitCode::Connect).hint(log(file)),
            DevnetError::OtherNetwork { .. } => of(ExitCode::Unexpected),
            DevnetError::Interrupted => of(ExitCode::Interrupted),
            DevnetError::NoneLive => of(ExitCode::NotFound).hint("ccoin devnet   starts one"),
            DevnetError::Mute { .. } => of(ExitCode::Connect),
            DevnetError::Refused(_) => of(ExitCode::Refused),
            DevnetError::Order(_) => of(ExitCode::Usage),
            DevnetError::Failed(failure) => failure.clone(),
        }
    }
}
