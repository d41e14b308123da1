//! Entries read one by one, without extraction.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;

use delivery_archive::{Archive, ArchiveError, Kind, Limits, Problem, Reader};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An archive in memory.
fn opened(bytes: &[u8]) -> Archive {
    let file = tempfile::tempfile().unwrap();
    (&file).write_all(bytes).unwrap();
    Archive::from_file(&file, Limits::default()).unwrap()
}

fn written(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let method = if name.ends_with(".stored") {
            CompressionMethod::Stored
        } else {
            CompressionMethod::Deflated
        };
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.add_symlink("latest", "b", SimpleFileOptions::default())
        .unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn entries_are_read_in_any_order_by_several_threads() {
    let large = b"0123456789".repeat(100_000);
    let files: [(&str, &[u8]); 4] = [
        ("a.stored", b"stored"),
        ("b", &large),
        ("c", b""),
        ("d/e", b"deflated"),
    ];
    let archive = opened(&written(&files));
    let read = |entries: Vec<&delivery_archive::Entry>| -> BTreeMap<String, Vec<u8>> {
        let mut reader = Reader::default();
        entries
            .into_iter()
            .map(|entry| {
                let bytes = reader.read(&archive, entry).unwrap();
                assert_eq!(bytes.len() as u64, entry.size());
                (entry.path().to_owned(), bytes)
            })
            .collect()
    };
    let all = || {
        archive
            .entries()
            .filter(|entry| matches!(entry.kind(), Kind::File { .. }))
    };
    let expected: BTreeMap<_, _> = files
        .iter()
        .map(|(name, content)| ((*name).to_owned(), content.to_vec()))
        .collect();
    std::thread::scope(|scope| {
        let threads = [
            scope.spawn(|| read(all().collect())),
            scope.spawn(|| read(all().collect::<Vec<_>>().into_iter().rev().collect())),
        ];
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
    let links: Vec<_> = archive
        .links()
        .map(|(entry, target)| (entry.path(), target))
        .collect();
    assert_eq!(links, [("latest", "b")]);
}

#[test]
fn an_entry_whose_content_is_not_what_was_declared_is_refused() {
    let mut bytes = written(&[("a.stored", b"content")]);
    let at = bytes
        .windows(7)
        .position(|window| window == b"content")
        .unwrap();
    bytes[at] ^= 1;
    let archive = opened(&bytes);
    let entry = archive.entries().next().unwrap();
    let error = Reader::default().read(&archive, entry).unwrap_err();
    assert!(
        matches!(
            &error,
            ArchiveError::Entry {
                problem: Problem::Crc,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn what_the_receiver_says_is_an_error() {
    let archive = opened(&written(&[("a", b"content")]));
    let entry = archive.entries().next().unwrap();
    let refused = Reader::default().copy(&archive, entry, |_| {
        Err(std::io::Error::other("nobody listens"))
    });
    let error = refused.unwrap_err();
    assert!(
        matches!(&error, ArchiveError::Io { path, .. } if path == Path::new("the archive")),
        "{error:?}"
    );
}
