//! How a service is built: by what its folder has, with as little as possible.

use std::path::Path;

use delivery_node::project::Manager;

use super::find::joined;
use super::node::NodeProject;
use super::python;
use super::template::{Code, TemplateFacts};
use crate::preflight::is_on_path;

/// The script that a build runs where the project has one of this name.
const PACKAGE: &str = "package";

/// Where `sam build` writes the template that is deployed.
const SAM_OUTPUT: &str = ".aws-sam/build/template.yaml";

/// A script that has nothing to do: its action installs the packages that are deployed.
const NOTHING_TO_BUILD: &str = "echo nothing to build";

/// How a service is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Build {
    /// It is deployed as it is.
    #[default]
    None,
    /// By a script, in a function.
    Task(String),
    /// By commands, in CodePipeline's Commands action.
    Commands(Vec<String>),
}

/// A script that is missing in a `package.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissingScript {
    /// The folder.
    pub(super) directory: String,
    pub(super) command: String,
}

impl MissingScript {
    /// The script's name.
    pub(super) const NAME: &'static str = PACKAGE;

    /// How npm writes it.
    pub(super) fn by_npm(&self) -> String {
        let command = self.command.replace('"', "\\\"");
        match self.directory.as_str() {
            "." => format!("npm pkg set scripts.{PACKAGE}=\"{command}\""),
            folder => format!("npm --prefix {folder} pkg set scripts.{PACKAGE}=\"{command}\""),
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    pub(super) build: Build,
    /// The template that the build makes.
    pub(super) template: Option<String>,
    pub(super) script: Option<MissingScript>,
    /// What a person has to do, a sentence each.
    pub(super) missing: Vec<String>,
}

/// The build of a stack.
pub(super) fn of_stack(repository: &Path, directory: &str, facts: &TemplateFacts) -> Decision {
    let service = repository.join(directory);
    let node = NodeProject::read(repository, directory);
    let mut decision = if facts.code.iter().any(|code| code.needs_sam_build(&service)) {
        by_sam(node.as_ref(), facts)
    } else {
        let inner = inner_folders(repository, directory, facts);
        match node {
            _ if !inner.is_empty() => Decision {
                build: Build::Commands(commands(node.as_ref(), inner)),
                ..Decision::default()
            },
            Some(node) => {
                let mut decision = of_node(&node, directory, Tests::Run);
                decision.missing.extend(not_bundled(&node, directory));
                decision
            }
            None => Decision::default(),
        }
    };
    decision
        .missing
        .extend(missing(&service, directory, &decision.build, facts));
    decision
}

/// What a workspace installs lies outside of what is deployed.
fn not_bundled(node: &NodeProject, directory: &str) -> Option<String> {
    let builds = [PACKAGE, "build"]
        .iter()
        .any(|name| node.script(name).is_some());
    (node.is_installed_above && node.needs_packages() && !builds).then(|| {
        format!(
            "the packages of `{directory}` are installed in a folder above, as workspaces do, and not deployed with its functions: \
             bundle them by a script `build`, for example with esbuild"
        )
    })
}

/// The build of a site by a tool.
pub(super) fn of_site(node: &NodeProject, directory: &str, tool: &str) -> Decision {
    // Karma, which Angular's tests run in, needs a browser that functions do not have.
    let tests = if tool == "@angular/core" {
        Tests::Leave
    } else {
        Tests::Run
    };
    let mut decision = of_node(node, directory, tests);
    let builds = [PACKAGE, "build"]
        .iter()
        .any(|name| node.script(name).is_some());
    if !builds {
        decision = Decision {
            build: Build::Task("build".to_owned()),
            ..Decision::default()
        };
        decision.missing.push(format!(
            "`{}` has no script `build`, which makes the site",
            manifest(directory)
        ));
    }
    if tests == Tests::Leave && node.script("test").is_some() {
        decision.missing.push(format!(
            "the tests of `{directory}` are not run: they need a browser, which functions do not have"
        ));
    }
    decision
}

/// Whether the script `test` is a part of the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tests {
    Run,
    Leave,
}

fn of_node(node: &NodeProject, directory: &str, tests: Tests) -> Decision {
    if let Some(reason) = &node.cannot_install {
        return by_bun(node, directory, reason);
    }
    let has = |name: &str| node.script(name).is_some();
    let tests = tests == Tests::Run && has("test");
    let task = |name: &str| Decision {
        build: Build::Task(name.to_owned()),
        ..Decision::default()
    };
    let mut decision = match (has(PACKAGE), has("build"), tests) {
        (true, _, _) => task(PACKAGE),
        (false, true, true) => {
            let command = format!("{} && {}", node.run("test"), node.run("build"));
            with_script(directory, command)
        }
        (false, true, false) => task("build"),
        (false, false, true) => task("test"),
        (false, false, false) if node.needs_packages() => {
            with_script(directory, NOTHING_TO_BUILD.to_owned())
        }
        (false, false, false) => return Decision::default(),
    };
    if !node.is_locked && (node.needs_packages() || has("build")) {
        let program = node.manager().program();
        let lock = node.manager().lock_file();
        decision.missing.push(format!(
            "`{directory}` has no lock file, so each delivery may install other versions: run `{program} install` and commit `{lock}`"
        ));
    }
    decision
}

fn with_script(directory: &str, command: String) -> Decision {
    Decision {
        build: Build::Task(PACKAGE.to_owned()),
        script: Some(MissingScript {
            directory: directory.to_owned(),
            command,
        }),
        ..Decision::default()
    }
}

/// The function that installs cannot: with Bun commands do it, otherwise a person decides.
fn by_bun(node: &NodeProject, directory: &str, reason: &str) -> Decision {
    let scripts = ["test", "build"]
        .into_iter()
        .filter(|name| node.script(name).is_some());
    let scripts: Vec<_> = scripts
        .map(|name| format!("npx --yes bun run {name}"))
        .collect();
    if !reason.contains("Bun is not supported") {
        let mut decision = Decision {
            missing: vec![format!("`{directory}` cannot be installed: {reason}")],
            ..Decision::default()
        };
        if let Some(task) = [PACKAGE, "build", "test"]
            .into_iter()
            .find(|name| node.script(name).is_some())
        {
            decision.build = Build::Task(task.to_owned());
        }
        return decision;
    }
    if scripts.is_empty() && !node.needs_packages() {
        return Decision::default();
    }
    let install = "npx --yes bun install --frozen-lockfile".to_owned();
    Decision {
        build: Build::Commands(std::iter::once(install).chain(scripts).collect()),
        missing: vec![
            "Bun's lock file is not read by npm-install, so commands build it; with `package-lock.json` in its place a function builds it, with a cache".to_owned(),
        ],
        ..Decision::default()
    }
}

fn by_sam(node: Option<&NodeProject>, facts: &TemplateFacts) -> Decision {
    let mut commands = Vec::new();
    if let Some(node) = node.filter(|node| node.script("test").is_some()) {
        commands.push(install(node));
        commands.push(node.run("test"));
    }
    commands.push("sam build".to_owned());
    let built = facts.code.iter().filter(|code| code.build_method.is_some());
    let mut missing = Vec::new();
    if !is_on_path("sam") {
        let what = built.map(|code| format!("`{}`", code.logical)).next();
        let what = what.unwrap_or_else(|| "the functions".to_owned());
        missing.push(format!(
            "`sam build` makes {what}; to run it on this machine: `pip install aws-sam-cli`"
        ));
    }
    Decision {
        build: Build::Commands(commands),
        template: Some(SAM_OUTPUT.to_owned()),
        missing,
        ..Decision::default()
    }
}

/// A folder of code with packages of its own, which `sam build` would install.
enum Inner {
    Node(String, NodeProject),
    Python(String, Code),
}

fn inner_folders(repository: &Path, directory: &str, facts: &TemplateFacts) -> Vec<Inner> {
    let mut found: Vec<Inner> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for code in &facts.code {
        let Some(path) = code.path.as_deref().map(tidy) else {
            continue;
        };
        if !seen.insert(path.clone()) {
            continue;
        }
        let runtime = code.runtime.as_deref().unwrap_or_default();
        let folder = repository.join(directory).join(&path);
        if has_requirements(&folder) && (runtime.is_empty() || runtime.starts_with("python")) {
            found.push(Inner::Python(path, code.clone()));
        } else if path != "."
            && let Some(node) = NodeProject::read(repository, &joined(directory, &path))
            && (node.needs_packages() || node.script("build").is_some())
        {
            found.push(Inner::Node(path, node));
        }
    }
    found
}

/// The folders of functions whose packages nothing installs, though a `package.json` there names them, and the commands that
/// would. A script that names such a folder is taken to install them.
pub(crate) fn left_out(
    repository: &Path,
    directory: &str,
    template: &str,
) -> Vec<(String, String)> {
    let service = repository.join(directory);
    let facts = TemplateFacts::read(&service.join(template));
    if facts.code.iter().any(|code| code.needs_sam_build(&service)) {
        return Vec::new();
    }
    let own = NodeProject::read(repository, directory);
    let is_named = |path: &str| own.as_ref().is_some_and(|own| own.scripts_name(path));
    let inner = inner_folders(repository, directory, &facts).into_iter();
    inner
        .filter_map(|one| match one {
            Inner::Node(path, node) if node.needs_packages() && !is_named(&path) => {
                let commands = node_commands(&path, &node);
                Some((path, commands))
            }
            _ => None,
        })
        .collect()
}

fn tidy(path: &str) -> String {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    if path.is_empty() {
        ".".to_owned()
    } else {
        path.to_owned()
    }
}

/// Whether `requirements.txt` names a package.
fn has_requirements(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join("requirements.txt")).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .any(|line| !line.is_empty() && !line.starts_with('#'))
}

fn commands(node: Option<&NodeProject>, inner: Vec<Inner>) -> Vec<String> {
    let mut commands = Vec::new();
    if let Some(node) = node {
        let scripts = ["test", "build"]
            .into_iter()
            .filter(|name| node.script(name).is_some());
        let scripts: Vec<_> = scripts.map(|name| node.run(name)).collect();
        if !scripts.is_empty() {
            commands.push(install(node));
            commands.extend(scripts);
        }
    }
    for one in inner {
        match one {
            Inner::Node(path, node) => commands.push(node_commands(&path, &node)),
            Inner::Python(path, code) => commands.push(pip(&path, &code)),
        }
    }
    commands
}

/// One line: each begins in the service's folder.
fn node_commands(path: &str, node: &NodeProject) -> String {
    let scripts = ["test", "build"]
        .into_iter()
        .filter(|name| node.script(name).is_some());
    let scripts: Vec<_> = scripts.map(|name| node.run(name)).collect();
    let only_production = match node.manager() {
        Manager::Npm => "npm prune --omit=dev",
        Manager::Pnpm => "corepack pnpm prune --prod",
        Manager::YarnClassic => "corepack yarn install --production",
        Manager::Yarn => "corepack yarn workspaces focus --production",
    };
    let mut parts = vec![format!("cd '{path}'"), install(node)];
    parts.extend(scripts);
    parts.push(only_production.to_owned());
    format!("({})", parts.join(" && "))
}

fn install(node: &NodeProject) -> String {
    let command = match (node.manager(), node.is_locked) {
        (Manager::Npm, true) => "npm ci",
        (Manager::Npm, false) => "npm install",
        (Manager::Pnpm, _) => {
            "corepack pnpm install --frozen-lockfile --config.node-linker=hoisted"
        }
        (Manager::YarnClassic, _) => "corepack yarn install --frozen-lockfile",
        (Manager::Yarn, _) => "corepack yarn install --immutable",
    };
    command.to_owned()
}

/// The packages for Lambda, which may not be the system that the commands run on
/// (<https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-native-libraries>).
fn pip(path: &str, code: &Code) -> String {
    let processor = if code.is_arm { "aarch64" } else { "x86_64" };
    let runtime = code
        .runtime
        .as_deref()
        .and_then(|runtime| runtime.strip_prefix("python"));
    let version = runtime
        .map(|version| format!(" --python-version {version}"))
        .unwrap_or_default();
    format!(
        "python3 -m pip install --requirement '{path}/requirements.txt' --target '{path}' --platform manylinux2014_{processor}{version} --only-binary=:all:"
    )
}

/// What the template names and nothing makes.
fn missing(service: &Path, directory: &str, build: &Build, facts: &TemplateFacts) -> Vec<String> {
    let mut missing = Vec::new();
    for code in &facts.code {
        if code.is_image {
            missing.push(format!(
                "`{}` is a container image, which is not built: push it to a registry and name it by `ImageUri`",
                code.logical
            ));
        } else if let Some(path) = &code.path
            && *build == Build::None
            && !service.join(path).exists()
        {
            missing.push(format!(
                "`{}` takes its code from `{}`, which is not in the repository: add a build that makes it (`build = {{ commands = [...] }}`)",
                code.logical,
                joined(directory, &tidy(path))
            ));
        }
    }
    let is_python = facts.code.iter().any(|code| {
        code.runtime
            .as_deref()
            .is_some_and(|one| one.starts_with("python"))
    });
    if is_python {
        missing.extend(python::tests_to_run(service, directory));
    }
    missing
}

fn manifest(directory: &str) -> String {
    joined(directory, "package.json")
}
