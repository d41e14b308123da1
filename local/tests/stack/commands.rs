//! `Commands` actions for real: shells of this machine, artifacts and logs in the local AWS.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use local::engine::{
    ActionChange, ChangeState, Changes, Clock, Credentials, Durations, Engine, EngineConfig,
    EngineHandle, Subject,
};
use local::source::Source;
use serde_json::{Value, json};

use crate::world::World;

const ROLE: &str = "arn:aws:iam::000000000000:role/pipeline";

/// How long an action may take; only a failing test waits that long.
const WAIT_LIMIT: Duration = Duration::from_mins(2);

/// What stands for a developer's secret: Cargo sets it in the environment of this process.
const PLANTED: &str = "CARGO_MANIFEST_DIR";

/// An engine, the changes in it, and the folder of its source.
struct Pipelines<'w> {
    world: &'w World,
    engine: EngineHandle,
    changes: Changes,
    source: tempfile::TempDir,
}

impl<'w> Pipelines<'w> {
    async fn start(world: &'w World, time: Duration) -> Self {
        let source = tempfile::tempdir().unwrap();
        std::fs::write(source.path().join("index.html"), "one").unwrap();
        let config = EngineConfig {
            region: "us-east-1".to_owned(),
            account_id: local::ministack::ACCOUNT.to_owned(),
            aws_endpoint: world.aws.endpoint().to_owned(),
            credentials: Credentials {
                access_key_id: world.access_key_id(),
                secret_access_key: "test".to_owned(),
                session_token: "test".to_owned(),
            },
            durations: Durations {
                commands_action: time,
                ..Durations::local()
            },
            clock: Clock::System,
            sources: BTreeMap::from([(
                "octo/greeter".to_owned(),
                Source::open(source.path()).await.unwrap(),
            )]),
        };
        let engine = Engine::start(config).await.unwrap();
        let changes = engine.subscribe();
        Self {
            world,
            engine,
            changes,
            source,
        }
    }

    /// Creates a pipeline of a source and these actions, and returns how each of them ended.
    async fn run(&mut self, name: &str, actions: &[Value]) -> BTreeMap<String, ActionChange> {
        self.create(name, actions).await;
        self.ended().await
    }

    /// What happens next.
    async fn change(&mut self) -> Subject {
        let change = tokio::time::timeout(WAIT_LIMIT, self.changes.next()).await;
        let change = change.expect("something happens");
        change.expect("the engine runs").subject
    }

    /// How each action has ended once the execution has.
    async fn ended(&mut self) -> BTreeMap<String, ActionChange> {
        let mut ended = BTreeMap::new();
        loop {
            match self.change().await {
                Subject::Action(action) if action.state != ChangeState::Started => {
                    ended.insert(action.action.clone(), *action);
                }
                Subject::Pipeline { state, .. } if state != ChangeState::Started => return ended,
                _ => {}
            }
        }
    }

    async fn create(&self, name: &str, actions: &[Value]) {
        let kind = json!({"category": "Source", "owner": "AWS",
            "provider": "CodeStarSourceConnection", "version": "1"});
        let checkout = json!({"name": "Checkout", "actionTypeId": kind, "namespace": "Source",
            "configuration": {"ConnectionArn": "c", "FullRepositoryId": "octo/greeter",
                "BranchName": "main"},
            "outputArtifacts": [{"name": "SourceOutput"}]});
        let declaration = json!({
            "name": name, "roleArn": ROLE, "pipelineType": "V2",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [
                {"name": "Source", "actions": [checkout]},
                {"name": "Build", "actions": actions},
            ],
        });
        let input = json!({"pipeline": declaration});
        let created = self.call("CreatePipeline", &input).await;
        assert!(created["pipeline"].is_object(), "{created}");
    }

    async fn call(&self, operation: &str, input: &Value) -> Value {
        let endpoint = self.engine.endpoint();
        self.world.codepipeline(&endpoint, operation, input).await
    }

    /// What a pipeline's commands have logged.
    async fn log(&self, pipeline: &str) -> String {
        self.world
            .log_of(&format!("/aws/codepipeline/{pipeline}"))
            .await
    }
}

async fn world() -> World {
    let world = World::start().await;
    world.make_bucket("artifacts").await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": "sts:AssumeRole", "Principal": {"Service": "codepipeline.amazonaws.com"}}]});
    let role = [
        ("Action", "CreateRole"),
        ("RoleName", "pipeline"),
        ("AssumeRolePolicyDocument", &policy.to_string()),
        ("Version", "2010-05-08"),
    ];
    world.form("iam", &role).await;
    world
}

fn commands(name: &str, run_order: u32, commands: &[&str]) -> Value {
    json!({
        "name": name, "runOrder": run_order, "commands": commands,
        "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
        "inputArtifacts": [{"name": "SourceOutput"}],
    })
}

fn error(action: &ActionChange) -> (&str, &str) {
    let error = action.error.as_ref().expect("it failed");
    (&error.code, &error.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_share_a_shell_and_hand_on_variables_files_and_their_log() {
    let world = world().await;
    let mut pipelines = Pipelines::start(&world, WAIT_LIMIT).await;
    std::fs::write(pipelines.source.path().join("extra.txt"), "two").unwrap();
    let mut build = commands(
        "Build",
        1,
        &[
            "mkdir -p dist/sub && cd dist",
            "cp ../index.html sub/ && echo \"it's $TIER\" > tier.txt && echo left > ../left.txt",
            "export VERSION=\"1.$(cat ../index.html)\"; UNEXPORTED=1",
            "printf 'out\\n\\n'; echo err >&2; env | sort",
            "(sleep 1000 &) ; false; true",
        ],
    );
    build["namespace"] = json!("BuildVariables");
    build["environmentVariables"] = json!([{"name": "TIER", "value": "#{Source.BranchName}"}]);
    build["outputVariables"] = json!(["VERSION", "UNEXPORTED", "AWS_DEFAULT_REGION"]);
    build["outputArtifacts"] =
        json!([{"name": "Built", "files": ["dist/**/*.html", "dist/tier.txt"]}]);
    let mut check = commands(
        "Check",
        2,
        &[
            "[ \"$PWD\" = \"$CODEBUILD_SRC_DIR\" ] && [ \"$PWD\" = \"$CODEBUILD_SRC_DIR_Built\" ]",
            "find . -type f | sort && cat dist/tier.txt && cat \"$CODEBUILD_SRC_DIR_SourceOutput/extra.txt\"",
            "echo version #{BuildVariables.VERSION}",
        ],
    );
    check["inputArtifacts"] = json!([{"name": "Built"}, {"name": "SourceOutput"}]);
    check["outputArtifacts"] = json!([{"name": "All"}]);
    let ended = pipelines.run("p", &[build, check]).await;
    for action in ended.values() {
        assert_eq!(action.state, ChangeState::Succeeded, "{action:?}");
    }
    let input = json!({"pipelineName": "p"});
    let listed = pipelines.call("ListActionExecutions", &input).await;
    let build = &listed["actionExecutionDetails"][1];
    assert_eq!(
        build["output"]["outputVariables"],
        json!({"VERSION": "1.one", "AWS_DEFAULT_REGION": "us-east-1"})
    );
    let log = pipelines.log("p").await;
    for line in [
        "[Container] CODEBUILD_SRC_DIR=/",
        "[Container] Running command (sleep 1000 &) ; false; true",
        "out\n \nerr\n",
        "./dist/sub/index.html\n./dist/tier.txt\nit's main\ntwo",
        "version 1.one",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert_environment(&log, &world);
    assert_eq!(sleeping("1000"), Vec::<PathBuf>::new());
    pipelines.engine.shutdown().await;
    world.stop().await;
}

/// The commands see their role and CodeBuild's variables, and nothing of this process.
fn assert_environment(log: &str, world: &World) {
    let planted = delivery_action::env::var(PLANTED).unwrap();
    assert!(
        !log.contains(&planted),
        "the environment of this process is in {log}"
    );
    let mut names: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|it| it.0)
        .collect();
    names.retain(|name| {
        name.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    });
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "CI",
        "CODEBUILD_BUILD_ID",
        "CODEBUILD_BUILD_SUCCEEDING",
        "CODEBUILD_CI",
        "CODEBUILD_INITIATOR",
        "CODEBUILD_LOG_PATH",
        "CODEBUILD_RESOLVED_SOURCE_VERSION",
        "CODEBUILD_SRC_DIR",
        "CODEBUILD_START_TIME",
        "HOME",
        "LANG",
        "OLDPWD",
        "PATH",
        "PWD",
        "SHLVL",
        "TIER",
        "TMPDIR",
        "VERSION",
        "_",
    ];
    assert_eq!(names, expected, "{log}");
    let key = format!("AWS_ACCESS_KEY_ID={}", world.access_key_id());
    assert!(log.contains(&key), "{log}");
}

/// The processes of `sleep` with this argument, as paths in `/proc`.
fn sleeping(argument: &str) -> Vec<PathBuf> {
    let wanted = format!("sleep\0{argument}\0");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.map(|entry| entry.path());
    let is_wanted = |process: &PathBuf| {
        std::fs::read(process.join("cmdline")).is_ok_and(|line| line == wanted.as_bytes())
    };
    processes.filter(is_wanted).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_fail_name_the_command_and_its_output() {
    let world = world().await;
    let mut pipelines = Pipelines::start(&world, WAIT_LIMIT).await;
    let mut actions = vec![
        commands(
            "Middle",
            1,
            &["echo first", "echo why >&2; exit 3", "echo never"],
        ),
        commands("Early", 1, &["exit 0", "echo never"]),
        commands("Syntax", 1, &["echo 'unclosed", "echo never"]),
    ];
    let mut nothing = commands("Nothing", 1, &["true"]);
    nothing["outputArtifacts"] = json!([{"name": "None", "files": ["dist/**/*"]}]);
    actions.push(nothing);
    let ended = pipelines.run("p", &actions).await;
    let (code, message) = error(&ended["Middle"]);
    assert_eq!(code, "JobFailed");
    let begin = "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, \
                 Message: Error while executing command: echo why >&2; exit 3. Reason: exit status 3\n\
                 last lines of output:\n[Container] Running command echo first\nfirst\n\
                 [Container] Running command echo why >&2; exit 3\nwhy\nlog: /aws/codepipeline/p ";
    let stream = message
        .strip_prefix(begin)
        .unwrap_or_else(|| panic!("{message}"));
    assert_eq!(stream, ended["Middle"].action_execution_id.as_str());
    let (_, message) = error(&ended["Early"]);
    assert!(
        message.starts_with(
            "the command `exit 0` ended the shell with `exit 0` before the last command\nhint: "
        ),
        "{message}"
    );
    let (_, message) = error(&ended["Syntax"]);
    assert!(
        message.contains("Error while executing command: echo 'unclosed."),
        "{message}"
    );
    let (code, message) = error(&ended["Nothing"]);
    assert_eq!(code, "JobFailed");
    assert!(
        message.starts_with("no file matches `files` of the output artifact: dist/**/*\nhint: "),
        "{message}"
    );
    assert!(!pipelines.log("p").await.contains("\nnever"));
    pipelines.engine.shutdown().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_artifact_that_leaves_its_folder_is_refused() {
    let world = world().await;
    let mut pipelines = Pipelines::start(&world, WAIT_LIMIT).await;
    let wait = json!({"name": "Wait", "actionTypeId":
        {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}});
    pipelines
        .create("p", &[wait, commands("Build", 2, &["touch ran"])])
        .await;
    let (mut source, mut token) = (None, None);
    while token.is_none() {
        match pipelines.change().await {
            Subject::Action(action) => source = action.outputs.first().cloned().or(source),
            Subject::ApprovalNeeded { token: needed, .. } => token = Some(needed),
            _ => {}
        }
    }
    let source = source.unwrap();
    let outside = tempfile::tempdir().unwrap();
    let planted = outside.path().join("planted");
    world
        .put_object(
            &source.bucket,
            &source.key,
            "application/zip",
            hostile(&planted),
        )
        .await;
    let answer = json!({"pipelineName": "p", "stageName": "Build", "actionName": "Wait",
        "token": token, "result": {"status": "Approved", "summary": ""}});
    pipelines.call("PutApprovalResult", &answer).await;
    let ended = pipelines.ended().await;
    let (code, message) = error(&ended["Build"]);
    assert_eq!(code, "JobFailed");
    assert!(
        message.starts_with("cannot extract the input artifact `SourceOutput`: "),
        "{message}"
    );
    assert!(message.contains("planted"), "it names the entry: {message}");
    assert!(!planted.exists());
    pipelines.engine.shutdown().await;
    world.stop().await;
}

/// An archive whose one entry leads out of the folder, to this path.
fn hostile(path: &Path) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let up = "../".repeat(16);
    let name = format!("{up}{}", path.strip_prefix("/").unwrap().display());
    zip.start_file(name, zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(b"planted").unwrap();
    zip.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_timeout_every_process_is_ended_also_those_that_hide() {
    let world = world().await;
    let mut pipelines = Pipelines::start(&world, Duration::from_secs(5)).await;
    let daemons = "(setsid sleep 1001 >/dev/null 2>&1 &) ; sleep 1001 & trap '' TERM; echo started";
    let build = commands("Build", 1, &[daemons, "sleep 1001; sleep 1001"]);
    let ended = pipelines.run("p", &[build]).await;
    assert_eq!(
        error(&ended["Build"]),
        (
            "JobTimedOut",
            "the action exceeded the time limit of a Commands action"
        )
    );
    assert!(pipelines.log("p").await.contains("\nstarted"));
    // The action has ended; its shell, which does not care for SIGTERM, has 5 s more.
    let gone = async {
        while !sleeping("1001").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT_LIMIT, gone)
        .await
        .expect("all are gone");
    pipelines.engine.shutdown().await;
    world.stop().await;
}
