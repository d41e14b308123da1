//! `delivery validate`, and the same checks of other commands.

use std::path::Path;
use std::process::Output;

use crate::program::{delivery, printed, repository, says};

/// A function of the user's own that is complete but for what a test leaves out.
fn add_function(root: &Path, settings: &str) {
    let function = root.join("size-budget");
    std::fs::create_dir_all(&function).unwrap();
    std::fs::write(
        function.join("Cargo.toml"),
        "[package]\nname = \"size-budget\"\n",
    )
    .unwrap();
    std::fs::write(
        function.join("template.yaml"),
        "Parameters:\n  MaxBytes: { Type: String, Default: '1' }\nResources: {}\n",
    )
    .unwrap();
    std::fs::write(root.join("delivery.toml"), settings).unwrap();
}

/// Without cfn-lint, which takes seconds and knows nothing of settings.
fn validate(root: &Path) -> Output {
    let mut command = delivery(root);
    command.env("PATH", "").arg("validate").output().unwrap()
}

#[test]
fn a_path_that_a_build_may_make_is_what_git_ignores() {
    let repository = repository();
    let root = repository.path();
    let write = |file: &str, text: &str| std::fs::write(root.join(file), text).unwrap();
    write(
        "delivery.toml",
        "application = \"x\"\n[services]\napi = { directory = \".\", template = \"api.yaml\", build = { task = \"package\" } }\n\
         [environments]\nint = {}\n",
    );
    write(
        "api.yaml",
        "Resources:\n  F: { Type: 'AWS::Serverless::Function', Properties: { CodeUri: dist/ } }\n",
    );
    let said = || {
        // Of a shell in which a Git hook runs.
        let mut command = delivery(root);
        command.env("GIT_DIR", "/nonexistent").arg("validate");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let warning = "warning: delivery.toml: service `api`: `dist/`, which `CodeUri` of `F` names in `api.yaml`, is not there";
    assert!(said().contains(warning), "{}", said());
    write(".gitignore", ".home\ndist/\n");
    assert!(!said().contains(warning), "{}", said());
}

#[test]
fn packages_that_nothing_installs_are_named() {
    let repository = repository();
    let root = repository.path();
    let write = |file: &str, text: &str| std::fs::write(root.join(file), text).unwrap();
    let build = |build: &str| {
        write(
            "delivery.toml",
            &format!(
                "application = \"x\"\n[services]\napi = {{ directory = \".\", template = \"api.yaml\", build = {build} }}\n\
                 [environments]\nint = {{}}\n"
            ),
        );
    };
    build("{ task = \"package\" }");
    write(
        "api.yaml",
        "Resources:\n  F: { Type: 'AWS::Serverless::Function', Properties: { CodeUri: orders/ } }\n",
    );
    std::fs::create_dir(root.join("orders")).unwrap();
    write("orders/index.js", "");
    write(
        "orders/package.json",
        r#"{"dependencies": {"uuid": "11.1.0"}}"#,
    );
    let said = || {
        let output = delivery(root).arg("validate").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let warning = "service `api`: nothing installs the packages of `orders/package.json`";
    assert!(said().contains(warning), "{}", said());
    assert!(said().contains("(cd 'orders' && npm install"), "{}", said());

    // A bundler that is called for the folder, and commands, are taken at their word.
    write(
        "package.json",
        r#"{"scripts": {"package": "esbuild orders/index.js"}}"#,
    );
    assert!(!said().contains(warning), "{}", said());
    write("package.json", r#"{"scripts": {"package": "true"}}"#);
    assert!(said().contains(warning), "{}", said());
    build("{ commands = [\"true\"] }");
    assert!(!said().contains(warning), "{}", said());
}

#[test]
fn the_doctor_passes_over_aws_where_there_is_no_region() {
    let repository = repository();
    let mut command = delivery(repository.path());
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"] {
        command.env_remove(name);
    }
    let output = command
        .env("HOME", repository.path())
        .arg("doctor")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("and `delivery run` needs none"), "{said}");
    assert!(!said.contains("failed    region"), "{said}");
    assert_ne!(output.status.code(), Some(4), "{said}");
}

/// `run`, `validate`, `up` and `publish` check the same settings: the last two only once somebody is signed in.
#[test]
fn settings_that_fit_no_template_are_refused_by_every_command_that_uses_them() {
    let repository = repository();
    let root = repository.path();
    let cases = [
        (
            "[parameters]\nAcceptanceActoin = \"size-budget\"\n",
            "`AcceptanceActoin` is not a parameter; did you mean `AcceptanceAction`?",
        ),
        (
            "[parameters]\nAcceptanceAction = \"size-buget\"\n",
            "`AcceptanceAction` is `size-buget`, but `[functions]` in `delivery.toml` has no such function; did you \
             mean `size-budget`?",
        ),
        (
            "[parameters]\nAcceptanceAction = \"size-budget\"\n\n[functions.size-budget.parameters]\nWebhookUrl = \"x\"\n",
            "the template of the function `size-budget` has no parameter `WebhookUrl`",
        ),
    ];
    for (settings, expected) in cases {
        add_function(
            root,
            &format!("{settings}\n[functions.size-budget]\npath = \"size-budget\"\n"),
        );
        let message = says(root, &["run"], 2);
        assert!(message.contains(expected), "{message}");
        assert!(!root.join(".home").exists(), "nothing was started");
        let output = validate(root);
        assert_eq!(output.status.code(), Some(2), "{}", printed(&output));
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(found.contains(expected), "{found}");
    }
    add_function(root, "[parameters]\nAcceptanceActoin = \"size-budget\"\n");
    let output = delivery(root)
        .envs([
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ])
        .arg("publish")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", printed(&output));
}

#[test]
fn a_function_that_no_stage_uses_is_noted() {
    let repository = repository();
    let root = repository.path();
    add_function(root, "[functions]\nsize-budget = \"size-budget\"\n");
    let message = says(root, &["run", "-p", "Wrong=1"], 2);
    assert!(
        message.contains("note: no stage uses the function `size-budget`"),
        "{message}"
    );
    let output = validate(root);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        found.contains("warning: delivery.toml: no stage uses the function `size-budget`"),
        "{found}"
    );
}

#[test]
fn a_name_that_is_too_long_in_one_of_the_environments_is_refused() {
    let repository = repository();
    let root = repository.path();
    std::fs::create_dir(root.join("files")).unwrap();
    let template = |name: &str| {
        let text = format!(
            "Parameters:\n  Environment: {{ Type: String }}\nResources:\n  Files:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: !Sub \"{name}-${{Environment}}\"\n"
        );
        std::fs::write(root.join("files/template.yaml"), text).unwrap();
    };
    let environment = "production";
    let file = format!(
        "application = \"shop\"\n\n[services]\nfiles = \"files\"\n\n[environments]\nint = {{}}\n{environment} = {{ after = \"int\" }}\n"
    );
    std::fs::write(root.join("delivery.toml"), file).unwrap();
    let fits = "f".repeat(63 - "-".len() - environment.len());
    template(&fits);
    let said = says(root, &["render", "--out", "templates"], 0);
    template(&format!("{fits}f"));
    let refused = says(root, &["render", "--out", "templates"], 2);
    assert!(
        refused.contains("the bucket `Files` would have a name of 64 characters"),
        "{said}{refused}"
    );
}

#[test]
fn what_would_be_left_behind_under_its_name_is_refused_where_environments_are_removed() {
    let repository = repository();
    let root = repository.path();
    std::fs::create_dir(root.join("files")).unwrap();
    let template = "Parameters:\n  Environment: { Type: String }\nResources:\n  Orders:\n    Type: AWS::DynamoDB::Table\n    DeletionPolicy: Retain\n    \
        Properties:\n      TableName: !Sub \"orders-${Environment}\"\n";
    std::fs::write(root.join("files/template.yaml"), template).unwrap();
    std::fs::create_dir(root.join("queue")).unwrap();
    let queue = "Resources:\n  Queue: { Type: AWS::SQS::Queue }\n";
    std::fs::write(root.join("queue/template.yaml"), queue).unwrap();
    let file = |environments: &str| {
        let text = format!(
            "application = \"shop\"\n\n[services]\nfiles = \"files\"\nqueue = \"queue\"\n\n[environments]\nint = {{}}\n{environments}\n"
        );
        std::fs::write(root.join("delivery.toml"), text).unwrap();
    };
    for kept in ["", "dev = {}", "qa = { share = { files = \"int\" } }"] {
        file(kept);
        says(root, &["render", "--out", "templates"], 0);
    }
    for (family, removed) in [("qa", "qa = {}"), ("dev", "dev = { ttl = \"4h\" }")] {
        file(removed);
        let refused = says(root, &["render", "--out", "templates"], 2);
        let what = format!(
            "`Orders` has a name of its own (`TableName`) and stays when an environment `{family}-...` is removed"
        );
        assert!(refused.contains(&what), "{refused}");
    }
}
