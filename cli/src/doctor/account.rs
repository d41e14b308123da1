//! What the account has: credentials, services in the region, the stack, the connection, quotas.

use delivery_action::aws::CallError;
use delivery_stack::description::{self, Description};

use crate::cloud::Cloud;
use crate::error::CliError;
use crate::settings::Settings;
use crate::stack::connection;

use super::{CallErrorKind, Check};

/// Functions of one execution that run at the same time, at most: those of one stage, besides the
/// application's own. With fewer, Lambda throttles and the pipeline only slows down.
const WANTED_CONCURRENCY: i32 = 10;

/// The template's parameter for the memory of the functions that build.
const MEMORY_PARAMETER: &str = "BuildMemory";

/// The most memory of a function in a new account (Lambda Developer Guide, "Lambda quotas": new accounts
/// have reduced memory quotas), in MiB.
const NEW_ACCOUNT_MEMORY: u32 = 3008;

/// Who is signed in, and a way to reach AWS as them.
pub(super) async fn credentials(settings: &Settings) -> (Option<(Cloud, String)>, Vec<Check>) {
    const NAME: &str = "credentials";
    let cloud = match Cloud::connect(settings).await {
        Ok(cloud) => cloud,
        Err(error) => {
            let (found, help) = split(&error.message());
            // Who only runs it here has done nothing wrong.
            let check = if matches!(error, CliError::NoRegion { .. }) {
                let found =
                    format!("{found}: nothing of AWS was looked at, and `delivery run` needs none");
                Check::note("region", found, Some(help))
            } else {
                Check::failed(NAME, found, help)
            };
            return (None, vec![check]);
        }
    };
    let answer = cloud.sts().get_caller_identity().send().await;
    match answer {
        Ok(caller) => {
            let arn = caller.arn().unwrap_or_default().to_owned();
            let check = Check::ok(NAME, &arn);
            (Some((cloud, arn)), vec![check])
        }
        Err(error) => {
            let error = CallError::new("sts:GetCallerIdentity", "*", &error);
            let (found, help) = split(&CliError::from(error).message());
            (None, vec![Check::failed(NAME, found, help)])
        }
    }
}

/// A message and what it says to do.
fn split(message: &str) -> (String, String) {
    let (found, help) = message.split_once("\n  help: ").unwrap_or((message, ""));
    (found.to_owned(), help.to_owned())
}

/// Whether the services that are not in every region are in this one.
pub(super) async fn services(cloud: &Cloud) -> Vec<Check> {
    let region = cloud.region();
    let pipelines = cloud
        .codepipeline()
        .list_pipelines()
        .max_results(1)
        .send()
        .await;
    let pipelines = pipelines
        .map(|_| ())
        .map_err(|error| CallError::new("codepipeline:ListPipelines", "*", &error));
    let connections = cloud
        .codeconnections()
        .list_connections()
        .max_results(1)
        .send()
        .await;
    let connections = connections
        .map(|_| ())
        .map_err(|error| CallError::new("codeconnections:ListConnections", "*", &error));
    [
        ("CodePipeline", pipelines),
        ("CodeConnections", connections),
    ]
    .into_iter()
    .map(|(service, answer)| in_region(service, region, &answer))
    .collect()
}

fn in_region(service: &str, region: &str, answer: &Result<(), CallError>) -> Check {
    match answer {
        Ok(()) => Check::ok(service, format!("answers in {region}")),
        Err(error) if error.kind == CallErrorKind::Unavailable && error.code.is_none() => {
            Check::failed(
                service,
                format!("does not answer in {region}: {error}"),
                "check the network; if it works, choose a region that has the service: `--region REGION`",
            )
        }
        Err(error) => Check::unanswered(service, error),
    }
}

/// The stack, where it is there.
pub(super) async fn stack(
    cloud: &Cloud,
    settings: &Settings,
    checks: &mut Vec<Check>,
) -> Option<Description> {
    const NAME: &str = "stack";
    let name = &settings.stack_name;
    match description::describe(&cloud.cloudformation(), name).await {
        Ok(Some(stack)) => {
            let found = format!("{name} {}", stack.status);
            checks.push(if stack.state().is_failure() {
                let help = "see why with `delivery log --failed`, then run `delivery up`";
                Check::failed(NAME, found, help)
            } else {
                Check::ok(NAME, found)
            });
            checks.extend(launched(&stack));
            Some(stack)
        }
        Ok(None) => {
            let help = Some("launch it: `delivery up`".to_owned());
            checks.push(Check::note(
                NAME,
                format!("no stack named `{name}` yet"),
                help,
            ));
            None
        }
        Err(error) => {
            checks.push(Check::unanswered(NAME, &error));
            None
        }
    }
}

/// From which packages and templates the stack was launched: their prefixes are named by their content.
fn launched(stack: &Description) -> Vec<Check> {
    ["ActionsPrefix", "TemplatesPrefix"]
        .iter()
        .filter_map(|name| {
            let value = stack.parameters.get(*name)?;
            Some(Check::note(name, format!("launched from `{value}`"), None))
        })
        .collect()
}

/// Whether Source can read through the connection.
pub(super) async fn connection(
    cloud: &Cloud,
    settings: &Settings,
    stack: Option<&Description>,
) -> Option<Check> {
    const NAME: &str = "connection";
    let of_stack = stack.and_then(|stack| stack.parameters.get(connection::PARAMETER).cloned());
    let arn = of_stack.or_else(|| settings.parameters(&[]).remove(connection::PARAMETER));
    let Some(arn) = arn.filter(|arn| !arn.is_empty()) else {
        let help =
            "create a connection and pass its ARN: `delivery up --parameter ConnectionArn=ARN`";
        return Some(Check::note(NAME, "none is known", Some(help.to_owned())));
    };
    Some(
        match connection::find(&cloud.codeconnections(), &arn).await {
            Ok(found) if found.is_pending() => Check::failed(
                NAME,
                format!("{arn} is PENDING"),
                format!("complete it in the console: {}", found.url()),
            ),
            Ok(found) if found.status == "AVAILABLE" => {
                Check::ok(NAME, format!("{arn} is AVAILABLE"))
            }
            Ok(found) => Check::failed(
                NAME,
                format!("{arn} is {}", found.status),
                format!("check it in the console: {}", found.url()),
            ),
            Err(error) if error.kind == CallErrorKind::NotFound => Check::failed(
                NAME,
                format!("the connection {arn} does not exist"),
                "correct `ConnectionArn`, or create a connection",
            ),
            Err(error) => Check::unanswered(NAME, &error),
        },
    )
}

/// Whether as many functions may run at once as the pipeline has at work.
pub(super) async fn concurrency(cloud: &Cloud) -> Check {
    const NAME: &str = "Lambda concurrency";
    match cloud.lambda().get_account_settings().send().await {
        Ok(settings) => {
            let limit = settings.account_limit();
            let whole = limit.map_or(0, |limit| limit.concurrent_executions);
            let free = limit.and_then(|limit| limit.unreserved_concurrent_executions);
            enough(free.unwrap_or(whole), whole)
        }
        Err(error) => {
            let error = CallError::new("lambda:GetAccountSettings", "*", &error);
            Check::unanswered(NAME, &error)
        }
    }
}

fn enough(free: i32, whole: i32) -> Check {
    const NAME: &str = "Lambda concurrency";
    let found = format!("{free} of {whole} are unreserved; {WANTED_CONCURRENCY} are needed");
    let help = "request an increase: Service Quotas, AWS Lambda, \"Concurrent executions\"";
    match free {
        ..=0 => Check::failed(NAME, found, help),
        1..WANTED_CONCURRENCY => Check::note(NAME, found, Some(help.to_owned())),
        _ => Check::ok(NAME, found),
    }
}

/// Whether the memory that is asked for is one that new accounts get.
pub(super) fn memory(settings: &Settings, stack: Option<&Description>) -> Option<Check> {
    const NAME: &str = "Lambda memory";
    let of_stack = stack.and_then(|stack| stack.parameters.get(MEMORY_PARAMETER).cloned());
    let wanted = of_stack.or_else(|| settings.parameters(&[]).remove(MEMORY_PARAMETER))?;
    let wanted: u32 = wanted.parse().ok()?;
    Some(if wanted <= NEW_ACCOUNT_MEMORY {
        Check::ok(NAME, format!("{wanted} MiB"))
    } else {
        Check::note(
            NAME,
            format!("{wanted} MiB; the limit of new accounts is {NEW_ACCOUNT_MEMORY} MiB"),
            Some(format!(
                "if Lambda refuses it: `delivery up --parameter {MEMORY_PARAMETER}={NEW_ACCOUNT_MEMORY}`"
            )),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::CheckState;

    #[test]
    fn few_functions_at_once_are_slow_and_none_is_a_failure() {
        let states = [0, 5, 10, 1000].map(|free| enough(free, 1000).state);
        assert_eq!(
            states,
            [
                CheckState::Failed,
                CheckState::Note,
                CheckState::Ok,
                CheckState::Ok
            ]
        );
    }

    #[test]
    fn a_service_that_refuses_is_there_and_one_without_an_answer_is_not() {
        let error = |kind, code: Option<&str>| CallError {
            action: "codepipeline:ListPipelines",
            resource: "*".to_owned(),
            kind,
            code: code.map(str::to_owned),
            message: String::new(),
            request_id: None,
            outcome_unknown: false,
        };
        let state = |error| in_region("CodePipeline", "eu-west-1", &Err(error)).state;
        assert_eq!(
            state(error(CallErrorKind::Unavailable, None)),
            CheckState::Failed
        );
        assert_eq!(
            state(error(CallErrorKind::Denied, Some("AccessDenied"))),
            CheckState::Note
        );
    }
}
