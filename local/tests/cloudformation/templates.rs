//! Templates by their addresses, and wrong ones.

use aws_sdk_cloudformation::types::ChangeSetType;

use crate::world::{CODE, REGION, run, said};

const BUCKET: &str = "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n";

#[test]
fn a_template_is_found_by_every_address_that_s3_has() {
    run(async |world| {
        world.put("templates/one.yaml", BUCKET).await;
        let hosts = [
            format!("https://{CODE}.s3.{REGION}.amazonaws.com"),
            format!("https://{CODE}.s3.amazonaws.com"),
            format!("https://{CODE}.s3-{REGION}.amazonaws.com"),
            format!("https://{CODE}.s3.dualstack.{REGION}.amazonaws.com"),
            format!("https://s3.{REGION}.amazonaws.com/{CODE}"),
            format!("https://s3.amazonaws.com/{CODE}"),
            format!("{}/{CODE}", world.endpoint()),
        ];
        for host in hosts {
            let validate = world.cloudformation.validate_template();
            let url = format!("{host}/templates/one.yaml");
            let validated = validate.template_url(&url).send().await;
            assert!(
                validated.is_ok(),
                "{url}: {}",
                said(&validated.unwrap_err())
            );
        }
    });
}

#[test]
fn an_address_without_a_template_says_what_is_missing() {
    run(async |world| {
        let cases = [
            (
                format!("https://{CODE}.s3.{REGION}.amazonaws.com/none.yaml"),
                "S3 error: The specified key does not exist.",
            ),
            (
                format!("https://no-such-bucket.s3.{REGION}.amazonaws.com/none.yaml"),
                "S3 error: The specified bucket does not exist",
            ),
            (
                "https://example.com/one.yaml".to_owned(),
                "TemplateURL must be a supported URL.",
            ),
        ];
        for (url, expected) in cases {
            let validate = world.cloudformation.validate_template().template_url(&url);
            let refused = said(&validate.send().await.unwrap_err());
            assert!(
                refused.starts_with(&format!("ValidationError: {expected}")),
                "{url}: {refused}"
            );
        }
    });
}

#[test]
fn the_original_template_is_given_back() {
    run(async |world| {
        let template = format!("# a comment\n{BUCKET}");
        assert_eq!(world.create("original", &template).await, "CREATE_COMPLETE");
        let get = world.cloudformation.get_template().stack_name("original");
        let got = get.send().await.unwrap();
        assert_eq!(got.template_body(), Some(template.as_str()));
    });
}

/// A template, the parameters given, and what is said.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

#[test]
fn a_wrong_template_or_parameter_is_refused_as_cloudformation_does() {
    const PARAMETER: &str = "Parameters:\n  P: { Type: String, AllowedPattern: '^[a-z]+$' }\n  \
                             Q: { Type: String, Default: a, AllowedValues: [a, b] }\nResources:\n  \
                             Bucket:\n    Type: AWS::S3::Bucket\n";
    let cases: [Case; 9] = [
        (
            "Resources:\n  A: [1\n",
            &[],
            "Template format error: YAML not well-formed. (line 2, column 8)",
        ),
        (
            "{\"Resources\": }",
            &[],
            "Template format error: JSON not well-formed. (line 1, column 15)",
        ),
        (
            "Description: nothing\n",
            &[],
            "Template format error: At least one Resources member must be defined.",
        ),
        (
            "Resources:\n  A:\n    Type: AWS::No::Such\n",
            &[],
            "Template format error: Unrecognized resource types: [AWS::No::Such]",
        ),
        (
            "Resources:\n  A:\n    Type: AWS::S3::Bucket\n    Properties: { BucketName: !Sub '${No}-${Nor.Arn}' }\n",
            &[],
            "Template format error: Unresolved resource dependencies [No, Nor] in the Resources block of the template",
        ),
        (PARAMETER, &[], "Parameters: [P] must have values"),
        (
            PARAMETER,
            &[("P", "a"), ("X", "1")],
            "Parameters: [X] do not exist in the template",
        ),
        (
            PARAMETER,
            &[("P", "A1")],
            "Parameter 'P' must match pattern ^[a-z]+$",
        ),
        (
            PARAMETER,
            &[("P", "a"), ("Q", "c")],
            "Parameter 'Q' must be one of AllowedValues",
        ),
    ];
    run(async |world| {
        for (template, parameters, expected) in cases {
            let made =
                world.change_set(ChangeSetType::Create, "wrong", "one", template, parameters);
            assert_eq!(
                made.await.unwrap_err(),
                format!("ValidationError: {expected}")
            );
        }
        let describe = world.cloudformation.describe_stacks().stack_name("wrong");
        let left = said(&describe.send().await.unwrap_err());
        assert!(left.contains("does not exist"), "a stack was left: {left}");
    });
}

#[test]
fn a_section_without_members_is_as_good_as_none() {
    run(async |world| {
        let template = format!("Parameters:\nConditions:\n{BUCKET}Outputs:\n");
        assert_eq!(world.create("empty", &template).await, "CREATE_COMPLETE");
    });
}

#[test]
fn a_key_that_looks_like_a_number_is_a_text() {
    const API: &str = "\
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Body:
        openapi: 3.0.1
        info: { title: numbers, version: '1' }
        paths:
          /a:
            get:
              responses: { 200: { description: !Ref AWS::StackName } }
              x-amazon-apigateway-integration: { type: mock, responses: { default: { statusCode: '200' } } }
          /b: { Fn::Transform: { Name: AWS::Include, Parameters: { Location: s3://code/templates/numbers.yaml } } }
";
    const INCLUDED: &str = "\
get:
  responses: { 200: { description: included } }
  x-amazon-apigateway-integration: { type: mock, responses: { default: { statusCode: '200' } } }
";
    run(async |world| {
        world.put("templates/numbers.yaml", INCLUDED).await;
        assert_eq!(world.create("numbers", API).await, "CREATE_COMPLETE");
    });
}
