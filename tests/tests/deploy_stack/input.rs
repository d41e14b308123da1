//! Input that cannot be deployed: each with its message, and nothing is changed.

use crate::world::run;

#[test]
fn what_cannot_be_deployed_says_so() {
    run(async |local| {
        let role = "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: input-role\n      AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] }\n";
        let large = format!(
            "Resources:\n  T: {{ Type: AWS::SNS::Topic }}\n# {}\n",
            "x".repeat(1_000_000)
        );
        let cases: [(&str, &str, &str); 9] = [
            ("no template", "openapi: 3.0.1\n", ""),
            ("no YAML", "Resources: [\n", ""),
            ("over 1 MB", &large, ""),
            ("capability", role, ""),
            (
                "leaving",
                "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: { Code: ../src }\n",
                "",
            ),
            (
                "missing",
                "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: { CodeUri: src }\n",
                "",
            ),
            (
                "undeclared",
                "Parameters:\n  Level: { Type: String, Default: a }\nResources:\n  T: { Type: AWS::SNS::Topic }\n",
                "&Parameter.Levle=b",
            ),
            (
                "required",
                "Parameters:\n  Level: { Type: String }\nResources:\n  T: { Type: AWS::SNS::Topic }\n",
                "",
            ),
            (
                "unresolved",
                "Resources:\n  T:\n    Type: AWS::SNS::Topic\n    Properties: { DisplayName: !Ref Nobody }\n",
                "",
            ),
        ];
        let mut messages = Vec::new();
        for (name, template, more) in cases {
            let key = local.artifact(&[("template.yaml", template)]).await;
            let message = local.deploy("input", &key, more).await.failure();
            messages.push(format!("--- {name}\n{message}"));
        }
        let key = local.artifact(&[("other.yaml", role)]).await;
        let message = local.deploy("input", &key, "").await.failure();
        messages.push(format!("--- absent\n{message}"));
        insta::assert_snapshot!(messages.join("\n\n"));
        let status = local.status("input").await;
        assert!(
            status
                .as_deref()
                .is_none_or(|status| status == "REVIEW_IN_PROGRESS"),
            "{status:?}"
        );
    });
}

#[test]
fn a_template_over_the_size_of_a_call_is_deployed_from_the_bucket() {
    run(async |local| {
        let long = "x".repeat(60_000);
        let template = format!(
            "Metadata: {{ Long: {long} }}\nResources:\n  T: {{ Type: 'AWS::SNS::Topic' }}\n"
        );
        assert!(template.len() > 51_200, "{}", template.len());
        let key = local.artifact(&[("template.yaml", &template)]).await;
        local.deploy("large", &key, "").await.variables();
        assert_eq!(local.status("large").await.unwrap(), "CREATE_COMPLETE");
    });
}
