//! Each call of an action that deploys its part of a release x each mishap x each second delivery, with the real binary, and with
//! another release between.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::Path;

use delivery_release::environment::{Ending, Outcome};
use delivery_release::manifest::ReleaseId;
use delivery_testing::events::JobEvent;
use delivery_testing::matrix::{Scenario, run_all};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use serde_json::Value;

use crate::releases::{BUCKET, environment, publish};
use crate::rules::Subject;

/// The execution that is abandoned, and the one after it.
const EXECUTIONS: [&str; 2] = ["0a1b2c3d-1111", "0a1b2c3d-2222"];

/// A deployment of one release, and perhaps of another one between two attempts.
struct Deployment<S> {
    binary: &'static str,
    releases: [ReleaseId; 2],
    subject: PhantomData<fn() -> S>,
}

/// Runs all cells, and says how many there were.
pub(crate) async fn cells<S: Subject + 'static>(binary: &'static str) -> usize {
    // Equal content is one release in each world.
    let world = World::start().await;
    let scenario = Deployment::<S> {
        binary,
        releases: releases::<S>(&world).await,
        subject: PhantomData,
    };
    run_all(S::ACTION, [("release".to_owned(), scenario)]).await
}

async fn releases<S: Subject>(world: &World) -> [ReleaseId; 2] {
    let one = publish(world, S::DEFINITION, &[("shop", S::service("one"))]).await;
    let two = publish(world, S::DEFINITION, &[("shop", S::service("two"))]).await;
    [one, two]
}

impl<S: Subject> Deployment<S> {
    fn job(&self, number: usize) -> Value {
        let own = S::parameters(false);
        let (release, execution) = (&self.releases[number], EXECUTIONS[number]);
        JobEvent::new()
            .id(&format!("{number}1111111-abcd-1111-abcd-111111abcdef"))
            .user_parameters(&format!(
                "{own}&releases={BUCKET}&release={release}&environment=int&service=shop&pipeline=shop\
                 &execution={execution}"
            ))
            .build()
    }
}

/// What is deployed, and whose deployment is under way.
type Deployed = (String, Option<String>);

async fn deployed<S: Subject>(world: &World) -> Deployed {
    let state = environment(world, "int").state().await.unwrap();
    let owner = state.lease.map(|lease| lease.deployment.owner);
    (S::deployed(world).await, owner)
}

impl<S: Subject + 'static> Scenario for Deployment<S> {
    type State = String;

    fn binary(&self) -> &Path {
        Path::new(self.binary)
    }

    fn event(&self) -> Value {
        self.job(0)
    }

    fn other_release(&self) -> Option<Value> {
        Some(self.job(1))
    }

    async fn seed(&self, world: &World) {
        S::seed(world).await;
        releases::<S>(world).await;
    }

    /// What is deployed. A part that a job has reported as deployed is recorded, or its deployment has ended since.
    async fn snapshot(&self, world: &World) -> String {
        let state = environment(world, "int").state().await.unwrap();
        let is_success = {
            let pipeline = world.code_pipeline();
            let accepted = pipeline.accepted();
            let result = accepted.first();
            result.is_some_and(|result| matches!(result, Reported::Success { .. }))
        };
        if is_success && let Some(lease) = state.lease {
            assert!(lease.parts[S::PART].is_there(), "{lease:?}");
        }
        S::deployed(world).await
    }

    fn check(&self, _world: &World) -> Result<(), String> {
        Ok(())
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    fn unconditional(&self) -> &[&str] {
        S::UNCONDITIONAL
    }

    /// What the function `undeploy` does when it hears that the stage was stopped.
    async fn before_other(&self, world: &World) {
        let int = environment(world, "int");
        let Some(lease) = int.state().await.unwrap().lease else {
            return;
        };
        let ending = Ending {
            outcome: Outcome::Failed {
                message: "its stage was stopped".to_owned(),
            },
            services: BTreeMap::new(),
        };
        let now = delivery_action::clock::timestamp();
        int.end(&lease.deployment.id, &ending, now).await.unwrap();
    }

    async fn other_state(&self, world: &World) -> String {
        let (what, owner) = deployed::<S>(world).await;
        format!("{what}, by {owner:?}")
    }

    async fn check_other(&self, world: &World) -> Result<(), String> {
        let (what, owner) = deployed::<S>(world).await;
        let expected = format!("shop/{}", EXECUTIONS[1]);
        if what.contains("two") && owner.as_ref() == Some(&expected) {
            return Ok(());
        }
        Err(format!("{owner:?} has deployed {what}"))
    }
}
