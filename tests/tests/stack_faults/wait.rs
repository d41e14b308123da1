//! `delivery wait`, and signing in.

use super::fake::{Fake, beginning, ended, no_stack, stack};

#[tokio::test]
async fn waiting_for_a_stack_that_is_not_there_ends_with_5() {
    let fake = Fake::start(|_, _| no_stack()).await;
    let (code, printed) = ended(fake.delivery(&["wait"])).await;
    assert_eq!(code, 5, "{printed}");
    assert!(
        printed.contains("no stack named `shop` in eu-west-1"),
        "{printed}"
    );
}

#[tokio::test]
async fn waiting_ends_with_6_when_the_time_is_up() {
    let fake = Fake::start(|call, _| match call {
        "DescribeStackEvents" => beginning("CREATE_IN_PROGRESS"),
        _ => stack("CREATE_IN_PROGRESS"),
    })
    .await;
    let (code, printed) = ended(fake.delivery(&["wait", "--timeout", "1s"])).await;
    assert_eq!(code, 6, "{printed}");
    assert!(
        printed.contains("still CREATE_IN_PROGRESS after 1s"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_named_profile_signs_in_whatever_the_environment_holds() {
    let home = tempfile::tempdir().unwrap();
    let credentials = home.path().join("credentials");
    let text = "[prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = x\n";
    std::fs::write(&credentials, text).unwrap();
    let fake = Fake::start(|_, _| no_stack()).await;
    let with_profile = |name: &str| {
        let mut command = fake.delivery(&["--profile", name, "wait"]);
        command.env("AWS_SHARED_CREDENTIALS_FILE", &credentials);
        command
    };
    let (code, printed) = ended(with_profile("prod")).await;
    assert_eq!(code, 5, "{printed}");
    assert_eq!(fake.keys(), ["AKIAPROD".to_owned()].into());

    let (code, printed) = ended(with_profile("prd")).await;
    assert_eq!(code, 2, "{printed}");
    assert!(
        printed.contains("no profile `prd` in the AWS configuration; it has prod"),
        "{printed}"
    );
    assert!(printed.contains("did you mean `prod`?"), "{printed}");
}
