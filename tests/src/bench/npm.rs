//! npm-install as a whole action, and the memory of an artifact of 1 GiB in and out.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use delivery_testing::events::{JobEvent, TEST_KEYS};
use tokio::process::Command;

use super::contest::Contender;
use super::function::{Running, search_path};
use super::report::{Section, Target, megabytes, ratio, spread};
use super::s3::Counted;
use super::s3::client::Server;
use super::spent::{self, Spent};
use super::{Bench, figures::Figures, inputs};
use crate::packages;

/// Rounds; each takes a minute.
const ROUNDS: usize = 3;

/// The bucket of artifacts.
const STORE: &str = "store";

/// How much longer than npm the action may take.
const MOST_BEYOND_NPM: f64 = 0.15;

/// Most memory for an artifact of 1 GiB.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

/// What is measured of this project.
#[derive(Default)]
struct Own {
    hit: Contender,
    fresh: Contender,
    cold: Contender,
    beyond: Figures,
    counted: Counted,
    summaries: [String; 2],
}

impl Own {
    fn new() -> Self {
        Self {
            hit: Contender::new("this project, lock file unchanged, warm function", ""),
            fresh: Contender::new("the same, a new process", ""),
            cold: Contender::new("this project, nothing kept", ""),
            ..Self::default()
        }
    }
}

/// npm-install with its cache full and empty, against npm, zip and upload.
///
/// # Errors
///
/// Where npm cannot reach its registry, or a contender fails.
pub async fn compare(bench: &Bench) -> io::Result<Vec<Section>> {
    let tree = inputs::installed(bench).await?;
    let (files, bytes) = inputs::weight(&tree)?;
    let server = Server::start(Duration::ZERO).await?;
    let clock = NpmClock::new(bench)?;
    let mut own = Own::new();
    let mut peer = Contender::new(
        "npm, its cache warm; 7zz; rclone",
        "npm ci --ignore-scripts --prefer-offline --no-audit --no-fund; 7zz a -tzip -mx=1 -snl OUT .; rclone copyto OUT s3:store/OUT",
    );
    let mut of_npm = Contender::new("of it: npm ci", "");
    let mut source_bytes = 0;
    for (round, counts) in bench.rounds(ROUNDS).each() {
        let store = server.empty(STORE).await?;
        let source = inputs::project(bench, "source")?;
        let (npm, whole) = by_hand(bench, &server, &source).await?;
        let cold_key = commit(bench, &store, round, "a").await?;
        let next_key = commit(bench, &store, round, "b").await?;
        let last_key = commit(bench, &store, round, "c").await?;
        source_bytes = fs::metadata(bench.directory.join("source.zip"))?.len();

        let mut function = clock.function(bench, &server).await?;
        let (cold, summary) = function.job(&server, &event(&cold_key)).await?;
        own.summaries[0] = summary;
        let npm_of_ours = clock.take()?;
        server.counted().await?;
        let (hit, summary) = function.job(&server, &event(&next_key)).await?;
        own.summaries[1] = summary;
        own.counted = server.counted().await?;
        let begun = std::time::Instant::now();
        let mut function = clock.function(bench, &server).await?;
        let (mut fresh, _) = function.job(&server, &event(&last_key)).await?;
        fresh.wall = begun.elapsed().as_secs_f64();
        clock.take()?;
        if counts {
            peer.add(whole);
            of_npm.add(npm);
            own.hit.add(hit);
            own.fresh.add(fresh);
            own.cold.add(cold);
            own.beyond.push((cold.wall - npm_of_ours) / npm_of_ours);
        }
    }
    Ok(vec![section(
        own,
        [peer, of_npm],
        files,
        bytes,
        source_bytes,
    )])
}

fn section(own: Own, peers: [Contender; 2], files: u64, bytes: u64, source_bytes: u64) -> Section {
    let through = own.counted.bytes_in + own.counted.bytes_out;
    let targets = vec![
        Target::faster(
            &format!("npm-install, lock file unchanged, {files} files"),
            "50 times as fast as npm ci with a warm cache, zip and upload",
            &own.hit.wall,
            &peers[0],
            50.0,
        ),
        Target {
            work: "the same".to_owned(),
            aim: "bytes through the function: the source, directories, parts under 5 MiB"
                .to_owned(),
            reached: format!(
                "{} with a source of {} and {} of files",
                megabytes(through),
                megabytes(source_bytes),
                megabytes(bytes)
            ),
            met: through < bytes / 10,
        },
        Target {
            work: "npm-install, nothing kept".to_owned(),
            aim: "at most 15 % of npm's time beyond npm's".to_owned(),
            reached: format!("{} of npm's time", spread(&own.beyond, percent)),
            met: own.beyond.median() <= MOST_BEYOND_NPM,
        },
    ];
    let text = format!(
        "`tests/bench/project` with 200 sources of its own: {files} files, {}. Each round is a new commit, \
         another source with the same lock file. The function's own program runs the job from the event to \
         the reported result, once with nothing kept (npm downloads everything), then for the next commit. \
         By hand the source is at hand already and nothing is downloaded but by npm. With the lock file \
         unchanged the store got: {}; {} went through the function. Its summaries: \"{}\", then \"{}\".",
        megabytes(bytes),
        own.counted.shown(),
        megabytes(through),
        own.summaries[0],
        own.summaries[1],
    );
    let [whole, npm] = peers;
    Section {
        title: "npm-install".to_owned(),
        text,
        contenders: vec![own.hit, own.fresh, own.cold, whole, npm],
        targets,
        ..Section::default()
    }
}

fn percent(part: f64) -> String {
    format!("{} %", ratio(part * 100.0))
}

/// Stores a commit's source and returns its key.
async fn commit(
    bench: &Bench,
    store: &delivery_testing::s3::Bucket,
    round: usize,
    of: &str,
) -> io::Result<String> {
    let source = inputs::project(bench, "source")?;
    fs::write(source.join("src/commit.js"), format!("// {round} {of}\n"))?;
    let zip = inputs::zip(bench, &source, "source.zip").await?;
    let key = format!("bench/Source/{round}-{of}");
    store.put(&key, fs::read(zip)?).await;
    Ok(key)
}

fn event(key: &str) -> serde_json::Value {
    JobEvent::new()
        .id(&format!("11111111-abcd-1111-abcd-{:0>12}", key.len()))
        .input("SourceOutput", STORE, key)
        .output("InstalledOutput", STORE, &format!("{key}-installed"))
        .build()
}

/// What a person or a build server would do; of it what npm took.
async fn by_hand(bench: &Bench, server: &Server, source: &Path) -> io::Result<(Spent, Spent)> {
    let npm = spent::run(&mut inputs::npm_ci(bench, source)).await?;
    let zip = bench.directory.join("by-hand.zip");
    if zip.exists() {
        fs::remove_file(&zip)?;
    }
    let missing = |name: &str| io::Error::other(format!("{name} is not there"));
    let zz = bench.peers.path("7zz").ok_or_else(|| missing("7zz"))?;
    let zipped = spent::run(
        Command::new(zz)
            .args(["a", "-tzip", "-mx=1", "-bd", "-snl"])
            .arg(&zip)
            .arg(".")
            .current_dir(source),
    )
    .await?;
    let mut rclone = rclone(bench, server).ok_or_else(|| missing("rclone"))?;
    let uploaded = spent::run(
        rclone
            .arg("copyto")
            .arg(&zip)
            .arg(format!("s3:{STORE}/by-hand.zip")),
    )
    .await?;
    let whole = [npm, zipped, uploaded]
        .into_iter()
        .fold(Spent::default(), |sum, one| Spent {
            wall: sum.wall + one.wall,
            cpu: sum.cpu + one.cpu,
        });
    fs::remove_dir_all(source)?;
    Ok((npm, whole))
}

/// rclone, whose remote `s3` is the server.
#[must_use]
pub fn rclone(bench: &Bench, server: &Server) -> Option<Command> {
    let mut command = Command::new(bench.peers.path("rclone")?);
    for (name, value) in [
        ("RCLONE_CONFIG_S3_TYPE", "s3"),
        ("RCLONE_CONFIG_S3_PROVIDER", "Other"),
        ("RCLONE_CONFIG_S3_ACCESS_KEY_ID", TEST_KEYS.access_key_id),
        (
            "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY",
            TEST_KEYS.secret_access_key,
        ),
        ("RCLONE_CONFIG_S3_ENDPOINT", server.url()),
        ("RCLONE_CONFIG_S3_REGION", delivery_testing::s3::REGION),
        ("RCLONE_S3_NO_CHECK_BUCKET", "true"),
        ("RCLONE_CONFIG", "/dev/null"),
    ] {
        command.env(name, value);
    }
    Some(command)
}

/// A `node` before the real one on `PATH` that notes how long it ran npm.
struct NpmClock {
    folder: PathBuf,
    log: PathBuf,
}

impl NpmClock {
    fn new(bench: &Bench) -> io::Result<Self> {
        let folder = bench.fresh("npm-clock")?;
        let log = bench.directory.join("npm-clock.log");
        let node = bench
            .peers
            .path("node")
            .ok_or_else(|| io::Error::other("node is not there"))?;
        // npm is a script of Node.js: its first argument follows the script's path.
        let script = format!(
            "#!/bin/sh\nbegun=$(date +%s%N)\n'{}' \"$@\"\ncode=$?\n\
             echo \"$2 $(($(date +%s%N) - begun))\" >> '{}'\nexit $code\n",
            node.display(),
            log.display()
        );
        let program = folder.join("node");
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        // npm finds the machine's settings by where `node` is.
        let settings = bench.directory.join("etc/npmrc");
        fs::create_dir_all(settings.with_file_name(""))?;
        fs::write(settings, packages::network()?)?;
        Ok(Self { folder, log })
    }

    /// A new process of npm-install, whose Node.js is this one.
    async fn function(&self, bench: &Bench, server: &Server) -> io::Result<Running> {
        Running::start(bench, "npm-install", server, search_path(&[&self.folder])).await
    }

    /// Seconds that `npm ci` ran since this was last asked.
    fn take(&self) -> io::Result<f64> {
        if !self.log.exists() {
            return Ok(0.0);
        }
        let text = fs::read_to_string(&self.log)?;
        fs::remove_file(&self.log)?;
        let runs = text.lines().filter_map(|line| line.strip_prefix("ci "));
        Ok(runs
            .filter_map(|nanoseconds| nanoseconds.parse::<f64>().ok())
            .sum::<f64>()
            / 1e9)
    }
}

/// An artifact of 1 GiB through test-and-package: in, one task that copies, out.
///
/// # Errors
///
/// Where the input cannot be made or the job fails.
pub async fn memory(bench: &Bench) -> io::Result<Vec<Section>> {
    let server = Server::start(Duration::ZERO).await?;
    let store = server.empty(STORE).await?;
    let folder = inputs::large(bench)?;
    let script =
        r#"{"name":"copy","version":"1.0.0","scripts":{"copy":"mkdir out && cp large.bin out/"}}"#;
    fs::write(folder.join("package.json"), script)?;
    let zip = inputs::zip(bench, &folder, "large.zip").await?;
    let zipped = fs::metadata(&zip)?.len();
    fs::remove_dir_all(folder)?;
    store.put("bench/Large/in", fs::read(&zip)?).await;
    fs::remove_file(zip)?;
    let event = JobEvent::new()
        .input("LargeInput", STORE, "bench/Large/in")
        .output("LargeOutput", STORE, "bench/Large/out")
        .user_parameters("task=copy&runner=npm&LargeOutput=out")
        .build();
    let path: OsString = search_path(&[]);
    let mut function = Running::start(bench, "test-and-package", &server, path).await?;
    let (spent, _) = function.job(&server, &event).await?;
    let peak = function.peak_memory()?;
    let mebibytes = format!("{} MiB", peak.div_ceil(1024 * 1024));
    let mut own = Contender::new("this project, test-and-package", "");
    own.add(spent);
    own.extra.clone_from(&mebibytes);
    Ok(vec![Section {
        title: "An artifact of 1 GiB, in and out".to_owned(),
        text: format!(
            "test-and-package fetches and extracts an artifact of {} that holds one file of 1 GiB, runs a task \
             that copies the file, and zips and uploads the copy. The memory is the most that the function's \
             process had at a time (`VmHWM`); files are not counted, which here are in memory too.",
            megabytes(zipped)
        ),
        extra: "peak memory".to_owned(),
        contenders: vec![own],
        targets: vec![Target {
            work: "1 GiB artifact, in and out".to_owned(),
            aim: "at most 64 MiB of memory".to_owned(),
            reached: mebibytes,
            met: peak <= MOST_MEMORY,
        }],
        ..Section::default()
    }])
}
