//! Turns bytes into frames. Length and header are checked before a body is buffered, and
//! the buffer grows with what has arrived. Never decodes a body, never waits.

use bytes::Bytes;
use ccoin_core::message::{Header, Kind, MAX_FRAME, MessageError, check_announced};

/// Bytes of a frame's length and header.
const HEAD: usize = 7;

/// Bytes of the length alone.
const LENGTH: usize = 4;

/// Most bytes reserved for a body beyond what has arrived of it.
pub(crate) const AHEAD: usize = 64 << 10;

/// A message whose size is checked; its body is not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its kind, one of [`KINDS`](ccoin_core::message::KINDS).
    pub header: Header,
    /// Its encoding.
    pub body: Bytes,
}

/// Why bytes are not a frame that is allowed now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The announced length is impossible.
    #[error("a frame of {got} bytes, 3 to {MAX_FRAME} are allowed")]
    Length {
        /// Bytes of header and body.
        got: u32,
    },
    /// It is no text.
    #[error("header {} is not three printable ASCII characters", header.escape_ascii())]
    Header {
        /// The header.
        header: Header,
    },
    /// Allowed only after the handshake.
    #[error("{} before the handshake", header.escape_ascii())]
    Early {
        /// The header.
        header: Header,
    },
    /// Longer than its kind allows.
    #[error(transparent)]
    Size(MessageError),
}

/// What the decoder found in the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A frame begins.
    Announced {
        /// Its kind.
        header: Header,
        /// Bytes of its body.
        length: usize,
    },
    /// The announced frame is complete.
    Whole(Frame),
    /// A frame with an unknown header was skipped.
    Skipped(Header),
}

#[derive(Debug)]
enum State {
    Head {
        bytes: [u8; HEAD],
        filled: usize,
    },
    Body {
        header: Header,
        length: usize,
        bytes: Vec<u8>,
    },
    Skip {
        header: Header,
        left: usize,
    },
}

const START: State = State::Head {
    bytes: [0; HEAD],
    filled: 0,
};

/// Cuts a stream of bytes, in pieces of any size, into frames.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    early: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Allows only the kinds that a handshake needs.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: START,
            early: true,
        }
    }

    /// Allows every kind from now on.
    pub fn allow_all(&mut self) {
        self.early = false;
    }

    /// Takes bytes off the front of `input` up to the next step; `None`: all are used.
    ///
    /// # Errors
    /// [`FrameError`] as soon as the bytes cannot be the start of an allowed frame.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Step>, FrameError> {
        if let State::Head { bytes, filled } = &mut self.state {
            let Some(head) = fill_head(bytes, filled, input)? else {
                return Ok(None);
            };
            let announced = self.begin(head)?;
            if announced.is_some() {
                return Ok(announced);
            }
        }
        let step = match &mut self.state {
            State::Head { .. } => return Ok(None),
            State::Body {
                header,
                length,
                bytes,
            } => {
                let missing = *length - bytes.len();
                let now = cut(input, missing);
                if bytes.capacity() - bytes.len() < now.len() {
                    // doubles the buffer, but never beyond the end of the body
                    bytes.reserve_exact(missing.min(AHEAD.max(bytes.len()).max(now.len())));
                }
                bytes.extend_from_slice(now);
                if bytes.len() < *length {
                    return Ok(None);
                }
                let body = Bytes::from(std::mem::take(bytes));
                let header = *header;
                Step::Whole(Frame { header, body })
            }
            State::Skip { header, left } => {
                *left -= cut(input, *left).len();
                if *left > 0 {
                    return Ok(None);
                }
                Step::Skipped(*header)
            }
        };
        self.state = START;
        Ok(Some(step))
    }

    /// Checks header and length before any byte of the body.
    fn begin(&mut self, head: [u8; HEAD]) -> Result<Option<Step>, FrameError> {
        let [l0, l1, l2, l3, h0, h1, h2] = head;
        let (got, header) = (u32::from_le_bytes([l0, l1, l2, l3]), [h0, h1, h2]);
        if !header.iter().all(u8::is_ascii_graphic) {
            return Err(FrameError::Header { header });
        }
        let total = usize::try_from(got).map_err(|_| FrameError::Length { got })?;
        let length = total.saturating_sub(header.len());
        match check_announced(header, total) {
            Ok(Kind { early: false, .. }) | Err(MessageError::Unknown { .. }) if self.early => {
                Err(FrameError::Early { header })
            }
            Ok(_) => {
                self.state = State::Body {
                    header,
                    length,
                    bytes: Vec::with_capacity(length.min(AHEAD)),
                };
                Ok(Some(Step::Announced { header, length }))
            }
            Err(MessageError::Unknown { .. }) => {
                let left = length;
                self.state = State::Skip { header, left };
                Ok(None)
            }
            Err(error) => Err(FrameError::Size(error)),
        }
    }
}

/// Completes length and header; the length is checked as soon as it is there.
fn fill_head(
    bytes: &mut [u8; HEAD],
    filled: &mut usize,
    input: &mut &[u8],
) -> Result<Option<[u8; HEAD]>, FrameError> {
    for end in [LENGTH, HEAD] {
        let now = cut(input, end.saturating_sub(*filled));
        bytes[*filled..*filled + now.len()].copy_from_slice(now);
        *filled += now.len();
        if *filled < end {
            return Ok(None);
        }
        let [l0, l1, l2, l3, ..] = *bytes;
        let got = u32::from_le_bytes([l0, l1, l2, l3]);
        if !usize::try_from(got).is_ok_and(|got| (HEAD - LENGTH..=MAX_FRAME).contains(&got)) {
            return Err(FrameError::Length { got });
        }
    }
    Ok(Some(*bytes))
}

/// Cuts at most `max` bytes off the front.
fn cut<'a>(input: &mut &'a [u8], max: usize) -> &'a [u8] {
    let (now, rest) = input.split_at(max.min(input.len()));
    *input = rest;
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::message::{Message, frame};
    use proptest::{collection::vec, prelude::*};

    fn open() -> Decoder {
        let mut decoder = Decoder::new();
        decoder.allow_all();
        decoder
    }

    /// All steps but the announcements, of bytes cut as `pieces` says.
    fn decode(decoder: &mut Decoder, mut bytes: &[u8], pieces: &[usize]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut pieces = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
        while !bytes.is_empty() {
            let mut piece = cut(&mut bytes, pieces.next().unwrap());
            while let Some(step) = decoder.take(&mut piece).unwrap() {
                if !matches!(step, Step::Announced { .. }) {
                    steps.push(step);
                }
            }
            assert!(piece.is_empty());
        }
        steps
    }

    #[test]
    fn an_impossible_length_is_refused_at_its_fourth_byte() {
        for got in [0, 1, 2, MAX_FRAME as u32 + 1, u32::MAX] {
            let mut input = &got.to_le_bytes()[..];
            assert_eq!(
                Decoder::new().take(&mut input),
                Err(FrameError::Length { got })
            );
        }
        let mut input = &[3, 0, 0][..];
        assert_eq!(Decoder::new().take(&mut input), Ok(None));
    }

    #[test]
    fn the_limit_of_a_kind_is_checked_before_the_body() {
        let mut bytes = frame(*b"PNG", &[0; 65]);
        bytes.truncate(7);
        assert!(matches!(
            open().take(&mut &bytes[..]),
            Err(FrameError::Size(_))
        ));
        let bytes = frame(*b"PNG", &[0; 64]);
        assert_eq!(decode(&mut open(), &bytes, &[]).len(), 1);
    }

    #[test]
    fn an_announcement_alone_costs_little_and_a_body_no_more_than_itself() {
        let mut decoder = open();
        let length = 2_900_000;
        let head = [&(length as u32 + 3).to_le_bytes()[..], b"BLK"].concat();
        decoder.take(&mut &head[..]).unwrap();
        for arrived in (0..length).step_by(10_000) {
            let State::Body { bytes, .. } = &decoder.state else {
                panic!("{:?}", decoder.state)
            };
            assert!(bytes.capacity() <= (2 * arrived).max(arrived + AHEAD).min(length));
            decoder.take(&mut &[7; 10_000][..]).unwrap();
        }
        assert!(matches!(decoder.state, State::Head { .. }));
    }

    #[test]
    fn before_the_handshake_only_its_own_kinds_pass() {
        for kind in ccoin_core::message::KINDS {
            let bytes = frame(kind.header, b"");
            let got = Decoder::new().take(&mut &bytes[..]);
            assert_eq!(got.is_ok(), kind.early, "{}", kind.header.escape_ascii());
        }
        let unknown = frame(*b"CBR", b"");
        assert!(Decoder::new().take(&mut &unknown[..]).is_err());
        assert!(open().take(&mut &frame(*b"A\n1", b"")[..]).is_err());
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_frames(
            bodies in vec((0..5usize, vec(any::<u8>(), 0..300)), 1..20),
            pieces in vec(1..90usize, 0..100),
        ) {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for (kind, body) in bodies {
                let header = *[b"BLK", b"TXN", b"ABL", b"CBR", b"KEY"][kind];
                bytes.extend(frame(header, &body));
                expected.push(if header == *b"CBR" {
                    Step::Skipped(header)
                } else {
                    Step::Whole(Frame { header, body: body.into() })
                });
            }
            prop_assert_eq!(decode(&mut open(), &bytes, &pieces), expected);
        }

        #[test]
        fn random_bytes_never_panic_nor_cost_memory(bytes in vec(any::<u8>(), 0..400)) {
            let mut decoder = open();
            let mut input = &bytes[..];
            while let Ok(Some(_)) = decoder.take(&mut input) {}
            if let State::Body { bytes, .. } = decoder.state {
                prop_assert!(bytes.capacity() <= AHEAD);
            }
        }
    }

    #[test]
    fn a_body_without_bytes_is_whole() {
        let bytes = Message::Transactions(Vec::new()).frame();
        let whole = Step::Whole(Frame {
            header: *b"TXN",
            body: Bytes::copy_from_slice(&bytes[7..]),
        });
        assert_eq!(decode(&mut open(), &bytes, &[]), [whole]);
        let empty = frame(*b"TXN", b"");
        assert!(matches!(
            decode(&mut open(), &empty, &[])[..],
            [Step::Whole(_)]
        ));
    }
}
