//! `delivery init`.

use std::path::Path;

use delivery_testing::terminal::Terminal;
use serde_json::Value;

use crate::program::{delivery, printed, says};

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
        .args(["init", "--yes", "--json"])
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

    let output = delivery(folder.path())
        .args(["render", "--out", "made", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = [
        "made/delivery.yaml",
        "made/actions.yaml",
        "made/pipeline-apply-prod.yaml",
        "made/pipeline-apply-test.yaml",
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
fn nothing_that_can_be_deployed_is_said_with_what_could_be() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("infra")).unwrap();
    std::fs::write(folder.path().join("infra/main.tf"), "").unwrap();
    let message = says(folder.path(), &["init"], 5);
    assert!(
        message
            .contains("infra: Terraform modules are not deployed yet: keep applying it as before"),
        "{message}"
    );
    assert!(!folder.path().join("delivery.toml").exists());
}

/// Commands that take a folder without `delivery.toml` for what lies in it.
#[test]
fn a_file_that_cannot_be_read_is_named_by_every_command_that_looks_at_it() {
    let template = "template.yaml:2: this is not YAML: unclosed bracket '['";
    let resources = "template.yaml:1: `Resources` has no resources by their names";
    let package = "package.json:1: this is not JSON: EOF while parsing a value";
    for (files, expected) in [
        (
            &[
                ("template.yaml", "Resources:\n  A: [unclosed\n"),
                ("package.json", crate::program::PACKAGE),
            ][..],
            template,
        ),
        (
            &[("template.yaml", "Resources: 5\n"), ("package.json", "{")],
            resources,
        ),
        (&[("package.json", "{\"a\":")], package),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            std::fs::write(folder.path().join(path), text).unwrap();
        }
        for arguments in [&["init", "--yes"][..], &["validate"], &["run"]] {
            let message = says(folder.path(), arguments, 2);
            assert!(message.contains(expected), "{arguments:?}: {message}");
            assert!(!message.contains("delivery.toml:"), "{message}");
        }
        assert!(!folder.path().join("delivery.toml").exists());
    }
}

#[test]
fn a_folder_with_a_file_that_cannot_be_read_is_left_out_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("api/template.yaml", SAM),
        ("api/src/package.json", "{"),
        ("worker/template.yaml", "Resources: [\n"),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = delivery(folder.path())
        .args(["init", "--yes"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let shown = String::from_utf8_lossy(&output.stdout);
    for expected in [
        "left out: `api/src`: api/src/package.json:1: this is not JSON",
        "left out: `worker`: worker/template.yaml:",
    ] {
        assert!(shown.contains(expected), "{shown}");
    }
}

/// A repository, and what `delivery.toml` has to say of it.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// Parts of what is shown, the file among it.
    says: &'static [&'static str],
}

const SAM: &str = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Api:\n    Type: AWS::Serverless::Function\n    \
    Properties: { CodeUri: src/, Handler: app.handler, Runtime: nodejs22.x }\n";
const SAM_ESBUILD: &str = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Api:\n    Type: AWS::Serverless::Function\n    \
    Metadata: { BuildMethod: esbuild }\n    Properties: { CodeUri: src/, Handler: app.handler, Runtime: nodejs22.x }\n";
const SAM_PYTHON: &str = "Transform: AWS::Serverless-2016-10-31\nGlobals: { Function: { Runtime: python3.13, Architectures: [arm64] } }\n\
    Resources:\n  Hello:\n    Type: AWS::Serverless::Function\n    Properties: { CodeUri: hello/, Handler: app.handler }\n";
const NPM_LOCK: (&str, &str) = ("package-lock.json", r#"{"lockfileVersion": 3}"#);
const WITH_TESTS: &str = r#"{"scripts": {"test": "node --test"}, "dependencies": {"ms": "2.1.3"}}"#;
const WITH_BUILD: &str =
    "{\n  \"scripts\": {\n    \"build\": \"tsc\",\n    \"test\": \"node --test\"\n  }\n}\n";
const WITHOUT_SCRIPTS: &str = r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}, "dependencies": {"ms": "2.1.3"}}"#;
const VITE: &str = r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7.0.0"}}"#;

const CASES: &[Case] = &[
    Case {
        name: "SAM without packages",
        files: &[("template.yaml", SAM), ("src/app.js", "")],
        says: &["found: a SAM template `template.yaml`", "main = \".\"\n"],
    },
    Case {
        name: "SAM and npm with tests",
        files: &[
            ("template.yaml", SAM),
            ("src/app.js", ""),
            ("package.json", WITH_TESTS),
            NPM_LOCK,
        ],
        says: &[
            "found: npm, a SAM template",
            "main = { directory = \".\", build = { task = \"test\" } }",
        ],
    },
    Case {
        name: "SAM, npm and TypeScript",
        files: &[
            ("template.yaml", SAM),
            ("src/app.ts", ""),
            ("package.json", WITH_BUILD),
            ("tsconfig.json", "{}"),
            NPM_LOCK,
        ],
        says: &[
            "found: npm, TypeScript, a SAM template",
            "--- package.json (with one script more)",
            "\"package\": \"npm test && npm run build\"",
            "build = { task = \"package\" }",
        ],
    },
    Case {
        name: "SAM and npm with neither tests nor a build",
        files: &[
            ("template.yaml", SAM),
            ("src/app.js", ""),
            ("package.json", WITHOUT_SCRIPTS),
        ],
        says: &[
            "npm without a lock file",
            "run `npm install` and commit `package-lock.json`",
            "\"package\": \"echo nothing to build\"",
        ],
    },
    Case {
        name: "SAM with packages beside the code",
        files: &[("template.yaml", SAM), ("src/package.json", WITH_TESTS)],
        says: &["commands = [\"(cd 'src' && npm install && npm test && npm prune --omit=dev)\"]"],
    },
    Case {
        name: "SAM with esbuild",
        files: &[("template.yaml", SAM_ESBUILD), ("src/app.ts", "")],
        says: &[
            "template = \".aws-sam/build/template.yaml\"",
            "commands = [\"sam build\"]",
        ],
    },
    Case {
        name: "several services",
        files: &[
            ("api/template.yaml", SAM),
            ("api/src/app.js", ""),
            ("worker/template.yaml", SAM),
            ("worker/src/app.js", ""),
            ("web/index.html", ""),
        ],
        says: &[
            "api    = \"api\"",
            "web    = { directory = \"web\", site = \".\" }",
            "worker = \"worker\"",
        ],
    },
    Case {
        name: "npm workspaces",
        files: &[
            ("package.json", r#"{"workspaces": ["packages/*"]}"#),
            NPM_LOCK,
            ("packages/api/template.yaml", SAM),
            ("packages/api/src/app.js", ""),
            ("packages/api/package.json", WITH_TESTS),
            ("packages/web/package.json", VITE),
            ("packages/web/index.html", ""),
        ],
        says: &[
            "found: npm, workspaces",
            "to do: the packages of `packages/api` are installed in a folder above",
            "api = { directory = \"packages/api\", build = { task = \"test\" } }",
            "site = \"dist\", build = { task = \"build\" }",
        ],
    },
    Case {
        name: "pnpm",
        files: &[
            ("template.yaml", SAM),
            ("src/app.js", ""),
            ("package.json", WITH_BUILD),
            ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        ],
        says: &[
            "found: pnpm",
            "\"package\": \"pnpm run test && pnpm run build\"",
        ],
    },
    Case {
        name: "Yarn",
        files: &[
            ("template.yaml", SAM),
            ("src/app.js", ""),
            ("package.json", WITH_TESTS),
            ("yarn.lock", "# yarn lockfile v1\n"),
        ],
        says: &["found: Yarn 1", "build = { task = \"test\" }"],
    },
    Case {
        name: "Bun",
        files: &[
            ("template.yaml", SAM),
            ("src/app.js", ""),
            ("package.json", WITH_TESTS),
            ("bun.lock", ""),
        ],
        says: &[
            "found: Bun",
            "commands = [\"npx --yes bun install --frozen-lockfile\", \"npx --yes bun run test\"]",
            "to do: Bun's lock file is not read",
        ],
    },
    Case {
        name: "Python and SAM",
        files: &[
            ("template.yaml", SAM_PYTHON),
            ("hello/app.py", ""),
            ("hello/requirements.txt", "requests==2.32.0\n"),
            ("tests/test_app.py", ""),
        ],
        says: &[
            "--target 'hello' --platform manylinux2014_aarch64 --python-version 3.13",
            "to do: the tests in `tests` are not run",
        ],
    },
    Case {
        name: "Python, SAM and pytest",
        files: &[
            ("template.yaml", SAM_PYTHON),
            ("hello/app.py", ""),
            ("tests/test_a.py", "def test_x(): assert False\n"),
            ("requirements-dev.txt", "pytest\n"),
        ],
        says: &[
            "activate`, `python3 -m pip install --requirement requirements-dev.txt` and `python3 -m pytest tests` to",
        ],
    },
    Case {
        name: "CloudFormation by another name",
        files: &[(
            "infrastructure.yml",
            "Resources:\n  Queue: { Type: AWS::SQS::Queue }\n",
        )],
        says: &["main = { directory = \".\", template = \"infrastructure.yml\" }"],
    },
    Case {
        name: "a static site",
        files: &[("index.html", ""), ("style.css", "")],
        says: &["main = { directory = \".\", site = \".\" }"],
    },
    Case {
        name: "a site that was built once",
        files: &[
            ("frontend/build/index.html", ""),
            ("api/template.yaml", SAM),
            ("api/src/app.js", ""),
        ],
        says: &["frontend = { directory = \"frontend\", site = \"build\" }"],
    },
    Case {
        name: "a site of Vite",
        files: &[("package.json", VITE), ("index.html", ""), NPM_LOCK],
        says: &[
            "found: npm, a site of vite in `.`, built into `dist`",
            "main = { directory = \".\", site = \"dist\", build = { task = \"build\" } }",
        ],
    },
    Case {
        name: "an app",
        files: &[("package.json", crate::program::PACKAGE)],
        says: &[
            "service: main (app)",
            "application = \"shop\"\n\n[environments]",
        ],
    },
    Case {
        name: "a service beside a project of the Serverless Framework, and Terraform",
        files: &[
            ("new/template.yaml", SAM),
            ("new/src/app.js", ""),
            ("old/serverless.yml", ""),
            ("infra/main.tf", ""),
        ],
        says: &[
            "left out: `old`: a project of the Serverless Framework (`serverless.yml`)",
            "left out: `infra`: Terraform",
            "new = \"new\"",
        ],
    },
    Case {
        name: "nothing yet",
        files: &[("README.md", "")],
        says: &[
            "an empty folder, which gets a first service",
            "--- template.yaml (new)",
            "TARGET_URL = \"${main.Url}\"",
        ],
    },
];

#[test]
fn what_is_written_for_each_kind_of_repository_is_valid() {
    for case in CASES {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("shop");
        for (path, text) in case.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let output = delivery(&folder).args(["init", "--yes"]).output().unwrap();
        let name = case.name;
        assert_eq!(
            output.status.code(),
            Some(0),
            "{name}: {}",
            printed(&output)
        );
        let shown = String::from_utf8_lossy(&output.stdout);
        for part in case.says {
            assert!(shown.contains(part), "{name}: no {part:?} in\n{shown}");
        }
        // Our own rules are what is meant; cfn-lint, which takes seconds each, is not found.
        let output = delivery(&folder)
            .arg("validate")
            .env("PATH", root.path())
            .output()
            .unwrap();
        let found = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{name}: {found}{}",
            printed(&output)
        );
    }
}

#[test]
fn without_a_terminal_it_shows_the_file_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.yaml");
    std::fs::write(&file, SAM).unwrap();
    let output = delivery(folder.path())
        .args(["init", "--application", "shop", "--environments", "int,prd"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
    assert!(printed(&output).contains("run it again with `--yes`"));
    let shown = String::from_utf8_lossy(&output.stdout);
    let expected = "application = \"shop\"\n\n[services]\nmain = \".\"\n\n[environments]\nint = {}\nprd = { after = \"int\" }\n";
    assert!(shown.contains(expected), "{shown}");
    assert!(!folder.path().join("delivery.toml").exists());
}

/// `delivery init` in a terminal of a person.
fn in_terminal(folder: &Path, arguments: &[&str]) -> Terminal {
    let mut command = delivery(folder);
    command.arg("init").args(arguments).env_remove("CI");
    Terminal::run(command.into(), 120, 60)
}

#[tokio::test]
async fn at_a_terminal_it_asks_three_questions_and_checks_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template.yaml"), SAM).unwrap();
    let mut terminal = in_terminal(folder.path(), &[]);
    terminal
        .until(|screen| screen.contains("Application"))
        .await;
    terminal.press("my shop\r");
    terminal
        .until(|screen| screen.contains("my shop") && screen.contains("delivery.toml:1"))
        .await;
    terminal.press("shop\r");
    terminal
        .until(|screen| screen.contains("Environments"))
        .await;
    terminal.press("\r");
    let screen = terminal
        .until(|screen| screen.contains("Write delivery.toml?"))
        .await;
    assert!(screen.contains("application = \"shop\""), "{screen}");
    terminal.press("y");
    let (code, all) = terminal.ended().await;
    assert_eq!(code, 0, "{all}");
    let text = std::fs::read_to_string(folder.path().join("delivery.toml")).unwrap();
    let expected = "application = \"shop\"\n\n[services]\nmain = \".\"\n\n[environments]\ntest = {}\nprod = { after = \"test\" }\n";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_no_at_the_terminal_leaves_the_folder_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template.yaml"), SAM).unwrap();
    let options = ["--application", "shop", "--environments", "prod"];
    let mut terminal = in_terminal(folder.path(), &options);
    terminal
        .until(|screen| screen.contains("Write delivery.toml?"))
        .await;
    terminal.press("n");
    let (code, all) = terminal.ended().await;
    assert_eq!(code, 1, "{all}");
    assert!(all.contains("nothing was written"), "{all}");
    assert!(!folder.path().join("delivery.toml").exists());
}

/// A shell goes on in the same terminal.
#[tokio::test]
async fn an_interrupt_at_the_question_ends_it_with_its_exit_code_and_a_cursor() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template.yaml"), SAM).unwrap();
    let options = ["--application", "shop", "--environments", "prod"];
    let mut terminal = in_terminal(folder.path(), &options);
    terminal
        .until(|screen| screen.contains("Write delivery.toml? [Y/n]"))
        .await;
    assert!(terminal.shows_cursor());
    terminal.press("\u{3}");
    let (code, all) = terminal.ended().await;
    assert_eq!(code, 130, "{all}");
    assert!(all.contains("nothing was written"), "{all}");
}

#[test]
fn options_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template.yaml"), SAM).unwrap();
    for (option, value, expected) in [
        ("--application", "My Shop", "My Shop"),
        ("--environments", "test,a-b-c", "a-b-c"),
    ] {
        let message = says(folder.path(), &["init", "--yes", option, value], 2);
        assert!(message.contains(expected), "{message}");
        assert!(!folder.path().join("delivery.toml").exists());
    }
}
