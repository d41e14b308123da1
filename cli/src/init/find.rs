//! The services of a repository, by its folders.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use delivery_definition::{Definition, Folder, Kind, TEMPLATES, UnknownKind, kind_of};
use delivery_stack::template::Template;

use super::build::{self, Build, Decision, MissingScript};
use super::node::NodeProject;
use super::template::TemplateFacts;
use super::{parameters, tools};
use crate::templates::repository::{BrokenFile, ServiceFolder};

/// How deep services are looked for: `packages/backend/api` is the deepest that repositories have them.
const DEPTH: usize = 3;

/// Folders that hold what others made.
const NOT_SOURCES: [&str; 7] = [
    "node_modules",
    "target",
    "dist",
    "build",
    "vendor",
    "venv",
    "coverage",
];

/// The page that makes a folder a site.
const SITE_PAGE: &str = "index.html";

/// Where a site without a project lies.
const SITE_FOLDERS: [&str; 3] = [".", "build", "dist"];

/// What folders of sites are called that lie beside a template.
const SITE_NAMES: [&str; 8] = [
    "client", "frontend", "public", "site", "static", "web", "website", "www",
];

/// Largest file that is looked at as a template: `CloudFormation` takes 1 MB
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const MAX_TEMPLATE_BYTES: u64 = 1_000_000;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The paths of templates of SAM, and of others.
    sam: Vec<String>,
    cloudformation: Vec<String>,
    /// Formats and tools, in words.
    pub(super) tools: Vec<String>,
    pub(super) services: Vec<FoundService>,
    pub(super) unclear: Vec<Unclear>,
    /// What a person has to do, a sentence each.
    pub(super) missing: Vec<String>,
    pub(super) scripts: Vec<MissingScript>,
    /// Files that cannot be read, so that nobody knows what their folders are.
    pub(super) broken: Vec<BrokenFile>,
}

impl Found {
    /// What was found, for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.tools.is_empty() {
            let _infallible = writeln!(text, "found: {}", self.tools.join(", "));
        }
        for service in &self.services {
            let how = match &service.build {
                Build::None if service.kind == Kind::App => {
                    "built by its script `package`".to_owned()
                }
                Build::None => "deployed as it is".to_owned(),
                Build::Task(task) => format!("built by its script `{task}`"),
                Build::Commands(_) => "built by commands".to_owned(),
            };
            let _infallible = writeln!(
                text,
                "service: {} ({}) in `{}`, {how}",
                service.name, service.kind, service.directory
            );
        }
        for one in &self.unclear {
            let _infallible = writeln!(text, "left out: `{}`: {}", one.directory, one.why);
        }
        text
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundService {
    pub(super) name: String,
    pub(super) directory: String,
    pub(super) kind: Kind,
    /// The template, where it has another name than those that are looked for.
    pub(super) template: Option<String>,
    /// The folder of the site.
    pub(super) site: Option<String>,
    pub(super) build: Build,
    /// The parameters of the template that have no default.
    pub(super) required: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) outputs: Vec<String>,
    /// The script that tests what is deployed.
    pub(super) test: Option<String>,
}

impl FoundService {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            name: String::new(),
            directory: String::new(),
            kind,
            template: None,
            site: None,
            build: Build::None,
            required: Vec::new(),
            parameters: Vec::new(),
            outputs: Vec::new(),
            test: None,
        }
    }
}

/// A folder that a person has to decide about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unclear {
    pub(super) directory: String,
    pub(super) why: String,
}

impl Found {
    fn unclear(&mut self, directory: &str, why: String) {
        let directory = directory.to_owned();
        self.unclear.push(Unclear { directory, why });
    }

    fn broken(&mut self, directory: &str, file: BrokenFile) {
        self.unclear(directory, file.to_string());
        self.broken.push(file);
    }

    fn add(&mut self, directory: &str, mut service: FoundService, decision: Decision) {
        service.name = name(directory, &self.services);
        directory.clone_into(&mut service.directory);
        service.build = decision.build;
        service.template = decision.template.or(service.template);
        self.missing.extend(decision.missing);
        self.scripts.extend(decision.script);
        self.services.push(service);
    }
}

/// Looks through a repository. The folders in a service are its own, except sites that have a build of their own.
pub(super) fn services(repository: &Path) -> Found {
    let mut walk = Walk {
        repository,
        found: Found::default(),
    };
    walk.look(".", 0, Within::Repository);
    let mut found = walk.found;
    found.tools.extend(templates("SAM", &found.sam));
    found
        .tools
        .extend(templates("CloudFormation", &found.cloudformation));
    found
        .missing
        .extend(parameters::fill_in(&mut found.services));
    found
}

fn templates(format: &str, paths: &[String]) -> Option<String> {
    let quoted: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
    match &quoted[..] {
        [] => None,
        [only] => Some(format!("a {format} template {only}")),
        all => Some(format!(
            "{} {format} templates ({})",
            all.len(),
            all.join(", ")
        )),
    }
}

/// Where a folder lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Repository,
    Service,
}

/// What to look at below a folder.
enum Below {
    Nothing,
    Everything,
    /// Sites with a build of their own.
    Sites,
}

/// What a folder is by its files.
enum Looks {
    Stack,
    App,
    Terraform,
    Nothing,
    Unclear(String),
}

struct Walk<'a> {
    repository: &'a Path,
    found: Found,
}

impl Walk<'_> {
    fn look(&mut self, directory: &str, depth: usize, within: Within) {
        let node = NodeProject::read(self.repository, directory);
        let words = tools::of(&self.repository.join(directory), directory, node.as_ref());
        for word in words {
            if !self.found.tools.contains(&word) {
                self.found.tools.push(word);
            }
        }
        let below = match (within, &node) {
            (Within::Repository, node) => self.service(directory, node.as_ref()),
            (Within::Service, Some(node)) if self.site(directory, node) => Below::Nothing,
            (Within::Service, None)
                if self.is_broken_project(directory) || self.may_be_site(directory) =>
            {
                Below::Nothing
            }
            (Within::Service, _) => Below::Sites,
        };
        let within = match below {
            Below::Nothing => return,
            Below::Everything => Within::Repository,
            Below::Sites => Within::Service,
        };
        if depth == DEPTH {
            return;
        }
        for child in folders(&self.repository.join(directory)) {
            self.look(&joined(directory, &child), depth + 1, within);
        }
    }

    /// Names a `package.json` in a folder of a service that cannot be read: it may be the one of a site, or of a function's code.
    fn is_broken_project(&mut self, directory: &str) -> bool {
        let file = ServiceFolder::new(self.repository, directory).broken_manifest();
        let is_broken = file.is_some();
        if let Some(file) = file {
            self.found.broken(directory, file);
        }
        is_broken
    }

    /// Names a folder beside a template that looks like a site: its pages may as well be those that a function serves.
    fn may_be_site(&mut self, directory: &str) -> bool {
        let name = directory.rsplit('/').next().unwrap_or_default();
        let is_site =
            SITE_NAMES.contains(&name) && self.repository.join(directory).join(SITE_PAGE).is_file();
        if is_site {
            let why = format!(
                "it has an `{SITE_PAGE}`; if it is a site, add it to `[services]`: `{name} = {{ directory = \"{directory}\", site = \".\" }}`"
            );
            self.found.unclear(directory, why);
        }
        is_site
    }

    /// Adds what a folder is.
    fn service(&mut self, directory: &str, node: Option<&NodeProject>) -> Below {
        let folder = ServiceFolder::new(self.repository, directory);
        let files = folder.files();
        if let Some(reason) = tools::not_deployed(&files) {
            self.found.unclear(directory, reason);
            return Below::Nothing;
        }
        if let Some(file) = folder.broken_file() {
            self.found.broken(directory, file);
            return Below::Nothing;
        }
        match looks(&folder, directory) {
            Looks::Stack => {
                let known = TEMPLATES
                    .into_iter()
                    .find(|file| folder.has_resources(file));
                self.stack(directory, known.unwrap_or(TEMPLATES[0]), node);
                Below::Sites
            }
            Looks::App => {
                self.app(directory, node);
                Below::Nothing
            }
            Looks::Terraform => {
                self.found.unclear(directory, tools::TERRAFORM.to_owned());
                Below::Nothing
            }
            Looks::Unclear(why) => {
                self.found.unclear(directory, why);
                Below::Nothing
            }
            Looks::Nothing => self.other(directory, node, &files),
        }
    }

    /// A folder that no name of a file tells anything about: templates with other names, and sites.
    fn other(&mut self, directory: &str, node: Option<&NodeProject>, files: &[String]) -> Below {
        let path = self.repository.join(directory);
        let templates: Vec<_> = files
            .iter()
            .filter(|file| is_template(&path.join(file)))
            .collect();
        match templates[..] {
            [] => {}
            [template] => {
                self.stack(directory, template, node);
                if let Some(stack) = self.found.services.last_mut() {
                    stack.template.get_or_insert_with(|| template.clone());
                }
                return Below::Sites;
            }
            [first, ..] => {
                let names: Vec<_> = templates.iter().map(|name| format!("`{name}`")).collect();
                let why = format!(
                    "it has the templates {}: move each into a folder of its own, or name one by the key `template`, such as `template = \"{first}\"`",
                    names.join(", ")
                );
                self.found.unclear(directory, why);
                return Below::Nothing;
            }
        }
        match node {
            Some(node) if self.site(directory, node) => Below::Nothing,
            // Of a repository whose root has what was built, the services are in other folders.
            node => match site_folder(&path, node.is_some() || directory == ".") {
                Some(site) => {
                    self.static_site(directory, site);
                    Below::Nothing
                }
                None => Below::Everything,
            },
        }
    }

    fn stack(&mut self, directory: &str, template: &str, node: Option<&NodeProject>) {
        let facts = TemplateFacts::read(&self.repository.join(directory).join(template));
        let mut decision = build::of_stack(self.repository, directory, &facts);
        let mut stack = FoundService::new(Kind::Stack);
        // They run as a script of the service's folder, however the service is built.
        let is_task = matches!(decision.build, Build::Task(_));
        let tested = node.filter(|node| {
            is_task || decision.build != Build::None && node.cannot_install.is_none()
        });
        if let Some(node) = tested {
            stack.test = functional_tests(Some(node));
            let missing = node.missing_functional_tests(directory);
            decision.missing.extend(missing);
            let missing = node.missing_reports(directory);
            decision.missing.extend(missing.filter(|_| is_task));
        }
        stack.required = facts.required;
        stack.outputs = facts.outputs;
        let found = &mut self.found;
        let templates = if facts.is_sam {
            &mut found.sam
        } else {
            &mut found.cloudformation
        };
        templates.push(joined(directory, template));
        self.found.add(directory, stack, decision);
    }

    fn app(&mut self, directory: &str, node: Option<&NodeProject>) {
        let mut app = FoundService::new(Kind::App);
        app.test = functional_tests(node);
        let mut decision = Decision::default();
        decision.missing.push(format!(
            "make sure that the script `{}` of `{directory}` makes `dist/lambda`, `dist/openapi.json` and `dist/site`, which an app is; for anything else add a `template.yaml`",
            MissingScript::NAME
        ));
        self.found.add(directory, app, decision);
    }

    fn static_site(&mut self, directory: &str, folder: &str) {
        let mut site = FoundService::new(Kind::Site);
        site.site = Some(folder.to_owned());
        self.found.add(directory, site, Decision::default());
    }

    /// Adds a site that a known tool builds; `false` where the folder is none.
    fn site(&mut self, directory: &str, node: &NodeProject) -> bool {
        let Some((tool, output)) = node.site(&self.repository.join(directory)) else {
            return false;
        };
        let decision = build::of_site(node, directory, tool);
        let mut site = FoundService::new(Kind::Site);
        self.found.tools.push(format!(
            "a site of {tool} in `{directory}`, built into `{output}`"
        ));
        site.site = Some(output);
        self.found.add(directory, site, decision);
        true
    }
}

/// Where the page of a static site is: in the folder itself, or in what was built once and committed.
fn site_folder(path: &Path, only_itself: bool) -> Option<&'static str> {
    let has_page = |folder: &&&str| path.join(folder).join(SITE_PAGE).is_file();
    let folders: &[&str] = if only_itself { &["."] } else { &SITE_FOLDERS };
    folders.iter().find(has_page).copied()
}

fn functional_tests(node: Option<&NodeProject>) -> Option<String> {
    let script = node?.functional_tests()?;
    Some(script.to_owned())
}

fn looks(folder: &ServiceFolder<'_>, directory: &str) -> Looks {
    // What a repository without a file is: only the folder's files say its kind.
    let nameless = Definition::default();
    let Some(service) = nameless.services().iter().next() else {
        return Looks::Nothing;
    };
    match kind_of(service, folder).map(|detected| detected.kind) {
        Ok(Kind::Stack) => Looks::Stack,
        Ok(Kind::App) => Looks::App,
        Ok(Kind::Terraform) => Looks::Terraform,
        Ok(Kind::Site | Kind::Serverless) | Err(UnknownKind::None { .. }) => Looks::Nothing,
        Err(UnknownKind::Several { first, second, .. }) => Looks::Unclear(format!(
            "`{}` makes it a `{}`, and `{}` a `{}`: add it with the key `kind`",
            first.1, first.0, second.1, second.0
        )),
        Err(UnknownKind::SeveralTemplates { templates, .. }) => Looks::Unclear(format!(
            "it has {templates}: add it with the key `template`"
        )),
        Err(error) => Looks::Unclear(format!("{error} (`{directory}`)")),
    }
}

/// Whether a file with any name is a template: it says so, or all of its resources have types of AWS.
fn is_template(path: &Path) -> bool {
    let is_format = path.extension().is_some_and(|end| {
        ["yaml", "yml", "json", "template"]
            .iter()
            .any(|one| end == *one)
    });
    let is_small = path
        .metadata()
        .is_ok_and(|file| file.len() <= MAX_TEMPLATE_BYTES);
    if !is_format || !is_small {
        return false;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    if !text.contains("Resources") || !text.contains("AWS::") {
        return false;
    }
    Template::read(&text).is_ok_and(|template| {
        let resources = template.section("Resources");
        let mut types = resources
            .map(|(_, resource)| resource.get("Type"))
            .peekable();
        types.peek().is_some() && types.all(|kind| kind.is_some_and(serde_json::Value::is_string))
    })
}

fn folders(path: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| !name.starts_with('.') && !NOT_SOURCES.contains(&name.as_str()))
        .collect()
}

/// A path below a folder of the repository; `.` is the repository itself.
pub(super) fn joined(directory: &str, path: &str) -> String {
    if directory == "." {
        path.to_owned()
    } else {
        format!("{directory}/{path}")
    }
}

/// The folder's name in the letters that a service's may have; with the folders above it where that is taken.
fn name(directory: &str, others: &[FoundService]) -> String {
    if directory == "." {
        return delivery_definition::names::ONLY_SERVICE.to_owned();
    }
    let last = directory.rsplit('/').next().unwrap_or(directory);
    let is_free = |name: &str| others.iter().all(|other| other.name != name);
    let candidates = [dashed(last), dashed(directory)];
    let numbered = (2..).map(|number| format!("{}-{number}", dashed(directory)));
    let mut names = candidates.into_iter().chain(numbered);
    names
        .find(|name| is_free(name))
        .expect("numbers do not end")
}

fn dashed(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let name = words.join("-");
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    if name.is_empty() {
        "service".to_owned()
    } else {
        name.to_owned()
    }
}
