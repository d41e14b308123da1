//! A site of a release.

use std::time::Duration;

use delivery_action::action::Host;
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::layout;
use delivery_testing::events::{JobEvent, invocation_of};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_site::DeploySite;
use serde_json::{Value, json};

use crate::frame::zip;
use crate::mishaps::cells;
use crate::releases::{Made, REVISION, publish, repository};
use crate::rules::{Stage, Subject, job};
use crate::rules_hold;

struct Site;

const DEFINITION: &str = r#"
application = "workshop"

[services]
restapi = "restapi"
shop = { directory = "shop", site = "build", config = { apiBaseurl = "${restapi.Url}", stage = "${env}", length = "${restapi.TemplateLength}" } }

[environments]
int = {}
"#;

/// The address of the API, which no stack has here.
const ADDRESS: &str = "&Address.restapi.Url=https%3A%2F%2Fapi.example";

impl Subject for Site {
    const ACTION: &'static str = "deploy-site";
    const PART: &'static str = "shop";
    const DEFINITION: &'static str = DEFINITION;

    async fn seed(world: &World) {
        world.bucket("www").create().await;
        let mut stacks = world.cloud_formation();
        stacks.add_stack("workshop-int-restapi", "a template");
        drop(stacks);
    }

    fn service(word: &str) -> Made {
        vec![("files", zip(&[("index.html", word)]))]
    }

    async fn blob(release: &ReleaseId, world: &World) -> String {
        let manifest = repository(world).manifest(release).await.unwrap();
        layout::blob(&manifest.services["shop"].artifacts()[0].1.sha256)
    }

    fn parameters(broken: bool) -> String {
        let bucket = if broken { "gone" } else { "www" };
        format!("bucket={bucket}{ADDRESS}")
    }

    async fn run(world: &World, event: JobEvent, time: Duration) -> Reported {
        let event = event.build();
        world.code_pipeline().add_job(&event);
        let host = Host::<DeploySite, _>::new(DeploySite::new, world.config());
        host.invoke(event, invocation_of(time)).await.unwrap();
        let pipeline = world.code_pipeline();
        pipeline.reports().last().unwrap().result.clone()
    }

    async fn deployed(world: &World) -> String {
        let page = world.bucket("www").get("index.html").await;
        let page = page.map(|page| String::from_utf8(page.body).unwrap());
        page.unwrap_or_default()
    }
}

rules_hold!(Site);

async fn config(world: &World) -> Value {
    let config = world.bucket("www").get("config.json").await.unwrap();
    serde_json::from_slice(&config.body).unwrap()
}

#[tokio::test]
async fn its_config_is_that_of_the_release_with_what_the_environment_has() {
    let stage = Stage::of::<Site>().await;
    stage.run::<Site>("").await.variables();
    assert_eq!(
        config(&stage.world).await,
        json!({
            "apiBaseurl": "https://api.example",
            "version": REVISION,
            "stage": "int",
            "length": "a template".len().to_string(),
        })
    );
}

#[tokio::test]
async fn a_parameter_of_the_action_overrides_the_release() {
    let stage = Stage::of::<Site>().await;
    let more = "&version=v7&Config.stage=other&apiBaseurl=https%3A%2F%2Fother.example";
    stage.run::<Site>(more).await.variables();
    let config = config(&stage.world).await;
    assert_eq!(config["version"], "v7");
    assert_eq!(config["stage"], "other");
    assert_eq!(config["apiBaseurl"], "https://other.example");
}

#[tokio::test]
async fn an_output_that_is_not_there_uploads_nothing() {
    let stage = Stage::of::<Site>().await;
    let definition = DEFINITION.replace("TemplateLength", "Nothing");
    let made = Site::service("one");
    let release = publish(&stage.world, &definition, &[("shop", made)]).await;
    let event = job(&Site::parameters(false), release.as_str(), "");
    let time = Duration::from_mins(1);
    let message = Site::run(&stage.world, event, time).await.failure();
    insta::assert_snapshot!(message, @"
    ConfigurationError: cannot write the site's `config.json`; nothing was uploaded: the parameter `length` refers to the output `Nothing` of the service `restapi`, which has `TemplateLength`
    hint: add the output to that service's template, or correct the reference
    ");
    assert_eq!(Site::deployed(&stage.world).await, "");
}

/// A site of an app is a part of its own.
#[tokio::test]
async fn an_apps_site_is_deployed_too() {
    let stage = Stage::of::<Site>().await;
    let definition = "application = \"workshop\"\n[services]\nshop = { directory = \"shop\", kind = \"app\" }\n[environments]\nint = {}\n";
    let app = vec![("site", zip(&[("index.html", "of the app")]))];
    let release = publish(&stage.world, definition, &[("shop", app)]).await;
    let own = "bucket=www&apiBaseurl=https%3A%2F%2Fapi.example";
    let event = job(own, release.as_str(), "");
    let time = Duration::from_mins(1);
    Site::run(&stage.world, event, time).await.variables();
    assert_eq!(Site::deployed(&stage.world).await, "of the app");
    let lease = stage.lease().await;
    assert_eq!(lease.parts.keys().collect::<Vec<_>>(), ["shop/site"]);
    let expected = json!({"apiBaseurl": "https://api.example", "version": REVISION});
    assert_eq!(config(&stage.world).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mishap_loses_a_part_or_takes_another_deployment() {
    let binary = env!("CARGO_BIN_EXE_deploy-site");
    assert_eq!(cells::<Site>(binary).await, 245);
}
