//! The template's options, each on and off.

use local::launch::Change;
use serde_json::{Value, json};

use crate::world::World;

fn actions(stage: &Value) -> Vec<&Value> {
    stage["actions"].as_array().unwrap().iter().collect()
}

fn stage<'a>(pipeline: &'a Value, name: &str) -> Option<&'a Value> {
    let mut stages = pipeline["stages"].as_array().unwrap().iter();
    stages.find(|stage| stage["name"] == name)
}

async fn launched(parameters: &[(&str, &str)]) -> (World, local::launch::Launch) {
    let mut world = World::start().await;
    let parameters = parameters
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    world.parameters.extend(parameters);
    let launch = world.launch().await;
    (world, launch)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_names_the_commit_and_tells_of_itself() {
    let (mut world, launch) = launched(&[
        ("ManualApproval", "true"),
        ("NotificationEmail", "somebody@example.com"),
    ])
    .await;
    let pipeline = world.recorder.last("CreatePipeline")["pipeline"].clone();
    let names: Vec<&Value> = pipeline["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| &stage["name"])
        .collect();
    assert_eq!(
        names,
        ["Source", "Commit", "Acceptance", "Approval", "Production"]
    );
    let approve = actions(stage(&pipeline, "Approval").unwrap())[0];
    assert_eq!(approve["name"], "approve");
    let kind =
        json!({ "category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1" });
    assert_eq!(approve["actionTypeId"], kind);
    let configuration = &approve["configuration"];
    assert!(
        configuration["CustomData"]
            .as_str()
            .unwrap()
            .contains("#{SourceVariables.CommitId}")
    );
    assert_eq!(
        configuration["ExternalEntityLink"],
        launch.outputs["TestSiteUrl"]
    );
    let topic = configuration["NotificationArn"].as_str().unwrap();
    assert!(topic.starts_with("arn:aws:sns:"), "{topic}");

    // Off again: the stage goes, and with it the mail.
    for option in ["ManualApproval", "NotificationEmail"] {
        world.parameters.remove(option);
    }
    assert_eq!(world.launch().await.change, Change::Updated);
    let pipeline = &world.recorder.last("UpdatePipeline")["pipeline"];
    assert!(stage(pipeline, "Approval").is_none());
    let kinds = world.resources().await;
    let mails = |(id, kind): (&String, &String)| {
        kind == "AWS::SNS::Topic" || (kind == "AWS::Events::Rule" && !id.contains("Guard"))
    };
    assert!(!kinds.iter().any(mails), "{kinds:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_of_ones_own_gets_an_artifact_where_asked() {
    let (world, _) = launched(&[
        ("AcceptanceAction", "check-size"),
        ("AcceptanceActionInput", "DistLambdaOutput"),
        ("ProductionAction", "tell-chat"),
    ])
    .await;
    let pipeline = world.recorder.last("CreatePipeline")["pipeline"].clone();
    let last = |name| actions(stage(&pipeline, name).unwrap()).pop().unwrap();
    let check_size = last("Acceptance");
    assert_eq!(check_size["configuration"]["FunctionName"], "check-size");
    assert_eq!(
        check_size["inputArtifacts"],
        json!([{ "name": "DistLambdaOutput" }])
    );
    let tell_chat = last("Production");
    assert_eq!(tell_chat["configuration"]["FunctionName"], "tell-chat");
    assert!(
        tell_chat["inputArtifacts"]
            .as_array()
            .is_none_or(Vec::is_empty),
        "{tell_chat}"
    );
    world.stop().await;
}

/// Makes a queue that gets what a topic sends.
pub(crate) async fn subscribe_inbox(world: &World, topic: &str) {
    let make = [
        ("Action", "CreateQueue"),
        ("QueueName", "inbox"),
        ("Version", "2012-11-05"),
    ];
    world.form("sqs", &make).await;
    let account = local::ministack::ACCOUNT;
    let queue = format!("arn:aws:sqs:us-east-1:{account}:inbox");
    let subscribe = [
        ("Action", "Subscribe"),
        ("TopicArn", topic),
        ("Protocol", "sqs"),
        ("Endpoint", queue.as_str()),
        ("Version", "2010-03-31"),
    ];
    world.form("sns", &subscribe).await;
}

/// A mail cannot be read here, but a queue that gets what the mail says.
#[tokio::test(flavor = "multi_thread")]
async fn a_notification_names_what_failed_and_why() {
    let (world, launch) = launched(&[
        ("ManualApproval", "true"),
        ("NotificationEmail", "somebody@example.com"),
    ])
    .await;
    let created = world.recorder.last("CreatePipeline")["pipeline"].clone();
    let topic =
        &actions(stage(&created, "Approval").unwrap())[0]["configuration"]["NotificationArn"];
    subscribe_inbox(&world, topic.as_str().unwrap()).await;

    let (pipeline, execution) = (
        &launch.outputs["Pipeline"],
        "11111111-2222-4333-8444-555555555555",
    );
    let mut detail = json!({
        "pipeline": pipeline, "execution-id": execution, "state": "FAILED", "stage": "Acceptance", "action": "e2e",
        "execution-result": { "error-code": "JobFailed", "external-execution-summary": "2 of 9 tests failed" },
    });
    let action = "CodePipeline Action Execution State Change";
    world.put_event(action, &detail).await;
    let text = received(&world).await;
    for part in [
        &format!("FAILED: action e2e in stage Acceptance of pipeline {pipeline}"),
        &format!("Execution: {execution}"),
        "Cause: JobFailed: 2 of 9 tests failed",
        "delivery log --failed",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }

    // Not told: other pipelines, actions that succeed, and the execution's own failure, which is the same one.
    detail["pipeline"] = json!("another");
    world.put_event(action, &detail).await;
    (detail["pipeline"], detail["state"]) = (json!(pipeline), json!("SUCCEEDED"));
    world.put_event(action, &detail).await;
    let whole = "CodePipeline Pipeline Execution State Change";
    let mut ended = json!({ "pipeline": pipeline, "execution-id": execution, "state": "FAILED" });
    world.put_event(whole, &ended).await;
    ended["state"] = json!("SUCCEEDED");
    world.put_event(whole, &ended).await;
    let text = received(&world).await;
    assert!(
        text.contains(&format!("SUCCEEDED: pipeline {pipeline}")),
        "{text}"
    );
    world.stop().await;
}

/// What waits in a queue, once something does.
pub(crate) async fn messages(world: &World, queue: &str) -> String {
    let account = local::ministack::ACCOUNT;
    let url = format!("{}/{account}/{queue}", world.aws.endpoint());
    let receive = [
        ("Action", "ReceiveMessage"),
        ("QueueUrl", url.as_str()),
        ("WaitTimeSeconds", "10"),
        ("MaxNumberOfMessages", "10"),
        ("Version", "2012-11-05"),
    ];
    world.form("sqs", &receive).await
}

/// The one message in the queue, which is taken out.
pub(crate) async fn received(world: &World) -> String {
    let url = format!(
        "{}/{}/inbox",
        world.aws.endpoint(),
        local::ministack::ACCOUNT
    );
    let answer = messages(world, "inbox").await;
    assert_eq!(answer.matches("<Message>").count(), 1, "{answer}");
    let handle = answer
        .split("<ReceiptHandle>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    let delete = [
        ("Action", "DeleteMessage"),
        ("QueueUrl", url.as_str()),
        ("ReceiptHandle", handle),
        ("Version", "2012-11-05"),
    ];
    world.form("sqs", &delete).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_go_through_cloudfront_where_asked() {
    let (mut world, launch) = launched(&[("SiteDelivery", "cloudfront")]).await;
    let kinds = world.resources().await;
    assert_eq!(kinds["TestDistribution"], "AWS::CloudFront::Distribution");
    assert_eq!(kinds["ProdDistribution"], "AWS::CloudFront::Distribution");
    assert_eq!(kinds["SiteAccess"], "AWS::CloudFront::OriginAccessControl");
    assert!(
        !kinds.contains_key("Certificate") && !kinds.contains_key("TestAliasRecord"),
        "{kinds:?}"
    );
    let pipeline = &world.recorder.last("CreatePipeline")["pipeline"];
    for name in ["Acceptance", "Production"] {
        let stage = stage(pipeline, name).unwrap();
        let deploy = actions(stage)
            .into_iter()
            .find(|action| action["name"] == "deploy-site")
            .unwrap();
        let parameters = deploy["configuration"]["UserParameters"].as_str().unwrap();
        let (_, id) = parameters.split_once("&distribution=").unwrap();
        assert!(id.starts_with('E'), "{parameters}");
    }

    // Back to website hosting, with the same buckets.
    world.parameters.remove("SiteDelivery");
    let second = world.launch().await;
    assert_eq!(second.outputs["TestSite"], launch.outputs["TestSite"]);
    let kinds = world.resources().await;
    assert!(
        !kinds.contains_key("TestDistribution") && !kinds.contains_key("SiteAccess"),
        "{kinds:?}"
    );
    let pipeline = world.recorder.last("UpdatePipeline").to_string();
    assert!(!pipeline.contains("distribution="), "{pipeline}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosted_zone_gives_the_sites_their_names() {
    let mut world = World::start().await;
    let zone = world.hosted_zone("example.com").await;
    for (key, value) in [
        ("HostedZoneId", zone.as_str()),
        ("TestSiteHost", "test.example.com"),
        ("ProdSiteHost", "www.example.com"),
        ("SiteDelivery", "cloudfront"),
    ] {
        world.parameters.insert(key.to_owned(), value.to_owned());
    }
    let launch = world.launch().await;
    assert_eq!(launch.outputs["TestSiteUrl"], "https://test.example.com");
    assert_eq!(launch.outputs["ProdSiteUrl"], "https://www.example.com");
    assert_ne!(
        launch.outputs["TestSite"], "test.example.com",
        "a private bucket needs no name"
    );
    let kinds = world.resources().await;
    assert_eq!(kinds["Certificate"], "AWS::CertificateManager::Certificate");
    for record in [
        "TestAliasRecord",
        "TestAliasRecord6",
        "ProdAliasRecord",
        "ProdAliasRecord6",
    ] {
        assert_eq!(kinds[record], "AWS::Route53::RecordSet");
    }
    assert!(!kinds.contains_key("TestRecord"), "{kinds:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_refuse_options_that_do_not_go_together() {
    let mut world = World::start().await;
    let certificate =
        "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-4333-8444-555555555555";
    for (parameters, said) in [
        (
            vec![("HostedZoneId", "Z0123456789")],
            "`TestSiteHost` is needed",
        ),
        (
            vec![("SiteCertificateArn", certificate)],
            "only with `SiteDelivery=cloudfront`",
        ),
        (
            vec![
                ("SiteCertificateArn", certificate),
                ("SiteDelivery", "cloudfront"),
            ],
            "only with `HostedZoneId`",
        ),
        (
            vec![(
                "SiteCertificateArn",
                "arn:aws:acm:eu-west-1:1:certificate/1",
            )],
            "SiteCertificateArn",
        ),
        (vec![("NotificationEmail", "nobody")], "NotificationEmail"),
    ] {
        world.parameters = parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let refused = world.try_launch().await.unwrap_err().to_string();
        assert!(refused.contains(said), "{parameters:?}: {refused}");
    }

    // CloudFront's certificates: the stack makes one in us-east-1 only.
    let sites = [
        ("HostedZoneId", "Z0123456789"),
        ("TestSiteHost", "test.example.com"),
        ("ProdSiteHost", "www.example.com"),
        ("SiteDelivery", "cloudfront"),
    ];
    let refused = world.refusal_in("eu-west-1", &sites).await;
    assert!(refused.contains("outside us-east-1"), "{refused}");
    let with_certificate = [sites.as_slice(), &[("SiteCertificateArn", certificate)]].concat();
    for (region, parameters) in [
        ("us-east-1", sites.as_slice()),
        ("eu-west-1", with_certificate.as_slice()),
    ] {
        let taken = world.refusal_in(region, parameters).await;
        assert!(taken.starts_with("made: "), "{region}: {taken}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_page_application_answers_for_every_path() {
    let (world, launch) = launched(&[("SinglePageApplication", "true")]).await;
    let (bucket, url) = (&launch.outputs["TestSite"], &launch.outputs["TestSiteUrl"]);
    world
        .put_object(bucket, "index.html", "text/html", "the application")
        .await;
    // S3 website hosting sends an error document with no other status.
    assert_eq!(
        world.get(&format!("{url}/orders/1")).await,
        (404, "the application".to_owned())
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generators_page_is_shown_for_what_is_missing() {
    let (world, launch) = launched(&[("SiteErrorDocument", "404.html")]).await;
    let (bucket, url) = (&launch.outputs["TestSite"], &launch.outputs["TestSiteUrl"]);
    world
        .put_object(bucket, "404.html", "text/html", "not here")
        .await;
    assert_eq!(
        world.get(&format!("{url}/none")).await,
        (404, "not here".to_owned())
    );
    world.stop().await;
}
