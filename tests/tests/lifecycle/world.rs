//! A local AWS with nothing in it, an application, and `delivery` pointed at both.

use std::collections::BTreeMap;

use pipeline_tests::application::Application;
use tempfile::TempDir;

use crate::packages;
use crate::program::Program;
use pipeline_tests::aws::Aws;

/// The connection that the local AWS takes as complete.
pub(crate) const CONNECTION: &str = "arn:aws:codeconnections:us-east-1:000000000000:connection/00000000-0000-0000-0000-000000000000";

/// What the connection calls the application's repository.
pub(crate) const REPOSITORY: &str = "acme/greeter";

/// Everything ends with this value.
pub(crate) struct World {
    /// The application that is delivered.
    pub(crate) greeter: Application,
    /// `delivery`, in the application's folder.
    pub(crate) delivery: Program,
    /// The real `aws`.
    pub(crate) aws: Aws,
    _home: TempDir,
}

impl World {
    /// Starts a local AWS for the example application, whose stack gets this name.
    pub(crate) async fn start(stack: &str) -> Self {
        let greeter = Application::example("greeter").unwrap();
        settings(&greeter, stack);
        Self::of(greeter).await
    }

    /// Starts a local AWS for an application.
    pub(crate) async fn of(greeter: Application) -> Self {
        let home = pipeline_tests::home::home();
        packages::write(&home.path().join("packages"));
        let here = Program::new(greeter.path(), home.path());
        let (started, lines) = here
            .json(&["local", "start", "--repository", REPOSITORY])
            .await;
        started.expect(0);
        let environment = lines
            .iter()
            .find(|line| line["type"] == "environment")
            .expect("the variables are stdout");
        let variables: BTreeMap<String, String> =
            serde_json::from_value(environment["variables"].clone()).unwrap();
        Self {
            greeter,
            delivery: here.with(&variables),
            aws: Aws::new(variables),
            _home: home,
        }
    }

    /// Ends the local AWS.
    pub(crate) async fn stop(self) {
        self.delivery.call(&["local", "stop"]).await.expect(0);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Also where a test fails before it ends it; ended twice is fine.
        let mut command = self.delivery.command(&["local", "stop", "--quiet"]);
        let _ended_already_is_good_too = command.as_std_mut().status();
    }
}

/// What a team keeps beside its application.
fn settings(greeter: &Application, stack: &str) {
    let text = format!(
        "stack-name = \"{stack}\"\n\n[parameters]\n\
         ConnectionArn = \"{CONNECTION}\"\nFullRepositoryId = \"{REPOSITORY}\"\n",
    );
    std::fs::write(greeter.path().join("delivery.toml"), text).unwrap();
    greeter.commit("Say how it is delivered").unwrap();
}
