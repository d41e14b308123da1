//! Several accounts in one local AWS.

use aws_sdk_lambda::primitives::Blob;
use serde_json::json;

use crate::refusals::first_failure;
use crate::world::{CODE, World, package, run};

/// Makes an account and gets into it, as its management account does.
async fn member(world: &World) -> (String, World) {
    let input = json!({"Email": "team@example.com", "AccountName": "team"});
    let target = "AWSOrganizationsV20161128.CreateAccount";
    let made = world.ask("organizations", target, &input).await;
    let account = made["CreateAccountStatus"]["AccountId"].as_str();
    let account = account
        .unwrap_or_else(|| panic!("no account: {made}"))
        .to_owned();
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let sts = aws_sdk_sts::Client::new(&world.config);
    let assume = sts
        .assume_role()
        .role_arn(role)
        .role_session_name("management");
    let credentials = assume.send().await.unwrap().credentials.unwrap();
    (account, world.as_key(credentials.access_key_id))
}

const FUNCTION: &str = "\
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: in-an-account
      Role: !Sub 'arn:aws:iam::${AWS::AccountId}:role/any'
      Runtime: python3.12
      Handler: index.handler
      Code: { S3Bucket: code, S3Key: accounts/function.zip }
";

#[test]
fn a_function_takes_the_code_of_another_account_where_its_bucket_lets_it() {
    run(async |world| {
        let source = "import os\ndef handler(event, context): return 'shared code'\n";
        let code = package(&[("index.py", source)]);
        world.put("accounts/function.zip", code).await;
        let (account, team) = member(world).await;

        assert_eq!(team.create("closed", FUNCTION).await, "ROLLBACK_COMPLETE");
        let reason = first_failure(&team, "closed").await;
        assert_eq!(
            reason,
            "Error occurred while GetObject. S3 Error Code: AccessDenied. S3 Error Message: Access Denied \
             (s3://code/accounts/function.zip)"
        );

        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{CODE}/accounts/*"),
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}}]});
        let put = world.s3.put_bucket_policy().bucket(CODE);
        put.policy(policy.to_string()).send().await.unwrap();
        assert_eq!(team.create("open", FUNCTION).await, "CREATE_COMPLETE");
        let lambda = aws_sdk_lambda::Client::new(&team.config);
        let invoke = lambda.invoke().function_name("in-an-account");
        let answer = invoke.payload(Blob::new("{}")).send().await.unwrap();
        let answer = answer.payload.unwrap().into_inner();
        assert_eq!(String::from_utf8(answer).unwrap(), "\"shared code\"");

        let missing = FUNCTION.replace("function.zip", "none.zip");
        assert_eq!(team.create("missing", &missing).await, "ROLLBACK_COMPLETE");
        let reason = first_failure(&team, "missing").await;
        assert!(reason.contains("NoSuchKey"), "{reason}");
        assert!(
            world
                .cloudformation
                .describe_stacks()
                .stack_name("open")
                .send()
                .await
                .is_err(),
            "the stack is the other account's"
        );
        let removed = world.s3.delete_bucket_policy().bucket(CODE).send();
        removed.await.unwrap();
    });
}

#[test]
fn what_codedeploy_has_is_its_accounts_own() {
    const APPLICATION: &str = "\
Resources:
  Application:
    Type: AWS::CodeDeploy::Application
    Properties: { ApplicationName: of-the-team, ComputePlatform: Lambda }
";
    run(async |world| {
        let (_, team) = member(world).await;
        let status = team.create("codedeploy", APPLICATION).await;
        assert_eq!(status, "CREATE_COMPLETE");
        let input = json!({"applicationName": "of-the-team"});
        let target = "CodeDeploy_20141006.GetApplication";
        let found = team.ask("codedeploy", target, &input).await;
        assert_eq!(found["application"]["applicationName"], "of-the-team");
        let found = world.ask("codedeploy", target, &input).await;
        assert_eq!(found["__type"], "ApplicationDoesNotExistException");
    });
}
