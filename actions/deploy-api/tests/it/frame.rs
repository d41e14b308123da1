//! One API in a strict world, and jobs that deploy to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use delivery_action::action::Host;
use delivery_testing::events::{JobEvent, invocation};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_api::DeployApi;

/// The API's id.
pub(crate) const API: &str = "a1b2c3";

/// A document that API Gateway accepts.
pub(crate) const DOCUMENT: &str = r#"{
  "openapi": "3.0.1",
  "info": {"title": "greeter", "version": "1"},
  "paths": {"/greeting": {"get": {
    "responses": {"200": {"description": "ok"}},
    "x-amazon-apigateway-integration": {
      "uri": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/${AWS::AccountId}:${stageVariables.alias}"
    }
  }}}
}"#;

/// The same, with another description.
pub(crate) fn changed_document() -> String {
    DOCUMENT.replace("\"ok\"", "\"still ok\"")
}

pub(crate) struct Frame {
    pub(crate) world: World,
    jobs: AtomicUsize,
}

impl Frame {
    /// A world with an API of two stages, and [`DOCUMENT`] as the artifact.
    pub(crate) async fn start() -> Self {
        let world = World::start().await;
        world
            .api_gateway()
            .create(API, "greeter", &["test", "prod"]);
        world.bucket("store").create().await;
        let frame = Self {
            world,
            jobs: AtomicUsize::new(0),
        };
        frame.artifact(DOCUMENT).await;
        frame
    }

    /// Replaces the artifact.
    pub(crate) async fn artifact(&self, body: impl Into<Vec<u8>>) {
        self.world.bucket("store").put("p/Swagger/x", body).await;
    }

    /// Replaces the artifact by a zip.
    pub(crate) async fn zip(&self, files: &[(&str, &str)]) {
        self.artifact(zip(files)).await;
    }

    /// Runs a new job and returns what it reports.
    pub(crate) async fn run(&self, parameters: &str) -> Reported {
        let number = self.jobs.fetch_add(1, Ordering::SeqCst);
        let event = JobEvent::new()
            .id(&format!("11111111-abcd-1111-abcd-{number:012}"))
            .input("DistSwaggerOutput", "store", "p/Swagger/x")
            .user_parameters(parameters)
            .build();
        self.world.code_pipeline().add_job(&event);
        let host = Host::<DeployApi, _>::new(DeployApi::new, self.world.config());
        host.invoke(event, invocation()).await.unwrap();
        let reports = self.world.code_pipeline().reports().to_vec();
        reports
            .last()
            .expect("a result was reported")
            .result
            .clone()
    }

    /// The output variables of a new job that has to succeed.
    pub(crate) async fn succeed(&self, parameters: &str) -> BTreeMap<String, String> {
        self.run(parameters).await.variables()
    }

    /// Type and message of a new job that has to fail, the message without the place of the log.
    pub(crate) async fn fail(&self, parameters: &str) -> String {
        self.run(parameters).await.failure()
    }

    /// The names of calls that changed something, without those about jobs and artifacts.
    pub(crate) fn changes(&self) -> Vec<String> {
        let calls = self.world.mutating_calls();
        calls
            .into_iter()
            .filter(|call| call.starts_with("apigateway:"))
            .collect()
    }
}

/// A zip with these files.
pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    for (name, content) in files {
        let path = source.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let zip = directory.path().join("zip");
    delivery_archive::create_file(&source, &zip).unwrap();
    std::fs::read(zip).unwrap()
}
