//! What people type first when they do not know the program yet: each is answered at once, with what to do, and nothing is started.

use std::path::Path;
use std::process::Command;

use test_case::test_case;

use crate::program::{PACKAGE, delivery, git, printed};

/// Where a command is typed.
#[derive(Clone, Copy)]
enum Folder {
    /// Nothing is in it.
    Empty,
    /// A repository with a project that can be delivered.
    Project,
    /// The same, and a `delivery.toml` with this text.
    Settings(&'static str),
    /// Only a file of this name.
    Only(&'static str),
    /// A project, and a folder that is called `delivery.toml`.
    NoSettingsFile,
}

impl Folder {
    fn make(self, folder: &Path) {
        if let Self::Only(file) = self {
            std::fs::write(folder.join(file), "").unwrap();
        }
        if let Self::Empty | Self::Only(_) = self {
            return;
        }
        git(folder, &["init", "--quiet", "--initial-branch", "main"]);
        std::fs::write(folder.join("package.json"), PACKAGE).unwrap();
        std::fs::write(folder.join(".gitignore"), ".home\n").unwrap();
        git(folder, &["add", "--all"]);
        git(folder, &["commit", "--quiet", "-m", "one"]);
        let settings = folder.join("delivery.toml");
        match self {
            Self::Settings(text) => std::fs::write(settings, text).unwrap(),
            Self::NoSettingsFile => std::fs::create_dir(settings).unwrap(),
            Self::Empty | Self::Only(_) | Self::Project => {}
        }
    }
}

/// The program, without what the environment of the tests says of AWS.
fn typed(folder: &Path, arguments: &str, environment: &[(&str, &str)]) -> Command {
    let mut command = delivery(folder);
    for name in [
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
    ] {
        command.env_remove(name);
    }
    command
        .args(arguments.split_whitespace())
        .env("HOME", folder)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(environment.iter().copied());
    command
}

const SITE: &str = "application = \"x\"\n[services]\nweb = { directory = \".\", site = \"build\" }\n[environments]\nint = {}\n";
const TEMPLATE: &str = "application = \"x\"\n[services]\napi = { directory = \".\", template = \"api.yaml\" }\n[environments]\nint = {}\n";

const NONE: &[(&str, &str)] = &[];
const REGION: &[(&str, &str)] = &[("AWS_REGION", "eu-central-1")];

#[test_case(Folder::Project, "remove", NONE, 2, "`delivery down`"; "remove")]
#[test_case(Folder::Project, "list", NONE, 2, "`delivery status`"; "list")]
#[test_case(Folder::Project, "login", NONE, 2, "`aws sso login`"; "login")]
#[test_case(Folder::Project, "rnu", NONE, 2, "did you mean `delivery run`?"; "a typo in a command")]
#[test_case(Folder::Project, "version", NONE, 2, "`delivery --version`"; "version")]
#[test_case(Folder::Project, "dev", NONE, 2, "`delivery run --watch --keep`"; "dev")]
#[test_case(Folder::Project, "run --wacth", NONE, 2, "--watch"; "a typo in an option")]
#[test_case(Folder::Project, "deploy", NONE, 2, "<ENVIRONMENT>"; "deploy without an environment")]
#[test_case(Folder::Project, "promote prd", NONE, 2, "Usage: delivery promote [OPTIONS] <FROM> <TO>"; "promote with one environment")]
#[test_case(Folder::Project, "completions tcsh", NONE, 2, "bash, elvish, fish"; "a shell without completions")]
#[test_case(Folder::Project, "run --timeout 5", NONE, 2, "write it as `90s` or `20m`"; "a duration without a unit")]
#[test_case(Folder::Project, "-C /nope status", NONE, 5, "give an existing directory"; "a directory that is not there")]
#[test_case(Folder::Project, "run nowhere", NONE, 5, "name the folder of the application"; "an application that is not there")]
#[test_case(Folder::Project, "run package.json", NONE, 5, "package.json` is a file"; "a file for an application")]
#[test_case(Folder::Project, "init package.json", NONE, 5, "`package.json` is a file"; "a file for a repository")]
#[test_case(Folder::Empty, "run", NONE, 1, "no `package.json` in"; "a run in an empty folder")]
#[test_case(Folder::Project, "run -p ManualAproval=true", NONE, 2, "did you mean `ManualApproval`?"; "a typo in a parameter")]
#[test_case(Folder::Project, "run -p ManualApproval=yes", NONE, 2, "must be one of true, false"; "a value that a parameter does not take")]
#[test_case(Folder::Project, "run -p Foo=1", NONE, 2, "`Foo` is not a parameter"; "a parameter that there is not")]
#[test_case(Folder::Settings("aplication = \"x\"\n"), "run", NONE, 2, "did you mean `application`?"; "a typo in the settings")]
#[test_case(Folder::Settings("application = \n"), "validate", NONE, 2, "delivery.toml:1: this is not TOML"; "settings that are no TOML")]
#[test_case(Folder::Only("main.tf"), "run", NONE, 2, "can be deployed: Terraform modules are not deployed yet"; "a run of a Terraform module")]
#[test_case(Folder::Only("serverless.yml"), "validate", NONE, 2, "can be deployed: a project of the Serverless Framework"; "a project of the Serverless Framework")]
#[test_case(Folder::NoSettingsFile, "run", NONE, 1, "delivery.toml`: Is a directory"; "a run with a folder for the settings")]
#[test_case(Folder::NoSettingsFile, "validate", NONE, 1, "it is a folder: rename or remove it"; "a folder for the settings")]
#[test_case(Folder::Settings(SITE), "run", NONE, 1, "service `web`: the folder `build` of its site is not there"; "a site that nothing builds")]
#[test_case(Folder::Settings(SITE), "validate", NONE, 1, "or name what builds it"; "a site that nothing builds, checked")]
#[test_case(Folder::Settings(TEMPLATE), "validate", NONE, 1, "service `api`: cannot read `"; "a template that is not there")]
#[test_case(Folder::Project, "-c other.toml status", REGION, 5, "leave out `--config`"; "a settings file that is not there")]
#[test_case(Folder::Project, "status", NONE, 2, "`--region REGION`, `AWS_REGION`"; "no region")]
#[test_case(Folder::Project, "status", &[("AWS_PROFILE", "nope")], 2, "no profile `nope` in the AWS configuration"; "a profile that is not there")]
#[test_case(Folder::Project, "status", &[("AWS_REGION", "eu west")], 2, "`eu west`, which `AWS_REGION` names, is not an AWS region"; "a region that is none")]
#[test_case(Folder::Project, "status", &[("AWS_DEFAULT_REGION", "eu west")], 2, "which `AWS_DEFAULT_REGION` names"; "a default region that is none")]
#[test_case(Folder::Project, "--region eu_west status", NONE, 2, "which `--region` names"; "an option for a region that is none")]
#[test_case(Folder::Settings("region = \"eu west\"\n"), "status", NONE, 2, "which `region` in `delivery.toml` names"; "settings with a region that is none")]
#[test_case(Folder::Project, "status", &[("AWS_REGION", "eu-central-1"), ("AWS_ENDPOINT_URL", "nonsense")], 2, "`AWS_ENDPOINT_URL` is `nonsense`, which is not a URL"; "an endpoint that is none")]
#[test_case(Folder::Project, "status", &[("AWS_REGION", "eu-central-1"), ("AWS_ENDPOINT_URL_S3", "127.0.0.1:80")], 2, "`unset AWS_ENDPOINT_URL_S3`"; "an endpoint of a service that is none")]
#[test_case(Folder::Project, "status", REGION, 4, "sign in (`aws login` or `aws sso login`)"; "no credentials")]
#[test_case(Folder::Project, "releases -n 0", REGION, 2, "write a number from 1 on"; "a list of nothing")]
#[test_case(Folder::Project, "start --revision main", NONE, 2, "git rev-parse main"; "a branch for a revision")]
#[test_case(Folder::Project, "local stop", NONE, 5, "`delivery run --keep` or `delivery local start`"; "a stop of nothing")]
#[test_case(Folder::Project, "open", NONE, 5, "`delivery run` records one"; "a page before any run")]
#[test_case(Folder::Project, "run", &[("DELIVERY_JSON", "maybe")], 2, "DELIVERY_JSON"; "a variable that is neither yes nor no")]
fn answered_at_once(
    folder: Folder,
    arguments: &str,
    environment: &[(&str, &str)],
    code: i32,
    told: &str,
) {
    let place = tempfile::tempdir().unwrap();
    folder.make(place.path());
    let output = typed(place.path(), arguments, environment)
        .output()
        .unwrap();
    // Findings of `validate` are what it was asked for, so they are on standard output.
    let printed = printed(&output) + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    assert!(printed.contains("error: "), "{printed}");
    assert!(printed.contains(told), "{printed}");
    // What takes longer than a second is the local AWS, which is installed here before it starts.
    let home: Vec<_> = std::fs::read_dir(place.path().join(".home"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    assert!(
        home.iter().all(|path| !path.join("bin").exists()),
        "{home:?}"
    );
}
