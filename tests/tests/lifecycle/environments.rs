//! The stacks of environments work with a role of the stack with the pipeline: `down` does not take it from them.

use pipeline_tests::application::Application;
use serde_json::Value;

use crate::world::{CONNECTION, REPOSITORY, World};

/// The stacks of the application, in the order in which they are deleted.
const STACKS: [&str; 3] = [
    "sam-hello-dev-anna-main",
    "sam-hello-prod-main",
    "sam-hello-test-main",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_deleted_only_after_those_that_work_with_its_role() {
    let world = World::of(Application::example("sam-hello").unwrap()).await;
    let connection = format!("ConnectionArn={CONNECTION}");
    let repository = format!("FullRepositoryId={REPOSITORY}");
    let up = ["up", "-p", &connection, "-p", &repository];
    world.delivery.call(&up).await.expect(0);
    let wait = ["wait", "--execution", "latest", "--timeout", "5m"];
    world.delivery.call(&wait).await.expect(0);
    let deploy = ["deploy", "dev-anna"];
    world.delivery.call(&deploy).await.expect(0);
    let (_, status) = world.delivery.json(&["status"]).await;
    let environments = status[0]["environments"].as_array().unwrap().iter();
    let names: Vec<_> = environments
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["dev-anna", "prod", "test"]);

    for arguments in [
        &["down", "--dry-run"][..],
        &["down", "--yes", "--include-data"],
    ] {
        let refused = world.delivery.call(arguments).await;
        let text = &refused.expect(1).stderr;
        let said = "nothing was deleted: 3 stacks of environments work with the role of the stack `sam-hello`";
        assert!(text.contains(said), "{text}");
        let commands: Vec<_> = text
            .lines()
            .filter_map(|line| {
                line.trim()
                    .strip_prefix("aws cloudformation delete-stack --stack-name ")
            })
            .filter_map(|rest| rest.split(' ').next())
            .collect();
        assert_eq!(commands, STACKS);
    }
    assert_eq!(there(&world).await.len(), STACKS.len() + 1);

    for stack in STACKS {
        for command in ["delete-stack", "wait stack-delete-complete"] {
            let command = format!("cloudformation {command} --stack-name {stack}");
            let command: Vec<_> = command.split(' ').collect();
            world.aws.ask(&command).await;
        }
    }
    let down = ["down", "--yes", "--include-data"];
    let down = world.delivery.call(&down).await;
    assert!(
        down.expect(0)
            .stderr
            .contains("nothing of the stack is left"),
        "{}",
        down.stderr
    );
    assert_eq!(there(&world).await, [""; 0]);
    world.stop().await;
}

/// The stacks that are there and in no other.
async fn there(world: &World) -> Vec<String> {
    let stacks = world.aws.ask(&["cloudformation", "describe-stacks"]).await;
    let stacks = stacks["Stacks"].as_array().unwrap().iter();
    let own = stacks.filter(|stack| stack["ParentId"] == Value::Null);
    own.map(|stack| stack["StackName"].as_str().unwrap().to_owned())
        .collect()
}
