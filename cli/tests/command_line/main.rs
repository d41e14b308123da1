//! The command line itself, and what is said before anything is started: no service is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// What the smallest project needs that passes the check before the start.
const PACKAGE: &str = r#"{"scripts": {"package": "true", "test-functional": "true"}}"#;

fn delivery(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_delivery"));
    command
        .current_dir(folder)
        .env("DELIVERY_HOME", folder.join(".home"))
        .env_remove("AWS_REGION");
    command
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs it, and expects this exit code; what people are told.
fn says(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = delivery(folder).args(arguments).output().unwrap();
    let printed = printed(&output);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    printed
}

fn git(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=T", "-c", "user.email=t@example.com"];
    let mut command = Command::new("git");
    let done = command
        .arg("-C")
        .arg(folder)
        .args(who)
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", printed(&done));
}

/// A repository with a project in it.
fn repository() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(
        folder.path(),
        &["init", "--quiet", "--initial-branch", "main"],
    );
    std::fs::write(folder.path().join("package.json"), PACKAGE).unwrap();
    std::fs::write(folder.path().join(".gitignore"), ".home\n").unwrap();
    git(folder.path(), &["add", "--all"]);
    git(folder.path(), &["commit", "--quiet", "-m", "one"]);
    folder
}

#[test]
fn alone_it_shows_its_help_whatever_the_environment_sets() {
    let folder = tempfile::tempdir().unwrap();
    let output = delivery(folder.path())
        .env("AWS_REGION", "eu-west-1")
        .output()
        .unwrap();
    let printed = printed(&output);
    assert!(
        printed.contains("Usage: delivery") && printed.contains("Run the pipeline"),
        "{printed}"
    );
    assert!(
        !printed.contains("error:") && !printed.contains("serve"),
        "{printed}"
    );
}

#[test]
fn what_is_not_understood_leads_to_what_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let help = says(folder.path(), &["destroy"], 2);
    assert!(help.contains("`delivery down` deletes the stack"), "{help}");
    let help = says(folder.path(), &["-C", "/nope", "status"], 5);
    assert!(
        help.contains("the directory `/nope` given by `-C`"),
        "{help}"
    );
    let help = says(folder.path(), &["run", "/etc/passwd"], 5);
    assert!(help.contains("`/etc/passwd` is a file"), "{help}");
}

#[test]
fn a_variable_is_read_as_people_write_it_and_named_where_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for (value, json) in [("1", true), ("yes", true), ("0", false), ("no", false)] {
        let mut command = delivery(folder.path());
        let output = command
            .env("DELIVERY_JSON", value)
            .args(["local", "env"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(5), "{}", printed(&output));
        assert_eq!(!output.stdout.is_empty(), json, "{value}");
    }
    let mut command = delivery(folder.path());
    let output = command
        .env("DELIVERY_KEEP", "maybe")
        .arg("run")
        .output()
        .unwrap();
    let message = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("environment variable 'DELIVERY_KEEP'"),
        "{message}"
    );
    assert!(
        message.contains("1, 0, yes, no, true or false"),
        "{message}"
    );
}

#[test]
fn where_nothing_is_kept_the_directory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    let message = says(folder.path(), &["local", "stop"], 5);
    let expected = format!("no local environment is running for `{}`", here.display());
    assert!(message.contains(&expected), "{message}");
}

/// Whatever git says, it is said, and nothing is delivered.
#[test]
fn a_repository_that_git_refuses_is_not_delivered() {
    let damaged = repository();
    std::fs::write(damaged.path().join(".git/HEAD"), "garbage").unwrap();
    let message = says(damaged.path(), &["run"], 5);
    assert!(message.contains("not a git repository"), "{message}");

    let others = repository();
    if std::os::unix::fs::chown(others.path(), Some(65534), None).is_err() {
        println!("skipped: a repository of somebody else: only root can make one");
        return;
    }
    std::os::unix::fs::chown(others.path().join(".git"), Some(65534), None).unwrap();
    let message = says(others.path(), &["run"], 5);
    assert!(message.contains("safe.directory"), "{message}");
}

#[test]
fn without_git_a_repository_says_to_install_it() {
    let repository = repository();
    let empty = tempfile::tempdir().unwrap();
    let mut command = delivery(repository.path());
    let output = command
        .env("PATH", empty.path())
        .arg("run")
        .output()
        .unwrap();
    let message = printed(&output);
    assert_eq!(output.status.code(), Some(5), "{message}");
    assert!(message.contains("install git"), "{message}");
}

/// All that is wrong is said at once, and what is only worth knowing beside it.
#[test]
fn what_is_wrong_is_said_at_once_before_anything_is_started() {
    let repository = repository();
    let root = repository.path();
    std::fs::write(root.join("package.json"), format!("{PACKAGE}\n")).unwrap();
    std::fs::write(root.join("new\u{1b}[2J.js"), "1").unwrap();
    std::fs::write(root.join("delivery.toml"), "").unwrap(); // takes effect as it is
    let arguments = [
        "run",
        "--json",
        "-p",
        "ManualAproval=true",
        "-p",
        "BuildMemory=1",
    ];
    let output = delivery(root).args(arguments).output().unwrap();
    let message = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(!root.join(".home").exists(), "nothing was started");
    assert!(
        message.contains("`ManualAproval` is not a parameter; did you mean `ManualApproval`?"),
        "{message}"
    );
    assert!(message.contains("`BuildMemory` is `1`"), "{message}");
    let note = "1 changed file and 1 untracked file are not committed and are not delivered";
    assert!(message.contains(note), "{message}");
    assert!(!message.contains('\u{1b}'), "{message}");

    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let notes: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "finding")
        .collect();
    assert!(
        notes.iter().any(|finding| finding["message"] == note),
        "{notes:?}"
    );
    let result = lines.last().unwrap();
    assert_eq!(result["error"]["type"], "unfit", "{result}");
}

#[test]
fn the_usage_does_not_ask_for_what_a_variable_sets() {
    let folder = tempfile::tempdir().unwrap();
    let message = says(folder.path(), &["new-action"], 2);
    assert!(
        message.contains("Usage: delivery new-action [OPTIONS] <NAME>"),
        "{message}"
    );
}

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
fn a_folder_without_a_project_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "1").unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.path().join("link")).unwrap();
    let message = says(folder.path(), &["run"], 1);
    assert!(message.contains("no `package.json`"), "{message}");
}

/// A folder of a repository is told apart from a repository: on AWS it takes a parameter, or cannot be.
#[test]
fn a_folder_of_a_repository_is_named() {
    let repository = repository();
    let app = repository.path().join("packages/app");
    std::fs::create_dir_all(&app).unwrap();
    std::fs::write(app.join("package.json"), PACKAGE).unwrap();
    git(repository.path(), &["add", "--all"]);
    git(repository.path(), &["commit", "--quiet", "-m", "two"]);
    let message = says(&app, &["run", "-p", "Wrong=1"], 2);
    assert!(
        message.contains("the folder `packages/app` of"),
        "{message}"
    );
}

/// What the developer is signed in with is in the environment. Where a process is not dumpable, its files in
/// `/proc` are root's, and no other process of the user reads them.
#[test]
fn its_environment_is_not_for_other_processes_of_the_user() {
    let repository = repository();
    let programs = tempfile::tempdir().unwrap();
    for folder in [repository.path(), programs.path()] {
        std::fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    let git = programs.path().join("git");
    std::fs::write(&git, "#!/bin/sh\nexec /bin/sleep 60\n").unwrap();
    std::fs::set_permissions(&git, Permissions::from_mode(0o755)).unwrap();

    let as_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let setpriv = Path::new("/usr/bin/setpriv");
    if as_root && !setpriv.exists() {
        println!("skipped: the environment of a process: there is no `setpriv`");
        return;
    }
    let mut command = if as_root {
        let mut command = Command::new(setpriv);
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(env!("CARGO_BIN_EXE_delivery"));
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_delivery"))
    };
    command
        .arg("run")
        .arg(repository.path())
        .env_clear()
        .env("PATH", programs.path());
    command.env("AWS_SECRET_ACCESS_KEY", "the-developer-s-own");

    let mut running = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let process = Path::new("/proc").join(running.id().to_string());
    // It has come to git, so it is past its beginning.
    let children = || {
        let tasks = std::fs::read_dir(process.join("task"))
            .into_iter()
            .flatten()
            .flatten();
        let children = tasks.map(|task| std::fs::read_to_string(task.path().join("children")));
        children
            .flatten()
            .any(|children| !children.trim().is_empty())
    };
    let began = std::time::Instant::now();
    while !children() && began.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let came_to_git = children();
    let owner = std::fs::metadata(process.join("environ")).unwrap().uid();
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(came_to_git, "it did not come to git");
    assert_eq!(owner, 0);
}

#[test]
fn the_host_s_verb_is_nobody_s_command() {
    let folder = tempfile::tempdir().unwrap();
    let message = says(folder.path(), &["serve"], 2);
    assert!(message.contains("unknown command `serve`"), "{message}");
    for shell in ["bash", "zsh", "fish"] {
        let output = delivery(folder.path())
            .args(["completions", shell])
            .output()
            .unwrap();
        let script = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            !script.contains("__host") && !script.contains("serve"),
            "{shell}"
        );
    }
}

/// An example's folder.
fn example(name: &str) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("examples").join(name)
}

#[test]
fn the_file_that_init_writes_is_rendered() {
    let folder = tempfile::tempdir().unwrap();
    for service in ["backend-database", "backend-restapi", "backend-tasks"] {
        let template = example("workshop").join(service).join("template.yaml");
        std::fs::create_dir(folder.path().join(service)).unwrap();
        std::fs::copy(template, folder.path().join(service).join("template.yaml")).unwrap();
    }
    let output = delivery(folder.path())
        .args(["init", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["services"][1]["name"], "backend-restapi");
    assert_eq!(answer["services"][1]["kind"], "stack");

    // What is there stays as it is.
    let again = says(folder.path(), &["init"], 2);
    assert!(
        again.contains("`./delivery.toml` already exists"),
        "{again}"
    );

    // It cannot know where a parameter's value comes from.
    let lacks = says(folder.path(), &["render", "--out", "made"], 2);
    assert!(
        lacks.contains(
            "delivery.toml:5: `backend-restapi/template.yaml` needs the parameter `TableName`"
        ),
        "{lacks}"
    );
    let file = folder.path().join("delivery.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    for service in ["backend-restapi", "backend-tasks"] {
        let parameters = "{ TableName = \"${backend-database.TableName}\" }";
        let with = format!("= {{ directory = \"{service}\", parameters = {parameters} }}");
        text = text.replace(&format!("= \"{service}\""), &with);
    }
    std::fs::write(&file, text).unwrap();

    let output = delivery(folder.path())
        .args(["render", "--out", "made", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = [
        "made/delivery.yaml",
        "made/actions.yaml",
        "made/pipeline.yaml",
    ];
    assert_eq!(answer["files"], serde_json::json!(files));
    assert_eq!(answer["environments"][0]["stage"], "test");
    assert_eq!(answer["environments"][1]["stage"], "prod");
    let pipeline = std::fs::read_to_string(folder.path().join("made/pipeline.yaml")).unwrap();
    assert!(
        pipeline.contains("- Name: deploy-stack-backend-tasks"),
        "{pipeline}"
    );
}

#[test]
fn without_a_file_render_writes_what_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let output = delivery(folder.path())
        .args(["render", "--out", "."])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloudformation");
    for entry in std::fs::read_dir(committed).unwrap() {
        let committed = entry.unwrap();
        let written = std::fs::read(folder.path().join(committed.file_name())).unwrap();
        assert!(
            written == std::fs::read(committed.path()).unwrap(),
            "{committed:?}"
        );
    }
}

#[test]
fn nothing_that_can_be_deployed_is_said_with_what_could_be() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("infra")).unwrap();
    std::fs::write(folder.path().join("infra/main.tf"), "").unwrap();
    let message = says(folder.path(), &["init"], 5);
    assert!(
        message.contains("infra: services of the kind `terraform` are not deployed yet"),
        "{message}"
    );
    assert!(!folder.path().join("delivery.toml").exists());
}

#[test]
fn what_cannot_be_a_pipeline_is_refused_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = "application = \"shop\"\n[services]\nweb = { directory = \"web\", site = \".\" }\n\
        api = { directory = \"api\", site = \".\", config = { a = \"${web.Adress}\" } }\n";
    std::fs::write(folder.path().join("delivery.toml"), text).unwrap();
    for service in ["web", "api"] {
        std::fs::create_dir(folder.path().join(service)).unwrap();
    }
    for command in ["validate", "render"] {
        let message = says(folder.path(), &[command], 2);
        assert!(
            message.contains(
                "delivery.toml:4: `web` is of the kind `site`, which has no output `Adress`"
            ),
            "{message}"
        );
    }
}
