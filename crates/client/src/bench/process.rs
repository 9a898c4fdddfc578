//! CPU time and memory of a process on this host, read from `/proc` (proc(5)), and the size
//! of a directory. It never touches the process.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

/// Clock ticks per second in `/proc/PID/stat`: fixed by the interface of Linux.
const TICKS: u64 = 100;

/// CPU time and memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// User and system time of all its threads.
    pub(super) cpu: Duration,
    /// Resident memory now, in KiB.
    pub(super) rss_kib: u64,
    /// Most resident memory so far, in KiB.
    pub(super) peak_kib: u64,
}

/// The usage of a process; `None` if there is no such process here.
pub(super) fn usage(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    parse(&stat, &status)
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name in parentheses may itself hold spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<u64>().ok();
    let ticks = ticks()?.checked_add(ticks()?)?;
    let kib = |key: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Usage {
        cpu: Duration::from_millis(ticks.checked_mul(1_000 / TICKS)?),
        rss_kib: kib("VmRSS:")?,
        peak_kib: kib("VmHWM:")?,
    })
}

/// Bytes of a directory with everything in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct DiskUse {
    /// Blocks of the file system that are taken, as `du` counts.
    pub(super) allocated: u64,
    /// Lengths of the files, as `du --apparent-size` counts.
    pub(super) apparent: u64,
}

/// Measures a directory; files that vanish meanwhile do not count.
///
/// # Errors
/// The reason of the system if the directory cannot be read.
pub(super) fn disk_use(dir: &Path) -> io::Result<DiskUse> {
    let mut sum = DiskUse::default();
    let mut dirs = vec![dir.to_owned()];
    let mut first = true;
    while let Some(dir) = dirs.pop() {
        let entries = match fs::read_dir(&dir) {
            Err(error) if !first && error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        first = false;
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => dirs.push(entry.path()),
                Ok(metadata) => {
                    sum.allocated += metadata.blocks() * 512;
                    sum.apparent += metadata.len();
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn proc_files_are_read_by_their_documented_fields() {
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 9 0 7777 1000 500";
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let expected = Usage {
            cpu: Duration::from_millis(1_750),
            rss_kib: 1_024,
            peak_kib: 2_048,
        };
        assert_eq!(parse(stat, status), Some(expected));
        assert_eq!(parse("42 (x) S 1", status), None);
        assert_eq!(parse(stat, "Name:\tx\n"), None);
        let own = usage(std::process::id()).unwrap();
        assert!(own.rss_kib > 0 && own.peak_kib >= own.rss_kib);
    }

    #[test]
    fn a_directory_counts_with_its_depths() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(disk_use(dir.path()).unwrap(), DiskUse::default());
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(dir.path().join("deep/a"), [1; 5_000]).unwrap();
        let mut file = fs::File::create(dir.path().join("b")).unwrap();
        file.write_all(&[1]).unwrap();
        file.set_len(1 << 20).unwrap();
        let used = disk_use(dir.path()).unwrap();
        assert_eq!(used.apparent, 5_000 + (1 << 20));
        assert!(used.allocated < 1 << 20, "a hole takes no blocks: {used:?}");
        assert!(disk_use(&dir.path().join("absent")).is_err());
    }
}
