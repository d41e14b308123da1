//! Releases of one stack, one after another and again.

use std::time::Duration;

use futures_util::future::join_all;

use crate::world::run;

#[test]
fn there_and_back_and_the_same_again() {
    run(async |local| {
        let releases = [
            local.custom(&[("Version", "1")]).await,
            local.custom(&[("Version", "2")]).await,
        ];
        for (release, changed) in [(0, "true"), (1, "true"), (0, "true"), (0, "false")] {
            let found = local.deploy("releases", &releases[release], "").await;
            assert_eq!(found.variables()["Changed"], changed);
        }
        assert_eq!(local.operations("releases").await, 3);
    });
}

#[test]
fn deliveries_at_the_same_time_have_one_effect() {
    const AT_ONCE: usize = 12;
    run(async |local| {
        for release in ["1", "2", "3"] {
            let key = local.custom(&[("Version", release), ("Wait", "300")]).await;
            // Half of them are one job, the others one each: executions with the same release.
            let same = local.job("at-once", &key, "");
            let events = (0..AT_ONCE).map(|place| {
                if place % 2 == 0 {
                    same.clone()
                } else {
                    local.job("at-once", &key, "")
                }
            });
            let events: Vec<_> = events.collect();
            let time = Duration::from_mins(1);
            let ended = join_all(events.iter().map(|event| local.invoke(event, time))).await;
            for result in ended {
                result.variables();
            }
        }
        assert_eq!(local.operations("at-once").await, 3);
    });
}

#[test]
fn a_change_of_one_function_changes_nothing_else() {
    const TEMPLATE: &str = "\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] } }
  One:
    Type: AWS::Lambda::Function
    Properties: { Role: !GetAtt Role.Arn, Runtime: nodejs22.x, Handler: index.handler, Code: one }
  Two:
    Type: AWS::Lambda::Function
    Properties: { Role: !GetAtt Role.Arn, Runtime: nodejs22.x, Handler: index.handler, Code: two }
";
    run(async |local| {
        let artifact = async |two: &str| {
            let files = [
                ("template.yaml", TEMPLATE),
                ("one/index.js", "exports.handler = async () => 1;"),
                ("two/index.js", two),
            ];
            local.artifact(&files).await
        };
        let first = artifact("exports.handler = async () => 1;").await;
        let second = artifact("exports.handler = async () => 2;").await;
        let revisions = async || {
            let mut revisions = Vec::new();
            let listed = local.cloudformation.describe_stack_resources();
            let listed = listed.stack_name("two-functions").send().await.unwrap();
            let resources = listed.stack_resources().iter();
            for one in resources.filter(|one| one.resource_type() == Some("AWS::Lambda::Function"))
            {
                let read = local.lambda.get_function_configuration();
                let name = one.physical_resource_id().unwrap();
                let read = read.function_name(name).send().await.unwrap();
                let logical = one.logical_resource_id().unwrap().to_owned();
                revisions.push((logical, read.revision_id().unwrap().to_owned()));
            }
            revisions.sort();
            revisions
        };
        local.deploy("two-functions", &first, "").await.variables();
        let before = revisions().await;
        local.deploy("two-functions", &second, "").await.variables();
        let after = revisions().await;
        let changed: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a != b).collect();
        assert_eq!(changed, [false, true], "{before:?} {after:?}");
    });
}
