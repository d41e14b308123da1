//! Archives that other tools write.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

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

/// Java reads names by the locale, and has only ASCII where none is set.
const LOCALE: (&str, &str) = ("LC_ALL", "C.UTF-8");

/// Runs a tool in a directory; false where it is not installed.
fn ran(directory: &Path, command: &str, arguments: &[&str]) -> bool {
    match Command::new(command)
        .args(arguments)
        .current_dir(directory)
        .env(LOCALE.0, LOCALE.1)
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
    delivery_archive::extract_file(&outer.path().join("out.zip"), &into).unwrap();
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

const PYTHON: &str = "import os, sys, zipfile
mode, method = sys.argv[1], getattr(zipfile, sys.argv[2])
class Pipe:
    def __init__(self, out): self.out = out
    def write(self, data): return self.out.write(data)
    def flush(self): self.out.flush()
with open('../out.zip', 'wb') as file:
    out = Pipe(file) if mode == 'pipe' else file
    with zipfile.ZipFile(out, 'w', method) as zip:
        for folder, folders, files in os.walk('.'):
            for name in files + ([] if mode == 'pipe' else folders):
                path = os.path.join(folder, name)
                if mode == 'zip64' and os.path.isfile(path):
                    info = zipfile.ZipInfo.from_file(path)
                    info.compress_type = method
                    with zip.open(info, 'w', force_zip64=True) as entry:
                        entry.write(open(path, 'rb').read())
                else:
                    zip.write(path)
";

/// What Android's zipalign does to a local header: zeros behind the extra fields, here too few for a field.
const ALIGNED: &str = "import os, struct, zipfile
zip_of = zip
with zipfile.ZipFile('../out.zip', 'w') as zip:
    for folder, folders, files in os.walk('.'):
        for name in files:
            zip.write(os.path.join(folder, name))
    entries = [(i.header_offset, i) for i in zip.infolist()]
data = open('../out.zip', 'rb').read()
end = data.rindex(b'PK\\5\\6')
directory = struct.unpack('<I', data[end + 16:end + 20])[0]
starts = sorted(offset for offset, _ in entries) + [directory]
body, moved = b'', {}
for at, to in list(zip_of(starts, starts[1:])):
    moved[at] = len(body)
    name, extra = struct.unpack('<HH', data[at + 26:at + 30])
    cut = at + 30 + name + extra
    body += data[at:at + 28] + struct.pack('<H', extra + 3) + data[at + 30:cut] + bytes(3) + data[cut:to]
records, at = b'', directory
while at < end:
    name, extra, comment = struct.unpack('<HHH', data[at + 28:at + 34])
    length = 46 + name + extra + comment
    offset = struct.unpack('<I', data[at + 42:at + 46])[0]
    records += data[at:at + 42] + struct.pack('<I', moved[offset]) + data[at + 46:at + length]
    at += length
tail = data[end:end + 16] + struct.pack('<I', len(body)) + data[end + 20:]
open('../out.zip', 'wb').write(body + records + tail)
";

const GIT: &str = "git init -q . && git add . \
    && git -c user.name=n -c user.email=e@example.com commit -q -m sample \
    && git archive --format=zip -o ../out.zip HEAD && rm -rf .git";

const PERL: &str = "use IO::Compress::Zip qw(zip $ZipError); use File::Find; my @files; \
    find({ wanted => sub { push @files, $_ if -f }, no_chdir => 1 }, '.'); \
    zip [sort @files] => '../out.zip', %s or die $ZipError";

/// Other programs that write archives, each run in the sample's folder by a shell and to be there.
const PROGRAMS: [(&str, &str, &str); 14] = [
    ("Info-ZIP", "zip", "zip -q -r ../out.zip ."),
    ("Info-ZIP, stored", "zip", "zip -q -0 -r ../out.zip ."),
    ("Info-ZIP, Zip64", "zip", "zip -q -r -fz ../out.zip ."),
    (
        "Info-ZIP into a pipe",
        "zip",
        "zip -q -r - . | cat > ../out.zip",
    ),
    ("jar", "jar", "jar -c -f ../out.zip --no-manifest ."),
    (
        "jar, stored",
        "jar",
        "jar -c -0 -f ../out.zip --no-manifest .",
    ),
    ("git archive", "git", GIT),
    ("bsdtar", "bsdtar", "bsdtar --format zip -cf ../out.zip ."),
    (
        "bsdtar, by the name",
        "bsdtar",
        "bsdtar -a -cf ../out.zip *",
    ),
    (
        "bsdtar, stored",
        "bsdtar",
        "bsdtar --format zip --options zip:compression=store -cf ../out.zip .",
    ),
    (
        "bsdtar into a pipe",
        "bsdtar",
        "bsdtar --format zip -cf - . | cat > ../out.zip",
    ),
    (
        "bsdcpio",
        "bsdcpio",
        "find . | bsdcpio -o --quiet -H zip > ../out.zip",
    ),
    ("7-Zip", "7zz", "7zz a -bso0 -tzip ../out.zip ."),
    (
        "7-Zip, stored",
        "7zz",
        "7zz a -bso0 -tzip -mx0 ../out.zip .",
    ),
];

/// Writers that a program brings, with its arguments.
fn programs_of_languages() -> Vec<(String, &'static str, Vec<String>)> {
    let python = |label: &str, program: &str, arguments: &[&str]| {
        let mut all = vec!["-c".to_owned(), program.to_owned()];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        (format!("Python{label}"), "python3", all)
    };
    let perl = |label: &str, options: &str| {
        let program = PERL.replace("%s", options);
        (
            format!("Perl{label}"),
            "perl",
            vec!["-e".to_owned(), program],
        )
    };
    let java = folder().join("Zip.java");
    vec![
        python("", PYTHON, &["file", "ZIP_DEFLATED"]),
        python(", stored", PYTHON, &["file", "ZIP_STORED"]),
        python(", Zip64", PYTHON, &["zip64", "ZIP_DEFLATED"]),
        python(" into a pipe", PYTHON, &["pipe", "ZIP_DEFLATED"]),
        python(", aligned as by zipalign", ALIGNED, &[]),
        perl("", "Minimal => 0"),
        perl(" into a pipe, Zip64", "Stream => 1, Zip64 => 1"),
        (
            "java.util.zip".to_owned(),
            "java",
            vec![java.to_str().unwrap().to_owned(), "../out.zip".to_owned()],
        ),
    ]
}

/// The folder with this test's own writers.
fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives/writers")
}

/// Installs npm's writers, once in a checkout; `None` where that is not possible.
fn npm() -> Option<std::path::PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.delivery/zip-writers");
    fs::create_dir_all(&installed).unwrap();
    let is_current = |name: &str| {
        fs::read(folder().join(name)).unwrap() == fs::read(installed.join(name)).unwrap_or_default()
    };
    let names = ["package.json", "write.mjs", "package-lock.json"];
    if names.into_iter().all(is_current) && installed.join("node_modules").is_dir() {
        return Some(installed);
    }
    fs::copy(
        folder().join("package.json"),
        installed.join("package.json"),
    )
    .unwrap();
    let _not_yet = fs::remove_file(installed.join("package-lock.json"));
    fs::copy(
        folder().join("package-lock.json"),
        installed.join(".lock.json"),
    )
    .unwrap();
    fs::rename(
        installed.join(".lock.json"),
        installed.join("package-lock.json"),
    )
    .unwrap();
    let arguments = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
    ];
    let output = Command::new("npm")
        .args(arguments)
        .current_dir(&installed)
        .output();
    match output {
        Ok(output) if output.status.success() => {
            fs::copy(folder().join("write.mjs"), installed.join("write.mjs")).unwrap();
            Some(installed)
        }
        Ok(output) => {
            fs::remove_dir_all(&installed).unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            println!(
                "skipped: zip writers of npm: {}",
                text.lines().next().unwrap_or_default()
            );
            None
        }
        Err(error) => {
            println!("skipped: zip writers of npm: `npm` cannot be run: {error}");
            None
        }
    }
}

fn files(tree: &BTreeMap<String, Node>) -> BTreeMap<&str, &[u8]> {
    let files = tree.iter().filter_map(|(path, node)| match node {
        Node::File { bytes, .. } => Some((path.as_str(), bytes.as_slice())),
        _ => None,
    });
    files.collect()
}

/// The sample in a folder of its own, and what came of an archive of it.
struct Trial {
    outer: tempfile::TempDir,
}

impl Trial {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        plant(&outer.path().join("source"), &sample());
        Self { outer }
    }

    fn source(&self) -> std::path::PathBuf {
        self.outer.path().join("source")
    }

    /// What is wrong with the archive.
    fn complaint(&self) -> Option<String> {
        let into = self.outer.path().join("into");
        fs::create_dir(&into).unwrap();
        match delivery_archive::extract_file(&self.outer.path().join("out.zip"), &into) {
            Err(error) => Some(error.to_string()),
            Ok(_) if files(&tree(&into)) == files(&sample()) => None,
            Ok(_) => Some("other files came out".to_owned()),
        }
    }
}

#[test]
fn archives_of_real_writers_are_accepted_byte_for_byte() {
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    let mut judge = |label: String, trial: &Trial| match trial.complaint() {
        None => accepted.push(label),
        Some(complaint) => refused.push(format!("{label}: {complaint}")),
    };
    for (label, program, script) in PROGRAMS {
        let trial = Trial::new();
        let script = format!("command -v {program} > /dev/null || exit 127; {script}");
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(trial.source())
            .env(LOCALE.0, LOCALE.1)
            .output()
            .unwrap();
        if output.status.code() == Some(127) {
            println!("skipped: archives of {label}: `{program}` is not installed");
            continue;
        }
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{label}: {text}");
        judge(label.to_owned(), &trial);
    }
    for (label, program, arguments) in programs_of_languages() {
        let trial = Trial::new();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if ran(&trial.source(), program, &arguments) {
            judge(label, &trial);
        }
    }
    if let Some(npm) = npm() {
        let list = Command::new("node")
            .args(["write.mjs", "list", ".", "."])
            .current_dir(&npm)
            .output()
            .unwrap();
        for mode in String::from_utf8(list.stdout).unwrap().lines() {
            let trial = Trial::new();
            let out = trial.outer.path().join("out.zip");
            let (source, out) = (trial.source(), out.to_str().unwrap().to_owned());
            let arguments = ["write.mjs", mode, source.to_str().unwrap(), &out];
            assert!(ran(&npm, "node", &arguments));
            judge(mode.to_owned(), &trial);
        }
        assert!(accepted.len() >= 20, "{accepted:?}");
    }
    println!(
        "archives of {} writers accepted, byte for byte: {}",
        accepted.len(),
        accepted.join("; ")
    );
    assert_eq!(refused, [] as [String; 0]);
}

#[test]
fn what_may_be_run_is_told_by_info_zip_python_and_git() {
    accepts("zip", &["-q", "-r", "../out.zip", "."], true);
    accepts("python3", &["-c", PYTHON, "file", "ZIP_DEFLATED"], true);
    accepts("sh", &["-c", GIT], true);
    accepts(
        "jar",
        &["-c", "-f", "../out.zip", "--no-manifest", "."],
        false,
    );
}

#[test]
fn other_readers_see_what_was_archived() {
    let outer = tempfile::tempdir().unwrap();
    let (source, zip) = (outer.path().join("source"), outer.path().join("out.zip"));
    plant(&source, &sample());
    delivery_archive::create_file(&source, &zip).unwrap();
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
