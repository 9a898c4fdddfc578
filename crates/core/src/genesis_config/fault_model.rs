//! The faults that a network survives, in words for its founders.

use super::GenesisConfig;

impl GenesisConfig {
    /// The number of dead and of malicious miners that this network survives.
    #[must_use]
    pub fn fault_model(&self) -> String {
        let miners = u32::try_from(self.miners.len()).unwrap_or(u32::MAX);
        let quorum = self.consensus.quorum;
        let noun = if miners == 1 { "miner" } else { "miners" };
        let mut words = format!(
            "{miners} {noun}: blocks go on with {} dead, finality with {} dead; \
             survives {} malicious",
            miners.saturating_sub(1),
            miners.saturating_sub(quorum),
            equivocators(miners, quorum),
        );
        let better = quorum.saturating_add(1);
        if equivocators(miners, quorum) == 0 && better <= miners {
            let survived = equivocators(miners, better);
            let dead = miners.saturating_sub(better);
            words.push_str(&format!(
                " (set quorum {better} for {survived}, then {dead} dead)"
            ));
        }
        words
    }
}

/// Miners that may sign two ways at once without breaking finality: 2q - n - 1.
fn equivocators(miners: u32, quorum: u32) -> u32 {
    quorum
        .saturating_mul(2)
        .saturating_sub(miners)
        .saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_crypto::Address;

    #[test]
    fn the_fault_model_is_said_in_words() {
        let words = |miners, quorum| {
            let mut config = GenesisConfig::new(1, vec![Address::ZERO; miners]);
            config.consensus.quorum = quorum;
            config.fault_model()
        };
        assert_eq!(
            words(3, 2),
            "3 miners: blocks go on with 2 dead, finality with 1 dead; \
             survives 0 malicious (set quorum 3 for 2, then 0 dead)"
        );
        assert_eq!(
            words(1, 1),
            "1 miner: blocks go on with 0 dead, finality with 0 dead; survives 0 malicious"
        );
        assert_eq!(
            words(4, 3),
            "4 miners: blocks go on with 3 dead, finality with 1 dead; survives 1 malicious"
        );
        assert_eq!(
            words(5, 3),
            "5 miners: blocks go on with 4 dead, finality with 2 dead; \
             survives 0 malicious (set quorum 4 for 2, then 1 dead)"
        );
    }
}
