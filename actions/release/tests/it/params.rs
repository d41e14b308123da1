//! `UserParameters` that are read and refused.

use delivery_action::job::Job;
use delivery_action::parameters::{Params, UserParameters};
use delivery_testing::events::{JobEvent, invocation};
use release::ReleaseParams;
use test_case::test_case;

fn read(text: &str) -> Result<ReleaseParams, String> {
    let job = Job::from_event(&JobEvent::new().build(), invocation()).unwrap();
    let parameters = UserParameters::parse(Some(text)).map_err(|error| error.to_string())?;
    ReleaseParams::from_user_parameters(parameters, &job).map_err(|error| error.to_string())
}

#[test]
fn a_publication_has_defaults() {
    let read = read("releases=b&revision=9f3c&branch=").unwrap();
    let ReleaseParams::Publish(params) = read else {
        panic!("{read:?}")
    };
    assert_eq!(params.config, "delivery.toml");
    assert_eq!(
        (params.branch, params.services, params.entries),
        (None, None, None)
    );
    assert!(params.last.is_on());
}

#[test]
fn an_end_names_the_environment_of_its_execution() {
    let text =
        "end=qa&instance=1F09ab3c-1111&releases=b&release=0123456789abcdef&pipeline=p&execution=e";
    let read = read(text).unwrap();
    let ReleaseParams::End(params) = read else {
        panic!("{read:?}")
    };
    assert_eq!(params.environment.as_str(), "qa-1f09ab3c");
}

#[test_case("revision=1", "`UserParameters` lacks `releases`"; "no bucket")]
#[test_case("releases=b", "`UserParameters` lacks `revision`"; "no revision")]
#[test_case("releases=b&revision=1&services=,", "`services` in `UserParameters` is not valid: expected names of services, joined by commas"; "no service")]
#[test_case("releases=b&revision=1&entries=ab", "`entries` in `UserParameters` is not valid: expected the variable `Entries` of the action before"; "entries")]
#[test_case("releases=b&revision=1&instance=1", "`instance` in `UserParameters` is not valid: expected no value without `end`"; "instance")]
#[test_case("releases=b&revision=1&release=1", "`release` in `UserParameters` is not valid: expected no value without `end`"; "release")]
#[test_case("releases=b&revision=1&pipeline=p", "`UserParameters` lacks `execution`"; "pipeline alone")]
#[test_case("end=int&releases=b&release=0123456789abcdef", "`UserParameters` lacks `pipeline`"; "an end without execution")]
#[test_case("end=int&releases=b&release=none&pipeline=p&execution=e", "`release` in `UserParameters` is not valid: expected the id of a release: 16 hexadecimal digits"; "no release")]
#[test_case("end=In t&releases=b&release=0123456789abcdef&pipeline=p&execution=e", "`end` in `UserParameters` is not valid: expected the name of an environment, such as `int` or `dev-anna`"; "environment")]
#[test_case("end=qa&instance=xyz&releases=b&release=0123456789abcdef&pipeline=p&execution=e", "`instance` in `UserParameters` is not valid: expected `#{codepipeline.PipelineExecutionId}`"; "digits")]
fn what_is_wrong_is_named(text: &str, message: &str) {
    assert_eq!(read(text).unwrap_err(), message);
}
