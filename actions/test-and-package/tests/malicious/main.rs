//! Malicious jobs against a warm function: each is followed by a clean job of the same function, whose artifact has to
//! be, byte for byte, that of a function that never ran anything else.
//!
//! Where this is root, the function runs as Lambda runs it: as an unprivileged user, from `/var/task`, with a small `/tmp`
//! of its own (a mount namespace), so that jobs may write wherever they can.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a test says what it did")]

mod attacks;
mod environment;

use std::process::Command;
use std::time::{Duration, Instant};

use delivery_testing::archives::{EXECUTABLE, FILE, zip_with_modes};
use delivery_testing::events::JobEvent;
use delivery_testing::runtime::{Ended, Function};
use delivery_testing::s3::Objects;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use serde_json::Value;

use attacks::{ATTACKS, Attack};
use environment::Environment;

const BUCKET: &str = "store";

/// Malicious jobs of each sort.
const ROUNDS: usize = 8;

/// The function's time. A job that is not reported within it has failed this test.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Memory of the function's own process at the most.
const MEMORY_LIMIT_BYTES: u64 = 150 * 1024 * 1024;

/// What stands in for gulp: it runs the job's script, with the function's process id.
const GULP: &[u8] = b"#!/bin/sh\nFUNCTION=$PPID\nexport FUNCTION\nexec sh ./job.sh\n";

/// Looks for everything that a build could be led by, and writes it into the artifact.
const CLEAN: &str = include_str!("attacks/clean.sh");

/// A pipeline whose action runs in one execution environment, and what is known of it.
struct Pipeline {
    world: World,
    environment: Environment,
    function: Option<Function>,
    jobs: usize,
    restarts: usize,
    /// The job's script.
    script: String,
}

impl Pipeline {
    async fn start() -> Self {
        let world = World::start_with(Objects::in_memory()).await;
        world.bucket(BUCKET).create().await;
        Self {
            world,
            environment: Environment::new(),
            function: None,
            jobs: 0,
            restarts: 0,
            script: String::new(),
        }
    }

    /// Runs a job with this script; gives back what was reported, and the output artifact.
    async fn job(
        &mut self,
        script: &str,
        round: usize,
        stops: bool,
    ) -> (Reported, Option<Vec<u8>>) {
        self.jobs += 1;
        script.clone_into(&mut self.script);
        let script = format!("ROUND={round}\n{script}");
        let source = zip_with_modes(&[
            ("gulpfile.js", b"", FILE),
            ("job.sh", script.as_bytes(), FILE),
            ("node_modules/.bin/gulp", GULP, EXECUTABLE),
        ]);
        let bucket = self.world.bucket(BUCKET);
        bucket.put("source", source).await;
        let event = event(self.jobs);
        self.world.code_pipeline().add_job(&event);
        let begun = Instant::now();
        self.invoke(&event, stops).await;
        let took = begun.elapsed();
        assert!(took < TIMEOUT, "reported after {took:?}: {script}");
        let reports = self.world.code_pipeline().reports().to_vec();
        let [report] = &reports[reports.len() - 1..] else {
            unreachable!("one report is asked for")
        };
        assert_eq!(
            reports.len(),
            self.jobs,
            "one report for each job: {script}"
        );
        assert!(report.accepted);
        let output = bucket.get("out").await.map(|object| object.body.clone());
        bucket.delete("out").await;
        (report.result.clone(), output)
    }

    /// Invokes the function, and waits until it is ready for another event, or starts it anew as Lambda does, in the same
    /// environment.
    async fn invoke(&mut self, event: &Value, stops: bool) {
        let mut function = match self.function.take() {
            Some(function) => function,
            None => self.environment.function(&self.world.url(), TIMEOUT).await,
        };
        let continued = stops.then(|| Continued::of(&function));
        let ended = tokio::time::timeout(TIMEOUT, function.invoke(event)).await;
        drop(continued);
        let ended = ended.unwrap_or_else(|_| Ended::Failed("no answer in time".to_owned()));
        assert_eq!(
            ended,
            Ended::Succeeded,
            "{}: {}",
            self.script,
            last_lines(&function)
        );
        let polls = self.environment.invoked();
        if function.polls(polls).await.is_ok() {
            let memory = function.peak_memory_bytes();
            assert!(memory < MEMORY_LIMIT_BYTES, "{memory} bytes of memory");
            self.environment.assert_alone(&function);
            self.function = Some(function);
        } else {
            self.restarts += 1;
            self.environment.restarted();
        }
    }

    async fn clean(&mut self) -> Vec<u8> {
        let (result, output) = self.job(CLEAN, 0, false).await;
        assert!(matches!(result, Reported::Success { .. }), "{result:?}");
        output.unwrap()
    }
}

/// A program that continues a function which is stopped.
struct Continued(std::process::Child);

impl Continued {
    fn of(function: &Function) -> Self {
        let script = "while kill -CONT $0; do sleep 0.05; done";
        let id = function.id().unwrap().to_string();
        let program = Command::new("sh").args(["-c", script, &id]).spawn();
        Self(program.unwrap())
    }
}

impl Drop for Continued {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn event(job: usize) -> Value {
    JobEvent::new()
        .id(&format!("11111111-abcd-1111-abcd-{job:012}"))
        .input("Source", BUCKET, "source")
        .output("Out", BUCKET, "out")
        .user_parameters("task=build&Out=out")
        .build()
}

fn last_lines(function: &Function) -> String {
    let log = function.log();
    let lines: Vec<&str> = log.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_malicious_job_leaves_a_trace_in_the_next() {
    let mut pipeline = Pipeline::start().await;
    let reference = pipeline.clean().await;
    assert!(
        reference.starts_with(b"built\n"),
        "{}",
        String::from_utf8_lossy(&reference)
    );
    assert_eq!(pipeline.clean().await, reference);
    let mut jobs = 0;
    for round in 0..ROUNDS {
        for attack in ATTACKS {
            if !pipeline.environment.allows(attack) || round >= attack.rounds {
                continue;
            }
            let (result, _) = pipeline.job(attack.script, round, attack.stops).await;
            check(attack, &result);
            jobs += 1;
            let artifact = pipeline.clean().await;
            assert!(
                artifact == reference,
                "{} left a trace in round {round}:\n{}",
                attack.name,
                String::from_utf8_lossy(&artifact)
            );
        }
    }
    println!(
        "{jobs} malicious jobs of {} sorts, 0 traces; {} environments retired",
        ATTACKS
            .iter()
            .filter(|attack| pipeline.environment.allows(attack))
            .count(),
        pipeline.restarts
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_cannot_be_cleaned_refuses_the_job_and_retires_the_environment() {
    let mut pipeline = Pipeline::start().await;
    let reference = pipeline.clean().await;
    // A mount point is what a user cannot remove although it is the user's.
    let mount = "mkdir /tmp/stuck && chown 65534 /tmp/stuck && mount -t tmpfs -o uid=65534 tmpfs /tmp/stuck";
    if !pipeline.environment.run(mount) {
        println!("skipped: a disk that cannot be cleaned: it takes a mount namespace");
        return;
    }
    let (result, output) = pipeline.job(CLEAN, 0, false).await;
    let message = "the function's disk could not be cleaned: `/tmp/stuck`";
    assert!(
        matches!(&result, Reported::Failure { message: said, .. } if said.contains(message)),
        "{result:?}"
    );
    assert_eq!((output, pipeline.restarts), (None, 1));
    assert!(pipeline.environment.run("umount /tmp/stuck"));
    assert!(pipeline.clean().await == reference);
}

/// Whether the job ended as it has to.
fn check(attack: &Attack, result: &Reported) {
    let Some(part) = attack.fails_with else {
        return;
    };
    assert!(
        matches!(result, Reported::Failure { message, .. } if message.contains(part)),
        "{}: {result:?}",
        attack.name
    );
}
