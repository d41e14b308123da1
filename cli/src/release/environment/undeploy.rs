//! The function that removes environments: how it is asked, and how its work is followed.

use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use delivery_action::aws::CallError;
use delivery_release::environment::{Action, Environment, Outcome, Record};
use serde_json::json;

use super::release::word;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::LOOK_INTERVAL;
use crate::follow::outage::{AWS_OUTAGE_LIMIT, Outage};
use crate::interrupt::Interrupt;
use crate::output::{Reporter, foreign};
use crate::pipeline::target::Target;

/// The output of the delivery stack with the function's name.
const OUTPUT: &str = "Undeploy";

/// How long the function may take to begin where nobody else is deploying. Lambda tries again one minute after a failure, and two
/// after the next (Lambda, "Asynchronous invocation"); after somebody else's deployment it is called again within five minutes.
const BEGIN_LIMIT: Duration = Duration::from_mins(7);

/// How a removal ended.
#[derive(Debug)]
pub(super) enum Followed {
    /// The environment is gone.
    Gone(Box<Record>),
    /// A signal came first.
    Interrupted,
}

/// The function of a stack.
pub(super) fn function(target: &Target) -> Result<&str, UndeployError> {
    let function = target.stack.outputs.get(OUTPUT).map(String::as_str);
    function.ok_or_else(|| UndeployError::NoFunction {
        stack: target.stack.name.clone(),
    })
}

/// Asks the function to remove an environment; it answers at once, and works in its own time.
pub(super) async fn ask(
    target: &Target,
    function: &str,
    environment: &Environment,
) -> Result<(), CliError> {
    let deployments = environment.state().await?.deployments;
    // The number lets the function know an event that Lambda delivers again after the environment was made anew.
    let event = json!({ "environment": environment.name().as_str(), "deployments": deployments });
    let invoke = target.cloud.lambda().invoke().function_name(function);
    let sent = invoke
        .invocation_type(InvocationType::Event)
        .payload(Blob::new(event.to_string()))
        .send()
        .await;
    sent.map_err(|error| CallError::new("lambda:InvokeFunction", function, &error))?;
    Ok(())
}

/// Follows the removal until the environment is gone. `before` is how many deployments there were: what ended before is not
/// the end of this one.
pub(super) async fn follow(
    environment: &Environment,
    before: u64,
    timeout: Duration,
    reporter: &Reporter,
) -> Result<Followed, CliError> {
    let mut interrupt = Interrupt::listen().map_err(|source| CliError::Program {
        program: "delivery",
        source,
    })?;
    let since = Instant::now();
    let mut free_since = since;
    let mut outage = Outage::new(AWS_OUTAGE_LIMIT);
    loop {
        let state = environment.state().await.map_err(CliError::from);
        if let Some(state) = outage.tolerate(state)? {
            if let Some(lease) = &state.lease {
                free_since = Instant::now();
                let deployment = &lease.deployment;
                reporter.show_progress(&format!(
                    "{}: {} by {}, pass {}",
                    environment.name(),
                    word(&deployment.action),
                    foreign::line(&deployment.by),
                    lease.passes
                ));
            } else if let Some(last) = state.last.filter(|last| is_of(last, before)) {
                reporter.clear_progress();
                return ended(environment, last);
            } else if free_since.elapsed() >= BEGIN_LIMIT {
                reporter.clear_progress();
                let environment = environment.name().to_string();
                return Err(UndeployError::NotBegun { environment }.into());
            }
        }
        if since.elapsed() >= timeout {
            reporter.clear_progress();
            let environment = environment.name().to_string();
            return Err(UndeployError::TimedOut { environment }.into());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
            () = interrupt.received() => {
                reporter.clear_progress();
                return Ok(Followed::Interrupted);
            }
        }
    }
}

/// Whether a deployment is a removal that began after so many deployments.
fn is_of(record: &Record, before: u64) -> bool {
    record.deployment.action == Action::Remove && record.deployment.id.number() > before
}

fn ended(environment: &Environment, record: Record) -> Result<Followed, CliError> {
    let message = match &record.outcome {
        Outcome::Succeeded => return Ok(Followed::Gone(Box::new(record))),
        Outcome::Failed { message } | Outcome::Abandoned { message } => foreign::text(message),
    };
    let environment = environment.name().to_string();
    Err(UndeployError::Failed {
        environment,
        message,
    }
    .into())
}

/// Why an environment was not removed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UndeployError {
    #[error("the stack `{stack}` has no function that removes environments (no output `{OUTPUT}`)")]
    NoFunction { stack: String },
    #[error("`{environment}` was not removed: {message}")]
    Failed {
        environment: String,
        message: String,
    },
    #[error("the removal of `{environment}` has not begun: the function may have failed before")]
    NotBegun { environment: String },
    #[error("the time ran out before `{environment}` was removed")]
    TimedOut { environment: String },
}

impl Explained for UndeployError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoFunction { .. } => Exit::NotFound,
            Self::Failed { .. } | Self::NotBegun { .. } => Exit::PipelineFailed,
            Self::TimedOut { .. } => Exit::TimedOut,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoFunction { .. } => "not-found",
            Self::Failed { .. } | Self::NotBegun { .. } => "removal",
            Self::TimedOut { .. } => "timeout",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoFunction { .. } => {
                "add a family such as `dev` to `[environments]` in `delivery.toml`, and launch the stack again with \
                 `delivery up`"
                    .to_owned()
            }
            Self::Failed { environment, .. } => format!(
                "fix what the message says, then try again: `delivery env repair {environment}`"
            ),
            Self::NotBegun { environment } => format!(
                "see the log of the function `undeploy`, fix what it says, and try again: `delivery env down {environment}`"
            ),
            Self::TimedOut { environment } => format!(
                "the removal goes on; follow it with `delivery env down {environment}`, or see the log of the function \
                 `undeploy`"
            ),
        })
    }
}
