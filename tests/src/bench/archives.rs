//! Archives: extraction and creation, of many small files and of one large one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::contest::{Contender, fastest, hold};
use super::report::{Section, Target, megabytes};
use super::spent::{self, Spent};
use super::{Bench, inputs};

/// Rounds of what takes a second or less.
const QUICK_ROUNDS: usize = 5;

/// Rounds of what takes seconds.
const SLOW_ROUNDS: usize = 3;

/// Rounds of what takes ten seconds and more.
const SLOWEST_ROUNDS: usize = 2;

/// How one contender is called on the input and the output.
type Call = Box<dyn Fn(&Path, &Path) -> Command>;

/// How a contender is called, and how large what it made last is.
struct Way {
    call: Call,
    bytes: u64,
}

fn ours(command: &'static str, threads: usize) -> io::Result<Call> {
    let program = std::env::current_exe()?;
    Ok(Box::new(move |from, to| {
        let mut call = Command::new(&program);
        call.arg(command)
            .args([from, to])
            .args(["--threads", &threads.to_string()]);
        call
    }))
}

/// The contenders of which the program is there.
fn contenders(
    bench: &Bench,
    own: &'static str,
    own_threads: &[usize],
    peers: Vec<(&str, &'static str, &'static str, usize)>,
) -> io::Result<Vec<(Contender, Way)>> {
    let mut all = Vec::new();
    for &threads in own_threads {
        let command = format!("bench {own} IN OUT --threads {threads}");
        let name = format!("this project, {threads} threads").replace("1 threads", "1 thread");
        all.push((
            Contender::new(name, command),
            Way {
                call: ours(own, threads)?,
                bytes: 0,
            },
        ));
    }
    for (name, program, arguments, threads) in peers {
        let Some(path) = bench.peers.path(program) else {
            continue;
        };
        let call: Call = Box::new(move |from, to| {
            let mut call = Command::new(&path);
            for argument in arguments.split_whitespace() {
                match argument {
                    "IN" => call.arg(from),
                    "OUT" => call.arg(to),
                    "-oOUT" => call.arg(format!("-o{}", to.display())),
                    other => call.arg(other),
                };
            }
            // Those that make a zip name its contents relative to the folder they run in.
            if from.is_dir() {
                call.current_dir(from);
            }
            call.env("RAYON_NUM_THREADS", threads.to_string());
            call
        });
        let variable = if program == "ripunzip" {
            format!("RAYON_NUM_THREADS={threads} ")
        } else {
            String::new()
        };
        let command = format!("{variable}{program} {arguments}");
        all.push((Contender::new(name, command), Way { call, bytes: 0 }));
    }
    Ok(all)
}

const EXTRACTORS: [(&str, &str, &str, usize); 3] = [
    ("bsdtar", "bsdtar", "-xf IN -C OUT", 1),
    ("7zz", "7zz", "x -y -bd -snld -oOUT IN", 1),
    ("unzip", "unzip", "-q -o IN -d OUT", 1),
];

/// Many small files out of a zip.
///
/// # Errors
///
/// Where the input cannot be made or a contender fails.
pub async fn extract(bench: &Bench) -> io::Result<Vec<Section>> {
    let tree = inputs::installed(bench).await?;
    let (files, bytes) = inputs::weight(&tree)?;
    let zip = inputs::zip(bench, &tree, "tree.zip").await?;
    let threads = bench.threads;
    let mut peers = vec![
        (
            "ripunzip, all threads",
            "ripunzip",
            "unzip-file -q -d OUT IN",
            threads,
        ),
        (
            "ripunzip, 1 thread",
            "ripunzip",
            "unzip-file -q -d OUT IN",
            1,
        ),
    ];
    peers.extend(EXTRACTORS);
    let mut turns = contenders(bench, "extract", &[threads, 1], peers)?;
    extract_all(bench, &zip, QUICK_ROUNDS, &mut turns).await?;
    let contenders: Vec<Contender> = turns.into_iter().map(|(contender, _)| contender).collect();
    let own = contenders[0].wall.clone();
    let mut targets = Vec::new();
    let same_threads = contenders
        .iter()
        .skip(2)
        .filter(|peer| !peer.name.ends_with("1 thread"));
    if let Some(peer) = fastest(same_threads) {
        let work = format!("extraction, {files} files on tmpfs, {threads} threads");
        targets.push(Target::faster(
            &work,
            "not slower than the fastest peer",
            &own,
            peer,
            1.0,
        ));
        targets.push(Target::faster(
            &work,
            "target: 1.2 times as fast",
            &own,
            peer,
            1.2,
        ));
    }
    Ok(vec![Section {
        title: format!("Extraction of {files} files"),
        text: format!(
            "`node_modules` and the sources of `tests/bench/project`: {files} files, {} in a zip of {}, \
             extracted into a new folder. This project keeps every rule of its artifact contract on; the \
             peers check what they check.",
            megabytes(bytes),
            megabytes(fs::metadata(&zip)?.len()),
        ),
        contenders,
        targets,
        ..Section::default()
    }])
}

async fn extract_all(
    bench: &Bench,
    zip: &Path,
    rounds: usize,
    turns: &mut [(Contender, Way)],
) -> io::Result<()> {
    hold(bench.rounds(rounds), turns, async |way: &mut Way, _, _| {
        let out = bench.fresh("extracted")?;
        let spent = spent::run(&mut (way.call)(zip, &out)).await?;
        fs::remove_dir_all(out)?;
        Ok(spent)
    })
    .await
}

async fn create_all(
    bench: &Bench,
    tree: &Path,
    rounds: usize,
    turns: &mut [(Contender, Way)],
) -> io::Result<()> {
    let out: PathBuf = bench.directory.join("created.zip");
    hold(
        bench.rounds(rounds),
        turns,
        async |way: &mut Way, contender, _| {
            if out.exists() {
                fs::remove_file(&out)?;
            }
            let spent: Spent = spent::run(&mut (way.call)(tree, &out)).await?;
            way.bytes = fs::metadata(&out)?.len();
            contender.extra = megabytes(way.bytes);
            Ok(spent)
        },
    )
    .await?;
    fs::remove_file(out)
}

/// Many small files into a zip.
///
/// # Errors
///
/// Where the input cannot be made or a contender fails.
pub async fn create(bench: &Bench) -> io::Result<Vec<Section>> {
    let tree = inputs::installed(bench).await?;
    let (files, bytes) = inputs::weight(&tree)?;
    let threads = bench.threads;
    let peers = vec![
        (
            "7zz, level 1, all threads",
            "7zz",
            "a -tzip -mx=1 -bd -snl OUT .",
            threads,
        ),
        ("zip, level 1", "zip", "-q -r -y -1 OUT .", 1),
        ("zip, level 6", "zip", "-q -r -y -6 OUT .", 1),
        (
            "bsdtar, level 1",
            "bsdtar",
            "--format zip --options zip:compression-level=1 -cf OUT .",
            1,
        ),
    ];
    let mut turns = contenders(bench, "create", &[threads, 1], peers)?;
    create_all(bench, &tree, SLOW_ROUNDS, &mut turns).await?;
    let mut targets = Vec::new();
    let own = (turns[0].0.wall.clone(), turns[0].1.bytes);
    if let Some((peer, way)) = turns.iter().find(|(peer, _)| peer.name.starts_with("7zz")) {
        let work = format!("zip creation, {files} files on tmpfs, {threads} threads");
        targets.push(Target::faster(
            &work,
            "2 times as fast as 7zz -mx=1",
            &own.0,
            peer,
            2.0,
        ));
        targets.push(Target {
            work,
            aim: "no larger than that of 7zz -mx=1".to_owned(),
            reached: format!("{} against {}", megabytes(own.1), megabytes(way.bytes)),
            met: own.1 <= way.bytes,
        });
    }
    Ok(vec![Section {
        title: format!("Creation of a zip of {files} files"),
        text: format!(
            "The same tree, {} on tmpfs, into one zip. This project writes sorted entries without times, so \
             that equal contents give equal bytes.",
            megabytes(bytes)
        ),
        extra: "size".to_owned(),
        contenders: turns.into_iter().map(|(contender, _)| contender).collect(),
        targets,
        ..Section::default()
    }])
}

/// One file of 1 GiB, out of and into a zip.
///
/// # Errors
///
/// Where the input cannot be made or a contender fails.
pub async fn large(bench: &Bench) -> io::Result<Vec<Section>> {
    let folder = inputs::large(bench)?;
    let threads = bench.threads;
    let mut makers = contenders(
        bench,
        "create",
        &[threads],
        vec![
            ("zip, level 1", "zip", "-q -r -y -1 OUT .", 1),
            (
                "7zz, level 1, all threads",
                "7zz",
                "a -tzip -mx=1 -bd -snl OUT .",
                threads,
            ),
        ],
    )?;
    create_all(bench, &folder, SLOWEST_ROUNDS, &mut makers).await?;
    let zip = inputs::zip(bench, &folder, "large.zip").await?;
    let mut peers = vec![("ripunzip", "ripunzip", "unzip-file -q -d OUT IN", threads)];
    peers.extend(EXTRACTORS);
    let mut extractors = contenders(bench, "extract", &[threads], peers)?;
    fs::remove_dir_all(&folder)?;
    extract_all(bench, &zip, SLOW_ROUNDS, &mut extractors).await?;
    fs::remove_file(zip)?;
    let of = |turns: Vec<(Contender, Way)>| turns.into_iter().map(|(contender, _)| contender);
    Ok(vec![
        Section {
            title: "Creation of a zip of one file of 1 GiB".to_owned(),
            text: "Half of the file can be deflated, in runs of 64 KiB.".to_owned(),
            extra: "size".to_owned(),
            contenders: of(makers).collect(),
            ..Section::default()
        },
        Section {
            title: "Extraction of one file of 1 GiB".to_owned(),
            text: "The zip of the comparison before.".to_owned(),
            contenders: of(extractors).collect(),
            ..Section::default()
        },
    ])
}
