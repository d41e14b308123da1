//! Whether who is signed in may make the calls that each command makes.

use std::collections::BTreeSet;

use delivery_action::aws::CallError;
use delivery_stack::description::Description;

use crate::cloud::Cloud;

use super::Check;

/// What a call is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    /// Whatever there is: a call that names no resource.
    Anything,
    /// The stack.
    Stack,
    /// The pipeline.
    Pipeline,
}

/// The calls of each command, on what they are made. What CloudFormation itself does as the caller while
/// it launches is not here: it depends on the template, and `docs/security.md` lists it.
const CALLS: [(&str, On, &[&str]); 15] = [
    (
        "up",
        On::Stack,
        &[
            "cloudformation:CreateChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeStacks",
            "cloudformation:DescribeStackEvents",
        ],
    ),
    (
        "down",
        On::Stack,
        &[
            "cloudformation:DeleteStack",
            "cloudformation:DescribeStackResources",
            "cloudformation:ListStackResources",
        ],
    ),
    ("status", On::Stack, &["cloudformation:DescribeStacks"]),
    (
        "status",
        On::Pipeline,
        &[
            "codepipeline:GetPipelineState",
            "codepipeline:GetPipelineExecution",
            "codepipeline:ListActionExecutions",
        ],
    ),
    ("log", On::Stack, &["cloudformation:DescribeStackEvents"]),
    (
        "log",
        On::Pipeline,
        &[
            "codepipeline:GetPipeline",
            "codepipeline:ListPipelineExecutions",
        ],
    ),
    (
        "log",
        On::Anything,
        &["lambda:GetFunctionConfiguration", "logs:FilterLogEvents"],
    ),
    (
        "start",
        On::Pipeline,
        &["codepipeline:StartPipelineExecution"],
    ),
    ("approve", On::Pipeline, &["codepipeline:PutApprovalResult"]),
    ("retry", On::Pipeline, &["codepipeline:RetryStageExecution"]),
    (
        "stop",
        On::Pipeline,
        &["codepipeline:StopPipelineExecution"],
    ),
    (
        "rollback",
        On::Pipeline,
        &[
            "codepipeline:DisableStageTransition",
            "codepipeline:EnableStageTransition",
            "codepipeline:RollbackStage",
        ],
    ),
    (
        "rollout",
        On::Anything,
        &[
            "lambda:GetAlias",
            "lambda:UpdateAlias",
            "lambda:ListVersionsByFunction",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricData",
        ],
    ),
    ("doctor", On::Anything, &["codeconnections:ListConnections"]),
    ("publish", On::Anything, &["s3:PutObject", "s3:GetObject"]),
];

/// Asks IAM, one simulation for each kind of resource, and returns one check for each command.
pub(super) async fn check(
    cloud: &Cloud,
    caller: &str,
    stack_name: &str,
    stack: Option<&Description>,
) -> Vec<Check> {
    let Some(principal) = principal(cloud, caller).await else {
        let found = format!("cannot simulate the permissions of {caller}");
        return vec![Check::note("permissions", found, None)];
    };
    let mut denied = BTreeSet::new();
    for on in [On::Anything, On::Stack, On::Pipeline] {
        let resource = resource(on, cloud.region(), caller, stack_name, stack);
        match simulate(cloud, &principal, on, resource).await {
            Ok(found) => denied.extend(found),
            // Without the permission to simulate there is nothing to say here; the other checks still count.
            Err(error) => return vec![Check::unanswered("permissions", &error)],
        }
    }
    report(&denied)
}

/// The denied calls as checks, one for each command.
fn report(denied: &BTreeSet<String>) -> Vec<Check> {
    let mut commands: Vec<&str> = CALLS.iter().map(|(command, _, _)| *command).collect();
    commands.dedup();
    commands
        .into_iter()
        .map(|command| {
            let calls = CALLS.iter().filter(|(of, _, _)| *of == command);
            let calls = calls.flat_map(|(_, _, actions)| actions.iter());
            let missing: Vec<String> = calls
                .filter(|action| denied.contains(**action))
                .map(|action| format!("`{action}`"))
                .collect();
            let name = format!("may `{command}`");
            if missing.is_empty() {
                return Check::ok(&name, "all its calls are allowed");
            }
            let missing = missing.join(", ");
            Check::failed(
                &name,
                format!("not allowed: {missing}"),
                format!("allow {missing} for the identity that you are signed in as"),
            )
        })
        .collect()
}

fn resource(
    on: On,
    region: &str,
    caller: &str,
    stack_name: &str,
    stack: Option<&Description>,
) -> Option<String> {
    let mut parts = caller.split(':');
    let partition = parts.nth(1)?;
    let account = parts.nth(2)?;
    match on {
        On::Anything => None,
        On::Stack => Some(stack.map_or_else(
            || format!("arn:{partition}:cloudformation:{region}:{account}:stack/{stack_name}/*"),
            |stack| stack.id.clone(),
        )),
        On::Pipeline => {
            let name = stack.and_then(|stack| stack.outputs.get("Pipeline"));
            let name = name.map_or_else(|| format!("{stack_name}-*"), Clone::clone);
            Some(format!(
                "arn:{partition}:codepipeline:{region}:{account}:{name}"
            ))
        }
    }
}

/// Whose policies are simulated: a session's are its role's. IAM cannot simulate the account's root.
async fn principal(cloud: &Cloud, caller: &str) -> Option<String> {
    if let Some(role) = role_of_session(caller) {
        let found = cloud.iam().get_role().role_name(role).send().await.ok();
        let found = found.and_then(|found| found.role);
        return Some(found.map_or_else(
            || {
                let parts: Vec<&str> = caller.split(':').collect();
                // Without its path, which only `iam:GetRole` returns.
                format!("arn:{}:iam::{}:role/{role}", parts[1], parts[4])
            },
            |role| role.arn,
        ));
    }
    (!caller.ends_with(":root")).then(|| caller.to_owned())
}

/// The role of a session's ARN, such as `arn:aws:sts::111122223333:assumed-role/ROLE/SESSION`.
fn role_of_session(caller: &str) -> Option<&str> {
    let (_, rest) = caller.split_once(":assumed-role/")?;
    rest.split('/').next()
}

async fn simulate(
    cloud: &Cloud,
    principal: &str,
    on: On,
    resource: Option<String>,
) -> Result<BTreeSet<String>, CallError> {
    let actions: BTreeSet<&str> = CALLS
        .iter()
        .filter(|(_, made_on, _)| *made_on == on)
        .flat_map(|(_, _, actions)| actions.iter().copied())
        .collect();
    let mut pages = cloud
        .iam()
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .set_action_names(Some(actions.into_iter().map(str::to_owned).collect()))
        .set_resource_arns(resource.map(|resource| vec![resource]))
        .into_paginator()
        .send();
    let mut denied = BTreeSet::new();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| CallError::new("iam:SimulatePrincipalPolicy", principal, &error))?;
        let results = page.evaluation_results();
        let refused = results
            .iter()
            .filter(|result| result.eval_decision().as_str() != "allowed");
        denied.extend(refused.map(|result| result.eval_action_name().to_owned()));
    }
    Ok(denied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::CheckState;

    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Admin/ann";

    #[test]
    fn a_session_is_its_role() {
        assert_eq!(role_of_session(SESSION), Some("Admin"));
        assert_eq!(
            role_of_session("arn:aws:iam::111122223333:user/assumed"),
            None
        );
    }

    #[test]
    fn the_resources_are_of_the_caller_s_account() {
        let of = |on| resource(on, "eu-west-1", SESSION, "shop", None).unwrap();
        assert_eq!(
            of(On::Stack),
            "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop/*"
        );
        assert_eq!(
            of(On::Pipeline),
            "arn:aws:codepipeline:eu-west-1:111122223333:shop-*"
        );
    }

    #[test]
    fn each_command_says_what_it_lacks() {
        let denied = BTreeSet::from(["codepipeline:PutApprovalResult".to_owned()]);
        let failed: Vec<Check> = report(&denied)
            .into_iter()
            .filter(|check| check.state == CheckState::Failed)
            .collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].name, "may `approve`");
        assert_eq!(
            failed[0].found,
            "not allowed: `codepipeline:PutApprovalResult`"
        );
    }
}
