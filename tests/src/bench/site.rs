//! deploy-site against programs that synchronise a folder with a bucket.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use delivery_testing::events::{JobEvent, TEST_KEYS};
use delivery_testing::s3::Bucket;
use tokio::process::Command;

use super::contest::{Contender, Rounds, fastest};
use super::function::{Running, search_path};
use super::npm::rclone;
use super::report::{Section, Target};
use super::s3::Counted;
use super::s3::client::Server;
use super::spent::{self, Spent};
use super::{Bench, inputs};

/// Rounds of first uploads; each takes ten seconds and more.
const FIRST_ROUNDS: usize = 3;

/// Rounds of uploads of what changed.
const CHANGED_ROUNDS: usize = 5;

/// What is added to each request in the second half.
const DELAY: Duration = Duration::from_millis(20);

/// The bucket of artifacts.
const STORE: &str = "store";

/// A program that synchronises a folder with a bucket.
#[derive(Clone, Copy)]
enum Peer {
    /// With so many transfers; compares contents.
    Rclone(usize),
    /// Compares sizes and times.
    S5cmd,
    /// Compares sizes and times.
    Aws,
}

impl Peer {
    fn contender(self) -> Contender {
        match self {
            Self::Rclone(transfers) => Contender::new(
                format!("rclone, {transfers} transfers, by checksum"),
                format!(
                    "rclone {} s3:BUCKET",
                    rclone_arguments("SITE", transfers).join(" ")
                ),
            ),
            Self::S5cmd => Contender::new(
                "s5cmd sync, by size and time",
                "s5cmd --endpoint-url URL sync SITE/ s3://BUCKET/",
            ),
            Self::Aws => Contender::new(
                "aws s3 sync, by size and time",
                "aws s3 sync SITE s3://BUCKET --only-show-errors --endpoint-url URL",
            ),
        }
    }

    fn bucket(self) -> &'static str {
        match self {
            Self::Rclone(_) => "site-rclone",
            Self::S5cmd => "site-s5cmd",
            Self::Aws => "site-aws",
        }
    }

    fn command(self, bench: &Bench, server: &Server, site: &Path) -> Option<Command> {
        let bucket = self.bucket();
        let mut command = match self {
            Self::Rclone(transfers) => {
                let mut command = rclone(bench, server)?;
                command.args(rclone_arguments(&site.display().to_string(), transfers));
                command.arg(format!("s3:{bucket}"));
                command
            }
            Self::S5cmd => {
                let mut command = Command::new(bench.peers.path("s5cmd")?);
                command.args(["--endpoint-url", server.url(), "sync"]);
                command.args([format!("{}/", site.display()), format!("s3://{bucket}/")]);
                command
            }
            Self::Aws => {
                let mut command = Command::new(bench.peers.path("aws")?);
                command
                    .args(["s3", "sync"])
                    .arg(site)
                    .arg(format!("s3://{bucket}"));
                command.args(["--only-show-errors", "--endpoint-url", server.url()]);
                command
            }
        };
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", TEST_KEYS.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", TEST_KEYS.secret_access_key),
            ("AWS_REGION", delivery_testing::s3::REGION),
            ("AWS_DEFAULT_REGION", delivery_testing::s3::REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ] {
            command.env(name, value);
        }
        Some(command)
    }
}

fn rclone_arguments(site: &str, transfers: usize) -> Vec<String> {
    let words = format!(
        "sync {site} --checksum --fast-list --transfers {transfers} --checkers {transfers} --s3-no-head"
    );
    words.split_whitespace().map(str::to_owned).collect()
}

/// deploy-site's program, its bucket and the key of its artifact.
struct Own {
    function: Running,
    release: usize,
    bucket: &'static str,
    artifact: &'static str,
}

/// The key of the artifact as test-and-package makes it, and as other programs do.
const ARTIFACT: &str = "site";
const FOREIGN_ARTIFACT: &str = "foreign-site";

impl Own {
    /// A process with an empty bucket.
    async fn start(
        bench: &Bench,
        server: &Server,
        bucket: &'static str,
        artifact: &'static str,
    ) -> io::Result<Self> {
        let function = Running::start(bench, "deploy-site", server, search_path(&[])).await?;
        server.empty(bucket).await?;
        Ok(Self {
            function,
            release: 0,
            bucket,
            artifact,
        })
    }

    async fn deploy(&mut self, server: &Server) -> io::Result<Spent> {
        self.release += 1;
        let event = JobEvent::new()
            .input("Site", STORE, self.artifact)
            .user_parameters(&format!("bucket={}&version=r{}", self.bucket, self.release))
            .build();
        let (spent, _) = self.function.job(server, &event).await?;
        Ok(spent)
    }

    /// Its turn in a round; what the store was asked in it.
    async fn turn(
        &mut self,
        server: &Server,
        contender: &mut Contender,
        counts: bool,
    ) -> io::Result<Counted> {
        server.counted().await?;
        let spent = self.deploy(server).await?;
        let counted = server.counted().await?;
        contender.extra = counted.total().to_string();
        if counts {
            contender.add(spent);
        }
        Ok(counted)
    }
}

/// Everyone's figures of one half: with and without a delay.
struct Half {
    first: Vec<Contender>,
    changed: Vec<Contender>,
    counted: Counted,
}

/// First upload and 1 % changed, without and with 20 ms added to each request.
///
/// # Errors
///
/// Where the input cannot be made or a contender fails.
pub async fn compare(bench: &Bench) -> io::Result<Vec<Section>> {
    let site = inputs::site(bench)?;
    let (files, bytes) = inputs::weight(&site)?;
    let near = half(
        bench,
        &site,
        Duration::ZERO,
        &[Peer::Rclone(32), Peer::S5cmd, Peer::Aws],
    )
    .await?;
    let far = half(bench, &site, DELAY, &[Peer::Rclone(128), Peer::S5cmd]).await?;
    fs::remove_dir_all(site)?;
    let work = |what: &str| format!("deploy-site, {files} files, {what}");
    let text = |what: &str| {
        format!(
            "{what} The site: {files} files of 1 to 50 KiB, {}, every second one of bytes that deflate cannot make \
             smaller. This project's time goes from the event to the reported result, and includes fetching \
             and reading the artifact, a zip, as far as that is needed, and those requests are counted; the \
             peers find the folder extracted. The second line of a peer \
             adds what they do not do: fetch that zip (rclone) and extract it (ripunzip). Targets are held \
             against the first line.",
            super::report::megabytes(bytes)
        )
    };
    let mut sections = Vec::new();
    for (half, delay, least) in [
        (near, "", 2.0),
        (far, " with 20 ms added to each request", 1.0),
    ] {
        let mut targets = vec![target(&work(&format!("first{delay}")), &half.first, 1.0)];
        targets.push(target(
            &work(&format!("1 % changed{delay}")),
            &half.changed,
            least,
        ));
        if delay.is_empty() {
            targets.push(requests_target(&half.counted));
        }
        let (first, changed): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .partition(|target| target.work.contains("first"));
        sections.push(Section {
            title: format!("deploy-site, first upload{delay}"),
            text: text("Into an empty bucket."),
            extra: "requests".to_owned(),
            contenders: half.first,
            targets: first,
            ..Section::default()
        });
        sections.push(Section {
            title: format!("deploy-site, 1 % changed{delay}"),
            text: text("Every hundredth file has other contents in each round."),
            extra: "requests".to_owned(),
            contenders: half.changed,
            targets: changed,
            ..Section::default()
        });
    }
    Ok(sections)
}

fn target(work: &str, contenders: &[Contender], least: f64) -> Target {
    let own = contenders[0].wall.clone();
    let peers = contenders
        .iter()
        .skip(1)
        .filter(|peer| !peer.name.contains("fetch") && !peer.name.starts_with("this"));
    let compared = peers.filter(|peer| least > 1.0 || peer.name.starts_with("rclone"));
    let nobody = Contender::default();
    let peer = fastest(compared).unwrap_or(&nobody);
    let aim = if least > 1.0 {
        format!("{least} times as fast as the best of rclone, s5cmd and aws")
    } else {
        "not slower than rclone".to_owned()
    };
    Target::faster(work, &aim, &own, peer, least)
}

/// Listing or manifest, changes, `config.json`, the artifact's ranges, and the job's result.
fn requests_target(counted: &Counted) -> Target {
    let changes = inputs::SITE_FILES / 100;
    let puts = counted
        .requests
        .get("PutObject")
        .copied()
        .unwrap_or_default();
    Target {
        work: "deploy-site, 1 % changed".to_owned(),
        aim: "requests: listing or manifest, changes, config".to_owned(),
        reached: format!(
            "{} requests for {changes} changes: {}",
            counted.total(),
            counted.shown()
        ),
        // The changes, config.json, and the manifest before and after them.
        met: puts <= changes as u64 + 3,
    }
}

async fn half(bench: &Bench, site: &Path, delay: Duration, peers: &[Peer]) -> io::Result<Half> {
    let server = Server::start(delay).await?;
    let mut own = Own::start(bench, &server, "site-own", ARTIFACT).await?;
    let first = first_uploads(bench, &server, site, &mut own, peers).await?;
    // The second half finds the site as the first left it: its changes have to be others.
    let seed = if delay.is_zero() { 0 } else { 50 };
    let (changed, counted) = changes(bench, &server, site, &mut own, peers, seed).await?;
    Ok(Half {
        first,
        changed,
        counted,
    })
}

async fn first_uploads(
    bench: &Bench,
    server: &Server,
    site: &Path,
    own: &mut Own,
    peers: &[Peer],
) -> io::Result<Vec<Contender>> {
    let mut own_turns = Contender::new("this project", "");
    let mut turns: Vec<(Contender, Peer)> =
        peers.iter().map(|peer| (peer.contender(), *peer)).collect();
    let mut fetching = Contender::new("fetch and extract", "");
    release(bench, &server.empty(STORE).await?, site).await?;
    for (_, counts) in bench.rounds(FIRST_ROUNDS).each() {
        server.empty(own.bucket).await?;
        own.turn(server, &mut own_turns, counts).await?;
        fetch(bench, server, &mut fetching, counts).await?;
        for (contender, peer) in &mut turns {
            // The slowest by far: once says enough.
            if matches!(peer, Peer::Aws) && !contender.wall.is_empty() {
                continue;
            }
            server.empty(peer.bucket()).await?;
            turn(bench, server, site, *peer, contender, counts).await?;
        }
    }
    Ok(together(vec![own_turns], turns, &fetching))
}

/// Uploads of what changed since the last round, in buckets that have the rest.
async fn changes(
    bench: &Bench,
    server: &Server,
    site: &Path,
    own: &mut Own,
    peers: &[Peer],
    seed: usize,
) -> io::Result<(Vec<Contender>, Counted)> {
    let mut own_turns = Contender::new("this project", "");
    let mut foreign = Own::start(bench, server, "site-foreign", FOREIGN_ARTIFACT).await?;
    let mut foreign_turns =
        Contender::new("this project, an artifact that another program made", "");
    foreign.deploy(server).await?;
    let mut turns: Vec<(Contender, Peer)> =
        peers.iter().map(|peer| (peer.contender(), *peer)).collect();
    let mut fetching = Contender::new("fetch and extract", "");
    let mut counted = Counted::default();
    let rounds: Rounds = bench.rounds(CHANGED_ROUNDS);
    for (round, counts) in rounds.each() {
        inputs::change_site(site, round + seed)?;
        release(bench, &server.bucket(STORE), site).await?;
        counted = own.turn(server, &mut own_turns, counts).await?;
        foreign.turn(server, &mut foreign_turns, counts).await?;
        fetch(bench, server, &mut fetching, counts).await?;
        for (contender, peer) in &mut turns {
            turn(bench, server, site, *peer, contender, counts).await?;
        }
    }
    let all = together(vec![own_turns, foreign_turns], turns, &fetching);
    Ok((all, counted))
}

/// This project, then each peer, each followed by what it takes with the artifact fetched and extracted.
fn together(
    own: Vec<Contender>,
    peers: Vec<(Contender, Peer)>,
    fetching: &Contender,
) -> Vec<Contender> {
    let mut all = own;
    for (peer, _) in peers.into_iter().filter(|(peer, _)| !peer.wall.is_empty()) {
        let mut whole = Contender::new("the same, and fetch and extract", "");
        whole.wall = peer.wall.plus(&fetching.wall);
        whole.cpu = peer.cpu.plus(&fetching.cpu);
        all.push(peer);
        all.push(whole);
    }
    all
}

async fn turn(
    bench: &Bench,
    server: &Server,
    site: &Path,
    peer: Peer,
    contender: &mut Contender,
    counts: bool,
) -> io::Result<()> {
    let Some(mut command) = peer.command(bench, server, site) else {
        return Ok(());
    };
    server.counted().await?;
    let spent = spent::run(&mut command).await?;
    contender.extra = server.counted().await?.total().to_string();
    if counts {
        contender.add(spent);
    }
    Ok(())
}

async fn release(bench: &Bench, store: &Bucket, site: &Path) -> io::Result<()> {
    let zip = inputs::site_zip(bench, site).await?;
    store.put(ARTIFACT, fs::read(zip)?).await;
    let zip = inputs::zip(bench, site, "foreign-site.zip").await?;
    store.put(FOREIGN_ARTIFACT, fs::read(zip)?).await;
    Ok(())
}

async fn fetch(
    bench: &Bench,
    server: &Server,
    contender: &mut Contender,
    counts: bool,
) -> io::Result<()> {
    let (Some(mut rclone), Some(ripunzip)) = (rclone(bench, server), bench.peers.path("ripunzip"))
    else {
        return Ok(());
    };
    let out = bench.fresh("fetched")?;
    let zip = out.join("site.zip");
    let fetched = spent::run(
        rclone
            .arg("copyto")
            .arg(format!("s3:{STORE}/{ARTIFACT}"))
            .arg(&zip),
    )
    .await?;
    let mut extract = Command::new(ripunzip);
    let extracted = spent::run(extract.args(["unzip-file", "-q", "-d"]).args([&out, &zip])).await?;
    fs::remove_dir_all(out)?;
    if counts {
        contender.add(Spent {
            wall: fetched.wall + extracted.wall,
            cpu: fetched.cpu + extracted.cpu,
        });
    }
    Ok(())
}
