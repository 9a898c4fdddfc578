//! Files of records: whole, cut at every byte, with every byte flipped.

use crate::{ArchiveReader, ArchiveWriter, StorageError};
use std::{fs, path::Path};

const RECORDS: [(u8, &[u8]); 4] = [(1, b"first"), (3, b""), (4, b"a certificate"), (254, b"x")];

fn write(path: &Path) {
    let mut writer = ArchiveWriter::create(path).unwrap();
    for (kind, payload) in RECORDS {
        writer.append(kind, payload).unwrap();
    }
    let (sum, bytes) = writer.finish().unwrap();
    assert_eq!((sum.records, bytes), (4, fs::metadata(path).unwrap().len()));
}

fn read(path: &Path) -> Result<Vec<(u8, Vec<u8>)>, StorageError> {
    let mut reader = ArchiveReader::open(path)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(record);
    }
    Ok(records)
}

#[test]
fn a_file_is_read_back_whole_or_refused_with_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain");
    write(&path);
    let expected = RECORDS.map(|(kind, payload)| (kind, payload.to_vec()));
    assert_eq!(read(&path).unwrap(), expected);
    let whole = fs::read(&path).unwrap();
    let bad = dir.path().join("bad");
    for byte in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1;
        for bytes in [&whole[..byte], &flipped[..]] {
            fs::write(&bad, bytes).unwrap();
            let refused = read(&bad);
            let named = matches!(
                &refused,
                Err(StorageError::Damaged { path, offset })
                    if *path == bad && *offset <= byte as u64
            );
            let version = byte == 11 && matches!(refused, Err(StorageError::Format { .. }));
            assert!(named || version, "{byte}: {refused:?}");
        }
    }
    fs::write(&bad, [&whole[..], b"\0"].concat()).unwrap();
    assert!(matches!(read(&bad), Err(StorageError::Damaged { .. })));
    let missing = read(&dir.path().join("none"));
    assert!(matches!(missing, Err(StorageError::Missing { .. })));
}

#[test]
fn a_file_is_never_written_over_nor_by_two_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain");
    let mut killed = ArchiveWriter::create(&path).unwrap();
    killed.append(1, &[7; 5 << 19]).unwrap();
    killed.append(1, &[7; 5 << 19]).unwrap();
    let busy = ArchiveWriter::create(&path).map(drop);
    assert!(matches!(busy, Err(StorageError::Busy { .. })), "{busy:?}");
    drop(killed);
    assert!(!path.exists(), "it is not whole");
    write(&path);
    let before = fs::read(&path).unwrap();
    let exists = ArchiveWriter::create(&path).map(drop);
    assert!(matches!(exists, Err(StorageError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// The bytes of version 1.
#[test]
fn the_format_is_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain");
    write(&path);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&bytes[..12], b"ccoinchain\0\x01");
    let record = [
        &[0, 0, 0, 1, 0, 0, 0, 5][..],
        &bytes[20..24],
        &[0; 8],
        &[1],
        b"first",
    ]
    .concat();
    assert_eq!(&bytes[12..38], record);
    let hash = ccoin_crypto::sha256(&[&bytes]).to_string();
    assert_eq!(
        hash,
        "e9b03197a9b5ed6d8b2a3910bb2f82c65b6c11553bbaf6f78933364dec4f9a1f"
    );
}

#[test]
fn a_file_that_is_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = ArchiveWriter::create(&dir.path().join("blocks")).unwrap();
    writer.append(1, b"one").unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A check and a rename had a moment between them in which another file was lost. A link that
/// leads nowhere stands for one that the check does not see.
#[cfg(unix)]
#[test]
fn a_name_that_was_taken_meanwhile_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blocks");
    let mut writer = ArchiveWriter::create(&path).unwrap();
    writer.append(1, b"one").unwrap();
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &path).unwrap();
    let refused = writer.finish().map(drop);
    assert!(
        matches!(refused, Err(StorageError::Exists { .. })),
        "{refused:?}"
    );
    assert!(path.is_symlink(), "it is what it was");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
