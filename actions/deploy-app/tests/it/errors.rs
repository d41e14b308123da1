//! What the pipeline's owner reads: one snapshot a variant.

use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::failure::Failure;
use delivery_action::job::Artifact;
use deploy_app::DeployAppError;
use test_case::test_case;

fn artifact() -> Artifact {
    Artifact {
        name: "DistLambdaOutput".to_owned(),
        revision: None,
        bucket: "store".to_owned(),
        key: "greeter/DistLambda/aB3xY9z".to_owned(),
    }
}

fn call(
    action: &'static str,
    resource: &str,
    kind: CallErrorKind,
    code: &str,
    message: &str,
) -> CallError {
    CallError {
        action,
        resource: resource.to_owned(),
        kind,
        code: Some(code.to_owned()),
        message: message.to_owned(),
        request_id: Some("r-1".to_owned()),
        outcome_unknown: false,
    }
}

fn update(kind: CallErrorKind, code: &str, message: &str) -> CallError {
    call("lambda:UpdateFunctionCode", "greeter", kind, code, message)
}

#[test_case("not-a-zip", &DeployAppError::NotAZip { artifact: artifact() })]
#[test_case("artifact-denied", &DeployAppError::ArtifactDenied {
    artifact: artifact(),
    source: Box::new(update(CallErrorKind::Denied, "AccessDeniedException", "Your access has been denied by S3")),
})]
#[test_case("code-refused", &DeployAppError::CodeRefused {
    artifact: artifact(),
    source: Box::new(update(CallErrorKind::Invalid, "InvalidParameterValueException", "Could not unzip uploaded file")),
})]
#[test_case("function-missing", &DeployAppError::FunctionMissing {
    function: "greeter".to_owned(),
    source: Box::new(call("lambda:GetFunctionConfiguration", "greeter", CallErrorKind::NotFound, "ResourceNotFoundException", "Function not found")),
})]
#[test_case("not-ready", &DeployAppError::NotReady {
    what: "greeter".to_owned(),
    code: "DisabledKMSKey".to_owned(),
    reason: "the key is disabled".to_owned(),
})]
#[test_case("never-settles", &DeployAppError::NeverSettles { function: "greeter".to_owned(), minutes: 10 })]
#[test_case("code-changed", &DeployAppError::CodeChanged { function: "greeter".to_owned() })]
#[test_case("alias-moved", &DeployAppError::AliasMoved {
    alias: "greeter:prod".to_owned(),
    began: Some("6".to_owned()),
    found: "8".to_owned(),
    version: "7".to_owned(),
})]
#[test_case("alias-appeared", &DeployAppError::AliasMoved {
    alias: "greeter:prod".to_owned(),
    began: None,
    found: "8".to_owned(),
    version: "7".to_owned(),
})]
#[test_case("alias-shared", &DeployAppError::AliasShared {
    alias: "greeter:prod".to_owned(),
    found: "6".to_owned(),
    weights: "10 % on version 8".to_owned(),
    version: "7".to_owned(),
})]
#[test_case("provisioning-never-ends", &DeployAppError::ProvisioningNeverEnds {
    alias: "greeter:prod".to_owned(),
    found: "7".to_owned(),
    minutes: 10,
})]
#[test_case("no-version", &DeployAppError::NoVersion { function: "greeter".to_owned() })]
#[test_case("call", &DeployAppError::from(call("lambda:UpdateAlias", "greeter:prod", CallErrorKind::Denied, "AccessDeniedException", "no policy allows it")))]
fn a_failure_says_what_where_and_what_to_do(name: &str, error: &DeployAppError) {
    let failure = Failure::new(error);
    let message = format!(
        "{:?}\n{}",
        failure.failure_type,
        failure.message("/aws/lambda/deploy-app")
    );
    insta::assert_snapshot!(name, message);
}
