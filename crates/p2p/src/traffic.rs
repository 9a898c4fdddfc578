//! What went over all connections since the start, by kind of message, handshakes not counted.

use ccoin_core::message::{Header, KINDS};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes of a frame before its body.
const HEAD: u64 = 7;

/// Messages of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageTraffic {
    /// Its header; `None`: all unknown ones.
    pub header: Option<Header>,
    /// Frames received.
    pub messages_in: u64,
    /// Their bytes, heads included; of unknown ones the heads alone.
    pub bytes_in: u64,
    /// Frames written.
    pub messages_out: u64,
    /// Their bytes, heads included.
    pub bytes_out: u64,
}

#[derive(Debug, Default)]
struct Cell {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// Counts one direction; the last cell is that of unknown kinds.
#[derive(Debug, Default)]
struct Direction([Cell; KINDS.len() + 1]);

impl Direction {
    fn count(&self, header: Header, bytes: u64) {
        let place = KINDS.iter().position(|kind| kind.header == header);
        let cell = &self.0[place.unwrap_or(KINDS.len())];
        cell.messages.fetch_add(1, Relaxed);
        cell.bytes.fetch_add(bytes, Relaxed);
    }
}

/// Counts the frames of all connections.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    received: Direction,
    written: Direction,
}

impl Totals {
    /// A frame with a body of this length has come.
    pub(crate) fn received(&self, header: Header, length: usize) {
        self.received.count(header, HEAD + length as u64);
    }

    /// A whole frame was written.
    pub(crate) fn written(&self, frame: &[u8]) {
        if let Some(header) = frame.get(4..7).and_then(|header| header.try_into().ok()) {
            self.written.count(header, frame.len() as u64);
        }
    }

    pub(crate) fn read(&self) -> Vec<MessageTraffic> {
        let headers = KINDS.iter().map(|kind| Some(kind.header)).chain([None]);
        let cells = self.received.0.iter().zip(&self.written.0);
        let read = |(header, (received, written)): (_, (&Cell, &Cell))| MessageTraffic {
            header,
            messages_in: received.messages.load(Relaxed),
            bytes_in: received.bytes.load(Relaxed),
            messages_out: written.messages.load(Relaxed),
            bytes_out: written.bytes.load(Relaxed),
        };
        headers.zip(cells).map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_by_kind_and_unknown_ones_together() {
        let totals = Totals::default();
        totals.received(*b"TXN", 93);
        totals.received(*b"TXN", 0);
        totals.received(*b"abc", 0);
        totals.received(*b"xyz", 0);
        totals.written(b"\x04\0\0\0PNG\0");
        totals.written(b"torn");
        let read = totals.read();
        let of = |header: Option<&Header>| {
            let found = read.iter().find(|row| row.header.as_ref() == header);
            *found.expect("a row for each kind")
        };
        let txns = of(Some(b"TXN"));
        assert_eq!((txns.messages_in, txns.bytes_in), (2, 107));
        let unknown = of(None);
        assert_eq!((unknown.messages_in, unknown.bytes_in), (2, 14));
        let pings = of(Some(b"PNG"));
        assert_eq!((pings.messages_out, pings.bytes_out), (1, 8));
        assert_eq!(read.iter().map(|row| row.messages_out).sum::<u64>(), 1);
    }
}
