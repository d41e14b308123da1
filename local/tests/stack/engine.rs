//! The engine with the real `MiniStack`: its ports to IAM, SNS and EventBridge.

use std::collections::BTreeMap;

use local::engine::{
    Clock, Credentials, Durations, Engine, EngineConfig, EngineHandle, SimulatedClock,
};
use local::source::Source;
use serde_json::{Value, json};

use crate::options::{messages, received, subscribe_inbox};
use crate::world::World;

const BEGIN: &str = "2026-11-21T00:00:00Z";
const ROLE: &str = "arn:aws:iam::000000000000:role/service-role/pipeline";

async fn engine(world: &World, source: Source) -> EngineHandle {
    let config = EngineConfig {
        region: "us-east-1".to_owned(),
        account_id: local::ministack::ACCOUNT.to_owned(),
        aws_endpoint: world.aws.endpoint().to_owned(),
        credentials: Credentials {
            access_key_id: world.access_key_id(),
            secret_access_key: "test".to_owned(),
            session_token: "test".to_owned(),
        },
        durations: Durations::aws(),
        clock: Clock::Simulated(SimulatedClock::new(BEGIN.parse().unwrap())),
        sources: BTreeMap::from([("octo/greeter".to_owned(), source)]),
    };
    Engine::start(config).await.unwrap()
}

fn declaration(topic: &str) -> Value {
    let kind = |category: &str, provider: &str| json!({"category": category, "owner": "AWS", "provider": provider, "version": "1"});
    json!({
        "name": "p", "roleArn": ROLE, "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [{"name": "Checkout",
                "actionTypeId": kind("Source", "CodeStarSourceConnection"),
                "configuration": {"ConnectionArn": "c", "FullRepositoryId": "octo/greeter",
                    "BranchName": "main"},
                "outputArtifacts": [{"name": "SourceOutput"}]}]},
            {"name": "Sign", "actions": [{"name": "Ask", "actionTypeId": kind("Approval", "Manual"),
                "configuration": {"NotificationArn": topic}}]},
        ],
    })
}

async fn create_role(world: &World, service: &str) {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": "sts:AssumeRole", "Principal": {"Service": service}}]});
    let role = [
        ("Action", "CreateRole"),
        ("RoleName", "pipeline"),
        ("Path", "/service-role/"),
        ("AssumeRolePolicyDocument", &policy.to_string()),
        ("Version", "2010-05-08"),
    ];
    world.form("iam", &role).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_looks_roles_up_publishes_approvals_and_puts_events_at_their_time() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "one").unwrap();
    let engine = engine(&world, Source::open(folder.path()).await.unwrap()).await;
    world.make_bucket("artifacts").await;
    world.queue_of_events("events").await;
    let topic = [
        ("Action", "CreateTopic"),
        ("Name", "approvals"),
        ("Version", "2010-03-31"),
    ];
    world.form("sns", &topic).await;
    let topic = "arn:aws:sns:us-east-1:000000000000:approvals";
    subscribe_inbox(&world, topic).await;

    let create = async || {
        let input = json!({"pipeline": declaration(topic)});
        world
            .codepipeline(&engine.endpoint(), "CreatePipeline", &input)
            .await
    };
    let refused = |body: &Value| {
        let message =
            format!("CodePipeline is not authorized to perform AssumeRole on role {ROLE}");
        assert_eq!(body["message"], message, "{body}");
    };
    refused(&create().await);
    create_role(&world, "lambda.amazonaws.com").await;
    refused(&create().await);
    let gone = [
        ("Action", "DeleteRole"),
        ("RoleName", "pipeline"),
        ("Version", "2010-05-08"),
    ];
    world.form("iam", &gone).await;
    create_role(&world, "codepipeline.amazonaws.com").await;
    let created = create().await;
    assert_eq!(created["pipeline"]["version"], 1, "{created}");

    let message = received(&world).await;
    assert!(
        message.contains("APPROVAL NEEDED: AWS CodePipeline p for action Ask"),
        "{message}"
    );
    let event = messages(&world, "events")
        .await
        .replace("&quot;", "\"")
        .replace(' ', "");
    assert!(event.contains(r#""source":"aws.codepipeline""#), "{event}");
    assert!(event.contains(&format!(r#""time":"{BEGIN}""#)), "{event}");
    engine.shutdown().await;
    world.stop().await;
}
