//! The real template in the real `MiniStack`: what a launch makes, and that nothing of it is left.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

#[path = "stack/access.rs"]
mod access;
#[path = "stack/apis.rs"]
mod apis;
#[path = "stack/commands.rs"]
mod commands;
#[path = "stack/engine.rs"]
mod engine;
#[path = "stack/functions.rs"]
mod functions;
#[path = "stack/machine.rs"]
mod machine;
#[path = "stack/options.rs"]
mod options;
#[path = "stack/recorder.rs"]
mod recorder;
#[path = "stack/world.rs"]
mod world;

use local::launch::Change;
use serde_json::json;
use world::World;

#[expect(
    clippy::too_many_lines,
    reason = "one launch takes seconds, so everything is looked at in it"
)]
#[tokio::test(flavor = "multi_thread")]
async fn one_launch_makes_everything_and_its_end_leaves_nothing() {
    let world = World::start().await;
    let launch = world.launch().await;
    assert_eq!(launch.change, Change::Created);

    // The pipeline reached the engine as AWS would have got it.
    let created = world.recorder.last("CreatePipeline");
    assert_eq!(
        created["tags"],
        json!([]),
        "CloudFormation's own tags are not the API's"
    );
    let pipeline = created["pipeline"].clone();
    assert_eq!(pipeline["pipelineType"], "V2");
    assert_eq!(pipeline["name"], launch.outputs["Pipeline"]);
    let stages: Vec<&str> = pipeline["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["name"].as_str().unwrap())
        .collect();
    assert_eq!(stages, ["Source", "Commit", "Acceptance", "Production"]);
    let source = &pipeline["stages"][0]["actions"][0];
    assert_eq!(source["namespace"], "SourceVariables");
    assert_eq!(source["configuration"]["OutputArtifactFormat"], "CODE_ZIP");
    let package = &pipeline["stages"][1]["actions"][1];
    assert_eq!(package["runOrder"], 2);
    assert_eq!(
        package["outputArtifacts"],
        json!([
            { "name": "DistLambdaOutput" }, { "name": "DistSwaggerOutput" }, { "name": "DistSiteOutput" },
        ])
    );
    let deploy_app = &pipeline["stages"][3]["actions"][0];
    let expected = format!(
        "function={}&alias=prod&revision=#{{SourceVariables.CommitId}}\
         &digest=#{{BuildVariables.DistLambdaOutputDigest}}\
         &pipeline={}&execution=#{{codepipeline.PipelineExecutionId}}",
        launch.outputs["Function"], launch.outputs["Pipeline"]
    );
    assert_eq!(deploy_app["configuration"]["UserParameters"], expected);

    // Until the first deployment everything says so.
    for stage in ["Test", "Prod"] {
        let url = format!("{}/greeting", launch.outputs[&format!("{stage}ApiUrl")]);
        let (status, body) = world.get(&url).await;
        assert_eq!(
            (status, body.contains("not deployed yet")),
            (503, true),
            "{url}: {body}"
        );
        let (status, _) = world.get(&launch.outputs[&format!("{stage}SiteUrl")]).await;
        assert_eq!(status, 404, "the site is empty");
    }
    let answer = world
        .invoke(&format!("{}:prod", launch.outputs["Function"]))
        .await;
    assert!(answer.contains("not deployed yet"), "{answer}");

    // Only loopback, in the whole process tree.
    let root = world.aws.ministack().process_id().unwrap();
    let listeners = machine::listeners(&machine::tree(root));
    assert!(!listeners.is_empty());
    assert!(
        listeners.iter().all(|address| address.ip().is_loopback()),
        "{listeners:?}"
    );

    let tree = machine::tree(root);
    let (folder, port) = (
        world.aws.ministack().folder().to_owned(),
        world.aws.ministack().address(),
    );
    assert!(folder.exists());
    world.stop().await;
    assert_eq!(
        tree.iter().filter(|pid| machine::is_alive(**pid)).count(),
        0
    );
    assert!(!folder.exists());
    assert!(std::net::TcpStream::connect(port).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_launch_updates_and_moves_no_alias_back() {
    let mut world = World::start().await;
    let first = world.launch().await;
    assert_eq!(world.launch().await.change, Change::Unchanged);

    // What deploy-app does.
    let function = &first.outputs["Function"];
    let version = world.publish_and_move(function, "test").await;
    assert_eq!(world.alias(function, "test").await, version);

    world
        .parameters
        .insert("LogRetentionDays".to_owned(), "7".to_owned());
    let second = world.launch().await;
    assert_eq!(second.change, Change::Updated);
    assert_eq!(second.outputs, first.outputs);
    assert_eq!(
        world.alias(function, "test").await,
        version,
        "the update moved the alias back"
    );

    world
        .parameters
        .insert("BranchName".to_owned(), "release".to_owned());
    world.launch().await;
    let updated = &world.recorder.last("UpdatePipeline")["pipeline"];
    assert_eq!(
        updated["stages"][0]["actions"][0]["configuration"]["BranchName"],
        "release"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_launch_names_the_resource_that_failed_first() {
    let world = World::start().await;
    world.recorder.refuse(
        "InvalidStageDeclarationException",
        "stage `Source` is not good",
    );
    let error = world.try_launch().await.unwrap_err().to_string();
    assert!(
        error.contains("`Pipeline`") && error.contains("stage `Source` is not good"),
        "{error}"
    );

    world.recorder.accept();
    assert_eq!(world.launch().await.change, Change::Created);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_serves_the_document_of_its_own_deployment() {
    let world = World::start().await;
    let launch = world.launch().await;
    let (api, function) = (&launch.outputs["Api"], &launch.outputs["Function"]);
    let version = world.publish_and_move(function, "test").await;

    world.put_rest_api(api, &world::document("/hello")).await;
    let (status, _) = world
        .get(&format!("{}/hello", launch.outputs["TestApiUrl"]))
        .await;
    assert_eq!(status, 503, "an import alone is not served");

    world.create_deployment(api, "test", function).await;
    let (status, body) = world
        .get(&format!("{}/hello?x=1", launch.outputs["TestApiUrl"]))
        .await;
    assert_eq!(
        (status, body),
        (
            200,
            format!("version {version}, stage test, path /hello, x 1")
        )
    );
    let (status, _) = world
        .get(&format!("{}/hello", launch.outputs["ProdApiUrl"]))
        .await;
    assert_eq!(status, 503, "production still has its placeholder");

    // As deploy-api does it: a deployment without a stage, then the stage moved onto it.
    world.move_stage(api, "prod", function, "test").await;
    let (status, body) = world
        .get(&format!("{}/hello?x=2", launch.outputs["ProdApiUrl"]))
        .await;
    assert_eq!(
        (status, body),
        (
            200,
            format!("version {version}, stage prod, path /hello, x 2")
        )
    );

    world.put_rest_api(api, &world::document("/other")).await;
    let (status, _) = world
        .get(&format!("{}/hello", launch.outputs["TestApiUrl"]))
        .await;
    assert_eq!(status, 200, "the next import waits for its deployment");
    assert_eq!(
        world.rest_apis().await,
        std::slice::from_ref(api),
        "only the template's own API is listed"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_an_alias_moves() {
    let world = World::start().await;
    let launch = world.launch().await;
    let (api, function) = (&launch.outputs["Api"], &launch.outputs["Function"]);
    world.publish_and_move(function, "prod").await;
    world.put_rest_api(api, &world::document("/hello")).await;
    world.create_deployment(api, "prod", function).await;

    let url = format!("{}/hello", launch.outputs["ProdApiUrl"]);
    let moving = async {
        for _ in 0..5 {
            world.publish_and_move(function, "prod").await;
        }
    };
    let asking = async {
        let mut answers = Vec::new();
        for _ in 0..60 {
            answers.push(world.get(&url).await);
        }
        answers
    };
    let ((), answers) = tokio::join!(moving, asking);
    let failed: Vec<_> = answers
        .iter()
        .filter(|(status, _)| *status != 200)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_served_as_s3_serves_websites() {
    let world = World::start().await;
    let launch = world.launch().await;
    let (bucket, url) = (&launch.outputs["TestSite"], &launch.outputs["TestSiteUrl"]);
    world
        .put_object(bucket, "index.html", "text/html", "home")
        .await;
    world
        .put_object(bucket, "docs/index.html", "text/html", "docs")
        .await;
    world
        .put_object(bucket, "error.html", "text/html", "oops")
        .await;
    assert_eq!(world.get(url).await, (200, "home".to_owned()));
    assert_eq!(
        world.get(&format!("{url}/docs/")).await,
        (200, "docs".to_owned())
    );
    assert_eq!(world.get(&format!("{url}/docs")).await.0, 302);
    assert_eq!(
        world.get(&format!("{url}/none.txt")).await,
        (404, "oops".to_owned())
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_the_endpoint_and_nothing_of_the_caller() {
    let world = World::start().await;
    let launch = world.launch().await;
    assert_eq!(launch.change, Change::Created);
    let function = world.action_function("npm-install").await;
    let variables: serde_json::Value =
        serde_json::from_str(&world.invoke(&function).await).unwrap();
    assert_eq!(variables["AWS_ENDPOINT_URL"], world.aws.endpoint());
    assert!(
        variables["AWS_LAMBDA_LOG_GROUP_NAME"]
            .as_str()
            .unwrap()
            .contains("NpmInstallLogGroup")
    );
    assert!(
        variables.get("CARGO_MANIFEST_DIR").is_none(),
        "the caller's variables are not handed down"
    );
    world.stop().await;
}

/// The supervisor is what ends everything when this process cannot: here its pipe closes, as it does
/// when its owner is killed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_the_owner_lets_go_without_a_word() {
    let world = World::start().await;
    world.launch().await;
    world.invoke(&world.action_function("e2e").await).await;
    let root = world.aws.ministack().process_id().unwrap();
    let tree = machine::tree(root);
    let folder = world.aws.ministack().folder().to_owned();
    assert!(
        tree.len() >= 3,
        "supervisor, MiniStack and a function: {tree:?}"
    );
    drop(world);
    machine::wait_until_gone(&tree).await;
    assert!(!folder.exists());
}
