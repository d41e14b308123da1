//! Roles: those that stacks work as, and those that are assumed.

use aws_sdk_cloudformation::types::ChangeSetType;
use serde_json::{Value, json};

use crate::world::{World, run, said};

const TOPIC: &str = "Resources: { Topic: { Type: 'AWS::SNS::Topic' } }";

/// Makes a role with one statement of trust; its ARN.
async fn role(world: &World, name: &str, trust: Value) -> String {
    let mut statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole"});
    let members = trust.as_object().unwrap().clone();
    statement.as_object_mut().unwrap().extend(members);
    let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let iam = aws_sdk_iam::Client::new(&world.config);
    let create = iam.create_role().role_name(name);
    let made = create.assume_role_policy_document(document).send().await;
    made.unwrap().role.unwrap().arn
}

async fn change_set_as(
    world: &World,
    kind: ChangeSetType,
    name: &str,
    template: &str,
    role: &str,
) -> Result<(), String> {
    let create = world.cloudformation.create_change_set();
    let create = create.change_set_type(kind).stack_name("as-role");
    let create = create.change_set_name(name).template_body(template);
    let made = create.role_arn(role).send().await;
    made.map(drop).map_err(|error| said(&error))
}

#[test]
fn a_stack_keeps_a_role_that_it_can_work_as_and_fails_without_it() {
    run(async |world| {
        let unusable =
            |arn: &str| format!("ValidationError: Role {arn} is invalid or cannot be assumed");
        let missing = "arn:aws:iam::000000000000:role/missing";
        let of_lambda = json!({"Principal": {"Service": "lambda.amazonaws.com"}});
        let other = role(world, "of-lambda", of_lambda).await;
        for arn in [missing, &other] {
            let made = change_set_as(world, ChangeSetType::Create, "one", TOPIC, arn).await;
            assert_eq!(made, Err(unusable(arn)));
        }
        let foreign = "arn:aws:iam::111111111111:role/any";
        let made = change_set_as(world, ChangeSetType::Create, "one", TOPIC, foreign).await;
        let expected = "AccessDenied: Cross-account pass role is not allowed.";
        assert_eq!(made, Err(expected.to_owned()));

        let trust = || json!({"Principal": {"Service": ["lambda.amazonaws.com", "cloudformation.amazonaws.com"]}});
        let own = role(world, "of-stacks", trust()).await;
        let made = change_set_as(world, ChangeSetType::Create, "one", TOPIC, &own).await;
        made.unwrap();
        assert_eq!(world.execute("as-role", "one").await, "CREATE_COMPLETE");
        let kept = async || world.stack("as-role").await.role_arn;
        assert_eq!(kept().await, Some(own.clone()));

        // Nobody names the role again, and nothing goes on without it.
        let iam = aws_sdk_iam::Client::new(&world.config);
        let gone = iam.delete_role().role_name("of-stacks").send();
        gone.await.unwrap();
        let changed = TOPIC.replace("Topic'", "Topic', Properties: { DisplayName: changed }");
        let update = ChangeSetType::Update;
        let made = world.change_set(update.clone(), "as-role", "two", &changed, &[]);
        assert_eq!(made.await, Err(unusable(&own)));
        let delete = world.cloudformation.delete_stack().stack_name("as-role");
        assert_eq!(said(&delete.send().await.unwrap_err()), unusable(&own));

        let next = role(world, "of-stacks-too", trust()).await;
        let made = change_set_as(world, update, "two", &changed, &next).await;
        made.unwrap();
        assert_eq!(world.execute("as-role", "two").await, "UPDATE_COMPLETE");
        assert_eq!(kept().await, Some(next));
        assert_eq!(world.delete("as-role").await, "DELETE_COMPLETE");
    });
}

/// What comes of assuming a role: who one is then.
async fn assume(world: &World, role: &str, external_id: Option<&str>) -> Result<String, String> {
    let sts = aws_sdk_sts::Client::new(&world.config);
    let assume = sts.assume_role().role_arn(role).role_session_name("me");
    let assumed = assume
        .set_external_id(external_id.map(str::to_owned))
        .send();
    let assumed = assumed.await.map_err(|error| said(&error))?;
    let key = assumed.credentials.unwrap().access_key_id;
    let as_role = aws_sdk_sts::Client::new(&world.as_key(key).config);
    let identity = as_role.get_caller_identity().send().await.unwrap();
    Ok(identity.arn.unwrap())
}

#[test]
fn a_role_is_assumed_by_those_that_it_trusts() {
    run(async |world| {
        let refused = |arn: &str| {
            let user = "arn:aws:iam::000000000000:root";
            Err(format!(
                "AccessDenied: User: {user} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            ))
        };
        let missing = "arn:aws:iam::000000000000:role/nobody";
        assert_eq!(assume(world, missing, None).await, refused(missing));

        let account = json!({"AWS": "arn:aws:iam::000000000000:root"});
        let open = role(world, "open", json!({"Principal": account})).await;
        let expected = "arn:aws:sts::000000000000:assumed-role/open/me";
        assert_eq!(assume(world, &open, None).await.unwrap(), expected);

        let condition = json!({"StringEquals": {"sts:ExternalId": "the secret of two accounts"}});
        let trust = json!({"Principal": account, "Condition": condition});
        let closed = role(world, "closed", trust).await;
        for wrong in [None, Some("another")] {
            assert_eq!(assume(world, &closed, wrong).await, refused(&closed));
        }
        let right = Some("the secret of two accounts");
        let expected = "arn:aws:sts::000000000000:assumed-role/closed/me";
        assert_eq!(assume(world, &closed, right).await.unwrap(), expected);
    });
}

/// A function that assumes a role which trusts the function's own role, and nobody else.
const CHAIN: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Action: "sts:AssumeRole", Principal: { Service: lambda.amazonaws.com } }]
  Target:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Action: "sts:AssumeRole", Principal: { AWS: !GetAtt Role.Arn } }]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: chain
      Role: !GetAtt Role.Arn
      Runtime: python3.12
      Handler: index.handler
      Timeout: 20
      Environment: { Variables: { TARGET: !GetAtt Target.Arn } }
      Code:
        ZipFile: |
          import boto3, os
          def handler(event, context):
              sts = boto3.client("sts")
              assumed = sts.assume_role(RoleArn=os.environ["TARGET"], RoleSessionName="next")
              return [sts.get_caller_identity()["Arn"], assumed["AssumedRoleUser"]["Arn"]]
Outputs:
  Role: { Value: !Ref Role }
  Target: { Value: !Ref Target }
  TargetArn: { Value: !GetAtt Target.Arn }
"#;

#[test]
fn a_function_is_its_role() {
    run(async |world| {
        assert_eq!(world.create("chain", CHAIN).await, "CREATE_COMPLETE");
        let [role, target, arn] = ["Role", "Target", "TargetArn"];
        let role = world.output("chain", role).await;
        let target = world.output("chain", target).await;
        let arn = world.output("chain", arn).await;

        let own = assume(world, &arn, None).await;
        assert!(own.is_err(), "the account's user is not the role: {own:?}");
        let lambda = aws_sdk_lambda::Client::new(&world.config);
        let answer = lambda.invoke().function_name("chain").send().await.unwrap();
        let answer: Value = serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap();
        let session =
            |role: &str, name| format!("arn:aws:sts::000000000000:assumed-role/{role}/{name}");
        assert_eq!(
            answer,
            json!([session(&role, "chain"), session(&target, "next")])
        );
    });
}
