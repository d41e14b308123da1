//! An API of a release.

use std::time::Duration;

use delivery_action::action::Host;
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::layout;
use delivery_testing::events::{JobEvent, invocation_of};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_api::DeployApi;

use crate::frame::{API, DOCUMENT, zip};
use crate::mishaps::cells;
use crate::releases::{Made, repository};
use crate::rules::Subject;
use crate::rules_hold;

struct Api;

impl Subject for Api {
    const ACTION: &'static str = "deploy-api";
    const PART: &'static str = "shop/api";
    const DEFINITION: &'static str = "application = \"workshop\"\n[services]\nshop = { directory = \"shop\", kind = \"app\" }\n\
        [environments]\nint = {}\n";
    const UNCONDITIONAL: &'static [&'static str] = &["apigateway:UpdateStage"];

    async fn seed(world: &World) {
        world.api_gateway().create(API, "greeter", &["int"]);
    }

    fn service(word: &str) -> Made {
        let document = DOCUMENT.replace("\"ok\"", &format!("\"{word}\""));
        vec![("api", zip(&[("openapi.json", &document)]))]
    }

    async fn blob(release: &ReleaseId, world: &World) -> String {
        let manifest = repository(world).manifest(release).await.unwrap();
        layout::blob(&manifest.services["shop"].artifacts()[0].1.sha256)
    }

    fn parameters(broken: bool) -> String {
        let stage = if broken { "gone" } else { "int" };
        format!("api={API}&stage={stage}&Variable.alias=int")
    }

    async fn run(world: &World, event: JobEvent, time: Duration) -> Reported {
        let event = event.build();
        world.code_pipeline().add_job(&event);
        let host = Host::<DeployApi, _>::new(DeployApi::new, world.config());
        host.invoke(event, invocation_of(time)).await.unwrap();
        let pipeline = world.code_pipeline();
        pipeline.reports().last().unwrap().result.clone()
    }

    /// The document that the stage serves.
    async fn deployed(world: &World) -> String {
        let served = world.api_gateway().served(API, "int").cloned();
        let served = served.unwrap_or_default();
        served["paths"].to_string()
    }
}

rules_hold!(Api);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mishap_loses_a_part_or_takes_another_deployment() {
    let binary = env!("CARGO_BIN_EXE_deploy-api");
    assert_eq!(cells::<Api>(binary).await, 238);
}
