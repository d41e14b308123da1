//! The application's own log beside a test of it that failed: what its functions logged since the test began.

use delivery_function_log::{Group, telling_lines};
use delivery_stack::resources;

use crate::function_log;
use crate::output::foreign;

use super::{ActionSnapshot, Shape, Snapshot};

/// Most functions whose logs are read: each is two calls.
const MAX_FUNCTIONS: usize = 10;

/// The output variable of deploy-stack with the stack that it deployed.
const STACK: &str = "Stack";

/// The output variable of deploy-app with the version that it deployed.
const VERSION: &str = "FunctionVersion";

/// The type of a function in a stack.
const FUNCTION: &str = "AWS::Lambda::Function";

/// The clients that it is read with.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
}

/// A function of the application.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deployed {
    name: String,
    /// The version that was deployed, where it is known.
    version: Option<String>,
}

/// The functions that the execution deployed in the stage before the action. It only helps to understand a failure, so a
/// stack that cannot be read has none.
pub(super) async fn functions(
    clients: &Clients,
    shape: &Shape,
    now: &Snapshot,
    action: &ActionSnapshot,
) -> Vec<Deployed> {
    let in_stage = now.actions.iter().filter(|one| one.stage == action.stage);
    let mut found = Vec::new();
    for one in in_stage.filter(|one| one.status == "Succeeded") {
        if let Some(name) = shape.deployed_function(&one.stage, &one.action) {
            found.push(Deployed {
                name: name.to_owned(),
                version: one.outputs.get(VERSION).cloned(),
            });
        }
        if let Some(stack) = one.outputs.get(STACK) {
            let resources = resources::list(&clients.cloudformation, stack).await;
            let resources = resources.unwrap_or_default().into_iter();
            let functions = resources.filter(|one| one.kind == FUNCTION && !one.is_deleted());
            found.extend(
                functions
                    .filter_map(|one| one.physical)
                    .map(|name| Deployed {
                        name,
                        version: None,
                    }),
            );
        }
    }
    found.truncate(MAX_FUNCTIONS);
    found
}

/// The lines that say most of what the functions logged since the action began. What cannot be read is left out.
pub(super) async fn lines(
    clients: &Clients,
    functions: Vec<Deployed>,
    action: &ActionSnapshot,
) -> Vec<String> {
    let mut groups = Vec::new();
    for Deployed { name, version } in functions {
        let name = function_log::group(&clients.lambda, &name).await;
        groups.push(Group { name, version });
    }
    let lines = telling_lines(&clients.logs, &groups, function_log::span(action)).await;
    let lines = lines.unwrap_or_default();
    lines.iter().map(|line| foreign::line(line)).collect()
}
