//! A function of a release.

use std::time::Duration;

use delivery_action::action::Host;
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::layout;
use delivery_testing::events::{JobEvent, invocation_of};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use delivery_testing::world::lambda::code_sha256;
use deploy_app::DeployApp;

use crate::harness::{self, FUNCTION};
use crate::mishaps::cells;
use crate::releases::{Made, repository};
use crate::rules::Subject;
use crate::rules_hold;

struct Function;

fn code(word: &str) -> Vec<u8> {
    format!("PK\u{3}\u{4} the code of {word}").into_bytes()
}

impl Subject for Function {
    const ACTION: &'static str = "deploy-app";
    const PART: &'static str = "shop/function";
    const DEFINITION: &'static str = "application = \"workshop\"\n[services]\nshop = { directory = \"shop\", kind = \"app\" }\n\
        [environments]\nint = {}\n";

    async fn seed(world: &World) {
        world
            .lambda()
            .add_function(FUNCTION, harness::OLD_CODE, &["int"]);
    }

    fn service(word: &str) -> Made {
        vec![("function", code(word))]
    }

    async fn blob(release: &ReleaseId, world: &World) -> String {
        let manifest = repository(world).manifest(release).await.unwrap();
        layout::blob(&manifest.services["shop"].artifacts()[0].1.sha256)
    }

    fn parameters(broken: bool) -> String {
        let function = if broken { "gone" } else { FUNCTION };
        format!("function={function}&alias=int&metrics-delay=1s")
    }

    async fn run(world: &World, event: JobEvent, time: Duration) -> Reported {
        let event = event.build();
        world.code_pipeline().add_job(&event);
        let host = Host::<DeployApp, _>::new(DeployApp::new, world.config());
        host.invoke(event, invocation_of(time)).await.unwrap();
        let pipeline = world.code_pipeline();
        pipeline.reports().last().unwrap().result.clone()
    }

    /// The code of the version that the alias is on.
    async fn deployed(world: &World) -> String {
        let alias = harness::alias(world, "int").parse().unwrap();
        let mut lambda = world.lambda();
        let sha256 = lambda.function(FUNCTION).versions[&alias]
            .code_sha256
            .clone();
        for word in ["one", "two"] {
            if sha256 == code_sha256(&code(word)) {
                return word.to_owned();
            }
        }
        sha256
    }
}

rules_hold!(Function);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mishap_loses_a_part_or_takes_another_deployment() {
    let binary = env!("CARGO_BIN_EXE_deploy-app");
    assert_eq!(cells::<Function>(binary).await, 210);
}
