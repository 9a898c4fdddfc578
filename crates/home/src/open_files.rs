//! How many files and connections a process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for a node: 520 HTTP connections, 400 tables of the index, peers, the log.
const WANTED: u64 = 4_096;

/// Raises the soft limit, which is often 1,024, as far as the system allows.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(WANTED, |most| most.min(WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        // A node works with less: accepting connections then waits for others to close.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted),
                ..limit
            },
        );
    }
}
