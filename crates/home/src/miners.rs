//! Which miners of a network this host can run: a network without one makes no blocks here.

use std::path::Path;

use ccoin_core::Address;

use crate::DataDir;

/// Warnings for the founder or the operator when `account` is no miner.
#[must_use]
pub fn miner_warnings(base_path: &Path, account: Address, miners: &[Address]) -> Vec<String> {
    if miners.contains(&account) {
        return Vec::new();
    }
    let count = miners.len();
    let mut warnings = vec![format!(
        "this account, {account}, is none of the {count} miners of this network: it makes no blocks"
    )];
    let has_key = |miner: &Address| DataDir::new(base_path, *miner).private_key().exists();
    if !miners.iter().any(has_key) {
        warnings.push(format!(
            "no key of a miner is in {}: unless other hosts have them, there will be no blocks",
            base_path.display()
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_account_that_is_no_miner_is_told_and_that_no_miner_is_here() {
        let base = tempfile::tempdir().unwrap();
        let [one, two] = [1, 2].map(|byte| Address::new([byte; 20]));
        assert!(miner_warnings(base.path(), one, &[two, one]).is_empty());
        let warnings = miner_warnings(base.path(), one, &[two]);
        assert!(warnings[0].contains(&one.to_string()), "{warnings:?}");
        assert!(warnings[1].contains("no key of a miner"), "{warnings:?}");
        let dir = DataDir::new(base.path(), two);
        dir.create().unwrap();
        fs::write(dir.private_key(), "").unwrap();
        assert_eq!(miner_warnings(base.path(), one, &[two]).len(), 1);
    }
}
