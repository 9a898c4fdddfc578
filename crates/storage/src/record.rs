//! One record of a log: a header of 21 bytes and a payload, bound by its
//! checksum to its position and to the secret of its file. Never trusts a
//! length before it is bounded, and never says why a record is bad.

/// Most payload bytes of a record: the largest network message and some room.
pub const MAX_PAYLOAD: usize = 3_100_000;

/// Bytes before the payload: magic 4, length 4, checksum 4, synced_to 8, kind 1.
pub(crate) const HEADER: usize = 21;

/// Length that says: nothing more in this file, continue in the next.
const TURN: u32 = u32::MAX;

/// What a header of 21 bytes claims, not yet verified.
struct Header {
    length: u32,
    checksum: u32,
    synced_to: u64,
    kind: u8,
}

/// A verified record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// End of the last completed sync when it was written.
    pub(crate) synced_to: u64,
    /// The caller's kind.
    pub(crate) kind: u8,
    /// `None` where the log continues in the next file.
    pub(crate) payload: Option<&'a [u8]>,
}

impl Record<'_> {
    /// Bytes of header and payload.
    pub(crate) fn size(&self) -> usize {
        HEADER + self.payload.map_or(0, <[u8]>::len)
    }
}

/// The first four bytes of every record of a file; secret, so that no payload
/// can be made to look like records.
fn magic(seed: u64) -> [u8; 4] {
    (((seed >> 32) as u32) | 1).to_be_bytes()
}

fn checksum(seed: u64, at: u64, header: &Header, parts: &[&[u8]]) -> u32 {
    let mut sum = crc32c::crc32c(&seed.to_be_bytes());
    sum = crc32c::crc32c_append(sum, &at.to_be_bytes());
    sum = crc32c::crc32c_append(sum, &header.length.to_be_bytes());
    sum = crc32c::crc32c_append(sum, &header.synced_to.to_be_bytes());
    sum = crc32c::crc32c_append(sum, &[header.kind]);
    parts
        .iter()
        .fold(sum, |sum, part| crc32c::crc32c_append(sum, part))
}

fn put(out: &mut Vec<u8>, seed: u64, at: u64, mut header: Header, parts: &[&[u8]]) {
    header.checksum = checksum(seed, at, &header, parts);
    out.extend_from_slice(&magic(seed));
    out.extend_from_slice(&header.length.to_be_bytes());
    out.extend_from_slice(&header.checksum.to_be_bytes());
    out.extend_from_slice(&header.synced_to.to_be_bytes());
    out.push(header.kind);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Appends a record that will stand at position `at`; the caller has bounded `parts`.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    seed: u64,
    at: u64,
    synced_to: u64,
    kind: u8,
    parts: &[&[u8]],
) {
    let length = parts.iter().map(|part| part.len()).sum::<usize>() as u32;
    put(
        out,
        seed,
        at,
        Header {
            length,
            checksum: 0,
            synced_to,
            kind,
        },
        parts,
    );
}

/// Appends the mark that the log continues in the next file.
pub(crate) fn encode_turn(out: &mut Vec<u8>, seed: u64, at: u64, synced_to: u64) {
    put(
        out,
        seed,
        at,
        Header {
            length: TURN,
            checksum: 0,
            synced_to,
            kind: 0,
        },
        &[],
    );
}

fn parse(bytes: &[u8], seed: u64) -> Option<Header> {
    let bytes = bytes.strip_prefix(&magic(seed))?;
    let (length, bytes) = bytes.split_first_chunk()?;
    let (checksum, bytes) = bytes.split_first_chunk()?;
    let (synced_to, bytes) = bytes.split_first_chunk()?;
    let header = Header {
        length: u32::from_be_bytes(*length),
        checksum: u32::from_be_bytes(*checksum),
        synced_to: u64::from_be_bytes(*synced_to),
        kind: *bytes.first()?,
    };
    (header.length == TURN || header.length as usize <= MAX_PAYLOAD).then_some(header)
}

/// Payload length that the header of a record claims; `None` if it is no header of a record.
pub(crate) fn claimed_length(header: &[u8; HEADER], seed: u64) -> Option<usize> {
    let length = parse(header, seed)?.length;
    (length != TURN).then_some(length as usize)
}

/// The record at the beginning of `bytes`, which stand at position `at`.
pub(crate) fn decode(bytes: &[u8], seed: u64, at: u64) -> Option<Record<'_>> {
    let header = parse(bytes, seed)?;
    let payload = match header.length {
        TURN => None,
        length => Some(bytes.get(HEADER..)?.get(..length as usize)?),
    };
    let intact = header.checksum == checksum(seed, at, &header, &[payload.unwrap_or(&[])]);
    (intact && header.synced_to <= at).then_some(Record {
        synced_to: header.synced_to,
        kind: header.kind,
        payload,
    })
}

/// Whether a record of this file begins there, whole or not.
pub(crate) fn begins(bytes: &[u8], seed: u64) -> bool {
    bytes.starts_with(&magic(seed))
}

/// Whether `bytes` at position `at` hold a record that was written after a sync beyond `bad`.
pub(crate) fn proves_synced(bytes: &[u8], seed: u64, at: u64, bad: u64) -> bool {
    let Some(used) = nonzero_end(bytes) else {
        return false;
    };
    let magic = magic(seed);
    bytes[..used]
        .windows(magic.len())
        .enumerate()
        .any(|(offset, window)| {
            window == magic
                && decode(&bytes[offset..], seed, at + offset as u64)
                    .is_some_and(|record| record.synced_to > bad)
        })
}

/// Offset behind the last byte that is not zero, rounded up to a page; `None` if all are zero.
pub(crate) fn nonzero_end(bytes: &[u8]) -> Option<usize> {
    const PAGE: usize = 4096;
    let zeros = [0; PAGE];
    let page = bytes
        .chunks(PAGE)
        .rposition(|page| *page != zeros[..page.len()])?;
    Some(bytes.len().min((page + 1) * PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_bound_to_its_position_and_its_file() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 7 << 32, 100, 90, 3, &[b"ab", b"c"]);
        let record = decode(&bytes, 7 << 32, 100).unwrap();
        assert_eq!(
            (record.kind, record.synced_to, record.payload),
            (3, 90, Some(&b"abc"[..]))
        );
        assert_eq!(record.size(), bytes.len());
        assert_eq!(decode(&bytes, 7 << 32, 101), None, "other position");
        assert_eq!(decode(&bytes, (7 << 32) + 1, 100), None, "other file");
        let mut other = Vec::new();
        encode(&mut other, 8 << 32, 100, 90, 3, &[b"ab", b"c"]);
        assert_ne!(
            bytes[..4],
            other[..4],
            "the magic of one file must not help with another"
        );
        for byte in 0..bytes.len() {
            assert_eq!(decode(&bytes[..byte], 7 << 32, 100), None, "cut at {byte}");
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1;
            assert_eq!(decode(&flipped, 7 << 32, 100), None, "flipped at {byte}");
        }
    }
}
