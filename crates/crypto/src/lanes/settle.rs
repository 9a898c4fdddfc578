//! From the opinions of the lanes to verdicts: the rule that lanes may only accept.

use crate::{Address, Claim, Hash, SignatureError};

/// Of the library.
pub(crate) type Verdict = Result<(), SignatureError>;

/// The lanes have accepted a signature that the library refuses: processor, compiler or this
/// crate is faulty, and earlier accepts may be wrong. A node that meets it must stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the lanes accept a signature that aws-lc-rs refuses ({library}): key of {key}, \
     message {message}, signature {signature}"
)]
pub struct LaneFault {
    /// The signer.
    pub key: Address,
    /// The signed message.
    pub message: Hash,
    /// The signature in hex.
    pub signature: String,
    /// The verdict of the library, which counts.
    pub library: SignatureError,
}

impl LaneFault {
    pub(crate) fn new(claim: &Claim<'_>, library: SignatureError) -> Self {
        Self {
            key: claim.key.address(),
            message: claim.message,
            signature: hex::encode(claim.signature.as_bytes()),
            library,
        }
    }
}

/// One verdict for each opinion. The library is asked for every signature that the lanes have
/// not accepted, and for those accepted ones that `chooses` chooses. The second result is the
/// index of an accept that the library refuses; then the library is asked for all.
pub(crate) fn settle(
    accepted: &[bool],
    mut chooses: impl FnMut() -> bool,
    mut library: impl FnMut(usize) -> Verdict,
) -> (Vec<Verdict>, Option<usize>) {
    let mut verdicts = Vec::with_capacity(accepted.len());
    for (index, is_accepted) in accepted.iter().enumerate() {
        if *is_accepted && !chooses() {
            verdicts.push(Ok(()));
            continue;
        }
        let verdict = library(index);
        if *is_accepted && verdict.is_err() {
            return ((0..accepted.len()).map(library).collect(), Some(index));
        }
        verdicts.push(verdict);
    }
    (verdicts, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [bool; 6] = [true, false, true, false, true, true];

    fn library(index: usize) -> Verdict {
        GOOD[index].then_some(()).ok_or(SignatureError::Mismatch)
    }

    fn verdicts() -> Vec<Verdict> {
        (0..GOOD.len()).map(library).collect()
    }

    #[test]
    fn a_lane_that_wrongly_refuses_does_no_harm() {
        for wrong in 0..GOOD.len() {
            let mut opinions = GOOD;
            opinions[wrong] = false;
            assert_eq!(settle(&opinions, || false, library), (verdicts(), None));
            assert_eq!(settle(&opinions, || true, library), (verdicts(), None));
        }
    }

    #[test]
    fn a_lane_that_wrongly_accepts_is_found_when_it_is_chosen() {
        for wrong in [1, 3] {
            let mut opinions = GOOD;
            opinions[wrong] = true;
            assert_eq!(
                settle(&opinions, || true, library),
                (verdicts(), Some(wrong))
            );
            // Chosen alone: the lanes have accepted so many before it.
            let before = opinions[..wrong]
                .iter()
                .filter(|is_accepted| **is_accepted)
                .count();
            let mut left = before + 1;
            let chooses = || {
                left -= 1;
                left == 0
            };
            assert_eq!(
                settle(&opinions, chooses, library),
                (verdicts(), Some(wrong))
            );
        }
    }

    #[test]
    fn the_library_is_asked_only_for_refused_and_chosen_ones() {
        let mut asked = Vec::new();
        let mut choice = [false, true, false, false].into_iter();
        let (verdicts, fault) = settle(
            &GOOD,
            || choice.next().unwrap(),
            |index| {
                asked.push(index);
                library(index)
            },
        );
        assert_eq!((verdicts, fault), (self::verdicts(), None));
        assert_eq!(asked, [1, 2, 3]);
    }
}
