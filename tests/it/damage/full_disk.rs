//! A disk that is full.

use super::*;

/// A small file system of its own; gone when dropped.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Moves a directory onto it; `None`, with the reason printed, if that is not allowed.
    pub(super) fn below(dir: &Path, megabytes: u32) -> Option<Self> {
        let aside = dir.with_extension("aside");
        fs::rename(dir, &aside).unwrap();
        fs::create_dir(dir).unwrap();
        let size = format!("size={megabytes}m,mode=700");
        let options = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(dir).output();
        let said = match mounted {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(said) = said {
            println!("SKIPPED full disk: cannot mount a tmpfs: {said}");
            return None;
        }
        let disk = Self(dir.to_owned());
        let from = format!("{}/.", aside.display());
        let copied = Command::new("cp")
            .args(["-a", &from])
            .arg(dir)
            .status()
            .unwrap();
        assert!(copied.success());
        Some(disk)
    }

    /// Fills what is free; the file to remove again.
    pub(super) fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path).unwrap();
        for size in [1 << 20, 4096, 1] {
            let bytes = vec![7; size];
            while file.write_all(&bytes).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing to be done if it is still in use; the test has failed then.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_node_and_loses_nothing() {
    let (mut settled, mut node) = Settled::new();
    assert_eq!(node.stop().0, Some(0));
    let Some(disk) = SmallDisk::below(&settled.place.data(""), 64) else {
        return;
    };
    node = settled.place.start(&[]);
    let net = node.genesis_id();
    settled.send(&node, 1);
    let filler = disk.fill();
    let json = [("Content-Type", "application/json")];
    let text = "x".repeat(4_000);
    let refused = wait_for("a request that finds no room", || {
        let number = settled.ids.len() as u64 + 1;
        let (id, body) = settled
            .sender
            .sign(&net, number, settled.sender.address(), 1, &text);
        let answer = request(node.http, "POST", "/v1/txns", &json, &body.to_string());
        match answer {
            Ok(answer) if answer.status == 202 => settled.ids.push(id.to_string()),
            answer => return Some(answer.map(|answer| answer.status)),
        }
        None
    });
    println!(
        "without room: {refused:?}; acknowledged {}",
        settled.ids.len()
    );
    // A write came before the node has looked at its room, or it has refused in time.
    match refused {
        Ok(status) => assert_eq!(status, 503),
        Err(_) => {
            assert_eq!(node.ended().code(), Some(11));
            let log = node.rest();
            let error = log.find("error: ").expect(&log);
            let reason = "No space left on device";
            assert!(log[error..].contains(reason), "{log}");
            assert!(log[error..].contains("make room"), "{log}");
            // Who runs it in the background finds the reason in the log.
            assert!(log[..error].contains(reason), "{log}");
            assert!(log[error..].lines().count() <= 5, "{log}");
            println!("{}", &log[error..]);
        }
    }
    node.kill();
    fs::remove_file(filler).unwrap();
    let mut node = settled.place.start(&[]);
    for id in &settled.ids {
        let txn = node.get(&format!("/v1/txns/{id}"));
        assert!(txn["status"] == "pending" || in_a_block(&txn), "{txn}");
    }
    let height = node.height();
    settled.send(&node, 3);
    node.reach(height + 1);
    assert_eq!(node.stop().0, Some(0));
}

/// What is left is for blocks and votes: the node refuses, stays, and goes on by itself.
#[test]
fn near_the_end_of_the_disk_transactions_are_refused_and_the_node_stays() {
    let (mut settled, mut node) = Settled::new();
    assert_eq!(node.stop().0, Some(0));
    let Some(disk) = SmallDisk::below(&settled.place.data(""), 96) else {
        return;
    };
    node = settled.place.start(&[]);
    settled.send(&node, 1);
    let filler = disk.fill();
    let size = fs::metadata(&filler).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&filler).unwrap();
    file.set_len(size - (12 << 20)).unwrap();
    drop(file);
    node.line("are kept for blocks, and transactions are refused; make room");
    let refused =
        node.pay(&serde_json::json!({"sendto_address": settled.sender.address(), "amount": 0}));
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.body.contains("disk"), "{}", refused.body);
    assert_eq!(node.get("/v1/status")["state"], "r");
    fs::remove_file(filler).unwrap();
    node.line("transactions are taken again");
    let height = node.height();
    settled.send(&node, 3);
    node.reach(height + 1);
    assert_eq!(node.stop().0, Some(0));
}
