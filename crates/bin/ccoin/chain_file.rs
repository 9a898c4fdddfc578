//! `ccoin export`, `backup`, `import`, `restore`: a chain in one file, out of a data directory and
//! into one.

use std::fs;

use ccoin_client::Progress;
use ccoin_core::{BlockId, genesis::Genesis};
use ccoin_home::{DataDir, ExitCode, Failure, LockFile, environment, lanes};
use ccoin_node::{ChainPaths, Exported, Imported, NodeError, abstain, genesis_of_file};
use serde_json::json;

use crate::{
    Options,
    chain::{In, Out, own_key},
    place::config,
    print,
};

/// What no file of blocks holds.
const NOT_IN_IT: &str = "not in it: keys, votes, waiting transactions, blocks that are not final. \
                         Keep .keys/id_rsa elsewhere";

impl Out {
    /// `ccoin export`.
    pub(crate) fn export(&self, options: &Options) -> Result<(), Failure> {
        let (chain, keys) = self.place.chain(options)?;
        let mut progress = Progress::of_bytes("export", chain.log_bytes()?);
        let exported = chain.export(&self.file, &keys, &mut |done| progress.tell(done))?;
        progress.finish();
        self.say(options, &exported);
        Ok(())
    }

    /// `ccoin backup`.
    pub(crate) fn backup(&self, options: &Options) -> Result<(), Failure> {
        let (chain, keys) = self.place.chain(options)?;
        let mut progress = Progress::of_bytes("backup", chain.log_bytes()?);
        let exported = chain.backup(&self.file, &keys, &mut |done| progress.tell(done))?;
        progress.finish();
        self.say(options, &exported);
        Ok(())
    }

    fn say(&self, options: &Options, made: &Exported) {
        if options.json {
            let line = json!({
                "file": self.file,
                "genesis_id": made.genesis,
                "final": {"number": made.last_final, "id": made.id},
                "height": made.height,
                "bytes": made.bytes,
                "checksum": made.checksum,
            });
            print(&line.to_string());
            return;
        }
        let file = self.file.display();
        print(&format!(
            "{file}: blocks 1 to {}, {} bytes, checksum {}",
            made.last_final, made.bytes, made.checksum
        ));
        if made.height > made.last_final {
            print(&format!(
                "blocks {} to {} are not final yet and not in it",
                made.last_final.get() + 1,
                made.height
            ));
        }
        print(NOT_IN_IT);
    }
}

impl In {
    /// `ccoin import`.
    pub(crate) fn import(&self, options: &Options) -> Result<(), Failure> {
        let wanted = self.wanted(options)?;
        let lanes = lanes(&environment)?;
        let (dir, chain, _lock) = self.take(options)?;
        let mut abstains = None;
        if !chain.exist()? {
            // A chain that is begun with a file says no more of the votes than the file.
            let genesis = genesis_of_file(&self.file, wanted)?;
            abstains = voter(&dir, &genesis)?;
        }
        let mut progress = Progress::of_bytes("import", file_bytes(&self.file));
        let imported = chain.import(&self.file, wanted, &own_key(&dir), lanes, &mut |done| {
            progress.tell(done);
        });
        let imported = imported?;
        progress.finish();
        say(options, "imported", &imported, abstains);
        Ok(())
    }

    /// `ccoin restore`.
    pub(crate) fn restore(&self, options: &Options) -> Result<(), Failure> {
        let wanted = self.wanted(options)?;
        let lanes = lanes(&environment)?;
        let (dir, chain, _lock) = self.take(options)?;
        let mut progress = Progress::of_bytes("restore", file_bytes(&self.file));
        let mut abstains = None;
        let restored = chain.restore(
            &self.file,
            wanted,
            &own_key(&dir),
            lanes,
            &mut |done| progress.tell(done),
            |genesis| {
                abstains = voter(&dir, genesis)?;
                Ok(())
            },
        );
        let restored = restored?;
        progress.finish();
        say(options, "restored", &restored, abstains);
        Ok(())
    }

    fn wanted(&self, options: &Options) -> Result<Option<BlockId>, Failure> {
        match self.genesis {
            Some(genesis) => Ok(Some(genesis)),
            None => Ok(config(options)?.and_then(|config| config.genesis_id)),
        }
    }

    /// The data directory, made if it is not there, with the lock of its key.
    fn take(&self, options: &Options) -> Result<(DataDir, ChainPaths, LockFile), Failure> {
        let dir = self.place.find(options)?;
        // A wrong name of the file changes nothing.
        if let Err(error) = fs::File::open(&self.file) {
            let message = format!("cannot read {}: {error}", self.file.display());
            return Err(Failure::new(ExitCode::NotFound, message));
        }
        dir.create()?;
        let lock = LockFile::take(&dir.lock())?;
        let chain = ChainPaths::new(dir.chain());
        fs::create_dir_all(&chain.root).map_err(|error| {
            let message = format!("cannot make {}: {error}", chain.root.display());
            Failure::new(ExitCode::Disk, message)
        })?;
        Ok((dir, chain, lock))
    }
}

/// How many miners there are, if the account of `dir` is one: its key abstains from now on.
fn voter(dir: &DataDir, genesis: &Genesis) -> Result<Option<usize>, NodeError> {
    let is_miner = abstain(&dir.votes(), dir.address(), genesis)?;
    Ok(is_miner.then(|| genesis.config.miners.len()))
}

fn file_bytes(file: &std::path::Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// `abstains`: miners of the network, if this key is one of them and was told to abstain.
fn say(options: &Options, done: &str, imported: &Imported, abstains: Option<usize>) {
    if options.json {
        let line = json!({
            "genesis_id": imported.genesis,
            "height": imported.height,
            "final": imported.last_final,
            "added": imported.added,
            "transactions": imported.transactions,
            "abstains": abstains.is_some(),
        });
        print(&line.to_string());
        return;
    }
    print(&format!(
        "{done} {} blocks with {} transactions of network {}: every signature and root is right",
        imported.added, imported.transactions, imported.genesis
    ));
    print(&format!(
        "the chain ends with block {}, final up to block {}",
        imported.height, imported.last_final
    ));
    if abstains.is_some() {
        print(
            "this key gives no votes until that is safe: it may have voted after the file was made",
        );
    }
    if abstains == Some(1) {
        print("no other miner can end that: cnode recover-votes --no-other-copy");
    }
}
