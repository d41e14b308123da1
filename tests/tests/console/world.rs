//! The greeter with an approval and a canary, and the console of its pipeline.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use pipeline_tests::application::Application;
use pipeline_tests::aws::Aws;
use pipeline_tests::checkout;
use pipeline_tests::delivery::Delivery;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// Three environments. The canary lasts longer than the test looks at it: a person ends it.
const DEFINITION: &str = r#"application = "greeter"

[environments]
test = {}
int  = { after = "test" }
prod = { after = "int", approval = true, rollout = "canary:20@1h" }
"#;

/// How long something may take that happens by itself: an execution takes half a minute on a machine that is not busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// How often a test looks whether it has happened.
const LOOK: Duration = Duration::from_millis(500);

/// The application.
pub(crate) fn greeter() -> Application {
    let greeter = Application::example("greeter").unwrap();
    greeter.write("delivery.toml", DEFINITION).unwrap();
    greeter.commit("Greet three environments").unwrap();
    greeter
}

/// The variables that reach the local AWS, once it is there.
pub(crate) async fn variables(delivery: &Delivery) -> BTreeMap<String, String> {
    let began = Instant::now();
    loop {
        match delivery.variables().await {
            Ok(variables) => return variables,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        sleep(LOOK).await;
    }
}

/// A console that is served; it ends with this value.
pub(crate) struct Console {
    program: Child,
    pub(crate) url: String,
}

impl Console {
    /// Starts it as soon as the stack is there that it is to show.
    pub(crate) async fn start(greeter: &Application, variables: &BTreeMap<String, String>) -> Self {
        let began = Instant::now();
        loop {
            let mut command = Command::new(checkout::programs().join("delivery"));
            command
                .args(["console", "--no-open", "--json"])
                .current_dir(greeter.path())
                .envs(variables)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .kill_on_drop(true);
            let mut program = command.spawn().unwrap();
            let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
            let line = lines.next_line().await.unwrap().unwrap_or_default();
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(url) = line["url"].as_str() {
                let url = url.to_owned();
                return Self { program, url };
            }
            // Before the stack is complete the console says so, and ends.
            assert!(began.elapsed() < PATIENCE, "{line}");
            sleep(LOOK).await;
        }
    }

    /// The address without the token.
    pub(crate) fn origin(&self) -> &str {
        self.url.split("/enter").next().unwrap()
    }

    /// Ends it as Ctrl-C does; its exit code.
    pub(crate) async fn interrupt(mut self) -> Option<i32> {
        let id = i32::try_from(self.program.id().unwrap()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        self.program.wait().await.unwrap().code()
    }
}

/// The versions that the alias of production gives requests to, and their number.
pub(crate) async fn production(aws: &Aws) -> (String, usize) {
    let functions = aws.ask(&["lambda", "list-functions"]).await;
    let functions = functions["Functions"].as_array().unwrap().iter();
    let names = functions.map(|one| one["FunctionName"].as_str().unwrap().to_owned());
    for name in names {
        let listing = ["lambda", "list-aliases", "--function-name", &name];
        let listed = aws.ask(&listing).await;
        let mut aliases = listed["Aliases"].as_array().unwrap().iter();
        if let Some(alias) = aliases.find(|one| one["Name"] == "prod") {
            let weights = &alias["RoutingConfig"]["AdditionalVersionWeights"];
            let others = weights.as_object().map_or(0, serde_json::Map::len);
            let version = alias["FunctionVersion"].as_str().unwrap();
            return (version.to_owned(), 1 + others);
        }
    }
    panic!("no function has an alias `prod`");
}
