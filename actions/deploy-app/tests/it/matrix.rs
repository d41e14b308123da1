//! Each mutating call x each mishap x each second delivery, with the real binary.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_lambda::Client;
use delivery_alias::FunctionAlias;
use delivery_rollout::{Change, Description, Marker, Phase, Share, put_back_unwatched};
use delivery_testing::events::JobEvent;
use delivery_testing::matrix::{Scenario, run_all};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use delivery_testing::world::lambda::{Function, Identity, Version, code_sha256};
use jiff::Timestamp;
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
#[derive(Clone, Copy, PartialEq)]
enum Rollout {
    /// With nobody else.
    Alone,
    /// And a whole one of another release between two attempts.
    ThenAnother,
    /// And another one that is still under way when the late attempt comes.
    ThenAnotherUnderWay,
}

/// The execution that is abandoned.
const EXECUTION: &str = "0a1b2c3d-1111";

/// A step that is over in a test.
const SHORT: &str = "canary:10@1s";

/// A step that is not.
const LONG: &str = "canary:10@1h";

fn rolled_out(revision: &str, execution: &str, strategy: &str, event: JobEvent) -> Value {
    let parameters = format!(
        "function=greeter&alias=prod&revision={revision}&pipeline=greeter&execution={execution}&strategy={strategy}\
         &metrics-delay=1s"
    );
    event.user_parameters(&parameters).build()
}

/// Version and weights of `prod`, the last good version, and what `prod` says where that is to stay.
type Routes = (
    String,
    BTreeMap<String, u32>,
    Option<String>,
    Option<String>,
);

fn routes(world: &World, with_description: bool) -> Routes {
    let mut lambda = world.lambda();
    let aliases = &lambda.function("greeter").aliases;
    let good = aliases.get("prod-good");
    // Before the rollout moves anything, the stable version may be named already.
    let good = good.map(|good| good.version().to_owned());
    let prod = &aliases["prod"];
    (
        prod.version().to_owned(),
        prod.weights().clone(),
        good.filter(|good| with_description || good != "1"),
        with_description.then(|| prod.description().to_owned()),
    )
}

fn always_served(world: &World) -> Result<(), String> {
    let lambda = world.lambda();
    match lambda.alias_events().iter().find(|event| !event.served) {
        None => Ok(()),
        Some(event) => Err(format!("an alias was not served: {event:?}")),
    }
}

impl Scenario for Rollout {
    type State = Routes;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_deploy-app"))
    }

    fn event(&self) -> Value {
        rolled_out("1a2b3c4", EXECUTION, SHORT, event())
    }

    fn other_release(&self) -> Option<Value> {
        let strategy = match self {
            Self::Alone => return None,
            Self::ThenAnother => SHORT,
            Self::ThenAnotherUnderWay => LONG,
        };
        let event = JobEvent::new()
            .id("22222222-abcd-1111-abcd-111111abcdef")
            .input("DistLambdaOutput", STORE, OTHER_KEY);
        Some(rolled_out("5d6e7f8", "0a1b2c3e-2222", strategy, event))
    }

    fn only_after_other(&self) -> bool {
        *self != Self::Alone
    }

    fn other_goes_on(&self) -> bool {
        *self == Self::ThenAnotherUnderWay
    }

    /// What the guard does when it hears that the execution was abandoned.
    async fn before_other(&self, world: &World) {
        let prod = FunctionAlias::new(&Client::new(&world.test_config()), "greeter", "prod");
        let (found, good) = (
            prod.read().await.unwrap(),
            prod.good().read().await.unwrap(),
        );
        let found = found.unwrap();
        let good = good.as_ref().map(|good| good.alias.version.as_str());
        let now = delivery_action::clock::timestamp();
        if let Some(change) = put_back_unwatched(now, &found.alias, good, Some(EXECUTION)) {
            prod.change(&found, &change).await.unwrap();
        }
    }

    async fn other_state(&self, world: &World) -> Routes {
        routes(world, true)
    }

    async fn check_other(&self, world: &World) -> Result<(), String> {
        let (version, weights, good, description) = routes(world, true);
        let mut lambda = world.lambda();
        let versions = &lambda.function("greeter").versions;
        let is_other = |version: &str| {
            let found = version
                .parse()
                .ok()
                .and_then(|number| versions.get(&number));
            found.is_some_and(|found: &Version| found.code_sha256 == code_sha256(OTHER_CODE))
        };
        let is_right = match self {
            Self::Alone | Self::ThenAnother => {
                let is_kept = good.as_deref().is_some_and(is_other);
                is_other(&version) && weights.is_empty() && is_kept
            }
            Self::ThenAnotherUnderWay => {
                weights
                    .iter()
                    .all(|(version, weight)| is_other(version) && *weight == 100)
                    && weights.len() == 1
            }
        };
        drop(lambda);
        if is_right {
            return always_served(world);
        }
        Err(format!(
            "prod is on {version} with {weights:?}, and says {description:?}"
        ))
    }

    async fn seed(&self, world: &World) {
        seed(world).await;
        world.bucket(STORE).put(OTHER_KEY, OTHER_CODE).await;
    }

    async fn snapshot(&self, world: &World) -> Routes {
        routes(world, false)
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    fn check(&self, world: &World) -> Result<(), String> {
        always_served(world)
    }
}

/// A rollout that must not begin: the alias stays as it is, to the letter.
enum Refused {
    /// Somebody else's is under way.
    AnotherUnderWay,
    /// Lambda would refuse the share.
    AnotherRole,
}

impl Scenario for Refused {
    type State = Routes;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_deploy-app"))
    }

    fn event(&self) -> Value {
        rolled_out("1a2b3c4", EXECUTION, SHORT, event())
    }

    fn is_refused(&self) -> bool {
        true
    }

    async fn seed(&self, world: &World) {
        seed(world).await;
        match self {
            Self::AnotherRole => {
                let identity = Identity {
                    role: Some("writer".to_owned()),
                    ..Identity::default()
                };
                world.lambda().change_identity("greeter", identity);
            }
            Self::AnotherUnderWay => begin_another(world).await,
        }
    }

    async fn snapshot(&self, world: &World) -> Routes {
        routes(world, true)
    }

    fn check(&self, world: &World) -> Result<(), String> {
        match last(world) {
            // An outage ends the job before it is refused.
            Reported::Failure {
                failure_type,
                message,
            } if message.contains(self.reason()) || failure_type == "SystemUnavailable" => {
                always_served(world)
            }
            other => Err(format!("{other:?}")),
        }
    }
}

impl Refused {
    fn reason(&self) -> &str {
        match self {
            Self::AnotherUnderWay => "another rollout is under way: rollout 7f3a91c2e0",
            Self::AnotherRole => "an alias can split its traffic only between versions",
        }
    }
}

/// Somebody else gives 10 % to a version of theirs, and watches it.
async fn begin_another(world: &World) {
    let lambda = Client::new(&world.test_config());
    world.lambda().change_code("greeter", OTHER_CODE);
    let publish = lambda.publish_version().function_name("greeter");
    publish.send().await.unwrap();
    let prod = FunctionAlias::new(&lambda, "greeter", "prod");
    let found = prod.read().await.unwrap().unwrap();
    let change = Change {
        version: "1".to_owned(),
        share: Share::from_permille(100).map(|share| ("2".to_owned(), share)),
        description: Description {
            marker: Some(Marker {
                id: "7f3a91c2e0".to_owned(),
                execution: Some("9f8e7d6c".to_owned()),
                new: "2".to_owned(),
                stable: "1".to_owned(),
                phase: Phase::Step {
                    index: 0,
                    count: 1,
                    // The same in each run.
                    since: Timestamp::UNIX_EPOCH,
                    watched_until: "2100-01-01T00:00:00Z".parse().unwrap(),
                },
            }),
            ..Description::default()
        },
    };
    prod.change(&found, &change).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mishap_of_a_rollout_ends_on_one_version() {
    let scenarios = [
        ("rollout".to_owned(), Rollout::Alone),
        ("rollout, then another".to_owned(), Rollout::ThenAnother),
        (
            "rollout, then another that is under way".to_owned(),
            Rollout::ThenAnotherUnderWay,
        ),
    ];
    assert_eq!(run_all("deploy-app", scenarios).await, 392);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mishap_begins_a_rollout_that_is_refused() {
    let scenarios = [
        (
            "somebody else's rollout".to_owned(),
            Refused::AnotherUnderWay,
        ),
        ("another role".to_owned(), Refused::AnotherRole),
    ];
    assert_eq!(run_all("deploy-app", scenarios).await, 126);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mishap_ends_in_the_state_before_or_the_fault_free_one() {
    let scenarios = [("prod", "1"), ("new", "2")];
    let scenarios =
        scenarios.map(|(alias, before)| (format!("alias `{alias}`"), Deployment { alias, before }));
    assert_eq!(run_all("deploy-app", scenarios).await, 280);
}
