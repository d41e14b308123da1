//! Each mutating call x each mishap x each second delivery, with the real binary.

use std::collections::BTreeMap;
use std::path::Path;

use delivery_action::clock;
use delivery_release::environment::{Ending, Outcome};
use delivery_release::manifest::{Manifest, ReleaseId};
use delivery_release::repository::layout;
use delivery_testing::matrix::{Scenario, run_all};
use delivery_testing::world::World;
use serde_json::Value;

use crate::harness::{self, PARTS, RELEASES, begin, ending, environment, publish, publishing};

const JOB: &str = "11111111-abcd-1111-abcd-111111abcdef";
const OTHER_JOB: &str = "22222222-abcd-1111-abcd-111111abcdef";

/// Another world in which these sources were published.
async fn published(sources: &[&str]) -> (World, Vec<ReleaseId>) {
    let world = harness::world().await;
    put_small(&world).await;
    let mut ids = Vec::new();
    for source in sources {
        let variables = publish(&world, source).await;
        ids.push(variables["Release"].parse().unwrap());
    }
    (world, ids)
}

/// An application with one function: each request of a job is one of hundreds in the matrix.
async fn put_small(world: &World) {
    for code in ["r1", "r2"] {
        harness::put(world, code, &harness::source_with(code, 1)).await;
    }
}

async fn objects(world: &World) -> Objects {
    let objects = world.bucket(RELEASES).snapshot().await.into_iter();
    objects.map(|(key, object)| (key, object.body)).collect()
}

type Objects = BTreeMap<String, Vec<u8>>;

async fn restore(world: &World, objects: &Objects) {
    harness::seed(world).await;
    put_small(world).await;
    for (key, body) in objects {
        world.bucket(RELEASES).put(key, body.clone()).await;
    }
    world.forget_calls();
}

/// Publishes a release.
struct Publishing {
    /// Blobs that are there already: each new one is a row of the matrix, and two of them are enough.
    blobs: Objects,
}

/// The releases that are there, with their manifests. Blobs without a manifest that names them are harmless.
async fn releases(world: &World) -> BTreeMap<String, Vec<u8>> {
    let objects = world.bucket(RELEASES).snapshot().await.into_iter();
    objects
        .filter(|(key, _)| key.ends_with("/manifest.json"))
        .map(|(key, object)| (key, object.body))
        .collect()
}

/// Whether each release is whole.
fn check_whole(world: &World) -> Result<(), String> {
    for call in world.calls() {
        let Some(key) = call.operation.resource.split_once('/').map(|(_, key)| key) else {
            continue;
        };
        if !key.ends_with("/manifest.json") {
            continue;
        }
        let Some(bytes) = world.objects().read(RELEASES, key) else {
            continue;
        };
        let manifest = Manifest::read(&bytes).map_err(|error| error.to_string())?;
        for digest in manifest.blobs().keys() {
            let blob = layout::blob(digest);
            if world.objects().read(RELEASES, &blob).is_none() {
                return Err(format!("{key} is there without {blob}"));
            }
        }
    }
    Ok(())
}

impl Scenario for Publishing {
    type State = BTreeMap<String, Vec<u8>>;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_release"))
    }

    fn event(&self) -> Value {
        publishing("r1").id(JOB).build()
    }

    fn other_release(&self) -> Option<Value> {
        Some(publishing("r2").id(OTHER_JOB).build())
    }

    async fn seed(&self, world: &World) {
        restore(world, &self.blobs).await;
    }

    async fn snapshot(&self, world: &World) -> Self::State {
        releases(world).await
    }

    async fn other_state(&self, world: &World) -> Self::State {
        let mut others = releases(world).await;
        others.retain(|_, bytes| String::from_utf8_lossy(bytes).contains("\"revision\":\"r2\""));
        others
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    /// Releases do not touch each other.
    fn late_job_is_harmless(&self) -> bool {
        true
    }

    fn check(&self, world: &World) -> Result<(), String> {
        check_whole(world)
    }

    async fn check_other(&self, world: &World) -> Result<(), String> {
        match self.other_state(world).await.len() {
            1 => check_whole(world),
            count => Err(format!("{count} other releases")),
        }
    }
}

/// Ends the deployment of a release.
struct End {
    objects: Objects,
    release: ReleaseId,
    other: ReleaseId,
}

const EXECUTION: &str = "0a1b2c3d-1111";
const OTHER_EXECUTION: &str = "0a1b2c3d-2222";

/// What an environment has, who is changing it, and which releases are verified there.
#[derive(Debug, PartialEq)]
struct There {
    current: Option<ReleaseId>,
    deploying: Option<String>,
    verified: Vec<ReleaseId>,
}

async fn there(world: &World) -> There {
    let state = environment(world, "int").state().await.unwrap();
    let listed = harness::repository(world).releases().await.unwrap();
    let verified = listed.into_iter().filter(|one| !one.verified.is_empty());
    There {
        current: state.current.map(|current| current.release),
        deploying: state.lease.map(|lease| lease.deployment.owner),
        verified: verified.map(|one| one.release).collect(),
    }
}

impl Scenario for End {
    type State = There;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_release"))
    }

    fn event(&self) -> Value {
        ending("int", &self.release, EXECUTION).id(JOB).build()
    }

    fn other_release(&self) -> Option<Value> {
        let event = ending("int", &self.other, OTHER_EXECUTION);
        Some(event.id(OTHER_JOB).build())
    }

    async fn seed(&self, world: &World) {
        restore(world, &self.objects).await;
    }

    async fn snapshot(&self, world: &World) -> There {
        there(world).await
    }

    /// The stage of the execution has ended, and with it its deployment; the other one has deployed its parts.
    async fn before_other(&self, world: &World) {
        let environment = environment(world, "int");
        if let Some(lease) = environment.state().await.unwrap().lease {
            let failed = Ending {
                outcome: Outcome::Failed {
                    message: "the stage has failed".to_owned(),
                },
                services: BTreeMap::new(),
            };
            let (id, now) = (&lease.deployment.id, clock::timestamp());
            environment.end(id, &failed, now).await.unwrap();
        }
        begin(world, "int", &self.other, OTHER_EXECUTION, &PARTS).await;
    }

    /// What the environment has, and whether the other release is verified.
    async fn other_state(&self, world: &World) -> There {
        let mut there = there(world).await;
        there.verified.retain(|release| *release == self.other);
        there
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    /// It only marks its own release, if its own deployment has succeeded.
    fn late_job_is_harmless(&self) -> bool {
        true
    }

    fn check(&self, _world: &World) -> Result<(), String> {
        Ok(())
    }

    async fn check_other(&self, world: &World) -> Result<(), String> {
        let there = there(world).await;
        let is_there = there.current.as_ref() == Some(&self.other);
        if is_there && there.verified.contains(&self.other) {
            return Ok(());
        }
        Err(format!("{there:?}"))
    }
}

/// One after the other: each runs as many cells at once as a machine takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mishap_ends_in_the_state_before_or_the_fault_free_one() {
    let (world, _) = published(&["r2"]).await;
    let mut blobs = objects(&world).await;
    blobs.retain(|key, _| key.starts_with("blobs/"));
    let scenarios = [("publishing".to_owned(), Publishing { blobs })];
    assert_eq!(run_all("release", scenarios).await, 210);

    let (world, ids) = published(&["r1", "r2"]).await;
    let [release, other] = ids.try_into().unwrap();
    begin(&world, "int", &release, EXECUTION, &PARTS).await;
    let end = End {
        objects: objects(&world).await,
        release,
        other,
    };
    let scenarios = [("end".to_owned(), end)];
    assert_eq!(run_all("release", scenarios).await, 140);
}
