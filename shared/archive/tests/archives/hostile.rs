//! Hostile archives: nothing outside, nothing left, little memory, and words that help.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use delivery_archive::{Archive, ArchiveError, Limits};
use delivery_testing::archives::{Expected, for_each_hostile};

use super::support::{MAX_RESIDENT_KIB, Node, cpu_time, memory, tree};

/// What the test's file system is taken to hold, so that no bomb is written to its end.
const ROOM_BYTES: u64 = 256 * 1024 * 1024;

/// A directory beside which nothing may change.
struct Cell {
    outer: tempfile::TempDir,
}

impl Cell {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("sentinel"), "untouched").unwrap();
        fs::create_dir(outer.path().join("into")).unwrap();
        Self { outer }
    }

    fn inside(&self) -> PathBuf {
        self.outer.path().join("into")
    }

    fn extract(&self, bytes: &[u8]) -> Result<delivery_archive::Extracted, ArchiveError> {
        let zip = self.outer.path().join("zip");
        fs::write(&zip, bytes).unwrap();
        let mut limits = Limits::for_free_space(&self.inside()).unwrap();
        limits.free_bytes = Some(ROOM_BYTES);
        let outcome =
            delivery_archive::extract(&fs::File::open(&zip).unwrap(), &self.inside(), &limits);
        fs::remove_file(&zip).unwrap();
        outcome
    }

    /// The paths that our reader lists.
    fn listed(&self, bytes: &[u8]) -> Vec<String> {
        let zip = self.outer.path().join("zip");
        fs::write(&zip, bytes).unwrap();
        let archive = Archive::open(&zip, Limits::default()).unwrap();
        let mut paths: Vec<String> = archive
            .entries()
            .map(|entry| entry.path().to_owned())
            .collect();
        paths.sort_unstable();
        paths
    }

    /// What is wrong after an extraction.
    fn complaints(&self, refused: bool) -> Vec<String> {
        let all = tree(self.outer.path());
        let mut complaints: Vec<String> = all
            .iter()
            .filter(|(path, _)| *path != "into" && !path.starts_with("into/"))
            .filter(|(path, node)| {
                *path != "sentinel"
                    || **node
                        != Node::File {
                            executable: false,
                            bytes: b"untouched".to_vec(),
                        }
            })
            .map(|(path, _)| format!("wrote outside: {path}"))
            .collect();
        for (path, node) in all.iter().filter(|(path, _)| path.starts_with("into/")) {
            if refused {
                complaints.push(format!("left behind: {path}"));
            }
            if let Node::Link(target) = node {
                let place = self.outer.path().join(path);
                let ends = fs::canonicalize(&place);
                let root = fs::canonicalize(self.inside()).unwrap();
                if target.starts_with('/') || ends.is_ok_and(|end| !end.starts_with(root)) {
                    complaints.push(format!("points out: {path} -> {target}"));
                }
            }
        }
        complaints
    }
}

/// Names the archive that [`one_archive_in_a_process_of_its_own`] is to extract.
const CHILD_ZIP: &str = "ARCHIVE_TEST_ZIP";

/// Most reserved memory of a process that extracts a hostile archive, in KiB: a size that lies would drive it up without a
/// page being touched.
const MAX_RESERVED_KIB: u64 = 512 * 1024;

/// Classes that could take memory; damage of a small archive cannot by more than its sizes, which
/// these classes have all of.
const MEASURED: [&str; 4] = ["bomb/", "link/200-mb", "zip64/", "lie/"];

/// Harmless but slow to write and to remove: once is enough.
const ONLY_IN_CHILD: [&str; 2] = ["bomb/65000-entries", "bomb/long-names/"];

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how the test talks to itself in another process"
)]
fn one_archive_in_a_process_of_its_own() {
    let Some(zip) = std::env::var_os(CHILD_ZIP) else {
        return;
    };
    let cell = Cell::new();
    let mut limits = Limits::for_free_space(&cell.inside()).unwrap();
    limits.free_bytes = Some(ROOM_BYTES);
    let zip = fs::File::open(zip).unwrap();
    let outcome = delivery_archive::extract(&zip, &cell.inside(), &limits);
    let (resident, reserved) = (memory("VmHWM:"), memory("VmPeak:"));
    assert_eq!(cell.complaints(outcome.is_err()), Vec::<String>::new());
    println!("measured {resident} {reserved} {}", outcome.is_ok());
}

/// Peak of resident and reserved memory of a process that extracts one archive, and whether it did.
fn measured(bytes: &[u8]) -> (u64, u64, bool) {
    let zip = tempfile::NamedTempFile::new().unwrap();
    fs::write(zip.path(), bytes).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "hostile::one_archive_in_a_process_of_its_own",
            "--nocapture",
        ])
        .env(CHILD_ZIP, zip.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = text
        .split_whitespace()
        .skip_while(|word| *word != "measured")
        .collect();
    (
        words[1].parse().unwrap(),
        words[2].parse().unwrap(),
        words[3].parse().unwrap(),
    )
}

/// The names that other readers list, in the form of our paths. One that refuses an archive reads nothing else.
fn listed_by_others(bytes: &[u8]) -> Vec<(&'static str, Vec<String>)> {
    let path = |name: &[u8]| {
        let name = String::from_utf8(name.to_vec()).unwrap();
        let name = name.strip_prefix("./").unwrap_or(&name);
        name.strip_suffix('/').unwrap_or(name).to_owned()
    };
    let mut lists = Vec::new();
    if let Ok(by_zip) = zip::ZipArchive::new(std::io::Cursor::new(bytes)) {
        let names = by_zip.file_names();
        let names: Vec<String> = names.map(|name| path(name.unwrap().as_bytes())).collect();
        lists.push(("zip", names));
    }
    if let Ok(by_rawzip) = rawzip::ZipArchive::from_slice(bytes) {
        let mut names = Vec::new();
        let mut entries = by_rawzip.entries();
        while let Some(entry) = entries.next_entry().unwrap() {
            names.push(path(entry.file_path().as_bytes()));
        }
        lists.push(("rawzip", names));
    }
    for (_, names) in &mut lists {
        names.sort_unstable();
    }
    lists
}

#[test]
#[expect(clippy::too_many_lines, reason = "one run over all archives")]
fn hostile_archives_write_nothing_outside_and_leave_nothing() {
    let (mut count, mut refused) = (0, 0);
    let (mut worst_memory, mut worst_time) = ((0, 0), Duration::ZERO);
    let mut complaints: Vec<String> = Vec::new();
    let mut cell = Cell::new();
    for_each_hostile(|hostile| {
        let mut complain = |what: String| complaints.push(format!("{}: {what}", hostile.name));
        if MEASURED.iter().any(|class| hostile.name.starts_with(class)) {
            let (resident, reserved, accepted) = measured(&hostile.bytes);
            if hostile.expected != Expected::Either
                && accepted != (hostile.expected == Expected::Accepted)
            {
                complain(format!("accepted: {accepted}"));
            }
            worst_memory = worst_memory.max((resident, reserved));
            if resident > MAX_RESIDENT_KIB || reserved > MAX_RESERVED_KIB {
                complain(format!("{resident} KiB resident, {reserved} KiB reserved"));
            }
        }
        if ONLY_IN_CHILD
            .iter()
            .any(|class| hostile.name.starts_with(class))
        {
            count += 1;
            return;
        }
        let started = cpu_time();
        let outcome = cell.extract(&hostile.bytes);
        worst_time = worst_time.max(cpu_time().saturating_sub(started));
        for what in cell.complaints(outcome.is_err()) {
            complain(what);
        }
        match (&outcome, hostile.expected) {
            (Ok(_), Expected::Refused) => complain("was accepted".into()),
            (Err(error), Expected::Accepted) => complain(format!("was refused: {error}")),
            _ => {}
        }
        if let Err(error) = &outcome {
            refused += 1;
            let message = error.to_string();
            if message.chars().count() > 1_000 || message.chars().any(char::is_control) {
                complain(format!("unreadable message: {message:?}"));
            }
            if error.hint().is_empty() {
                complain("no hint".into());
            }
        } else {
            for (reader, names) in listed_by_others(&hostile.bytes) {
                let ours = cell.listed(&hostile.bytes);
                if names != ours {
                    complain(format!("`{reader}` lists {names:?}, we list {ours:?}"));
                }
            }
            cell = Cell::new();
        }
        count += 1;
    });
    println!(
        "{count} hostile archives, {refused} refused; at most {} KiB resident and {} KiB reserved, \
         at most {worst_time:?} of a processor",
        worst_memory.0, worst_memory.1
    );
    assert_eq!(complaints, Vec::<String>::new());
    assert!(count >= 1_366, "only {count} archives");
}

/// Accepted by the collection's makers, refused here: their declared sizes lie, so readers that
/// trust them cut the file off where others go on.
const REFUSED_OF_ACCEPTED: [&str; 2] = ["short_usize.zip", "short_usize_zip64.zip"];

#[test]
fn the_confusion_collection_is_judged_as_its_makers_do() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/zip-confusion");
    if !corpus.is_dir() {
        println!("skipped: no `{}`", corpus.display());
        return;
    }
    let judged = |folder: &str| {
        let mut accepted = Vec::new();
        let mut refused = Vec::new();
        for found in fs::read_dir(corpus.join(folder)).unwrap() {
            let found = found.unwrap();
            let name = found.file_name().into_string().unwrap();
            let cell = Cell::new();
            let outcome = cell.extract(&fs::read(found.path()).unwrap());
            assert_eq!(
                cell.complaints(outcome.is_err()),
                Vec::<String>::new(),
                "{name}"
            );
            match outcome {
                Ok(_) => accepted.push(name),
                Err(_) => refused.push(name),
            }
        }
        accepted.sort_unstable();
        refused.sort_unstable();
        (accepted, refused)
    };
    let (accepted, refused) = judged("reject");
    println!("{} of the archives to reject are refused", refused.len());
    assert_eq!(accepted, Vec::<String>::new());
    assert_eq!(refused.len(), 35);
    let (accepted, refused) = judged("accept");
    println!("{} of the archives to accept are accepted", accepted.len());
    assert_eq!(refused, REFUSED_OF_ACCEPTED);
    assert_eq!(accepted.len(), 8);
}

#[test]
fn an_archive_that_does_not_fit_on_the_disk_says_so_before_writing() {
    let cell = Cell::new();
    let zip = cell.outer.path().join("zip");
    fs::write(
        &zip,
        delivery_testing::archives::zip_of(&[("big", &vec![7; 9_000])]),
    )
    .unwrap();
    let mut limits = Limits::for_free_space(&cell.inside()).unwrap();
    limits.free_bytes = Some(8 * 1024);
    let error = delivery_archive::extract(&fs::File::open(&zip).unwrap(), &cell.inside(), &limits)
        .unwrap_err();
    assert!(matches!(
        error,
        ArchiveError::NoRoom { needed_bytes: 12_288, free_bytes: 8_192, ref entry, .. } if entry == "big"
    ));
    assert_eq!(tree(&cell.inside()).len(), 0);
}

/// Names the small disk that [`extraction_onto_a_small_disk`] is to fill.
const CHILD_DISK: &str = "ARCHIVE_TEST_DISK";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how the test talks to itself in another process"
)]
fn extraction_onto_a_small_disk() {
    let Some(disk) = std::env::var_os(CHILD_DISK) else {
        return;
    };
    let zip = tempfile::NamedTempFile::new().unwrap();
    let files: [(&str, &[u8]); 2] = [("d/small", b"small"), ("d/big", &vec![7; 8 << 20])];
    fs::write(zip.path(), delivery_testing::archives::zip_of(&files)).unwrap();
    let into = Path::new(&disk);
    // Without the look at the free space, as when another process fills the disk meanwhile.
    let error = delivery_archive::extract(zip.as_file(), into, &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "not enough space in `{}` for `d/big`: 9 MiB needed, 2 MiB free",
            into.display()
        )
    );
    assert_eq!(tree(into).len(), 0);
    println!("the disk was full");
}

#[test]
fn a_disk_that_fills_up_is_told_apart_and_emptied() {
    const MOUNT: &str = r#"mount -t tmpfs -o size=2m none "$0" && exec "$1" --exact --nocapture \
        hostile::extraction_onto_a_small_disk"#;
    let disk = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", MOUNT])
        .arg(disk.path())
        .arg(std::env::current_exe().unwrap())
        .env(CHILD_DISK, disk.path())
        .output();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output {
        Ok(output) if text(&output.stdout).contains("running 1 test") => {
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert!(text(&output.stdout).contains("the disk was full"));
        }
        Ok(output) => println!(
            "skipped: no mount of its own: {}",
            text(&output.stderr).trim()
        ),
        Err(error) => println!("skipped: no `unshare`: {error}"),
    }
}

#[test]
fn a_directory_that_is_not_empty_is_left_alone() {
    let cell = Cell::new();
    fs::write(cell.inside().join("mine"), "mine").unwrap();
    let error = cell
        .extract(&delivery_testing::archives::zip_of(&[("a", b"a")]))
        .unwrap_err();
    assert!(
        matches!(
            error,
            ArchiveError::Io {
                action: "extract into",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(tree(&cell.inside()).len(), 1);
}
