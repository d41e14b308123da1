//! Directories into archives and back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;

use delivery_archive::{Archive, ArchiveError, Limits, Problem};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::support::{MAX_RESIDENT_KIB, Node, is_own_process, memory, plant, tree};

const MIB: usize = 1024 * 1024;

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        6 => (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..5_000))
            .prop_map(|(executable, bytes)| Node::File { executable, bytes }),
        2 => (any::<bool>(), 1..3_000_usize)
            .prop_map(|(executable, count)| Node::File { executable, bytes: b"abc".repeat(count) }),
        1 => Just(Node::Directory),
        1 => "[a-d]{1,2}(/[a-d]){0,2}".prop_map(Node::Link),
    ]
}

/// Paths of which none lies below another that is not a directory.
fn nodes() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let path = "[a-d]{1,2}(/[a-dé ]{1,3}){0,3}\\.x";
    proptest::collection::btree_map(path, node(), 0..20).prop_map(|nodes| {
        let names: Vec<String> = nodes.keys().cloned().collect();
        let below = |path: &str| {
            names
                .iter()
                .any(|name| path.starts_with(&format!("{name}/")))
        };
        nodes.into_iter().filter(|(path, _)| !below(path)).collect()
    })
}

fn created(source: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    delivery_archive::create(source, &mut bytes).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_tree_comes_back_equal_and_equal_trees_give_equal_bytes(nodes in nodes()) {
        let outer = tempfile::tempdir().unwrap();
        let (source, into) = (outer.path().join("source"), outer.path().join("into"));
        fs::create_dir_all(&source).unwrap();
        fs::create_dir(&into).unwrap();
        plant(&source, &nodes);
        let first = created(&source);
        let zip = outer.path().join("zip");
        fs::write(&zip, &first).unwrap();
        delivery_archive::extract_file(&zip, &into).unwrap();
        prop_assert_eq!(tree(&into), tree(&source));
        prop_assert_eq!(&created(&into), &first);
        for threads in [1, 2, 5] {
            let mut bytes = Vec::new();
            delivery_archive::Creation::of(&source).threads(threads).write(&mut bytes).unwrap();
            prop_assert_eq!(&bytes, &first);
        }
    }
}

fn refused(make: impl FnOnce(&Path)) -> ArchiveError {
    let outer = tempfile::tempdir().unwrap();
    let (source, zip) = (outer.path().join("source"), outer.path().join("zip"));
    fs::create_dir(&source).unwrap();
    make(&source);
    let error = delivery_archive::create_file(&source, &zip).unwrap_err();
    assert!(!zip.exists(), "half an archive stayed");
    error
}

#[test]
fn a_link_that_leaves_the_directory_is_refused_by_name() {
    for target in ["../outside", "/etc/passwd", "d/../../outside"] {
        let error = refused(|source| {
            std::os::unix::fs::symlink(target, source.join("link")).unwrap();
        });
        assert!(
            error
                .to_string()
                .starts_with("entry `link` is a symbolic link to"),
            "{error}"
        );
    }
}

#[test]
fn a_socket_is_refused_by_name() {
    let error = refused(|source| drop(UnixListener::bind(source.join("s")).unwrap()));
    assert!(
        matches!(&error, ArchiveError::Entry { entry, problem: Problem::Special("socket") } if entry == "s"),
        "{error:?}"
    );
}

#[test]
fn paths_that_differ_only_in_case_are_kept_where_the_disk_tells_them_apart() {
    let outer = tempfile::tempdir().unwrap();
    let (source, into) = (outer.path().join("source"), outer.path().join("into"));
    let file = |text: &str| Node::File {
        executable: false,
        bytes: text.into(),
    };
    let nodes = BTreeMap::from([
        ("Readme".to_owned(), file("a")),
        ("docs".to_owned(), Node::Directory),
        ("docs/x".to_owned(), file("c")),
        ("Docs".to_owned(), Node::Directory),
        ("Docs/x".to_owned(), file("d")),
        ("readme".to_owned(), file("b")),
    ]);
    plant(&source, &nodes);
    if tree(&source).len() < nodes.len() {
        println!("skipped: this disk does not tell case apart");
        return;
    }
    fs::create_dir(&into).unwrap();
    let zip = outer.path().join("zip");
    delivery_archive::create_file(&source, &zip).unwrap();
    delivery_archive::extract_file(&zip, &into).unwrap();
    assert_eq!(tree(&into), nodes);
}

#[test]
fn an_archive_that_no_action_would_read_is_not_made() {
    let outer = tempfile::tempdir().unwrap();
    let source = outer.path().join("source");
    fs::create_dir(&source).unwrap();
    let holes = fs::File::create(source.join("disk.img")).unwrap();
    holes.set_len(600 * 1024 * 1024).unwrap();
    let zip = outer.path().join("zip");
    let error = delivery_archive::create_file(&source, &zip).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("629145600 bytes of files became an archive of "),
        "{message}"
    );
    assert!(
        message.ends_with("expand more than 200 times; the largest file is `disk.img`"),
        "{message}"
    );
    assert!(!zip.exists());
}

#[test]
fn only_what_is_named_is_archived_links_among_it() {
    let outer = tempfile::tempdir().unwrap();
    let (source, into) = (outer.path().join("source"), outer.path().join("into"));
    let file = Node::File {
        executable: true,
        bytes: b"x".to_vec(),
    };
    let nodes = BTreeMap::from([
        ("d".to_owned(), Node::Directory),
        ("d/a".to_owned(), file.clone()),
        ("d/link".to_owned(), Node::Link("a".to_owned())),
    ]);
    plant(&source, &nodes);
    plant(&source, &BTreeMap::from([("d/ignored".to_owned(), file)]));
    fs::create_dir(&into).unwrap();
    let zip = outer.path().join("zip");
    let names = ["d/link".to_owned(), "d/a".to_owned()];
    let creation = delivery_archive::Creation::of(&source).only(&names);
    creation.write_file(&zip).unwrap();
    delivery_archive::extract_file(&zip, &into).unwrap();
    assert_eq!(tree(&into), nodes);
}

/// A disk without room.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_apart_while_archiving() {
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("f"), vec![1; 9_000]).unwrap();
    let error = delivery_archive::create(outer.path(), Full).unwrap_err();
    assert!(
        matches!(
            error,
            ArchiveError::NoRoom {
                needed_bytes: 9_000,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn entries_are_listed_and_one_is_read() {
    let outer = tempfile::tempdir().unwrap();
    let zip = outer.path().join("zip");
    let files: [(&str, &[u8]); 2] = [("a/openapi.yaml", b"openapi: 3.0.1"), ("b", b"b")];
    fs::write(&zip, delivery_testing::archives::zip_of(&files)).unwrap();
    let archive = Archive::open(&zip, Limits::default()).unwrap();
    let paths: Vec<(&str, u64)> = archive
        .entries()
        .map(|entry| (entry.path(), entry.size()))
        .collect();
    assert_eq!(paths, [("a/openapi.yaml", 14), ("b", 1)]);
    assert_eq!(
        archive.read("a/openapi.yaml", 14).unwrap(),
        b"openapi: 3.0.1"
    );
    assert!(matches!(
        archive.read("a/openapi.yaml", 13),
        Err(ArchiveError::EntryTooLarge { .. })
    ));
    assert!(matches!(
        archive.read("c", 13),
        Err(ArchiveError::Missing { .. })
    ));
}

#[test]
fn three_hundred_mebibytes_pass_in_bounded_memory() {
    if !is_own_process("trees::three_hundred_mebibytes_pass_in_bounded_memory") {
        return;
    }
    let outer = tempfile::tempdir().unwrap();
    let (source, into) = (outer.path().join("source"), outer.path().join("into"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&into).unwrap();
    // Half of it does not compress, as in real artifacts; two files, so that both ways are taken.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = vec![0; MIB];
    let mut random = File::create(source.join("random")).unwrap();
    let mut text = File::create(source.join("text")).unwrap();
    for number in 0..150 {
        for word in noise.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        random.write_all(&noise).unwrap();
        text.write_all(
            format!("line {number}\n")
                .repeat(MIB / 6)
                .get(..MIB)
                .unwrap()
                .as_bytes(),
        )
        .unwrap();
    }
    drop((random, text, noise));
    let zip = outer.path().join("zip");
    let created = delivery_archive::create_file(&source, &zip).unwrap();
    let extracted = delivery_archive::extract_file(&zip, &into).unwrap();
    let most = memory("VmHWM:");
    println!(
        "300 MiB out and in: {} bytes, {most} KiB of memory at most",
        created.archive_bytes
    );
    assert_eq!(
        (created.bytes, extracted.bytes),
        (300 * MIB as u64, 300 * MIB as u64)
    );
    for name in ["random", "text"] {
        assert!(same(&source.join(name), &into.join(name)), "{name} differs");
    }
    assert!(most < MAX_RESIDENT_KIB, "{most} KiB of memory");
}

fn same(a: &Path, b: &Path) -> bool {
    let (mut a, mut b) = (File::open(a).unwrap(), File::open(b).unwrap());
    let (mut left, mut right) = (vec![0; MIB], vec![0; MIB]);
    loop {
        let count = a.read(&mut left).unwrap();
        if count == 0 {
            return b.read(&mut right).unwrap() == 0;
        }
        if b.read_exact(&mut right[..count]).is_err() || left[..count] != right[..count] {
            return false;
        }
    }
}
