//! `delivery run`, up to the start of the local AWS.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{PACKAGE, delivery, git, printed, repository, says};

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
fn a_folder_without_a_project_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "1").unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.path().join("link")).unwrap();
    let message = says(folder.path(), &["run"], 1);
    assert!(message.contains("no `package.json`"), "{message}");
    assert!(message.contains("add a `template.yaml`"), "{message}");

    // Where a service names a task, the task is what is wrong.
    let file = "application = \"shop\"\n[services]\nweb = { directory = \"web\", site = \"public\", build = { task = \"package\" } }\n";
    std::fs::write(folder.path().join("delivery.toml"), file).unwrap();
    std::fs::create_dir(folder.path().join("web")).unwrap();
    let message = says(folder.path(), &["run"], 1);
    assert!(message.contains("has `package` run there"), "{message}");
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

/// A company's own index is the only one that its machines may use.
#[test]
fn the_local_aws_is_installed_from_the_index_that_pip_is_set_to() {
    let index = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = index.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        let (connection, _) = index.accept().unwrap();
        let mut reader = BufReader::new(connection);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        drop(index); // whatever it is asked next it refuses
        reader
            .get_mut()
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        line
    });
    let repository = repository();
    let built = Path::new(env!("CARGO_BIN_EXE_delivery")).parent().unwrap();
    let mut command = delivery(repository.path());
    command
        .env("PIP_INDEX_URL", format!("http://{address}/simple"))
        .env("PIP_RETRIES", "0")
        .env("DELIVERY_FUNCTIONS", built)
        .arg("run");
    let message = printed(&command.output().unwrap());
    assert!(message.contains("pip's settings"), "{message}");
    assert!(
        message.contains("No matching distribution found"),
        "{message}"
    );
    let line = asked.join().unwrap();
    assert!(line.starts_with("GET /simple/"), "{line}");
}

/// A Python whose pip succeeds and installs somewhere else, as one that is set to a `target` does; it writes down where it was
/// told to by a variable.
const PYTHON_WITH_ANOTHER_TARGET: &str = r#"#!/bin/sh
case "$*" in
  *version_info*) echo 3 12 ;;
  *'-m venv'*) for folder; do :; done; mkdir -p "$folder/bin"; printf '#!/bin/sh\nexit 1\n' > "$folder/bin/python"; chmod +x "$folder/bin/python" ;;
  *runpy*) echo 24.0 ;;
  *) echo "target: $PIP_TARGET." >> "$CALLS" ;;
esac
"#;

#[test]
fn an_installation_that_went_elsewhere_is_none() {
    let repository = repository();
    let folder = tempfile::tempdir().unwrap();
    let python = folder.path().join("python3");
    let calls = folder.path().join("calls");
    let script = PYTHON_WITH_ANOTHER_TARGET.replace("$CALLS", calls.to_str().unwrap());
    std::fs::write(&python, script).unwrap();
    std::fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
    let path = delivery_action::env::var("PATH").unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_delivery")).parent().unwrap();
    for _ in ["first", "again, as nothing says that it is installed"] {
        let mut command = delivery(repository.path());
        command
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .env("PIP_TARGET", "/elsewhere")
            .env("DELIVERY_FUNCTIONS", built)
            .arg("run");
        let message = printed(&command.output().unwrap());
        assert!(
            message.contains("pip has installed MiniStack, but not in"),
            "{message}"
        );
    }
    let calls = std::fs::read_to_string(calls).unwrap();
    assert_eq!(calls, "target: .\n".repeat(4));
}
