//! `ccoin completions` and `ccoin man`: made from the definition of the options, so that they
//! never differ from it.

use std::io::{self, Write};
use std::path::PathBuf;

use ccoin_home::{ExitCode, Failure};
use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;

use crate::{Options, tell};

#[derive(Debug, Subcommand)]
pub(crate) enum Manual {
    /// Print what a shell needs to complete command lines of ccoin
    Completions {
        /// For bash: source <(ccoin completions bash)
        shell: Shell,
    },
    /// Write manual pages, one for each command, into DIR
    Man {
        /// A directory that exists
        dir: PathBuf,
    },
}

impl Manual {
    /// Does what the options say.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut command = Options::command();
        match self {
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut command, "ccoin", &mut script);
                // The shell may have gone.
                drop(io::stdout().write_all(&script));
            }
            Self::Man { dir } => {
                clap_mangen::generate_to(command, dir).map_err(|error| {
                    let message = format!("cannot write into {}: {error}", dir.display());
                    Failure::new(ExitCode::NotFound, message)
                        .hint("name a directory that exists and is yours")
                })?;
                tell(&format!(
                    "man {}/ccoin.1   shows the first page",
                    dir.display()
                ));
            }
        }
        Ok(())
    }
}
