//! Each mutating call x each mishap x each second delivery, with the real binary.

use std::collections::BTreeMap;
use std::path::Path;

use delivery_testing::events::JobEvent;
use delivery_testing::matrix::{Scenario, run_all};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use delivery_testing::world::lambda::{Function, code_sha256};
use serde_json::Value;

use crate::harness::{STORE, event, last, seed};

/// The other release's artifact.
const OTHER_KEY: &str = "greeter/DistLambda/oTh3r00";
const OTHER_CODE: &[u8] = b"PK\x03\x04 the other release";

/// A deployment onto an alias that is there, or one that is not.
struct Deployment {
    alias: &'static str,
    /// `PreviousVersion`.
    before: &'static str,
}

impl Deployment {
    fn release(&self, revision: &str, execution: &str, event: JobEvent) -> Value {
        let parameters = format!(
            "function=greeter&alias={}&revision={revision}&pipeline=greeter&execution={execution}",
            self.alias
        );
        event.user_parameters(&parameters).build()
    }
}

/// `FunctionVersion` and `PreviousVersion`, if the job is a success.
fn variables_of_success(world: &World) -> Option<(String, String)> {
    match last(world) {
        Reported::Success { variables, .. } => Some((
            variables["FunctionVersion"].clone(),
            variables["PreviousVersion"].clone(),
        )),
        _ => None,
    }
}

impl Scenario for Deployment {
    type State = BTreeMap<String, Function>;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_deploy-app"))
    }

    fn event(&self) -> Value {
        self.release("1a2b3c4", "0a1b2c3d-1111", event())
    }

    fn other_release(&self) -> Option<Value> {
        let event = JobEvent::new()
            .id("22222222-abcd-1111-abcd-111111abcdef")
            .input("DistLambdaOutput", STORE, OTHER_KEY);
        Some(self.release("5d6e7f8", "0a1b2c3d-2222", event))
    }

    async fn check_other(&self, world: &World) -> Result<(), String> {
        let mut lambda = world.lambda();
        let unserved = lambda.alias_events().iter().find(|event| !event.served);
        if let Some(event) = unserved {
            return Err(format!("an alias was not served: {event:?}"));
        }
        let function = lambda.function("greeter");
        let alias = &function.aliases[self.alias];
        let version = &function.versions[&alias.version().parse().unwrap()];
        if version.code_sha256 == code_sha256(OTHER_CODE) && alias.weights().is_empty() {
            return Ok(());
        }
        Err(format!("the alias is on {version:?}: {alias:?}"))
    }

    async fn seed(&self, world: &World) {
        seed(world).await;
        world.bucket(STORE).put(OTHER_KEY, OTHER_CODE).await;
        world.lambda().take_polls(1);
    }

    async fn snapshot(&self, world: &World) -> Self::State {
        let mut functions = world.lambda().snapshot();
        for function in functions.values_mut() {
            function.in_progress = 0;
            function
                .versions
                .values_mut()
                .for_each(|version| version.pending = 0);
        }
        functions
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    fn check(&self, world: &World) -> Result<(), String> {
        let variables = variables_of_success(world);
        if variables.is_some_and(|found| found != ("2".to_owned(), self.before.to_owned())) {
            return Err("the output variables are not those of the fault-free run".to_owned());
        }
        let lambda = world.lambda();
        match lambda.alias_events().iter().find(|event| !event.served) {
            None => Ok(()),
            Some(event) => Err(format!("an alias was not served: {event:?}")),
        }
    }
}

/// A rollout: the same calls, the share, and the alias of the good version.
struct Rollout;

impl Rollout {
    fn release(revision: &str, execution: &str, event: JobEvent) -> Value {
        let parameters = format!(
            "function=greeter&alias=prod&revision={revision}&pipeline=greeter&execution={execution}&strategy=canary:10@1s\
             &metrics-delay=1s"
        );
        event.user_parameters(&parameters).build()
    }
}

impl Scenario for Rollout {
    type State = (String, BTreeMap<String, u32>, Option<String>);

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_deploy-app"))
    }

    fn event(&self) -> Value {
        Self::release("1a2b3c4", "0a1b2c3d-1111", event())
    }

    async fn seed(&self, world: &World) {
        seed(world).await;
    }

    async fn snapshot(&self, world: &World) -> Self::State {
        let mut lambda = world.lambda();
        let aliases = &lambda.function("greeter").aliases;
        let good = aliases
            .get("prod-good")
            .map(|good| good.version().to_owned());
        let prod = &aliases["prod"];
        // Before the rollout moves anything, the stable version may be named already.
        let good = good.filter(|good| good != "1");
        (prod.version().to_owned(), prod.weights().clone(), good)
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    fn check(&self, world: &World) -> Result<(), String> {
        let lambda = world.lambda();
        match lambda.alias_events().iter().find(|event| !event.served) {
            None => Ok(()),
            Some(event) => Err(format!("an alias was not served: {event:?}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mishap_of_a_rollout_ends_on_one_version() {
    let scenarios = [("rollout".to_owned(), Rollout)];
    assert_eq!(run_all("deploy-app rollout", scenarios).await, 147);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mishap_ends_in_the_state_before_or_the_fault_free_one() {
    let scenarios = [("prod", "1"), ("new", "2")];
    let scenarios =
        scenarios.map(|(alias, before)| (format!("alias `{alias}`"), Deployment { alias, before }));
    assert_eq!(run_all("deploy-app", scenarios).await, 280);
}
