//! Watches the room on the disk of the chain. What is left below a reserve is kept for blocks,
//! votes and this node's own files: users' transactions are refused then.

use crate::chain_thread::ChainHandle;
use ccoin_core::machine::Input;
use rustix::fs::statvfs;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The reserve of a large disk, in bytes; a small one keeps a quarter.
const RESERVE: u64 = 256 << 20;
const SMALL: u64 = 4;

/// Room again by this part of the reserve ends the refusal.
const MARGIN: u64 = 8;

/// Tells the machine whether the reserve is reached, until the node stops.
pub(crate) async fn watch(directory: PathBuf, chain: ChainHandle) {
    let mut reached = false;
    loop {
        if let Some((free, reserve)) = room(&directory).await {
            let bound = match reached {
                true => reserve.saturating_add(reserve / MARGIN),
                false => reserve,
            };
            let now = free < bound;
            if now != reached {
                reached = now;
                tell(&directory, reached, free, reserve);
                if !chain.input(Input::DiskReserve { reached }).await {
                    return;
                }
            }
        }
        tokio::select! {
            () = chain.events.closed() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn tell(directory: &Path, reached: bool, free: u64, reserve: u64) {
    let directory = directory.display();
    let (free, reserve) = (free >> 20, reserve >> 20);
    if reached {
        tracing::warn!(
            "{free} MiB are free for {directory}: the last {reserve} MiB are kept for blocks, and \
             transactions are refused; make room"
        );
    } else {
        tracing::info!("{free} MiB are free for {directory}: transactions are taken again");
    }
}

/// Free bytes and the reserve; `None` if the system does not tell.
async fn room(directory: &Path) -> Option<(u64, u64)> {
    let directory = directory.to_owned();
    let asked = tokio::task::spawn_blocking(move || statvfs(&directory)).await;
    let disk = asked.ok()?.ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let all = disk.f_blocks.saturating_mul(disk.f_frsize);
    Some((free, RESERVE.min(all / SMALL)))
}
