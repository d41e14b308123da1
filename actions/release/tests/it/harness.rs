//! What all modules need: an application with a service of each kind, and the action in its world.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use delivery_action::clock;
use delivery_definition::names::EnvironmentName;
use delivery_release::environment::{
    Action, Begun, Environment, Lease, Request, ServiceChange, ServiceResult,
};
use delivery_release::manifest::{Manifest, ReleaseId};
use delivery_release::repository::Repository;
use delivery_testing::archives::zip_of;
use delivery_testing::events::JobEvent;
use delivery_testing::s3::Objects;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use release::Release;

pub(crate) const STORE: &str = "artifact-store";
pub(crate) const RELEASES: &str = "workshop-releases";

/// Functions of the service `api`.
pub(crate) const FUNCTIONS: usize = 20;

pub(crate) const DEFINITION: &str = "\
application = \"workshop\"

[services]
api = { directory = \"api\", parameters = { Level = \"warn\" } }
shop = { directory = \"shop\", kind = \"app\" }
website = { directory = \"frontend\", site = \"build\", config = { apiBaseurl = \"${api.Url}\" } }

[environments]
int = {}
prd = { after = \"int\" }
";

type Files = Vec<(String, String)>;

fn template(functions: usize) -> String {
    let function = |index: usize| {
        format!(
            "  F{index}:\n    Type: AWS::Serverless::Function\n    Properties: {{ CodeUri: src/f{index}, Handler: index.handler, Runtime: nodejs22.x }}\n"
        )
    };
    let functions: String = (0..functions).map(function).collect();
    format!(
        "Transform: AWS::Serverless-2016-10-31\nParameters:\n  Level: {{ Type: String }}\nResources:\n{functions}Outputs:\n  Url: {{ Value: x }}\n"
    )
}

/// The repository; `code` is that of the first function.
pub(crate) fn source(code: &str) -> Files {
    source_with(code, FUNCTIONS)
}

/// The same with so many functions.
pub(crate) fn source_with(code: &str, functions: usize) -> Files {
    let mut files = vec![
        ("delivery.toml".to_owned(), DEFINITION.to_owned()),
        ("api/template.yaml".to_owned(), template(functions)),
        ("frontend/build/index.html".to_owned(), "<p>hi".to_owned()),
        ("frontend/src/index.jsx".to_owned(), "hi".to_owned()),
    ];
    for index in 0..functions {
        let code = if index == 0 {
            code.to_owned()
        } else {
            format!("{index}")
        };
        files.push((format!("api/src/f{index}/index.js"), code));
    }
    files
}

/// A world with a source, and an app that was built.
pub(crate) async fn world() -> World {
    let world = World::start_with(Objects::in_memory()).await;
    seed(&world).await;
    world
}

pub(crate) async fn seed(world: &World) {
    world.bucket(STORE).create().await;
    world.bucket(RELEASES).create().await;
    for code in ["r1", "r2"] {
        put(world, code, &source(code)).await;
    }
    let file = |path: &str, text: &str| vec![(path.to_owned(), text.to_owned())];
    put(world, "lambda", &file("index.js", "shop")).await;
    put(world, "api", &file("openapi.json", "{}")).await;
    put(world, "site", &file("index.html", "<p>shop")).await;
    world.forget_calls();
}

/// Stores an artifact under a key.
pub(crate) async fn put(world: &World, key: &str, files: &[(String, String)]) {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_bytes()))
        .collect();
    world.bucket(STORE).put(key, zip_of(&files)).await;
}

pub(crate) const APP: &str = "&Artifact.shop.function=ShopDistLambdaOutput&Artifact.shop.api=ShopDistSwaggerOutput&Artifact.shop.site=ShopDistSiteOutput";

/// The parameters that each publication has.
pub(crate) fn common(key: &str) -> String {
    format!(
        "releases={RELEASES}&revision={key}&branch=main&repository=team/workshop&pipeline=workshop&execution={key}-0001"
    )
}

/// A job with the app's artifacts and the source.
pub(crate) fn job(source: &str, parameters: &str) -> JobEvent {
    JobEvent::new()
        .input("ShopDistLambdaOutput", STORE, "lambda")
        .input("ShopDistSwaggerOutput", STORE, "api")
        .input("ShopDistSiteOutput", STORE, "site")
        .input("SourceOutput", STORE, source)
        .user_parameters(parameters)
}

/// The job that publishes a source.
pub(crate) fn publishing(source: &str) -> JobEvent {
    let parameters = format!(
        "{}&boundary=arn:aws:iam::111122223333:policy/b&Artifact.api=SourceOutput&Artifact.website=SourceOutput{APP}",
        common(source)
    );
    job(source, &parameters)
}

/// Runs one job to its result.
pub(crate) async fn run(world: &World, event: JobEvent) -> Reported {
    world.run(Release::new, event).await
}

/// Publishes a source; its output variables.
pub(crate) async fn publish(world: &World, source: &str) -> BTreeMap<String, String> {
    run(world, publishing(source)).await.variables()
}

pub(crate) fn repository(world: &World) -> Repository {
    Repository::new(Client::new(&world.test_config()), RELEASES)
}

pub(crate) async fn manifest(world: &World, variables: &BTreeMap<String, String>) -> Manifest {
    let release = variables["Release"].parse().unwrap();
    repository(world).manifest(&release).await.unwrap()
}

/// The keys that were put, without digests and times, with how often.
pub(crate) fn puts(world: &World) -> BTreeMap<String, usize> {
    let mut puts = BTreeMap::new();
    for call in world.calls() {
        if call.operation.action() != "s3:PutObject" {
            continue;
        }
        let key = call.operation.resource.clone();
        *puts.entry(kind_of(&key)).or_default() += 1;
    }
    puts
}

/// What a key is of: `blobs`, `manifest.json`, `by-time`, ...
pub(crate) fn kind_of(key: &str) -> String {
    let kinds = [
        "blobs",
        "by-time",
        "manifest",
        "provenance",
        "verified",
        "environments",
    ];
    let kind = kinds.into_iter().find(|kind| key.contains(kind));
    kind.unwrap_or(key).to_owned()
}

pub(crate) fn environment(world: &World, name: &str) -> Environment {
    Environment::new(&repository(world), EnvironmentName::parse(name).unwrap())
}

/// The owner of the deployments of an execution.
pub(crate) fn owner(execution: &str) -> String {
    format!("workshop/{execution}")
}

/// Begins the deployment of a release, as the first deploy action of a stage does, and records these parts.
pub(crate) async fn begin(
    world: &World,
    environment: &str,
    release: &ReleaseId,
    execution: &str,
    parts: &[&str],
) -> Lease {
    let environment = self::environment(world, environment);
    let request = Request {
        owner: owner(execution),
        by: "the pipeline workshop".to_owned(),
        reason: None,
        action: Action::Deploy {
            release: release.clone(),
        },
        until: None,
    };
    let now = clock::timestamp();
    let Begun::UnderWay(lease) = environment.begin(&request, now).await.unwrap() else {
        panic!("the execution has deployed before");
    };
    for part in parts {
        let change = ServiceChange {
            result: ServiceResult::Deployed,
            summary: None,
        };
        let id = &lease.deployment.id;
        environment
            .record_part(id, part, &change, now)
            .await
            .unwrap();
    }
    lease
}

/// The parts of the whole application.
pub(crate) const PARTS: [&str; 5] = ["api", "shop/api", "shop/function", "shop/site", "website"];

/// The job at the end of an environment's stage.
pub(crate) fn ending(environment: &str, release: &ReleaseId, execution: &str) -> JobEvent {
    ending_with(environment, release, execution, "")
}

/// The same; `more` are further parameters.
pub(crate) fn ending_with(
    environment: &str,
    release: &ReleaseId,
    execution: &str,
    more: &str,
) -> JobEvent {
    JobEvent::new().user_parameters(&format!(
        "end={environment}&releases={RELEASES}&release={release}&pipeline=workshop&execution={execution}{more}"
    ))
}

/// Makes the releases that are there older than those to come: the index by time knows seconds.
pub(crate) async fn make_older(world: &World) {
    let bucket = world.bucket(RELEASES);
    for (key, object) in bucket.snapshot().await {
        let Some((_, entry)) = key.split_once("by-time/") else {
            continue;
        };
        let (_, release) = entry.split_once('-').unwrap();
        let older = format!("releases/by-time/20200101T000000Z-{release}");
        bucket.delete(&key).await;
        bucket.put(&older, object.body).await;
    }
}
