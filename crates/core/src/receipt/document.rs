//! Documents in transactions: the data of a transaction names one hash, or the root of a tree
//! over many. The documents themselves are never seen here.

use ccoin_crypto::{Hash, merkle};
use core::fmt;

/// Most siblings of a path: a list has fewer than 2^64 items.
pub(super) const MAX_PATH: usize = 64;

/// What the data of a transaction says about documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentRoot {
    /// `sha256:<64 hex digits>`: the SHA-256 of one document.
    One(Hash),
    /// `sha256-tree:<64 hex digits>`: the RFC 6962 root over the SHA-256 of several.
    Tree(Hash),
}

impl DocumentRoot {
    /// Reads the data of a transaction; `None` if it is about something else.
    #[must_use]
    pub fn parse(data: &str) -> Option<Self> {
        if let Some(hex) = data.strip_prefix("sha256:") {
            return hex.parse().ok().map(Self::One);
        }
        let hex = data.strip_prefix("sha256-tree:")?;
        hex.parse().ok().map(Self::Tree)
    }

    /// The root over these hashes in their order; `None` without any.
    #[must_use]
    pub fn of(hashes: &[Hash]) -> Option<Self> {
        match hashes {
            [] => None,
            [hash] => Some(Self::One(*hash)),
            many => Some(Self::Tree(merkle::root(many))),
        }
    }
}

impl fmt::Display for DocumentRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(hash) => write!(f, "sha256:{hash}"),
            Self::Tree(root) => write!(f, "sha256-tree:{root}"),
        }
    }
}

/// A document's place under the [`DocumentRoot`] of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentPath {
    /// SHA-256 of the document.
    pub sha256: Hash,
    /// Its place in the list, from 0.
    pub index: u64,
    /// Hashes in the list.
    pub size: u64,
    /// Siblings up to the root.
    pub path: Vec<Hash>,
}

impl DocumentPath {
    /// The only document of a transaction.
    #[must_use]
    pub fn alone(sha256: Hash) -> Self {
        Self {
            sha256,
            index: 0,
            size: 1,
            path: Vec::new(),
        }
    }

    /// The places of all these hashes, in their order.
    #[must_use]
    pub fn all(hashes: &[Hash]) -> Vec<Self> {
        if let [hash] = hashes {
            return vec![Self::alone(*hash)];
        }
        let tree = merkle::Tree::new(hashes);
        let place = |(index, sha256): (usize, &Hash)| Self {
            sha256: *sha256,
            index: index as u64,
            size: hashes.len() as u64,
            path: tree.path(index),
        };
        hashes.iter().enumerate().map(place).collect()
    }

    /// Whether the document stands under `root`.
    #[must_use]
    pub fn leads_to(&self, root: &DocumentRoot) -> bool {
        match root {
            DocumentRoot::One(hash) => *self == Self::alone(*hash),
            DocumentRoot::Tree(root) => {
                merkle::verify_path(&self.sha256, self.index, self.size, &self.path, root)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_crypto::sha256;

    #[test]
    fn every_document_of_a_list_leads_to_its_root_and_no_other_does() {
        assert_eq!(DocumentRoot::of(&[]), None);
        for count in 1u8..9 {
            let hashes: Vec<_> = (0..count).map(|n| sha256(&[&[n]])).collect();
            let root = DocumentRoot::of(&hashes).unwrap();
            assert_eq!(DocumentRoot::parse(&root.to_string()), Some(root));
            for (index, place) in DocumentPath::all(&hashes).into_iter().enumerate() {
                assert_eq!((place.sha256, place.index), (hashes[index], index as u64));
                assert!(place.leads_to(&root));
                let sha256 = sha256(&[b"other"]);
                assert!(!DocumentPath { sha256, ..place }.leads_to(&root));
            }
        }
    }

    #[test]
    fn other_texts_name_no_document() {
        let hex = "ab".repeat(32);
        for text in [
            String::new(),
            hex.clone(),
            format!("sha256:{hex} "),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{}", &hex[1..]),
            format!("SHA256:{hex}"),
            format!("sha256-tree:{hex}0"),
        ] {
            assert_eq!(DocumentRoot::parse(&text), None, "{text}");
        }
    }
}
