//! What can go wrong with `up`: each a clear message and an exit code, and nothing half done.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::program::Called;
use crate::refusal::Refusal;
use crate::world::World;

/// The stack's name.
const STACK: &str = "faults";

/// The connection that the local AWS takes as one whose handshake was not completed.
const PENDING: &str = "arn:aws:codeconnections:us-east-1:000000000000:connection/00000000-0000-0000-0000-000000000001";

/// A template that names what is not in it.
const BROKEN: &str = "\
Parameters:
  ConnectionArn: { Type: String }
  FullRepositoryId: { Type: String }
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: !Ref Nobody
";

/// A loopback address where nothing listens: port 9 is `discard`'s, which no system runs any more.
const NOBODY: &str = "http://127.0.0.1:9";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_with_up_is_said_and_leaves_nothing_half_done() {
    let world = World::start(STACK).await;
    who_is_not_signed_in_is_told(&world).await;
    a_refused_call_names_what_to_do(&world).await;
    an_endpoint_that_is_not_there_is_named(&world).await;
    a_wrong_parameter_is_refused_before_anything_is_made(&world).await;
    a_template_error_is_told_in_its_own_words(&world).await;
    an_interrupted_launch_can_be_gone_on_with(&world).await;
    a_connection_that_waits_is_explained(&world).await;
    world.delivery.call(&["down", "--yes"]).await.expect(0);
    world.stop().await;
}

async fn who_is_not_signed_in_is_told(world: &World) {
    let nobody = world
        .delivery
        .set("AWS_ACCESS_KEY_ID", "")
        .set("AWS_SECRET_ACCESS_KEY", "")
        .set("AWS_EC2_METADATA_DISABLED", "true");
    let up = nobody.call(&["up"]).await;
    up.expect(4);
    assert!(up.stderr.contains("no AWS credentials"), "{}", up.stderr);
    assert!(up.stderr.contains("aws sso login"), "{}", up.stderr);
}

async fn a_refused_call_names_what_to_do(world: &World) {
    for (status, code, message, expected) in [
        (
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
            "sign in",
        ),
        (
            403,
            "AccessDenied",
            "User: arn:aws:iam::000000000000:user/ada is not authorized to perform: cloudformation:DescribeStacks",
            "allow `cloudformation:",
        ),
    ] {
        let service = Refusal::of(status, code, message).await;
        let up = world
            .delivery
            .set("AWS_ENDPOINT_URL_CLOUDFORMATION", &service.endpoint())
            .call(&["up"])
            .await;
        up.expect(4);
        assert!(up.stderr.contains(code), "{}", up.stderr);
        assert!(up.stderr.contains(expected), "{}", up.stderr);
    }
    no_stack(world).await;
}

async fn an_endpoint_that_is_not_there_is_named(world: &World) {
    let up = world
        .delivery
        .set("AWS_ENDPOINT_URL_CLOUDFORMATION", NOBODY)
        .call(&["up"])
        .await;
    up.expect(1);
    assert!(
        up.stderr.contains("the local AWS is not running"),
        "{}",
        up.stderr
    );
    no_stack(world).await;
}

async fn a_wrong_parameter_is_refused_before_anything_is_made(world: &World) {
    let unknown = world.delivery.call(&["up", "-p", "BranchNam=x"]).await;
    unknown.expect(2);
    assert!(unknown.stderr.contains("BranchName"), "{}", unknown.stderr);
    let wrong = world.delivery.call(&["up", "-p", "BuildMemory=1"]).await;
    assert_ne!(wrong.exit_code, 0);
    assert!(wrong.stderr.contains("BuildMemory"), "{}", wrong.stderr);
    no_stack(world).await;
}

async fn a_template_error_is_told_in_its_own_words(world: &World) {
    let (published, lines) = world.delivery.json(&["publish"]).await;
    published.expect(0);
    let published = lines.iter().find(|line| line["type"] == "published");
    let bucket = published.unwrap()["bucket"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.yaml");
    std::fs::write(&file, BROKEN).unwrap();
    let body = file.to_str().unwrap();
    let put = [
        "s3api",
        "put-object",
        "--bucket",
        &bucket,
        "--key",
        "broken.yaml",
        "--body",
        body,
    ];
    world.aws.ask(&put).await;
    let url = format!("https://{bucket}.s3.us-east-1.amazonaws.com/broken.yaml");

    let up = world.delivery.call(&["up", "--template-url", &url]).await;

    assert!([1, 2, 3].contains(&up.exit_code), "{}", up.stderr);
    assert!(up.stderr.contains("Nobody"), "{}", up.stderr);
    no_stack(world).await;
}

async fn an_interrupted_launch_can_be_gone_on_with(world: &World) {
    let mut first = world.delivery.command(&["up", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    // The launch is under way as soon as a resource's status is printed.
    loop {
        let line = lines.next_line().await.unwrap().expect("it is launched");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["type"] == "stack-event" {
            break;
        }
    }
    let second = world.delivery.call(&["up"]).await;
    let pid = Pid::from_raw(i32::try_from(first.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    while lines.next_line().await.unwrap().is_some() {}
    let first = Called::of(&first.wait_with_output().await.unwrap());

    refuses_or_waits(&second);
    // It may have ended by itself just before the signal came.
    if first.exit_code != 0 {
        first.expect(130);
        assert!(first.stderr.contains("delivery wait"), "{}", first.stderr);
    }
    let waited = world.delivery.call(&["wait", "--timeout", "10m"]).await;
    waited.expect(0);
    let (again, lines) = world.delivery.json(&["up"]).await;
    again.expect(0);
    assert!(
        lines.iter().all(|line| line["type"] != "change"),
        "{}",
        again.stdout
    );
}

/// The stack is complete, and a person has to complete the connection in the console.
async fn a_connection_that_waits_is_explained(world: &World) {
    let connection = format!("ConnectionArn={PENDING}");
    let up = world.delivery.call(&["up", "-p", &connection]).await;
    up.expect(8);
    assert!(up.stderr.contains("UPDATE_COMPLETE"), "{}", up.stderr);
    assert!(
        up.stderr
            .contains("console.aws.amazon.com/codesuite/settings"),
        "{}",
        up.stderr
    );
    world
        .delivery
        .call(&["status", "--exit-status"])
        .await
        .expect(8);
}

/// Two at once: the second says that the stack is being changed; where the first was quicker, there is
/// nothing left to change.
fn refuses_or_waits(second: &Called) {
    if second.exit_code != 0 {
        second.expect(1);
        assert!(second.stderr.contains("IN_PROGRESS"), "{}", second.stderr);
        assert!(second.stderr.contains("delivery wait"), "{}", second.stderr);
    }
}

async fn no_stack(world: &World) {
    let stacks = world.aws.ask(&["cloudformation", "describe-stacks"]).await;
    assert_eq!(stacks["Stacks"], serde_json::json!([]));
}
