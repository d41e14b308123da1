//! A service of a release.

use std::time::Duration;

use delivery_release::manifest::{ReleaseId, Service};
use delivery_release::repository::layout;
use delivery_testing::events::JobEvent;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;

use crate::harness::{self, ROLE, changes};
use crate::mishaps::cells;
use crate::releases::{BUCKET, Made, REVISION, environment, publish, repository};
use crate::rules::{EXECUTION, Stage, Subject, job};
use crate::rules_hold;

struct Stack;

const DEFINITION: &str = r#"
application = "workshop"

[services]
database = "database"
shop = { directory = "shop", parameters = { Length = "${database.TemplateLength}", Site = "${website.Url}" }, allow = ["Table"] }
website = { directory = "website", site = "build" }

[environments]
int = { parameters = { Level = "debug" } }
dev = { ttl = "4h" }
qa = { protected = true }
"#;

/// The address of the site, which no stack has in `int`.
const ADDRESS: &str = "&Address.website.Url=https%3A%2F%2Fsite.example";

fn template(word: &str) -> String {
    format!(
        "Description: the stack of {word}\nParameters:\n  Level: {{ Type: String, Default: info }}\n  Length: {{ Type: Number }}\n  \
         Site: {{ Type: String }}\nResources:\n  Topic: {{ Type: AWS::SNS::Topic }}\n"
    )
}

impl Subject for Stack {
    const ACTION: &'static str = "deploy-stack";
    const PART: &'static str = "shop";
    const DEFINITION: &'static str = DEFINITION;

    async fn seed(world: &World) {
        for environment in ["int", "dev-anna", "qa-0a1b2c3d"] {
            let stack = format!("workshop-{environment}-database");
            world.cloud_formation().add_stack(&stack, "a template");
        }
    }

    fn service(word: &str) -> Made {
        vec![("template", template(word).into_bytes())]
    }

    async fn blob(release: &ReleaseId, world: &World) -> String {
        let manifest = repository(world).manifest(release).await.unwrap();
        match &manifest.services["shop"] {
            Service::CloudFormation(stack) => layout::blob(&stack.template.sha256),
            other => panic!("{other:?}"),
        }
    }

    /// A parameter that does not fit the template.
    fn parameters(broken: bool) -> String {
        let broken = if broken { "&Parameter.Length=long" } else { "" };
        format!("role={ROLE}{ADDRESS}{broken}")
    }

    async fn run(world: &World, event: JobEvent, time: Duration) -> Reported {
        harness::run_within(world, event, time).await
    }

    async fn deployed(world: &World) -> String {
        let mut stacks = world.cloud_formation().snapshot();
        let stack = stacks.remove("workshop-int-shop");
        stack.map(|stack| stack.template).unwrap_or_default()
    }
}

rules_hold!(Stack);

/// Runs a job that has time enough.
async fn run(world: &World, event: JobEvent) -> Reported {
    Stack::run(world, event, Duration::from_mins(1)).await
}

/// The job of a service in an environment.
fn job_in(environment: &str, service: &str, release: &ReleaseId, more: &str) -> JobEvent {
    JobEvent::new().user_parameters(&format!(
        "role={ROLE}&releases={BUCKET}&release={release}&environment={environment}&service={service}&pipeline=shop\
         &execution={EXECUTION}{ADDRESS}{more}"
    ))
}

#[tokio::test]
async fn its_parameters_are_those_of_the_release() {
    let stage = Stage::of::<Stack>().await;
    let variables = stage.run::<Stack>("").await.variables();
    assert_eq!(variables["Stack"], "workshop-int-shop");
    assert_eq!(variables["Changed"], "true");
    let stacks = stage.world.cloud_formation().snapshot();
    let parameters: Vec<String> = stacks["workshop-int-shop"]
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        parameters,
        ["Length=10", "Level=debug", "Site=https://site.example"]
    );
    // The definition of the pipeline may be of another commit: what it adds is not for this template.
    let more = "&Parameter.Level=trace&Parameter.New=1";
    stage.run::<Stack>(more).await.variables();
    let stacks = stage.world.cloud_formation().snapshot();
    let parameters = &stacks["workshop-int-shop"].parameters;
    assert_eq!(parameters["Level"], "trace");
    assert!(!parameters.contains_key("New"));
}

#[tokio::test]
async fn a_large_template_is_deployed_from_the_repository() {
    let stage = Stage::of::<Stack>().await;
    let large = format!("{}# {}\n", template("one"), "x".repeat(52_000));
    let release = publish(
        &stage.world,
        DEFINITION,
        &[("shop", vec![("template", large.into_bytes())])],
    )
    .await;
    let key = Stack::blob(&release, &stage.world).await;
    stage.world.forget_calls();
    let job = job(&Stack::parameters(false), release.as_str(), "");
    run(&stage.world, job).await.variables();
    let expected = format!("https://{BUCKET}.s3.eu-west-1.amazonaws.com/{key}");
    assert_eq!(Stack::deployed(&stage.world).await, expected);
    let uploads = stage.world.calls().into_iter().filter(|call| {
        let operation = &call.operation;
        operation.name == "PutObject" && operation.resource.contains("blobs")
    });
    assert_eq!(uploads.count(), 0);
}

#[tokio::test]
async fn a_stack_of_a_family_goes_with_its_environment() {
    let stage = Stage::of::<Stack>().await;
    let before = delivery_action::clock::timestamp();
    let event = job_in("dev-anna", "shop", &stage.release, "");
    let variables = run(&stage.world, event).await.variables();
    assert_eq!(variables["Environment"], "dev-anna");
    let more = format!("&instance={EXECUTION}");
    let event = job_in("qa", "shop", &stage.release, &more);
    let variables = run(&stage.world, event).await.variables();
    assert_eq!(variables["Environment"], "qa-0a1b2c3d");
    let stacks = stage.world.cloud_formation().snapshot();
    let tag = |stack: &str| stacks[stack].tags.get("delivery:removable").cloned();
    assert_eq!(tag("workshop-dev-anna-shop").as_deref(), Some("true"));
    // It is protected.
    assert_eq!(tag("workshop-qa-0a1b2c3d-shop"), None);

    let anna = environment(&stage.world, "dev-anna").state().await.unwrap();
    let hours = |until: Option<jiff::Timestamp>| {
        let seconds = until.unwrap().duration_since(before).as_secs();
        (seconds + 60) / 3_600
    };
    assert_eq!(hours(anna.until), 4);
    // A copy of which no end is ever heard goes after a day.
    let qa = environment(&stage.world, "qa-0a1b2c3d").state().await;
    assert_eq!(hours(qa.unwrap().until), 24);
}

/// The site itself is deployed by deploy-site, so the stack is no part of its own.
#[tokio::test]
async fn a_site_of_a_family_has_a_stack_with_its_bucket() {
    let stage = Stage::of::<Stack>().await;
    let site = vec![("files", b"PK\x03\x04 a site".to_vec())];
    let release = publish(&stage.world, DEFINITION, &[("website", site)]).await;
    let event = job_in("dev-anna", "website", &release, "");
    let variables = run(&stage.world, event).await.variables();
    assert_eq!(variables["Stack"], "workshop-dev-anna-website");
    let stacks = stage.world.cloud_formation().snapshot();
    let stack = &stacks["workshop-dev-anna-website"];
    assert_eq!(stack.template, delivery_render::site("website", "dev-anna"));
    assert_eq!(stack.tags["delivery:removable"], "true");
    let anna = environment(&stage.world, "dev-anna").state().await.unwrap();
    assert!(anna.lease.unwrap().parts.is_empty());

    let refused = job_in("int", "website", &release, "");
    let message = run(&stage.world, refused).await.failure();
    insta::assert_snapshot!(message.replace(release.as_str(), "RELEASE"), @"
    ConfigurationError: the service `website` is of kind `site` in the release `RELEASE`, which this action does not deploy
    hint: apply a release in which the service is of the kind that this pipeline deploys, or update the pipeline to that of the release
    ");
    assert!(
        !changes(&stage.world)
            .iter()
            .any(|call| call.contains("int-website"))
    );
}

#[tokio::test]
async fn a_service_that_an_environment_shares_is_not_deployed() {
    let stage = Stage::of::<Stack>().await;
    let definition = format!("{DEFINITION}prd = {{ share = {{ shop = \"int\" }} }}\n");
    let made = Stack::service("one");
    let release = publish(&stage.world, &definition, &[("shop", made)]).await;
    let event = job_in("prd", "shop", &release, "");
    let Reported::Success { summary, .. } = run(&stage.world, event).await else {
        panic!("no success");
    };
    let expected = format!(
        "nothing to deploy: `prd` uses the service `shop` of `int` in the release `{release}`"
    );
    assert!(summary.starts_with(&expected), "{summary}");
    assert!(changes(&stage.world).is_empty());
}

/// An environment that was added after the release was made.
#[tokio::test]
async fn an_environment_that_the_release_does_not_know_is_refused() {
    let stage = Stage::of::<Stack>().await;
    let event = job_in("prd", "shop", &stage.release, "");
    let message = run(&stage.world, event).await.failure();
    insta::assert_snapshot!(message.replace(stage.release.as_str(), "RELEASE"), @"
    ConfigurationError: the definition in the release `RELEASE` cannot say how to deploy there: there is no environment `prd`: known environments: `int`, `dev` and `qa`
    hint: apply a newer release: the `delivery.toml` of this one does not have the environment yet
    ");
    let definition = DEFINITION.replace("int = {", "prd = { after = \"\" }\nint = {");
    let made = Stack::service("one");
    let broken = publish(&stage.world, &definition, &[("shop", made)]).await;
    let event = job_in("prd", "shop", &broken, "");
    let message = run(&stage.world, event).await.failure();
    insta::assert_snapshot!(message.replace(broken.as_str(), "RELEASE"), @"
    ConfigurationError: the definition in the release `RELEASE` has mistakes:
    delivery.toml:10: `environments.prd.after` names the environment ``, which does not exist
      known environments: `prd`, `int`, `dev` and `qa`
    hint: apply a release whose `delivery.toml` this version of the functions can read, or deliver the commit again
    ");
}

/// What is said of the release in CloudFormation: its id and its commit.
#[tokio::test]
async fn a_failed_stack_is_the_deployments_failure() {
    let stage = Stage::of::<Stack>().await;
    stage.world.cloud_formation().fail_operations("no quota");
    let message = stage.run::<Stack>("").await.failure();
    let named = format!("release {} (commit {REVISION})", stage.release);
    assert!(message.contains(&named), "{message}");
    let last = stage.state().await.last.unwrap();
    let outcome = serde_json::to_value(&last.outcome).unwrap();
    let recorded = outcome["message"].as_str().unwrap();
    assert!(recorded.contains("no quota"), "{recorded}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mishap_loses_a_part_or_takes_another_deployment() {
    let binary = env!("CARGO_BIN_EXE_deploy-stack");
    assert_eq!(cells::<Stack>(binary).await, 175);
}
