//! What a `Commands` action looks like (User Guide, "Commands action reference").

use std::ops::RangeInclusive;

use crate::engine::declaration::{ActionDeclaration, ArtifactName, Provider, StageDeclaration};
use crate::engine::message::Refusal;

/// Input artifacts (the same page: 1 to 10).
pub(super) const INPUTS: RangeInclusive<usize> = 1..=10;

/// Output artifacts (the same page: 0 to 1).
pub(super) const OUTPUTS: RangeInclusive<usize> = 0..=1;

/// Keys of the configuration (the same page). All describe the machine on AWS; here the commands run on this one.
pub(super) const CONFIGURATION: [&str; 5] = [
    "EnvironmentType",
    "ComputeType",
    "VpcId",
    "Subnets",
    "SecurityGroupIds",
];

/// The one `EnvironmentType` whose shell is this machine's.
const LINUX: &str = "LINUX_CONTAINER";

/// The one type of variables that the engine reads; the default.
const PLAINTEXT: &str = "PLAINTEXT";

/// Refuses members of `Commands` in an action of another provider (the service's words for `commands`: aws-cdk
/// issue 38843).
pub(super) fn check_members(
    stage: &StageDeclaration,
    action: &ActionDeclaration,
) -> Result<(), Refusal> {
    if action.provider() == Some(Provider::Commands) {
        return Ok(());
    }
    let files = |artifact: &ArtifactName| artifact.files.is_some();
    let given = [
        ("commands", !action.commands.is_empty()),
        ("outputVariables", !action.output_variables.is_empty()),
        (
            "environmentVariables",
            !action.environment_variables.is_empty(),
        ),
        ("files", action.output_artifacts.iter().any(files)),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((field, _)) => Err(Refusal::InvalidAction(format!(
            "The following action cannot contain a {field} field. StageName=[{}], ActionName=[{}]",
            stage.name, action.name
        ))),
    }
}

/// Checks what the API's shapes do not say of the members of a `Commands` action.
pub(super) fn check(action: &ActionDeclaration) -> Result<(), String> {
    if action.commands.is_empty() {
        return Err("it has no `commands`".to_owned());
    }
    // "Multi-line formats are not supported and will result in an error message" (the same page).
    let lines = |command: &&String| command.contains(['\n', '\r']);
    if let Some(command) = action.commands.iter().find(lines) {
        return Err(format!(
            "the command `{}` has more than one line; give each line as a command of its own",
            command.escape_debug()
        ));
    }
    Ok(())
}

/// What the engine does not support of a `Commands` action.
pub(super) fn unsupported(action: &ActionDeclaration) -> Vec<String> {
    if action.provider() != Some(Provider::Commands) {
        return Vec::new();
    }
    let environment = action.configuration.get("EnvironmentType");
    let other = environment.filter(|kind| *kind != LINUX);
    let mut settings: Vec<_> = other
        .map(|kind| format!("the `EnvironmentType` `{kind}`"))
        .into_iter()
        .collect();
    for variable in &action.environment_variables {
        if let Some(kind) = variable.kind.as_deref().filter(|kind| *kind != PLAINTEXT) {
            settings.push(format!(
                "the type `{kind}` of the variable `{}`",
                variable.name
            ));
        }
    }
    settings
}
