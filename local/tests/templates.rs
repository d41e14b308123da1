//! What the templates promise, read from the templates themselves.

#![expect(clippy::print_stderr, reason = "a skip is said aloud")]

#[path = "templates/read.rs"]
mod read;

use std::path::Path;
use std::process::Command;

use read::{folder, list, resources, statements, templates, variants, with_all};
use serde_json::json;

/// Those that run the application's own code.
const UNTRUSTED: [&str; 3] = ["NpmInstall", "TestAndPackage", "E2e"];

#[test]
fn each_function_has_a_role_of_its_own() {
    let actions = &with_all("actions.yaml");
    for (id, function) in resources(actions, "AWS::Lambda::Function") {
        let role = json!({ "Fn::GetAtt": [format!("{id}Role"), "Arn"] });
        assert_eq!(function["Properties"]["Role"], role, "{id}");
    }
}

#[test]
fn functions_that_run_the_applications_code_reach_nothing_but_logs_results_and_the_cache() {
    let actions = &with_all("actions.yaml");
    for id in UNTRUSTED {
        for statement in statements(&actions["Resources"][format!("{id}Role")]) {
            let resource = statement["Resource"].to_string();
            let calls = list(&statement["Action"]);
            let all = |prefix: &str| {
                calls
                    .iter()
                    .all(|call| call.as_str().unwrap().starts_with(prefix))
            };
            let is_of_application = [
                "${Function}",
                "${ApplicationLog}",
                "/aws/lambda/${ApplicationName}-",
            ]
            .iter()
            .any(|one| resource.contains(one));
            let fits = (all("logs:") && resource.contains(&format!("{id}LogGroup")))
                || (id == "E2e"
                    && (all("logs:FilterLogEvents") || all("lambda:GetFunctionConfiguration"))
                    && is_of_application)
                || (id == "E2e" && all("logs:DescribeLogGroups"))
                || (all("codepipeline:PutJob") && resource == "\"*\"")
                || (id == "NpmInstall"
                    && all("s3:")
                    && (resource.contains("/delivery-cache/npm-install/*\"")
                        || (resource.contains("/*/SourceInst*\"")
                            && !statement["Action"].to_string().contains("Get"))));
            assert!(fits, "{id}: {statement}");
        }
    }
}

/// The role that CloudFormation works with in the application's stacks: whatever a team's templates make, under the
/// application's name.
const CLOUDFORMATION: &str = "CloudFormationRole";

/// Calls that know no resource (Service Authorization Reference). Composite alarms are described only with a policy for
/// all alarms (`API_DescribeAlarms`), and stacks whose names are not known only with one for all stacks.
const WITHOUT_RESOURCE: [&str; 5] = [
    "cloudformation:DescribeStacks",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "codepipeline:PutJobFailureResult",
    "codepipeline:PutJobSuccessResult",
];

#[test]
fn no_role_allows_a_wildcard_of_actions_or_more_resources_than_it_must() {
    for (file, template) in variants() {
        let roles = resources(&template, "AWS::IAM::Role");
        for (id, role) in roles.filter(|(id, _)| *id != CLOUDFORMATION) {
            for statement in statements(role) {
                let calls = list(&statement["Action"]);
                assert!(
                    calls
                        .iter()
                        .all(|call| !call.as_str().unwrap().contains('*')),
                    "{file} {id}: {statement}"
                );
                let know_no_resource = calls
                    .iter()
                    .all(|call| WITHOUT_RESOURCE.contains(&call.as_str().unwrap()));
                assert!(
                    statement["Resource"] != "*" || know_no_resource,
                    "{file} {id}: {statement}"
                );
            }
        }
    }
}

/// The calls that give a role rights, or take its boundary away (IAM User Guide, "Permissions boundaries").
const GIVES_RIGHTS: [&str; 6] = [
    "AttachRolePolicy",
    "CreateRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
];

#[test]
fn roles_of_the_application_are_made_with_the_boundary_alone() {
    let template = &with_all("actions.yaml");
    let role = &template["Resources"][CLOUDFORMATION];
    let boundary = json!({ "StringEquals": { "iam:PermissionsBoundary": { "Ref": "Boundary" } } });
    let named = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${ApplicationName}-*";
    for statement in statements(role) {
        assert_ne!(statement["Resource"], "*", "{statement}");
        for call in list(&statement["Action"]) {
            let call = call.as_str().unwrap();
            let Some(iam) = call.strip_prefix("iam:") else {
                continue;
            };
            assert_eq!(statement["Resource"]["Fn::Sub"], named, "{call}");
            if GIVES_RIGHTS.contains(&iam) {
                assert_eq!(statement["Condition"], boundary, "{call}");
            }
            assert_ne!(iam, "DeleteRolePermissionsBoundary");
        }
    }
}

#[test]
fn deploy_stack_prepares_changes_with_the_one_role_alone() {
    let template = &with_all("actions.yaml");
    let role = json!({ "Fn::GetAtt": [CLOUDFORMATION, "Arn"] });
    let statements = statements(&template["Resources"]["DeployStackRole"]);
    let with = |call: &str| {
        let has = |statement: &&serde_json::Value| {
            list(&statement["Action"])
                .iter()
                .any(|action| action == call)
        };
        statements.iter().find(has).unwrap()
    };
    for call in ["CreateChangeSet", "ContinueUpdateRollback", "DeleteStack"] {
        let condition = &with(&format!("cloudformation:{call}"))["Condition"];
        assert_eq!(
            condition["StringEquals"]["cloudformation:RoleArn"], role,
            "{call}"
        );
    }
    assert_eq!(with("iam:PassRole")["Resource"], role);
}

#[test]
fn nothing_removes_releases_or_stacks_that_do_not_say_that_they_may_be_removed() {
    let template = &with_all("actions.yaml");
    for (id, role) in resources(template, "AWS::IAM::Role") {
        for statement in statements(role) {
            let on = statement["Resource"].to_string();
            for call in list(&statement["Action"]) {
                let call = call.as_str().unwrap();
                let removes = call.starts_with("s3:Delete") || call == "cloudformation:DeleteStack";
                assert!(!(removes && on.contains("Releases")), "{id}: {statement}");
            }
        }
    }
    let of_undeploy = statements(&template["Resources"]["UndeployRole"]);
    let removes = |statement: &&serde_json::Value| {
        list(&statement["Action"]).contains(&json!("cloudformation:DeleteStack"))
    };
    let removes = of_undeploy.iter().find(removes).unwrap();
    let tagged = json!({ "StringEquals": {
        "aws:ResourceTag/delivery:removable": "true",
        "aws:ResourceTag/delivery:application": { "Ref": "ReleasesOf" },
    }});
    assert_eq!(removes["Condition"], tagged);
}

#[test]
fn undeploy_reaches_stacks_and_buckets_of_all_families_and_of_nothing_else() {
    let template = &with_all("actions.yaml");
    let of_undeploy = statements(&template["Resources"]["UndeployRole"]);
    for (sid, before, after) in [
        ("RemoveStacks", ":stack/${ApplicationName}-", "-*"),
        ("ListBuckets", ":s3:::${ApplicationName}-", "-*"),
        ("EmptyBuckets", ":s3:::${ApplicationName}-", "-*/*"),
    ] {
        let statement = of_undeploy.iter().find(|one| one["Sid"] == sid).unwrap();
        let families: Vec<_> = list(&statement["Resource"])
            .iter()
            .map(|resource| {
                let text = resource["Fn::Sub"].as_str().unwrap();
                let (_, family) = text.split_once(before).unwrap();
                family.strip_suffix(after).unwrap().to_owned()
            })
            .collect();
        assert_eq!(families, ["dev", "qa", "pr"], "{sid}");
    }
}

#[test]
fn what_is_published_cannot_be_overwritten_or_removed_by_undeploy() {
    let template = &with_all("actions.yaml");
    let policy = &template["Resources"]["ReleasesPolicy"]["Properties"]["PolicyDocument"];
    let denied = |sid: &str| {
        let all = list(&policy["Statement"]);
        let found = all.into_iter().find(|one| one["Sid"] == sid).unwrap();
        assert_eq!(found["Effect"], "Deny", "{sid}");
        found
    };
    let overwriting = denied("DenyOverwriting");
    assert_eq!(overwriting["Principal"], "*");
    let on: Vec<_> = list(&overwriting["Resource"])
        .iter()
        .map(|one| one["Fn::Sub"].as_str().unwrap().to_owned())
        .collect();
    let published = ["blobs/*", "releases/*", "environments/*/deployments/*"];
    assert_eq!(
        on,
        published.map(|keys| format!("${{Releases.Arn}}/{keys}"))
    );
    let removing = denied("DenyRemoving");
    let undeploy = json!({ "AWS": { "Fn::GetAtt": ["UndeployRole", "Arn"] } });
    assert_eq!(removing["Principal"], undeploy);
}

#[test]
fn without_an_application_s_name_there_is_nothing_of_stacks_and_releases() {
    let (_, template) = variants()
        .into_iter()
        .find(|(name, _)| name == "actions.yaml, conditions false")
        .unwrap();
    let all = template["Resources"].as_object().unwrap();
    let of_stacks = [
        "DeployStack",
        "Release",
        "Undeploy",
        "Boundary",
        CLOUDFORMATION,
    ];
    let left = all
        .keys()
        .filter(|id| of_stacks.iter().any(|name| id.starts_with(name)));
    assert_eq!(left.count(), 0);
}

#[test]
fn every_function_logs_into_a_group_with_a_retention() {
    for (file, template) in variants() {
        for (id, function) in resources(&template, "AWS::Lambda::Function") {
            let group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str();
            let group = &template["Resources"]
                [group.unwrap_or_else(|| panic!("{file}: `{id}` has no log group"))];
            assert!(
                group["Properties"].get("RetentionInDays").is_some(),
                "{file}: {id}"
            );
        }
    }
}

#[test]
fn lambdas_own_retries_stay_on_and_old_events_are_dropped() {
    let template = &with_all("actions.yaml");
    for (id, _) in resources(template, "AWS::Lambda::Function") {
        let events = &template["Resources"][format!("{id}Events")];
        assert_eq!(events["Type"], "AWS::Lambda::EventInvokeConfig", "{id}");
        let expected = json!({
            "FunctionName": {"Ref": id},
            "Qualifier": "$LATEST",
            "MaximumEventAgeInSeconds": 1200,
            "MaximumRetryAttempts": 2,
        });
        assert_eq!(events["Properties"], expected, "{id}");
    }
}

#[test]
fn buckets_keep_their_data_and_refuse_acls() {
    for (file, template) in variants() {
        for (id, bucket) in resources(&template, "AWS::S3::Bucket") {
            assert_eq!(bucket["DeletionPolicy"], "Retain", "{file}: {id}");
            assert_eq!(bucket["UpdateReplacePolicy"], "Retain", "{file}: {id}");
            let properties = &bucket["Properties"];
            assert_eq!(
                properties["PublicAccessBlockConfiguration"]["BlockPublicAcls"], true,
                "{file}: {id}"
            );
            assert_eq!(
                properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
                "BucketOwnerEnforced"
            );
            let rules = properties["LifecycleConfiguration"]["Rules"]
                .as_array()
                .unwrap();
            assert!(
                rules
                    .iter()
                    .any(|rule| rule.get("AbortIncompleteMultipartUpload").is_some()),
                "{file}: {id}"
            );
            let private = properties.get("WebsiteConfiguration").is_none();
            assert_eq!(
                properties["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"], private,
                "{file}: {id}"
            );
        }
    }
}

#[test]
fn user_parameters_fit_into_a_configuration_value() {
    const LONGEST: usize = 1000; // ActionConfigurationValue
    const LONGEST_NAME: usize = 128; // more than any name or address here has
    const LONGEST_FUNCTION: usize = 64; // FunctionName of CreateFunction
    let pipeline = &with_all("pipeline.yaml");
    let stages = pipeline["Resources"]["Pipeline"]["Properties"]["Stages"]
        .as_array()
        .unwrap();
    for action in stages
        .iter()
        .flat_map(|stage| stage["Actions"].as_array().unwrap())
    {
        let parameters = action["Configuration"]["UserParameters"].to_string();
        // A Sub grows by what it names.
        let names = parameters.split("${").skip(1).map(|rest| {
            let name = rest.split('}').next().unwrap();
            let most = pipeline["Parameters"][name]["MaxLength"].as_u64();
            let otherwise = if name == "Function" {
                LONGEST_FUNCTION
            } else {
                LONGEST_NAME
            };
            most.map_or(otherwise, |most| usize::try_from(most).unwrap())
        });
        let length = parameters.len() + names.sum::<usize>();
        assert!(length <= LONGEST, "{}: {length}", action["Name"]);
    }
}

#[test]
fn every_parameter_and_output_says_what_it_is_for() {
    for (file, template) in variants() {
        for section in ["Parameters", "Outputs"] {
            for (id, entry) in template[section].as_object().unwrap() {
                assert!(
                    entry["Description"]
                        .as_str()
                        .is_some_and(|text| text.len() > 10),
                    "{file}: {id}"
                );
            }
        }
        for (id, parameter) in template["Parameters"].as_object().unwrap() {
            let checked = ["AllowedPattern", "AllowedValues", "MinValue"]
                .iter()
                .any(|key| parameter.get(key).is_some());
            assert!(checked, "{file}: `{id}` takes anything");
        }
    }
}

/// `scripts/test` installs the pinned cfn-lint and runs it on the templates as well; here it runs where it
/// is installed, so that `cargo test` alone finds a mistake in a template.
#[test]
fn cfn_lint_finds_nothing() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.delivery/tools/bin/cfn-lint");
    let program = if tools.exists() {
        tools
    } else {
        "cfn-lint".into()
    };
    let files = templates().into_keys().map(|name| folder().join(name));
    match Command::new(program).args(files).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success(),
                "{said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Err(error) => eprintln!(
            "skipped: cfn-lint is not installed ({error}); scripts/test installs and runs it"
        ),
    }
}
