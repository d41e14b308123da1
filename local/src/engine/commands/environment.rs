//! What the commands find in their environment: built from nothing, so that nothing of the developer's is in it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::engine::credentials::Credentials;

use super::CommandsRequest;

/// As whom and where the commands call the local AWS: the pipeline's role, as on AWS.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Role {
    pub(in crate::engine) endpoint: String,
    pub(in crate::engine) region: String,
    pub(in crate::engine) credentials: Credentials,
}

/// The log group of a pipeline's commands (User Guide, "Commands action reference"); a stream is an action's run.
pub(in crate::engine) fn log_group(pipeline: &str) -> String {
    format!("/aws/codepipeline/{pipeline}")
}

/// The folders that a shell is given.
pub(super) struct Folders<'a> {
    pub(super) home: &'a Path,
    pub(super) temporary: &'a Path,
    /// Those of the input artifacts, in the order of the request.
    pub(super) inputs: &'a [std::path::PathBuf],
}

/// The variables of the commands: those of the action over those of CodeBuild (CodeBuild User Guide, "Environment
/// variables in build environments"), as far as they mean something on this machine.
pub(super) fn variables(
    request: &CommandsRequest,
    role: &Role,
    folders: &Folders<'_>,
) -> BTreeMap<String, String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let path = delivery_action::process::search_path();
    let credentials = &role.credentials;
    let mut variables: BTreeMap<String, String> = [
        ("PATH", path.to_string_lossy().into_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", text(folders.home)),
        ("TMPDIR", text(folders.temporary)),
        ("AWS_REGION", role.region.clone()),
        ("AWS_DEFAULT_REGION", role.region.clone()),
        ("AWS_ENDPOINT_URL", role.endpoint.clone()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        (
            "AWS_SECRET_ACCESS_KEY",
            credentials.secret_access_key.clone(),
        ),
        ("AWS_SESSION_TOKEN", credentials.session_token.clone()),
        ("CI", "true".to_owned()),
        ("CODEBUILD_CI", "true".to_owned()),
        (
            "CODEBUILD_BUILD_ID",
            format!("{}:{}", request.pipeline, request.action),
        ),
        ("CODEBUILD_BUILD_SUCCEEDING", "1".to_owned()),
        (
            "CODEBUILD_INITIATOR",
            format!("codepipeline/{}", request.pipeline),
        ),
        ("CODEBUILD_LOG_PATH", request.action.to_string()),
        (
            "CODEBUILD_START_TIME",
            request.start_time.as_millisecond().to_string(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (index, (input, folder)) in request.inputs.iter().zip(folders.inputs).enumerate() {
        let name = format!("CODEBUILD_SRC_DIR_{}", input.location.name);
        variables.insert(name, text(folder));
        if index == 0 {
            variables.insert("CODEBUILD_SRC_DIR".to_owned(), text(folder));
            let revision = input.revision.clone().unwrap_or_default();
            variables.insert("CODEBUILD_RESOLVED_SOURCE_VERSION".to_owned(), revision);
        }
    }
    variables.extend(request.environment.clone());
    variables
}
