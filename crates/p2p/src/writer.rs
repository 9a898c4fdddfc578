//! Writes the frames of an outbox to the socket, many at once.
//! Ends when the outbox is closed and empty, or when the socket takes no byte in time.

use crate::{link::Writer, peer::Peer};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, time::timeout};

/// Frames written at once.
const SLICES: usize = 64;

/// The task of the writing half; `progress` is the longest time without progress.
pub(crate) async fn write(peer: Arc<Peer>, mut half: Writer, progress: Duration) {
    while let Some(batch) = peer.outbox.batch().await {
        if let Err(error) = write_batch(&peer, &mut half, batch, progress).await {
            peer.gone(&format!("connection lost while writing: {error}"));
            return;
        }
    }
    // the other side has everything: tells it that no more comes
    let _ = timeout(progress, half.shutdown()).await;
}

async fn write_batch(
    peer: &Peer,
    half: &mut Writer,
    mut batch: VecDeque<Bytes>,
    progress: Duration,
) -> io::Result<()> {
    // bytes of the first frame that are already written
    let mut done = 0;
    while let Some(first) = batch.front() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let rest = std::iter::once(&first[done..]).chain(batch.iter().skip(1).map(|f| &f[..]));
        for (slice, frame) in slices.iter_mut().zip(rest) {
            *slice = IoSlice::new(frame);
        }
        let used = batch.len().min(SLICES);
        let written = timeout(progress, half.write_vectored(&slices[..used])).await??;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        peer.traffic.bytes_out.fetch_add(written as u64, Relaxed);
        done += written;
        while let Some(frame) = batch.pop_front_if(|frame| frame.len() <= done) {
            done -= frame.len();
            peer.traffic.messages_out.fetch_add(1, Relaxed);
            peer.traffic.totals.written(&frame);
            peer.outbox.written(&frame);
        }
    }
    timeout(progress, half.flush()).await??;
    Ok(())
}
