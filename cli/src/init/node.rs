//! A project of Node.js: its scripts, its package manager, and the site that it builds.

use std::path::Path;

use delivery_action::failure::ActionError;
use delivery_node::project::{Folder, Manager, Manifest, installer};
use serde_json::Value;

use super::find::joined;

/// What `npm init` writes as the script `test` of a project without tests.
const NO_TESTS: &str = "no test specified";

/// Scripts that test what is deployed, by the names that projects give them.
const FUNCTIONAL_TESTS: [&str; 5] = [
    "test-functional",
    "test:functional",
    "test:e2e",
    "test:integration",
    "e2e",
];

/// The test runner of Node.js, and its reporter of the reports that the pipeline reads.
const NODE_TEST: &str = "node --test";
const JUNIT: &str = "junit";

/// The options that make it write a report beside what people read.
const REPORTERS: &str = "--test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit \
                         --test-reporter-destination=reports/unit.xml";

/// A tool that builds sites.
struct SiteTool {
    /// Its package.
    package: &'static str,
    /// Where it writes by default, from the project's folder; `NAME` is the project's name.
    output: &'static str,
    /// Whether it also serves other purposes, so that only a page says that there is a site.
    needs_page: bool,
}

const fn site(package: &'static str, output: &'static str) -> SiteTool {
    SiteTool {
        package,
        output,
        needs_page: false,
    }
}

const fn bundler(package: &'static str, output: &'static str) -> SiteTool {
    SiteTool {
        package,
        output,
        needs_page: true,
    }
}

/// Those that build on others come first: Astro and Nuxt bring Vite along.
const SITE_TOOLS: [SiteTool; 13] = [
    site("next", "out"),
    site("nuxt", ".output/public"),
    site("astro", "dist"),
    site("@docusaurus/core", "build"),
    site("gatsby", "public"),
    site("react-scripts", "build"),
    site("@angular/core", "dist/NAME/browser"),
    site("@sveltejs/kit", "build"),
    site("@11ty/eleventy", "_site"),
    site("vitepress", ".vitepress/dist"),
    bundler("vite", "dist"),
    bundler("parcel", "dist"),
    bundler("webpack", "dist"),
];

/// Where the page of a bundler's site is.
const PAGES: [&str; 3] = ["index.html", "public/index.html", "src/index.html"];

/// A folder with a `package.json`.
#[derive(Clone, Debug)]
pub(super) struct NodeProject {
    manifest: Manifest,
    manager: Manager,
    /// Why nothing can install it, and what to do.
    pub(super) cannot_install: Option<String>,
    /// Whether there is a lock file.
    pub(super) is_locked: bool,
    /// Whether its packages are installed in a folder above, as those of a workspace are.
    pub(super) is_installed_above: bool,
}

impl NodeProject {
    /// The project of a folder of the repository; none where it has no `package.json` that can be read.
    pub(super) fn read(repository: &Path, directory: &str) -> Option<Self> {
        let folder = if directory == "." { "" } else { directory };
        let files = Folder(repository);
        let manifest = Manifest::read(&files, folder).ok()?;
        let found = installer(&files, folder);
        Some(Self {
            manager: found.as_ref().map_or(Manager::Npm, |found| found.manager),
            is_locked: found.as_ref().is_ok_and(|found| found.lock.is_some()),
            is_installed_above: found.as_ref().is_ok_and(|found| found.root != folder),
            cannot_install: found.err().map(|error| {
                let hint = error.hint().unwrap_or_default();
                format!("{error}: {hint}")
            }),
            manifest,
        })
    }

    /// The package manager and its lock file.
    pub(super) fn manager(&self) -> Manager {
        self.manager
    }

    /// A script's command; none where it is only what `npm init` writes.
    pub(super) fn script(&self, name: &str) -> Option<&str> {
        let scripts = self.manifest.fields().get("scripts")?;
        let command = scripts.get(name)?.as_str()?;
        (!command.contains(NO_TESTS)).then_some(command)
    }

    /// Whether a script names a folder.
    pub(super) fn scripts_name(&self, folder: &str) -> bool {
        let scripts = self.manifest.fields().get("scripts");
        let mut commands = scripts.and_then(Value::as_object).into_iter().flatten();
        commands.any(|(_, command)| command.as_str().is_some_and(|one| one.contains(folder)))
    }

    /// How a person runs a script.
    pub(super) fn run(&self, script: &str) -> String {
        match (self.manager, script) {
            (Manager::Npm, "test") => "npm test".to_owned(),
            (manager, script) => format!("{} run {script}", manager.program()),
        }
    }

    /// The script that tests what is deployed.
    pub(super) fn functional_tests(&self) -> Option<&'static str> {
        FUNCTIONAL_TESTS
            .into_iter()
            .find(|name| self.script(name).is_some())
    }

    /// What it lacks to test what is deployed.
    pub(super) fn missing_functional_tests(&self, directory: &str) -> Option<String> {
        self.functional_tests().is_none().then(|| {
            format!(
                "nothing tests what is deployed of `{directory}`, so a release counts as verified where it was deployed: add a script \
                 `test-functional`, and to the service `test = {{ task = \"test-functional\" }}`"
            )
        })
    }

    /// What its tests lack to be counted, and listed on the page of a run.
    pub(super) fn missing_reports(&self, directory: &str) -> Option<String> {
        let test = self.script("test").unwrap_or_default();
        (test.contains(NODE_TEST) && !test.contains(JUNIT)).then(|| {
            format!(
                "only a failed test will be named: to have all of them counted, let the script `test` in `{}` write a report, by `mkdir -p reports && \
                 {NODE_TEST} {REPORTERS}`",
                joined(directory, "package.json")
            )
        })
    }

    /// Whether production needs packages.
    pub(super) fn needs_packages(&self) -> bool {
        self.manifest.production_dependencies().next().is_some()
    }

    /// The patterns of the folders that are packages of the same installation.
    pub(super) fn has_workspaces(&self) -> bool {
        self.manifest.has_workspaces()
    }

    /// Whether it depends on a package.
    pub(super) fn depends_on(&self, package: &str) -> bool {
        self.manifest
            .dependencies()
            .any(|(name, _)| name == package)
    }

    /// The tool that makes a site of it, and the folder that the tool writes.
    pub(super) fn site(&self, folder: &Path) -> Option<(&'static str, String)> {
        let has_page = || PAGES.iter().any(|page| folder.join(page).is_file());
        let tool = SITE_TOOLS
            .iter()
            .find(|tool| self.depends_on(tool.package) && (!tool.needs_page || has_page()))?;
        let name = self.manifest.fields().get("name").and_then(Value::as_str);
        let output = tool.output.replace("NAME", name.unwrap_or("app"));
        Some((tool.package, output))
    }
}
