//! Archives that other tools write.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use shared::archive;

use super::support::{Node, plant, tree};

fn sample() -> BTreeMap<String, Node> {
    let file = |executable, bytes: &[u8]| Node::File {
        executable,
        bytes: bytes.to_vec(),
    };
    BTreeMap::from([
        ("README.md".to_owned(), file(false, b"# Read me\n")),
        ("bin".to_owned(), Node::Directory),
        ("bin/run".to_owned(), file(true, b"#!/bin/sh\necho run\n")),
        ("lib".to_owned(), Node::Directory),
        ("lib/empty".to_owned(), file(false, b"")),
        (
            "lib/large".to_owned(),
            file(false, &b"0123456789".repeat(100_000)),
        ),
        (
            "lib/zażółć.txt".to_owned(),
            file(false, "gęślą jaźń".as_bytes()),
        ),
    ])
}

/// Runs a tool in a directory; false where it is not installed.
fn ran(directory: &Path, command: &str, arguments: &[&str]) -> bool {
    match Command::new(command)
        .args(arguments)
        .current_dir(directory)
        .output()
    {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "`{command}`: {text}");
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: `{command}` is not installed");
            false
        }
        Err(error) => panic!("`{command}`: {error}"),
    }
}

/// Has a tool archive the sample and compares what is extracted; permissions only where it keeps them.
fn accepts(command: &str, arguments: &[&str], keeps_modes: bool) {
    let outer = tempfile::tempdir().unwrap();
    let (source, into) = (outer.path().join("source"), outer.path().join("into"));
    plant(&source, &sample());
    fs::create_dir(&into).unwrap();
    if !ran(&source, command, arguments) {
        return;
    }
    archive::extract_file(&outer.path().join("out.zip"), &into).unwrap();
    let mut expected = sample();
    if !keeps_modes {
        for node in expected.values_mut() {
            if let Node::File { executable, .. } = node {
                *executable = false;
            }
        }
    }
    assert_eq!(tree(&into), expected);
}

#[test]
fn info_zip_archives_are_accepted() {
    accepts("zip", &["-q", "-r", "../out.zip", "."], true);
}

#[test]
fn info_zip_archives_with_zip64_sizes_are_accepted() {
    accepts("zip", &["-q", "-r", "-fz", "../out.zip", "."], true);
}

#[test]
fn java_archives_with_data_descriptors_are_accepted() {
    accepts(
        "jar",
        &["-c", "-f", "../out.zip", "--no-manifest", "."],
        false,
    );
}

#[test]
fn python_archives_are_accepted() {
    let program = "import os, zipfile
with zipfile.ZipFile('../out.zip', 'w', zipfile.ZIP_DEFLATED) as out:
    for folder, folders, files in os.walk('.'):
        for name in folders + files:
            out.write(os.path.join(folder, name))
";
    accepts("python3", &["-c", program], true);
}

#[test]
fn streamed_python_archives_are_accepted() {
    let program = "import os, zipfile
class Pipe:
    def __init__(self, out): self.out = out
    def write(self, data): return self.out.write(data)
    def flush(self): self.out.flush()
with open('../out.zip', 'wb') as out, zipfile.ZipFile(Pipe(out), 'w', zipfile.ZIP_DEFLATED) as out:
    for folder, folders, files in os.walk('.'):
        for name in files:
            out.write(os.path.join(folder, name))
";
    accepts("python3", &["-c", program], true);
}

#[test]
fn git_archives_are_accepted() {
    let script = "git init -q . && git add . \
        && git -c user.name=n -c user.email=e@example.com commit -q -m sample \
        && git archive --format=zip -o ../out.zip HEAD && rm -rf .git";
    accepts("sh", &["-c", script], true);
}

#[test]
fn other_readers_see_what_was_archived() {
    let outer = tempfile::tempdir().unwrap();
    let (source, zip) = (outer.path().join("source"), outer.path().join("out.zip"));
    plant(&source, &sample());
    archive::create_file(&source, &zip).unwrap();
    let program = "import sys, zipfile
with zipfile.ZipFile('out.zip') as zip:
    assert zip.testzip() is None
    for info in zip.infolist():
        print(info.filename, info.file_size, oct(info.external_attr >> 16), sep='|')
";
    let output = Command::new("python3")
        .args(["-c", program])
        .current_dir(outer.path())
        .output();
    let Ok(output) = output else {
        println!("skipped: `python3` is not installed");
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "README.md|10|0o100644\nbin/run|19|0o100755\nlib/empty|0|0o100644\n\
         lib/large|1000000|0o100644\nlib/zażółć.txt|15|0o100644\n"
    );
}
