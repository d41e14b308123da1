//! What `CloudFormation` refuses, and what cannot work here: a stack that is green here has to be green on AWS.

use aws_sdk_cloudformation::types::{Capability, ChangeSetType, OnStackFailure};

use crate::world::{World, package, run, said};

const ROLE: &str = "\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] } }
";

/// A change set with these capabilities; what is said of it.
async fn with_capabilities(
    world: &World,
    stack: &str,
    template: &str,
    capabilities: Vec<Capability>,
) -> Result<(), String> {
    let create = world.cloudformation.create_change_set();
    let create = create.change_set_type(ChangeSetType::Create);
    let create = create.stack_name(stack).change_set_name("one");
    let create = create.template_body(template);
    let made = create.set_capabilities(Some(capabilities)).send().await;
    made.map(drop).map_err(|error| said(&error))
}

/// The reason of the first resource that failed.
pub(crate) async fn first_failure(world: &World, stack: &str) -> String {
    let events = world.events(stack).await;
    let failed = events.iter().find(|event| {
        let status = event.resource_status().unwrap();
        status.as_str().ends_with("_FAILED")
    });
    let reason = failed.expect("a failed resource").resource_status_reason();
    reason.unwrap_or_default().to_owned()
}

#[test]
fn a_role_has_to_be_acknowledged() {
    run(async |world| {
        let refused = with_capabilities(world, "role", ROLE, Vec::new()).await;
        let expected =
            "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]";
        assert_eq!(refused.unwrap_err(), expected);
        let describe = world.cloudformation.describe_stacks().stack_name("role");
        assert!(describe.send().await.is_err(), "a stack was left");
        let acknowledged = vec![Capability::CapabilityIam];
        with_capabilities(world, "role", ROLE, acknowledged)
            .await
            .unwrap();
    });
}

#[test]
fn a_transform_of_a_nested_stack_has_to_be_acknowledged() {
    const CHILD: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Table: { Type: 'AWS::Serverless::SimpleTable' }
";
    const PARENT: &str = "\
Resources:
  Child:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: https://code.s3.us-east-1.amazonaws.com/refusals/child.yaml }
";
    run(async |world| {
        world.put("refusals/child.yaml", CHILD).await;
        let acknowledged = vec![Capability::CapabilityNamedIam];
        with_capabilities(world, "expanding", PARENT, acknowledged)
            .await
            .unwrap();
        assert_eq!(world.execute("expanding", "one").await, "ROLLBACK_COMPLETE");
        let reason = first_failure(world, "expanding").await;
        assert_eq!(reason, "Requires capabilities : [CAPABILITY_AUTO_EXPAND]");
    });
}

/// Each resource with the name that it claims.
const NAMED: [(&str, &str); 6] = [
    (
        "AWS::DynamoDB::Table",
        "{ TableName: taken, BillingMode: PAY_PER_REQUEST, KeySchema: [{ AttributeName: id, KeyType: HASH }], \
         AttributeDefinitions: [{ AttributeName: id, AttributeType: S }] }",
    ),
    (
        "AWS::IAM::Role",
        "{ RoleName: taken, AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] } }",
    ),
    (
        "AWS::Lambda::Function",
        "{ FunctionName: taken, Runtime: python3.12, Handler: index.handler, \
         Role: 'arn:aws:iam::000000000000:role/any', Code: { ZipFile: 'handler = None' } }",
    ),
    ("AWS::Logs::LogGroup", "{ LogGroupName: taken }"),
    ("AWS::SNS::Topic", "{ TopicName: taken }"),
    ("AWS::SQS::Queue", "{ QueueName: taken }"),
];

fn named(resources: &[(&str, &str)]) -> String {
    let lines = resources.iter().enumerate().map(|(number, resource)| {
        let (kind, properties) = resource;
        format!("  R{number}:\n    Type: {kind}\n    Properties: {properties}\n")
    });
    let lines: String = lines.collect();
    format!("Resources:\n{lines}")
}

#[test]
fn what_exists_under_a_name_is_not_taken_over() {
    run(async |world| {
        let all = named(&NAMED);
        assert_eq!(world.create("owner", &all).await, "CREATE_COMPLETE");
        for (kind, properties) in NAMED {
            let stack = kind.replace("::", "-");
            let status = world.create(&stack, &named(&[(kind, properties)])).await;
            assert_eq!(status, "ROLLBACK_COMPLETE", "{kind}");
            let expected =
                format!("Resource of type '{kind}' with identifier 'taken' already exists.");
            assert_eq!(first_failure(world, &stack).await, expected);
        }

        // The owner itself changes what it has.
        let changed = all.replace("TopicName: taken", "TopicName: taken, DisplayName: changed");
        let made = world.change_set(ChangeSetType::Update, "owner", "two", &changed, &[]);
        made.await.unwrap();
        assert_eq!(world.execute("owner", "two").await, "UPDATE_COMPLETE");
    });
}

#[test]
fn an_api_that_would_be_answered_differently_is_refused() {
    const METHOD: &str = "\
Resources:
  Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: mapped } }
  Method:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !GetAtt Api.RootResourceId
      HttpMethod: GET
      AuthorizationType: NONE
      Integration: { Type: INTEGRATION, IntegrationHttpMethod: POST, Uri: 'arn:aws:apigateway:us-east-1:sqs:path/q' }
";
    const BODY: &str = "\
Resources:
  Api:
    Type: KIND
    Properties:
      Body:
        openapi: 3.0.1
        info: { title: mapped, version: '1' }
        paths:
          /a:
            get:
              responses: {}
              x-amazon-apigateway-integration:
                { type: INTEGRATION, httpMethod: POST, uri: 'arn:aws:apigateway:us-east-1:sqs:path/q' }
";
    let rest = BODY.replace("KIND", "AWS::ApiGateway::RestApi");
    let http = BODY.replace("KIND", "AWS::ApiGatewayV2::Api");
    let queue = "aws_proxy, integrationSubtype: SQS-SendMessage";
    let closed = "Resources:\n  Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { Policy: { Statement: [] } } }\n";
    let cases = [
        ("policy", closed.to_owned(), "`Policy`"),
        ("method", METHOD.replace("INTEGRATION", "AWS"), "type `aws`"),
        (
            "rest-body",
            rest.replace("INTEGRATION", "aws"),
            "type `aws`",
        ),
        (
            "http-body",
            http.replace("INTEGRATION", queue),
            "type `SQS-SendMessage`",
        ),
    ];
    run(async |world| {
        for (stack, template, expected) in cases {
            let status = world.create(stack, &template).await;
            assert_eq!(status, "ROLLBACK_COMPLETE", "{stack}");
            let reason = first_failure(world, stack).await;
            assert!(
                reason.contains("local API Gateway does not support"),
                "{reason}"
            );
            assert!(reason.contains(expected), "{reason}");
        }
    });
}

#[test]
fn a_stack_that_failed_and_was_left_so_is_updated() {
    const FAILING: &str = "\
Resources:
  Bucket: { Type: 'AWS::S3::Bucket' }
  Layer:
    Type: AWS::Lambda::LayerVersion
    DependsOn: Bucket
    Properties: { Content: { S3Bucket: code, S3Key: refusals/KEY } }
Outputs:
  Bucket: { Value: !Ref Bucket }
";
    run(async |world| {
        let layer = package(&[("file", "content")]);
        world.put("refusals/layer.zip", layer).await;
        let create = world.cloudformation.create_change_set();
        let create = create.change_set_type(ChangeSetType::Create);
        let create = create.on_stack_failure(OnStackFailure::DoNothing);
        let create = create.stack_name("left").change_set_name("one");
        let failing = FAILING.replace("KEY", "none.zip");
        create.template_body(failing).send().await.unwrap();
        assert_eq!(world.execute("left", "one").await, "CREATE_FAILED");
        let bucket = world.stack_resource("left", "Bucket").await;

        let mended = FAILING.replace("KEY", "layer.zip");
        let made = world.change_set(ChangeSetType::Update, "left", "two", &mended, &[]);
        made.await.unwrap();
        assert_eq!(world.execute("left", "two").await, "UPDATE_COMPLETE");
        assert_eq!(
            world.stack_resource("left", "Bucket").await,
            bucket,
            "what was made stays"
        );
    });
}

#[test]
fn a_route_and_a_function_url_with_iam_take_a_key_of_this_environment() {
    const CLOSED: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties: { Auth: { EnableIamAuthorizer: true, DefaultAuthorizer: AWS_IAM } }
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Timeout: 20
      InlineCode: 'def handler(event, context): return \"let in\"'
      FunctionUrlConfig: { AuthType: AWS_IAM }
      Events: { Get: { Type: HttpApi, Properties: { ApiId: !Ref Api, Path: /a, Method: get } } }
Outputs:
  Route: { Value: !Sub 'https://${Api}.execute-api.${AWS::Region}.amazonaws.com/a' }
  Url: { Value: !GetAtt FunctionUrl.FunctionUrl }
";
    run(async |world| {
        assert_eq!(world.create("closed", CLOSED).await, "CREATE_COMPLETE");
        for output in ["Route", "Url"] {
            let url = world.output("closed", output).await;
            for key in ["", "AKIAOFSOMEBODYELSE"] {
                let said = world.get_signed(&url, key).await;
                assert!(said.contains("Forbidden"), "{output}, `{key}`: {said}");
            }
            let own = world.get_signed(&url, &world.access_key_id()).await;
            assert_eq!(own, "let in", "{output}");
        }
    });
}
