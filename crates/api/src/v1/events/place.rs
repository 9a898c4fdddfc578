//! The id of an event: a place in the chain that any node of the network understands, also
//! after a restart.

use ccoin_core::{BlockId, Height};
use core::fmt;

/// The end of a block id: heads of ids are zeros.
pub(super) type Tag = [u8; 8];

/// The tag of a block.
pub(super) fn tag(id: &BlockId) -> Tag {
    let mut tag = Tag::default();
    let from = id.as_bytes().len() - tag.len();
    tag.copy_from_slice(&id.as_bytes()[from..]);
    tag
}

/// What a reader has: all blocks up to one, of which another was final.
/// Text: `<number>-<16 hex>-<final number>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: Height,
    pub(super) tag: Tag,
    pub(super) last_final: Height,
}

impl Place {
    /// The place that a text names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (number, hex, last_final) = (parts.next()?, parts.next()?, parts.next()?);
        let well_formed = parts.next().is_none() && hex.len() == 16;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !well_formed || ![number, hex, last_final].into_iter().all(digits) {
            return None;
        }
        let height = |text: &str| Height::new(text.parse().ok()?).ok();
        Some(Self {
            number: height(number)?,
            tag: u64::from_str_radix(hex, 16).ok()?.to_be_bytes(),
            last_final: height(last_final)?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tag, last_final) = (u64::from_be_bytes(self.tag), self.last_final);
        write!(f, "{}-{tag:016x}-{last_final}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let mut id = [0; 32];
        id[31] = 0xa1;
        let place = Place {
            number: Height::new(812).unwrap(),
            tag: tag(&BlockId::new(id)),
            last_final: Height::new(810).unwrap(),
        };
        assert_eq!(place.to_string(), "812-00000000000000a1-810");
        assert_eq!(Place::parse(&place.to_string()), Some(place));
    }

    #[test]
    fn any_other_text_is_no_place() {
        for text in [
            "",
            "812",
            "812-00000000000000a1",
            "812-00000000000000a1-810-",
            "812-a1-810",
            "812-+0000000000000a1-810",
            "812-00000000000000g1-810",
            "-812-00000000000000a1-810",
            "9007199254740993-00000000000000a1-810",
            "99999999999999999999999-00000000000000a1-1",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
