//! A plan, which leaves nothing of it in the stack.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

use std::time::Duration;

use aws_sdk_cloudformation::Client;
use delivery_action::aws::SdkConfig;
use delivery_action::clock::Deadline;
use delivery_action::execution::ExecutionCheck;
use delivery_stack::deployment::{
    Deployment, DeploymentError, DeploymentProgress, Desired, Options, Planned, Settings, Subject,
};
use delivery_stack::package::{Blobs, Folder};
use delivery_stack::template::Template;
use delivery_testing::events::FUNCTION_KEYS;
use delivery_testing::proxy::{Fault, Proxy, Rule};
use delivery_testing::s3;
use delivery_testing::world::World;
use test_case::test_case;

const TEMPLATE: &str = "Resources:\n  Function: { Type: AWS::Lambda::Function }\n";

/// What makes the change set, and what removes it.
const BOTH: [&str; 2] = [
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
];

async fn world() -> World {
    let world = World::start().await;
    world
        .cloud_formation()
        .add_stack("shop", "an older template");
    world
}

async fn plan(config: &SdkConfig, wait: Duration) -> Result<Planned, DeploymentError> {
    let client = Client::new(config);
    let folder = tempfile::tempdir().unwrap();
    let files = Folder::new(folder.path());
    let blobs = Blobs::new(aws_sdk_s3::Client::new(config), "packages", "eu-west-1");
    let template = Template::read(TEMPLATE).unwrap();
    let settings = Settings::default();
    let desired = Desired::package(&files, &blobs, "template.yaml", &template, settings).await?;
    let subject = Subject {
        stack: "shop".to_owned(),
        name: "the stack `shop`".to_owned(),
        protected: false,
        removable: false,
        later: Vec::new(),
    };
    let options = Options {
        role: None,
        wait,
        continue_rollback: false,
        release: None,
        by: "a test",
    };
    let check = ExecutionCheck::new(config, None);
    let deadline = Deadline::after(Duration::from_mins(1));
    let progress = DeploymentProgress::new("1");
    Deployment::new(
        &client, desired, subject, &options, check, deadline, progress,
    )
    .plan()
    .await
}

#[tokio::test]
async fn a_change_set_that_is_not_ready_in_time_is_given_up_and_removed() {
    let world = world().await;
    world.cloud_formation().take_polls(u32::MAX);
    let planned = plan(&world.config(), Duration::from_secs(1)).await;
    let message = planned.unwrap_err().to_string();
    let expected = "the stack `shop` is still waiting for its change set after 0 minutes";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(world.mutating_calls(), BOTH);
}

#[tokio::test]
async fn a_change_set_whose_creation_was_not_answered_is_looked_at_and_removed() {
    let world = world().await;
    let lost = Rule::once(BOTH[0], Fault::LoseReply);
    let proxy = Proxy::start(&world.url(), vec![lost]).await;
    let config = s3::config(&proxy.url(), FUNCTION_KEYS);
    let planned = plan(&config, Duration::from_mins(1)).await.unwrap();
    assert_eq!(planned.changes.len(), 1);
    assert_eq!(world.mutating_calls().last().unwrap(), BOTH[1]);
}

#[test_case("ROLLBACK_COMPLETE", true; "nothing is in it")]
#[test_case("REVIEW_IN_PROGRESS", true; "it was never created")]
#[test_case("CREATE_COMPLETE", false; "it is there")]
#[tokio::test]
async fn a_stack_that_would_be_created_gets_no_change_set(status: &str, creates: bool) {
    let world = world().await;
    world.cloud_formation().set_status("shop", status);
    let planned = plan(&world.config(), Duration::from_mins(1)).await.unwrap();
    assert_eq!(planned.creates, creates);
    let expected: &[&str] = if creates { &[] } else { &BOTH };
    assert_eq!(world.mutating_calls(), expected);
}

#[tokio::test]
async fn a_stack_that_someone_else_is_changing_is_not_planned() {
    let world = world().await;
    world
        .cloud_formation()
        .set_status("shop", "UPDATE_IN_PROGRESS");
    let planned = plan(&world.config(), Duration::from_mins(1)).await;
    assert_eq!(
        planned.unwrap_err().to_string(),
        "someone else is changing the stack `shop`, which is UPDATE_IN_PROGRESS; nothing was changed"
    );
}
