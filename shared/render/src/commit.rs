//! The actions of the Commit stage: each service that has a build, at the same time.

use delivery_definition::{BuildSettings, Kind, Mistake, Text};

use crate::NodeProject;
use crate::pipeline::{Action, COMMIT, Commands, SOURCE, Work, next_run_order};
use crate::plan::{Plan, PlannedService};
use crate::publish;
use crate::query::{Piece, Query};

/// What builds an app that does not say it.
const PACKAGE: &str = "package";

/// What tests a repository that is one app.
const TEST: &str = "test-functional";

/// Where the task of an app writes, from its folder, and the artifacts that are made of it.
const APP_OUTPUTS: [(&str, &str); 3] = [
    ("DistLambdaOutput", "dist/lambda"),
    ("DistSwaggerOutput", "dist/openapi.json"),
    ("DistSiteOutput", "dist/site"),
];

/// What each of them is in a release.
pub(crate) const APP_ARTIFACTS: [(&str, &str); 3] = [
    ("function", APP_OUTPUTS[0].0),
    ("api", APP_OUTPUTS[1].0),
    ("site", APP_OUTPUTS[2].0),
];

/// All files, in the words of the Commands action's reference.
const ALL_FILES: &str = "**/*";

/// The most commands of an action
/// (<https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionDeclaration.html>).
const MOST_COMMANDS: usize = 50;

/// The artifact that a service is deployed from.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) artifact: String,
    /// Whether the artifact is the site itself, and not the repository.
    pub(crate) is_site: bool,
    /// The variable with its digest, or with that of its files as a site.
    pub(crate) digest: Option<String>,
}

pub(crate) fn actions(plan: &Plan<'_>, mistakes: &mut Vec<Mistake>) -> Vec<Action> {
    let mut actions = Vec::new();
    for service in &plan.services {
        let tasks = tasks(plan, service);
        if !tasks.is_empty() {
            actions.push(npm_install(plan, service, &tasks));
        }
        match (build_task(service), build(service)) {
            (Some(task), _) => actions.push(test_and_package(plan, service, task)),
            (None, Some(build)) if service.kind == Kind::App => {
                let what = format!(
                    "the app `{}` is built by `commands`, which make one artifact",
                    service.service.name
                );
                let next = "build it by a task, which makes its code, its API's document and its site: build = { task = \"package\" }";
                let line = build
                    .commands
                    .as_ref()
                    .map_or(service.service.line, |commands| commands.line);
                mistakes.push(Mistake::new(line, &what, next));
            }
            (None, Some(build)) => actions.push(commands(service, build, mistakes)),
            (None, None) => {}
        }
    }
    if plan.has_releases() {
        actions.extend(publish::actions(plan, next_run_order(&actions)));
    }
    actions
}

/// What is installed where nothing is built: the dependencies of the tests.
pub(crate) fn installs_of_tests(plan: &Plan<'_>) -> Vec<Action> {
    let services = plan.services.iter();
    let installs = services.filter_map(|service| {
        let task = test_task(plan, service)?;
        Some(npm_install(plan, service, &[task]))
    });
    installs.collect()
}

fn build<'a>(service: &PlannedService<'a>) -> Option<&'a BuildSettings> {
    service.service.build.as_ref().map(|build| &build.value)
}

/// The task that builds a service in a function.
fn build_task<'a>(service: &PlannedService<'a>) -> Option<&'a str> {
    match build(service) {
        Some(build) => build.task.as_deref(),
        None => (service.kind == Kind::App).then_some(PACKAGE),
    }
}

/// The task that tests a deployed service.
pub(crate) fn test_task<'a>(plan: &Plan<'_>, service: &PlannedService<'a>) -> Option<&'a str> {
    match &service.service.test {
        Some(test) => test.value.task.as_deref(),
        None => plan.is_one_app().then_some(TEST),
    }
}

fn tasks<'a>(plan: &Plan<'_>, service: &PlannedService<'a>) -> Vec<&'a str> {
    build_task(service)
        .into_iter()
        .chain(test_task(plan, service))
        .collect()
}

/// The services whose dependencies are installed.
pub(crate) fn projects(plan: &Plan<'_>) -> Vec<NodeProject> {
    let projects = plan.services.iter().map(|service| NodeProject {
        directory: service.directory().to_owned(),
        tasks: tasks(plan, service)
            .into_iter()
            .map(ToOwned::to_owned)
            .collect(),
    });
    projects
        .filter(|project| !project.tasks.is_empty())
        .collect()
}

/// The artifact with the source and its dependencies. npm-install may write what begins so: CodePipeline cuts the names
/// of artifacts to ten letters in keys, and the function's role names them.
pub(crate) fn installed(service: &PlannedService<'_>) -> String {
    format!("SourceInstalled{}Output", service.id)
}

pub(crate) fn build_namespace(service: &PlannedService<'_>) -> String {
    format!("{}BuildVariables", service.id)
}

/// What a stack or a site is deployed from.
pub(crate) fn built(service: &PlannedService<'_>) -> Built {
    let made = |what: &str, digest: &str| {
        let artifact = format!("{}{what}", service.id);
        Built {
            digest: Some(format!("{}.{artifact}{digest}", build_namespace(service))),
            artifact,
            is_site: service.kind != Kind::Stack,
        }
    };
    match (build_task(service), build(service)) {
        (Some(_), _) if service.kind == Kind::Stack => made("BuildOutput", "Digest"),
        (Some(_), _) => made("DistSiteOutput", "DirectoryDigest"),
        (None, Some(_)) => Built {
            artifact: format!("{}BuildOutput", service.id),
            is_site: false,
            digest: None,
        },
        (None, None) => Built {
            artifact: SOURCE.to_owned(),
            is_site: false,
            digest: None,
        },
    }
}

/// The artifacts of an app: its code and its API's document.
pub(crate) fn app_artifact(service: &PlannedService<'_>, what: &str) -> String {
    format!("{}{what}", service.id)
}

/// The folder of a service, as a value of `directory`.
pub(crate) fn directory(plan: &Plan<'_>, service: &PlannedService<'_>) -> Piece {
    if plan.is_one_app() {
        return Piece::parameter("ApplicationDirectory");
    }
    Piece::text(service.directory())
}

fn npm_install(plan: &Plan<'_>, service: &PlannedService<'_>, tasks: &[&str]) -> Action {
    let parameters = Query::default()
        .text("tasks", &tasks.join(","))
        .add("directory", &[directory(plan, service)])
        .pairs_of("NpmInstallParameters");
    let mut action = Action::of_function(
        "NpmInstall",
        service.action("npm-install"),
        1,
        parameters,
        service.service.line,
    )
    .reads(vec![SOURCE.to_owned()]);
    action.outputs = vec![installed(service)];
    action
}

fn test_and_package(plan: &Plan<'_>, service: &PlannedService<'_>, task: &str) -> Action {
    let outputs: Vec<(String, String)> = match service.kind {
        Kind::App => APP_OUTPUTS
            .map(|(what, path)| (app_artifact(service, what), path.to_owned()))
            .into(),
        Kind::Site => vec![(built(service).artifact, service.site().to_owned())],
        // deploy-stack finds the template by its path in the repository, and what it names next to it or above.
        _ => vec![(built(service).artifact, root_from(service.directory()))],
    };
    let mut parameters = Query::default()
        .text("task", task)
        .add("directory", &[directory(plan, service)]);
    for (artifact, path) in &outputs {
        parameters = parameters.text(artifact, path);
    }
    let parameters = parameters
        .variable("Env.GIT_COMMIT", COMMIT)
        .text("report", "reports/*.xml")
        .pairs_of("TestAndPackageParameters");
    let name = service.action("test-and-package");
    let mut action =
        Action::of_function("TestAndPackage", name, 2, parameters, service.service.line)
            .namespace(build_namespace(service))
            .reads(vec![installed(service)]);
    action.outputs = outputs.into_iter().map(|(artifact, _)| artifact).collect();
    action
}

fn commands(
    service: &PlannedService<'_>,
    build: &BuildSettings,
    mistakes: &mut Vec<Mistake>,
) -> Action {
    let mut lines = Vec::new();
    if service.directory() != "." {
        lines.push(format!("cd {}", quoted(service.directory())));
    }
    let given = build.commands.as_ref();
    lines.extend(
        given
            .iter()
            .flat_map(|all| &all.value)
            .map(|command| command.value.clone()),
    );
    if lines.len() > MOST_COMMANDS {
        let what = format!(
            "`services.{}.build` has {MOST_COMMANDS} commands, and one more that goes to its folder",
            service.service.name
        );
        let line = given.map_or(service.service.line, |commands| commands.line);
        mistakes.push(Mistake::new(
            line,
            &what,
            "put some of them into a script, and run that",
        ));
    }
    let environment = build.environment.iter().flat_map(|all| &all.value);
    let files = build.files.iter().flat_map(|files| &files.value);
    let files: Vec<_> = files
        .map(|pattern| service.path(&all_below(&pattern.0)))
        .collect();
    let variables = build
        .variables
        .as_ref()
        .map(|all| all.value.clone())
        .unwrap_or_default();
    let namespace = (!variables.is_empty()).then(|| build_namespace(service));
    Action {
        name: service.action("commands"),
        run_order: 1,
        namespace,
        work: Work::Commands(Commands {
            lines,
            environment: environment
                .map(|one| (one.name.clone(), literal(&one.value.value)))
                .collect(),
            variables,
            files: if files.is_empty() {
                vec![ALL_FILES.to_owned()]
            } else {
                files
            },
        }),
        inputs: vec![SOURCE.to_owned()],
        outputs: vec![built(service).artifact],
        moves: None,
        line: service.service.line,
    }
}

/// `build/**` in the words of the Commands action, where `**` is folders only.
fn all_below(pattern: &str) -> String {
    match pattern {
        "**" => ALL_FILES.to_owned(),
        folder if folder.ends_with("/**") => format!("{folder}/*"),
        pattern => pattern.to_owned(),
    }
}

/// The text of a value without references, which is all that commands take.
fn literal(text: &Text) -> String {
    let parts = text.parts.iter().filter_map(|part| match part {
        delivery_definition::Part::Literal(literal) => Some(literal.as_str()),
        _ => None,
    });
    parts.collect()
}

/// The root of the repository, from a folder in it.
fn root_from(directory: &str) -> String {
    if directory == "." {
        return directory.to_owned();
    }
    let up = directory.split('/').map(|_| "..");
    up.collect::<Vec<_>>().join("/")
}

/// A folder as a word of the shell.
fn quoted(folder: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if folder.chars().all(is_plain) && !folder.starts_with('-') {
        return folder.to_owned();
    }
    format!("'./{}'", folder.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_word_of_the_shell() {
        assert_eq!(quoted("backend-restapi/v1.2"), "backend-restapi/v1.2");
        assert_eq!(quoted("it's here"), r"'./it'\''s here'");
        assert_eq!(quoted("-x"), "'./-x'");
    }

    #[test]
    fn the_root_is_above_each_folder_of_a_path() {
        assert_eq!(root_from("."), ".");
        assert_eq!(root_from("packages/api"), "../..");
    }
}
