//! `UserParameters` that are read and refused.

use delivery_action::job::Job;
use delivery_action::parameters::{Params, UserParameters};
use delivery_testing::events::{JobEvent, invocation};
use deploy_stack::{ArtifactTarget, DeployStackParams, TargetParams};
use test_case::test_case;

fn read(text: &str) -> Result<DeployStackParams, String> {
    let job = Job::from_event(&JobEvent::new().build(), invocation()).unwrap();
    let parameters = UserParameters::parse(Some(text)).map_err(|error| error.to_string())?;
    DeployStackParams::from_user_parameters(parameters, &job).map_err(|error| error.to_string())
}

const COMMON: &str = "&bucket=packages&role=arn:aws:iam::111122223333:role/r";

#[test]
fn both_forms_are_read() {
    let service = read(&format!("environment=int&service=restapi{COMMON}")).unwrap();
    assert_eq!(
        service.target,
        TargetParams::Artifact(ArtifactTarget::Service {
            environment: "int".to_owned(),
            service: "restapi".to_owned(),
            definition: "delivery.toml".to_owned(),
        })
    );
    let more = "&capabilities=CAPABILITY_IAM,CAPABILITY_NAMED_IAM&allow=Table, Queue&Parameter.A=b&wait=90m";
    let template = read(&format!("stack=shop&template=a/t.yaml{COMMON}{more}")).unwrap();
    let TargetParams::Artifact(ArtifactTarget::Template {
        stack,
        template: path,
    }) = &template.target
    else {
        panic!("{template:?}")
    };
    assert_eq!((stack.as_str(), path.as_str()), ("shop", "a/t.yaml"));
    assert_eq!(template.common.allow.unwrap().0, ["Table", "Queue"]);
    assert_eq!(template.common.capabilities.unwrap().0.len(), 2);
    assert_eq!(template.common.wait.0.as_secs(), 5_400);
    assert_eq!(template.parameters["A"], "b");
}

#[test_case("service=a", "`UserParameters` lacks `environment`"; "service alone")]
#[test_case("environment=int", "`UserParameters` lacks `service`"; "environment alone")]
#[test_case("stack=shop", "`UserParameters` lacks `template`"; "stack alone")]
#[test_case("template=t.yaml", "`UserParameters` lacks `stack`"; "template alone")]
#[test_case("stack=shop&template=t&service=a", "`service` in `UserParameters` is not valid: expected no value next to `stack` and `template`"; "both")]
#[test_case("stack=1shop&template=t", "`stack` in `UserParameters` is not valid: expected the name of a stack: at most 128 letters, digits and `-`, the first one a letter"; "name")]
#[test_case("stack=shop&template=t&capabilities=IAM", "`capabilities` in `UserParameters` is not valid: expected `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM` and `CAPABILITY_AUTO_EXPAND`, joined by commas"; "capability")]
fn what_is_wrong_is_named(text: &str, message: &str) {
    assert_eq!(read(&format!("{text}{COMMON}")).unwrap_err(), message);
}

#[test_case("&bucket=b", "`UserParameters` lacks `role`"; "no role")]
#[test_case("&role=arn:aws:iam::1:role/r", "`UserParameters` lacks `bucket`"; "no bucket")]
#[test_case("&bucket=b&role=admin", "`role` in `UserParameters` is not valid: expected the ARN of a role"; "no arn")]
fn role_and_bucket_are_always_given(text: &str, message: &str) {
    assert_eq!(
        read(&format!("stack=s&template=t{text}")).unwrap_err(),
        message
    );
}
