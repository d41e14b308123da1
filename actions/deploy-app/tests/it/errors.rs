//! What the pipeline's owner reads: one snapshot a variant.

use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::failure::Failure;
use delivery_action::job::Artifact;
use delivery_rollout::{Difference, Failure as RolloutFailure, Hook, Marker, Phase, Setting};
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

fn rollout(failure: RolloutFailure) -> DeployAppError {
    DeployAppError::Rollout {
        alias: "greeter:prod".to_owned(),
        version: "7".to_owned(),
        failure,
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
#[test_case("rollout-put-back", &rollout(RolloutFailure::PutBack { why: "alarm `errors` is in ALARM since 2026-11-26T11:05:00Z: 5 > 1".to_owned(), stable: "6".to_owned() }))]
#[test_case("rollout-put-back-by-guard", &rollout(RolloutFailure::PutBackByGuard { why: "nobody has watched it since 2026-11-26T11:05:00Z".to_owned(), stable: "6".to_owned() }))]
#[test_case("rollout-aborted", &rollout(RolloutFailure::Aborted { by: "Anna".to_owned(), why: "orders fail".to_owned(), stable: "6".to_owned() }))]
#[test_case("rollout-hook", &rollout(RolloutFailure::Hook { hook: Hook::BeforeTraffic, message: "no table".to_owned() }))]
#[test_case("rollout-alarm", &rollout(RolloutFailure::Alarm("alarm `errors` is in ALARM since 2026-11-26T11:05:00Z: 5 > 1".to_owned())))]
#[test_case("rollout-no-alarm", &rollout(RolloutFailure::NoAlarm("errors".to_owned())))]
#[test_case("rollout-unlike", &rollout(RolloutFailure::Unlike {
    stable: "6".to_owned(),
    new: "7".to_owned(),
    differences: vec![
        Difference {
            setting: Setting::Role,
            stable: Some("arn:aws:iam::111122223333:role/reader".to_owned()),
            new: Some("arn:aws:iam::111122223333:role/writer".to_owned()),
        },
        Difference {
            setting: Setting::DeadLetterQueue,
            stable: None,
            new: Some("arn:aws:sqs:eu-west-1:111122223333:failed".to_owned()),
        },
    ],
}))]
#[test_case("rollout-unreadable", &rollout(RolloutFailure::Unreadable("the alarms cannot be read: access denied".to_owned())))]
#[test_case("rollout-provisioning", &rollout(RolloutFailure::Provisioning("provisioned concurrency is not ready after 600 seconds".to_owned())))]
#[test_case("rollout-busy", &rollout(RolloutFailure::Busy(Box::new(Marker {
    id: "7f3a91c2e0".to_owned(),
    execution: Some("9f8e7d6c".to_owned()),
    new: "8".to_owned(),
    stable: "6".to_owned(),
    phase: Phase::Bake {
        since: "2026-11-26T11:05:00Z".parse().unwrap(),
        watched_until: "2026-11-26T11:41:00Z".parse().unwrap(),
    },
}))))]
#[test_case("rollout-split", &rollout(RolloutFailure::Split { version: "6".to_owned(), weights: "10 % on version 8".to_owned() }))]
#[test_case("rollout-changed", &rollout(RolloutFailure::Changed { version: "8".to_owned(), weights: String::new() }))]
#[test_case("not-put-back", &DeployAppError::NotPutBack {
    alias: "greeter:prod".to_owned(),
    stable: "6".to_owned(),
    why: "version 7 fails too often".to_owned(),
    source: Box::new(call("lambda:UpdateAlias", "greeter:prod", CallErrorKind::Denied, "AccessDeniedException", "no policy allows it")),
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
