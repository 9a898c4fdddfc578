//! The command that repeats a run.

use super::ScenarioTexts;

impl ScenarioTexts {
    /// The command that repeats one run; `network` are the options that name the network.
    #[must_use]
    pub fn command(&self, network: &[String], seed: u64) -> String {
        let mut words: Vec<String> = ["ccoin", "sim"].map(str::to_owned).into();
        words.extend(network.iter().cloned());
        let all = [
            ("--kill", &self.kill),
            ("--cut", &self.cut),
            ("--skew", &self.skew),
            ("--attack", &self.attack),
        ];
        for (option, texts) in all {
            words.extend(
                texts
                    .iter()
                    .flat_map(|text| [option.to_owned(), text.clone()]),
            );
        }
        for (option, text) in [("--rtt", &self.rtt), ("--for", &self.length)] {
            words.extend(
                text.iter()
                    .flat_map(|text| [option.to_owned(), text.clone()]),
            );
        }
        words.extend(["--seed".to_owned(), seed.to_string()]);
        let quoted: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        quoted.join(" ")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
