//! Each way to install, and what the program does then.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pipeline_tests::application::Application;
use serde_json::Value;
use tempfile::TempDir;

use crate::machine::Machine;
use crate::registry::Registry;
use crate::staged::{ARCHITECTURE, ELSEWHERE, HERE, VERSION, of_this_build, pack, run, stub};

/// The one connection of the local AWS.
const CONNECTION: &str = "ConnectionArn=arn:aws:codeconnections:us-east-1:000000000000:connection/00000000-0000-0000-0000-000000000000";

/// The files of a release of this build, and of another platform.
fn release() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let staged = [of_this_build(folder.path()), stub(folder.path(), ELSEWHERE)];
    pack(&folder.path().join("out"), &staged, None);
    folder
}

/// An installed program on a machine of its own.
struct Installed {
    machine: Machine,
    program: String,
}

impl Installed {
    fn command(&self, arguments: &[&str], folder: &Path) -> Command {
        let mut command = self.machine.command(&self.program, folder);
        command.args(arguments);
        command
    }

    /// Delivers the example with the functions that came along.
    fn delivers(&self) {
        let version = run(&mut self.command(&["--version"], &self.machine.home()));
        assert_eq!(version.trim(), format!("delivery {VERSION}"));
        let greeter = Application::example("greeter").unwrap();
        let output = self
            .command(&["run", "--json"], greeter.path())
            .output()
            .unwrap();
        let events = printed(&output);
        let functions = events.iter().find(|one| one["step"] == "functions");
        let detail = functions.unwrap()["detail"].as_str().unwrap();
        assert!(
            detail.ends_with(&format!("packages/{ARCHITECTURE}`")),
            "{detail}"
        );
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

fn printed(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let events: Vec<Value> = lines.collect();
    assert!(!events.is_empty(), "{output:?}");
    events
}

fn by_archive(out: &Path) -> Installed {
    let machine = Machine::new();
    let name = format!("delivery-{VERSION}-{HERE}");
    let archive = out.join(format!("{name}.tar.gz"));
    let mut command = machine.command("tar", &machine.home());
    run(command.arg("-xzf").arg(archive));
    // As Homebrew does, and people who unpack it themselves: a link in a folder of the PATH.
    let program = machine.home().join("delivery");
    std::os::unix::fs::symlink(machine.home().join(name).join("delivery"), &program).unwrap();
    let program = program.display().to_string();
    Installed { machine, program }
}

fn by_npm(registry: &Registry) -> Installed {
    let machine = Machine::new();
    let home = machine.home();
    let settings = fs::read_to_string(home.join(".npmrc")).unwrap();
    let ours = format!(
        "{settings}\n@serverless-delivery:registry={}/\n",
        registry.url
    );
    fs::write(home.join(".npmrc"), ours).unwrap();
    let mut command = machine.command("npm", &home);
    command.args([
        "install",
        "--no-audit",
        "--no-fund",
        "@serverless-delivery/cli",
    ]);
    run(&mut command);
    let program = home
        .join("node_modules/.bin/delivery")
        .display()
        .to_string();
    let npx = run(machine
        .command("npx", &home)
        .args(["delivery", "--version"]));
    assert_eq!(npx.trim(), format!("delivery {VERSION}"));
    Installed { machine, program }
}

fn by_pip(out: &Path) -> Installed {
    let machine = Machine::new();
    let home = machine.home();
    run(machine
        .command("python3", &home)
        .args(["-m", "venv", "tools"]));
    let pip = home.join("tools/bin/pip").display().to_string();
    let mut command = machine.command(&pip, &home);
    command.args([
        "install",
        "--no-index",
        "--disable-pip-version-check",
        "--find-links",
    ]);
    run(command.arg(out).arg("serverless-delivery"));
    let program = home.join("tools/bin/delivery").display().to_string();
    Installed { machine, program }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_install_delivers_an_application_without_cargo_and_without_the_checkout() {
    let release = release();
    let out = release.path().join("out");
    let registry = Registry::of(&out).await;
    let installed =
        tokio::task::block_in_place(|| [by_archive(&out), by_npm(&registry), by_pip(&out)]);
    let platform = if HERE.contains("apple") {
        "darwin"
    } else {
        "linux"
    };
    let fetched = registry.fetched();
    assert_eq!(
        fetched.len(),
        2,
        "npm took more than the package of this platform: {fetched:?}"
    );
    assert!(
        fetched.iter().any(|file| file.contains(platform)),
        "{fetched:?}"
    );
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for one in &installed {
                scope.spawn(|| one.delivers());
            }
        });
        let [archive, ..] = &installed;
        other_commands_need_no_checkout(archive);
        what_did_not_come_along_is_said(archive);
    });
}

/// `validate`, `new-action`, and `publish` and `up` with the packages that came along.
fn other_commands_need_no_checkout(installed: &Installed) {
    let greeter = Application::example("greeter").unwrap();
    run(&mut installed.command(&["validate"], greeter.path()));

    let home = installed.machine.home();
    run(&mut installed.command(&["new-action", "notify-chat"], &home));
    let folder = home.join("notify-chat");
    let settings = fs::read_to_string(folder.join(".cargo/config.toml")).unwrap();
    let settings: toml::Table = toml::from_str(&settings).unwrap();
    let crates = settings["patch"]["crates-io"].as_table().unwrap();
    assert_eq!(crates.len(), 3);
    for (name, place) in crates {
        let path = folder.join(place["path"].as_str().unwrap());
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{manifest}"
        );
    }

    let exports = run(&mut installed.command(
        &["local", "start", "--repository", "OWNER/NAME"],
        greeter.path(),
    ));
    let variables: Vec<_> = exports
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .collect();
    let with_aws = |arguments: &[&str]| {
        let mut command = installed.command(arguments, greeter.path());
        command.envs(variables.iter().copied());
        command
    };
    let published = with_aws(&["publish", "--no-node-layer"]).output().unwrap();
    let up = with_aws(&[
        "up",
        "--no-node-layer",
        "--parameter",
        CONNECTION,
        "--parameter",
        "FullRepositoryId=OWNER/NAME",
    ])
    .output()
    .unwrap();
    run(&mut installed.command(&["local", "stop"], greeter.path()));
    assert!(published.status.success(), "{published:?}");
    assert!(up.status.success(), "{up:?}");
}

/// What `cargo binstall` leaves: the program alone.
fn what_did_not_come_along_is_said(installed: &Installed) {
    let home = installed.machine.home();
    let alone = home.join("alone");
    fs::create_dir(&alone).unwrap();
    let program = alone.join("delivery");
    let unpacked: PathBuf = home.join(format!("delivery-{VERSION}-{HERE}"));
    fs::copy(unpacked.join("delivery"), &program).unwrap();
    let greeter = Application::example("greeter").unwrap();
    let command = |arguments: &[&str]| {
        let mut command = installed
            .machine
            .command(&program.display().to_string(), greeter.path());
        command.args(arguments);
        command
    };
    let said = |arguments: &[&str]| {
        let output = command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let cache = home.join(".cache/delivery").join(VERSION);
    let next = format!("into `{}`", cache.display());
    for arguments in [["run"].as_slice(), &["new-action", "notify-team"]] {
        let message = said(arguments);
        assert!(message.contains(&next), "{message}");
    }
    // And with the archive unpacked there it works.
    fs::rename(unpacked, cache).unwrap();
    run(&mut command(&["new-action", "notify-team"]));
}
