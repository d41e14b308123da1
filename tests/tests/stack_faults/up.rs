//! `delivery up`.

use super::fake::{
    Fake, STACK_ID, TEMPLATE_URL, UP, beginning, change_set, changed, delivery, ended, interrupted,
    no_stack, refused, resource_change, result, stack,
};

#[tokio::test]
async fn expired_credentials_end_with_4_before_anything_is_changed() {
    let fake = Fake::start(|_, _| {
        refused(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 4, "{printed}");
    assert!(
        printed.contains("ExpiredToken: The security token"),
        "{printed}"
    );
    assert!(printed.contains("help: sign in"), "{printed}");
    assert_eq!(changed(&fake), [""; 0]);
}

#[tokio::test]
async fn a_missing_permission_is_named_and_the_empty_stack_taken_away() {
    let fake = Fake::start(|call, _| match call {
        "CreateChangeSet" => refused(
            403,
            "AccessDenied",
            "User: arn:aws:iam::1:user/a is not authorized to perform: cloudformation:CreateChangeSet",
        ),
        _ => no_stack(),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 4, "{printed}");
    assert!(
        printed.contains("help: allow `cloudformation:CreateChangeSet` on `shop`"),
        "{printed}"
    );
    assert!(fake.was_asked("DeleteChangeSet"));
    assert_eq!(changed(&fake), ["CreateChangeSet"]);
}

#[tokio::test]
async fn a_refused_template_is_told_in_cloudformations_words() {
    let fake = Fake::start(|call, _| match call {
        "CreateChangeSet" => refused(
            400,
            "ValidationError",
            "Template format error: Unresolved resource dependencies [X]",
        ),
        _ => no_stack(),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("Unresolved resource dependencies [X]"),
        "{printed}"
    );
    assert!(!fake.was_asked("ExecuteChangeSet"));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_said() {
    // Nothing listens on the discard port.
    let (code, printed) = ended(delivery("http://127.0.0.1:9", &UP)).await;
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("`cloudformation:DescribeStacks`"),
        "{printed}"
    );
    assert!(
        printed.contains("the local AWS is not running: `delivery run --keep` starts one"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_refused_before_aws_is_asked_to_change_anything() {
    let fake = Fake::start(|_, _| no_stack()).await;
    let arguments = [
        "up",
        "--template-url",
        TEMPLATE_URL,
        "-p",
        "Colour=RED",
        "-p",
        "Color=red",
    ];
    let (code, printed) = ended(fake.delivery(&arguments)).await;
    assert_eq!(code, 2, "{printed}");
    assert!(
        printed.contains("`Colour` is `RED`: must be a word in lower case"),
        "{printed}"
    );
    assert!(
        printed.contains("`Color` is not a parameter; did you mean `Colour`?"),
        "{printed}"
    );
    assert_eq!(changed(&fake), [""; 0]);
}

#[tokio::test]
async fn an_interrupted_up_takes_away_what_it_made() {
    let fake = Fake::start(|call, times| match (call, times) {
        // What the change set made, until it is deleted.
        ("DescribeStacks", 2) => stack("REVIEW_IN_PROGRESS"),
        ("DescribeStacks", _) => no_stack(),
        ("CreateChangeSet", _) => result(call, "<Id>c-1</Id>"),
        ("DescribeChangeSet", _) => change_set("CREATE_IN_PROGRESS", "", ""),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = interrupted(&fake, &UP, "DescribeChangeSet", 1).await;
    assert_eq!(code, 130, "{printed}");
    assert!(
        printed.contains("nothing was changed, and everything created for it was removed"),
        "{printed}"
    );
    assert!(fake.was_asked("DeleteChangeSet"));
    assert_eq!(changed(&fake), ["CreateChangeSet", "DeleteStack"]);
}

#[tokio::test]
async fn a_stack_that_is_being_changed_is_left_alone() {
    let fake = Fake::start(|call, _| match call {
        "DescribeStackEvents" => beginning("UPDATE_IN_PROGRESS"),
        _ => stack("UPDATE_IN_PROGRESS"),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("UPDATE_IN_PROGRESS since 2026-01-01T00:00:00Z (User Initiated)"),
        "{printed}"
    );
    assert!(printed.contains("`delivery wait`"), "{printed}");
    assert_eq!(changed(&fake), [""; 0]);
}

#[tokio::test]
async fn somebody_who_was_quicker_is_noticed() {
    let add = resource_change("Add", "");
    let fake = Fake::start(move |call, _| match call {
        "DescribeStacks" => stack("UPDATE_COMPLETE"),
        "DescribeStackEvents" => beginning("UPDATE_IN_PROGRESS"),
        "DescribeChangeSet" => change_set("CREATE_COMPLETE", "", &add),
        "ExecuteChangeSet" => refused(404, "ChangeSetNotFound", "ChangeSet does not exist"),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("was changed by someone else in the meantime"),
        "{printed}"
    );
}

#[tokio::test]
async fn nothing_that_holds_data_is_removed_unasked() {
    let remove = resource_change("Remove", "<PolicyAction>Delete</PolicyAction>");
    let fake = Fake::start(move |call, _| match call {
        "DescribeStacks" => stack("CREATE_COMPLETE"),
        "DescribeChangeSet" => change_set("CREATE_COMPLETE", "", &remove),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("its data is lost"), "{printed}");
    assert!(printed.contains("`--yes`"), "{printed}");
    assert!(fake.was_asked("DeleteChangeSet"));
    assert!(!fake.was_asked("ExecuteChangeSet"));
}

#[tokio::test]
async fn a_stack_that_never_came_to_be_is_not_deleted_unasked() {
    let fake = Fake::start(|call, _| match call {
        "DescribeStacks" => stack("ROLLBACK_COMPLETE"),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("it contains nothing"), "{printed}");
    assert!(printed.contains("`--yes`"), "{printed}");
    assert_eq!(changed(&fake), [""; 0]);
}

#[tokio::test]
async fn a_stack_that_is_stuck_names_where_and_is_not_moved_unasked() {
    let stuck = "<StackResourceSummaries><member><LogicalResourceId>ProdAlias</LogicalResourceId>\
                 <ResourceType>AWS::Lambda::Alias</ResourceType><ResourceStatus>UPDATE_FAILED</ResourceStatus>\
                 </member></StackResourceSummaries>";
    let fake = Fake::start(move |call, _| match call {
        "DescribeStacks" => stack("UPDATE_ROLLBACK_FAILED"),
        "ListStackResources" => result(call, stuck),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("so did its rollback, at: ProdAlias"),
        "{printed}"
    );
    assert_eq!(changed(&fake), [""; 0]);
}

#[tokio::test]
async fn nothing_to_change_is_a_success_and_leaves_no_change_set() {
    let fake = Fake::start(|call, _| match call {
        "DescribeStacks" => stack("CREATE_COMPLETE"),
        "DescribeChangeSet" => change_set(
            "FAILED",
            "The submitted information didn't contain changes. Submit different information to create a change set.",
            "",
        ),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("no changes"), "{printed}");
    assert!(fake.was_asked("DeleteChangeSet"));
    assert!(!fake.was_asked("ExecuteChangeSet"));
}

#[tokio::test]
async fn an_up_that_is_interrupted_while_aws_is_at_work_says_that_it_goes_on() {
    let change = resource_change("Modify", "<Replacement>False</Replacement>");
    let fake = Fake::start(move |call, times| match (call, times) {
        ("DescribeStacks", 1) => stack("CREATE_COMPLETE"),
        ("DescribeStacks", _) => stack("UPDATE_IN_PROGRESS"),
        // Before the change set is executed there is nothing new.
        ("DescribeStackEvents", 1) => result(call, ""),
        ("DescribeStackEvents", _) => beginning("UPDATE_IN_PROGRESS"),
        ("DescribeChangeSet", _) => change_set("CREATE_COMPLETE", "", &change),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = interrupted(&fake, &UP, "DescribeStackEvents", 2).await;
    assert_eq!(code, 130, "{printed}");
    assert!(
        printed.contains("CloudFormation continues: `delivery wait` follows it"),
        "{printed}"
    );
    assert!(!fake.was_asked("DeleteChangeSet"));
    assert_eq!(changed(&fake), ["CreateChangeSet", "ExecuteChangeSet"]);
}

/// Attempts of the SDK for one call, after which it gives up.
const ATTEMPTS: usize = 3;

#[tokio::test]
async fn an_operation_is_followed_through_an_outage_and_no_event_is_lost() {
    let nested = format!(
        "<StackEvents><member><StackId>{STACK_ID}</StackId><EventId>e-2</EventId><StackName>shop</StackName>\
         <LogicalResourceId>Application</LogicalResourceId>\
         <PhysicalResourceId>arn:aws:cloudformation:eu-west-1:111122223333:stack/shop-Application/2</PhysicalResourceId>\
         <ResourceType>AWS::CloudFormation::Stack</ResourceType><Timestamp>2026-01-01T00:00:01Z</Timestamp>\
         <ResourceStatus>UPDATE_IN_PROGRESS</ResourceStatus></member></StackEvents>"
    );
    let change = resource_change("Modify", "<Replacement>False</Replacement>");
    let fake = Fake::start(move |call, times| match (call, times) {
        ("DescribeStacks", 1) => stack("CREATE_COMPLETE"),
        ("DescribeStacks", _) => stack("UPDATE_COMPLETE"),
        ("DescribeStackEvents", 1) => result(call, ""),
        ("DescribeStackEvents", 2) => result(call, &nested),
        // The nested stack's events, until the SDK has given up.
        ("DescribeStackEvents", times) if times <= 2 + ATTEMPTS => {
            refused(503, "ServiceUnavailable", "try again")
        }
        ("DescribeStackEvents", times) if times == 3 + ATTEMPTS => result(call, &nested),
        ("DescribeChangeSet", _) => change_set("CREATE_COMPLETE", "", &change),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 0, "{printed}");
    assert_eq!(
        printed.matches("shop / Application").count(),
        1,
        "{printed}"
    );
}

#[tokio::test]
async fn a_change_of_outputs_alone_is_executed() {
    let template = |output: &str| format!("<TemplateBody>Outputs: {output}</TemplateBody>");
    let fake = Fake::start(move |call, times| match (call, times) {
        ("DescribeStacks", _) => stack("UPDATE_COMPLETE"),
        ("DescribeChangeSet", _) => change_set("CREATE_COMPLETE", "", ""),
        ("GetTemplate", 1) => result(call, &template("old")),
        ("GetTemplate", _) => result(call, &template("new")),
        ("ExecuteChangeSet", _) => refused(404, "ChangeSetNotFound", "gone"),
        _ => result(call, ""),
    })
    .await;
    let (_, printed) = ended(fake.delivery(&UP)).await;
    assert!(printed.contains("no resource changes"), "{printed}");
    assert!(fake.was_asked("ExecuteChangeSet"), "{printed}");
}

#[tokio::test]
async fn a_change_set_without_changes_of_the_same_template_is_not_executed() {
    let fake = Fake::start(|call, _| match call {
        "DescribeStacks" => stack("UPDATE_COMPLETE"),
        "DescribeChangeSet" => change_set("CREATE_COMPLETE", "", ""),
        "GetTemplate" => result(call, "<TemplateBody>same</TemplateBody>"),
        _ => result(call, ""),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&UP)).await;
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("no changes"), "{printed}");
    assert!(!fake.was_asked("ExecuteChangeSet"));
}

#[tokio::test]
async fn a_change_set_that_is_never_worked_out_ends_with_6_and_is_taken_away() {
    let fake = Fake::start(|call, _| match call {
        "DescribeStacks" => stack("UPDATE_COMPLETE"),
        "DescribeChangeSet" => change_set("CREATE_IN_PROGRESS", "", ""),
        _ => result(call, ""),
    })
    .await;
    let arguments: Vec<&str> = UP.iter().chain(&["--timeout", "1s"]).copied().collect();
    let (code, printed) = ended(fake.delivery(&arguments)).await;
    assert_eq!(code, 6, "{printed}");
    assert!(printed.contains("did not compute the changes"), "{printed}");
    assert!(fake.was_asked("DeleteChangeSet"));
    assert!(!fake.was_asked("ExecuteChangeSet"));
}
