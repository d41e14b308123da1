//! Archives as they are created: the same with any number of threads, large files in chunks, below a path.

use std::fs;
use std::path::Path;
use std::process::Command;

use delivery_archive::{Archive, ArchiveError, Creation, Fingerprint, Kind, Limits, Problem};
use test_case::test_case;

use super::support::tree;

const MIB: usize = 1024 * 1024;

/// Bytes that do not compress, another run for each seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Many small files, large ones of all kinds, links and empty directories.
fn plant_all_kinds(source: &Path) {
    for number in 0..700 {
        let directory = source.join(format!("small/{}", number % 30));
        fs::create_dir_all(&directory).unwrap();
        let mut content = noise(number, 300);
        content.extend(b"compresses ".repeat(usize::try_from(number).unwrap()));
        fs::write(directory.join(format!("{number}.txt")), content).unwrap();
    }
    let text = |length| b"a line of text\n".repeat(length / 15 + 1)[..length].to_vec();
    let half = [text(MIB), noise(1, MIB), text(3 * MIB / 2)].concat();
    for (name, content) in [
        ("empty", Vec::new()),
        ("as-large-as-a-chunk", text(MIB)),
        ("a-byte-more", text(MIB + 1)),
        ("two-chunks", text(2 * MIB)),
        ("noise", noise(2, 3 * MIB + 17)),
        ("small-noise", noise(3, 70_000)),
        ("half", half),
    ] {
        fs::write(source.join(name), content).unwrap();
    }
    fs::create_dir_all(source.join("nothing/in/it")).unwrap();
    std::os::unix::fs::symlink("../half", source.join("small/link")).unwrap();
}

#[test_case(false; "as they are")]
#[test_case(true; "with fingerprints")]
fn the_bytes_are_the_same_with_any_number_of_threads_and_every_reader_reads_them(
    fingerprints: bool,
) {
    let outer = tempfile::tempdir().unwrap();
    let (source, into) = (outer.path().join("source"), outer.path().join("into"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&into).unwrap();
    plant_all_kinds(&source);
    let mut first = Vec::new();
    let creation = Creation::of(&source).fingerprints(fingerprints);
    let created = creation.threads(1).write(&mut first).unwrap();
    assert_eq!(created.archive_bytes, first.len() as u64);
    assert_eq!(created.entries, 700 + 7 + 2);
    for threads in [2, 5] {
        let mut bytes = Vec::new();
        let again = creation.threads(threads);
        assert_eq!(again.write(&mut bytes).unwrap(), created);
        assert!(bytes == first, "{threads} threads");
    }

    let zip = outer.path().join("out.zip");
    fs::write(&zip, &first).unwrap();
    delivery_archive::extract_file(&zip, &into).unwrap();
    assert!(tree(&into) == tree(&source));
    for (command, arguments) in [
        ("python3", &["-m", "zipfile", "--test", "out.zip"][..]),
        ("unzip", &["-tq", "out.zip"]),
        ("7zz", &["t", "out.zip"]),
        ("bsdtar", &["-tf", "out.zip"]),
    ] {
        let tested = Command::new(command)
            .args(arguments)
            .current_dir(outer.path())
            .output();
        match tested {
            Ok(output) => assert!(
                output.status.success(),
                "`{command}`: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(_) => println!("skipped: `{command}` is not installed"),
        }
    }
}

#[test]
fn fingerprints_are_of_the_contents_and_nothing_else_has_them() {
    let outer = tempfile::tempdir().unwrap();
    let (source, zip) = (outer.path().join("source"), outer.path().join("out.zip"));
    fs::create_dir(&source).unwrap();
    plant_all_kinds(&source);
    for is_with in [true, false] {
        let creation = Creation::of(&source).fingerprints(is_with);
        creation.write_file(&zip).unwrap();
        let archive = Archive::open(&zip, Limits::default()).unwrap();
        let fingerprints = archive.entries().filter_map(|entry| {
            let contents = fs::read(source.join(entry.path())).unwrap_or_default();
            let fingerprint = *entry.fingerprint()?;
            assert_eq!(fingerprint, Fingerprint::of(&contents), "{}", entry.path());
            assert!(matches!(entry.kind(), Kind::File { .. }));
            Some(fingerprint.is_text())
        });
        let texts: Vec<bool> = fingerprints.collect();
        assert_eq!(texts.len(), if is_with { 707 } else { 0 });
        // Nothing, and the text files of one chunk, a byte more, and two.
        let text = texts.iter().filter(|is_text| **is_text).count();
        assert_eq!(text, if is_with { 4 } else { 0 });
    }
}

#[test]
fn what_does_not_compress_hardly_grows() {
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("large"), noise(1, 5 * MIB)).unwrap();
    fs::write(outer.path().join("small"), noise(2, MIB)).unwrap();
    let mut bytes = Vec::new();
    delivery_archive::create(outer.path(), &mut bytes).unwrap();
    // Five bytes for each 64 KiB, and the records.
    assert!(bytes.len() < 6 * MIB + 6 * 17 * 5 + 300, "{}", bytes.len());
}

#[test]
fn contents_may_lie_below_a_path() {
    let outer = tempfile::tempdir().unwrap();
    let modules = outer.path().join("modules");
    fs::create_dir_all(modules.join(".bin")).unwrap();
    fs::create_dir_all(modules.join("a/empty")).unwrap();
    fs::write(modules.join("a/index.js"), "a").unwrap();
    fs::write(modules.join("large"), noise(1, MIB + 1)).unwrap();
    std::os::unix::fs::symlink("../a/index.js", modules.join(".bin/a")).unwrap();
    // Out of the directory, but not out of the archive.
    std::os::unix::fs::symlink("../packages/b", modules.join("b")).unwrap();
    let zip = outer.path().join("zip");
    for below in ["web/node_modules", "web/node_modules/"] {
        let creation = Creation::of(&modules).below(below);
        assert_eq!(creation.write_file(&zip).unwrap().entries, 5);
        let archive = Archive::open(&zip, Limits::default()).unwrap();
        let entries: Vec<_> = archive
            .entries()
            .map(delivery_archive::Entry::path)
            .collect();
        assert_eq!(
            entries,
            [
                "web/node_modules/.bin/a",
                "web/node_modules/a/empty",
                "web/node_modules/a/index.js",
                "web/node_modules/b",
                "web/node_modules/large"
            ]
        );
        assert_eq!(
            archive.read("web/node_modules/a/index.js", 1).unwrap(),
            b"a"
        );
    }
    let error = Creation::of(&modules)
        .below("node_modules/..")
        .write_file(&zip)
        .unwrap_err();
    assert!(
        matches!(
            &error,
            ArchiveError::Entry {
                problem: Problem::NameLeaves,
                ..
            }
        ),
        "{error:?}"
    );
    std::os::unix::fs::symlink("../../../packages", modules.join("c")).unwrap();
    let error = Creation::of(&modules)
        .below("web/node_modules")
        .write_file(&zip)
        .unwrap_err();
    assert!(
        error.to_string().contains("`web/node_modules/c`"),
        "{error}"
    );
    assert!(!zip.exists());
}

#[test]
fn a_directory_without_contents_is_an_entry_only_below_a_path() {
    let outer = tempfile::tempdir().unwrap();
    let mut bytes = Vec::new();
    let creation = Creation::of(outer.path());
    assert_eq!(creation.write(&mut bytes).unwrap().entries, 0);
    let zip = outer.path().join("zip");
    let source = outer.path().join("source");
    fs::create_dir(&source).unwrap();
    Creation::of(&source).below("a/b").write_file(&zip).unwrap();
    let archive = Archive::open(&zip, Limits::default()).unwrap();
    let entries: Vec<_> = archive
        .entries()
        .map(|entry| (entry.path(), entry.kind()))
        .collect();
    assert_eq!(entries, [("a/b", Kind::Directory)]);
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let error = delivery_archive::create(Path::new("/no/such/directory"), Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "cannot list `/no/such/directory`");
}

#[test]
fn what_has_a_name_that_is_left_out_is_nowhere_in_the_archive() {
    let source = tempfile::tempdir().unwrap();
    for path in [
        "a/.git/config",
        ".git/HEAD",
        "a/.gitignore",
        "b/.git",
        "a/__pycache__/a.cpython-313.pyc",
    ] {
        let file = source.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "x").unwrap();
    }
    let zip = source.path().with_extension("zip");

    Creation::of(source.path())
        .without(&[".git", "__pycache__"])
        .write_file(&zip)
        .unwrap();

    let archive = Archive::open(&zip, Limits::default()).unwrap();
    let names: Vec<_> = archive
        .entries()
        .map(|entry| entry.path().to_owned())
        .collect();
    assert_eq!(names, ["a/.gitignore", "b"]);
}
