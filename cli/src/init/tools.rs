//! The tools that a folder's files are of, in words.

use std::path::Path;

use delivery_definition::Kind;
use delivery_node::project::Manager;

use super::find::joined;
use super::node::NodeProject;

/// Why a folder with a Terraform module is left out.
pub(super) const TERRAFORM: &str = "Terraform modules are not deployed yet: keep applying it as before, and give its outputs to services \
     as `parameters`";

/// Files of tools whose projects are not deployed: the file, the tool, and what to do.
const NOT_DEPLOYED: [(&str, &str, &str); 11] = [
    ("serverless.yml", SERVERLESS, SERVERLESS_NEXT),
    ("serverless.yaml", SERVERLESS, SERVERLESS_NEXT),
    ("serverless.ts", SERVERLESS, SERVERLESS_NEXT),
    ("serverless.js", SERVERLESS, SERVERLESS_NEXT),
    ("serverless.json", SERVERLESS, SERVERLESS_NEXT),
    (
        "cdk.json",
        "AWS CDK",
        "stacks without assets can be: docs/migration-other-tools.md shows how, under \"From CDK Pipelines\"",
    ),
    ("sst.config.ts", "SST", WRITE_TEMPLATE),
    ("sst.config.js", "SST", WRITE_TEMPLATE),
    ("Pulumi.yaml", "Pulumi", WRITE_TEMPLATE),
    ("wrangler.toml", "Cloudflare Workers", WRITE_TEMPLATE),
    ("firebase.json", "Firebase", WRITE_TEMPLATE),
];

const SERVERLESS: &str = "the Serverless Framework";
const SERVERLESS_NEXT: &str = "write its functions as a `template.yaml` of SAM; docs/migration-other-tools.md says what each part of \
     the file becomes, under \"From the Serverless Framework\"";
const WRITE_TEMPLATE: &str = "write a `template.yaml` (CloudFormation or SAM) for what it deploys";

/// Why a project of another tool is left out.
pub(super) fn not_deployed(files: &[String]) -> Option<String> {
    let is_there = |name: &str| files.iter().any(|file| file == name);
    let (file, tool, next) = NOT_DEPLOYED.iter().find(|(file, ..)| is_there(file))?;
    Some(format!(
        "a project of {tool} (`{file}`), which is not deployed yet: {next}"
    ))
}

/// Why what a folder has is not deployed, where its kind is one of those.
pub(crate) fn why_not_deployed(kind: Kind, files: &[String]) -> Option<String> {
    match kind {
        Kind::Terraform => Some(TERRAFORM.to_owned()),
        Kind::Serverless => not_deployed(files),
        Kind::App | Kind::Site | Kind::Stack => None,
    }
}

/// What a folder's files are of.
pub(super) fn of(folder: &Path, directory: &str, node: Option<&NodeProject>) -> Vec<String> {
    let has = |name: &str| folder.join(name).is_file();
    let mut words = Vec::new();
    if let Some(node) = node {
        if !node.is_locked && node.cannot_install.is_none() {
            words.push("npm without a lock file".to_owned());
        } else if node.cannot_install.is_none() {
            words.push(manager(node.manager()).to_owned());
        } else if has("bun.lock") || has("bun.lockb") {
            words.push("Bun".to_owned());
        }
        if node.has_workspaces() || has("pnpm-workspace.yaml") {
            words.push("workspaces".to_owned());
        }
        if has("tsconfig.json") || node.depends_on("typescript") {
            words.push("TypeScript".to_owned());
        }
    }
    if has("samconfig.toml") {
        words.push(format!(
            "SAM's settings `{}`",
            joined(directory, "samconfig.toml")
        ));
    }
    if has("requirements.txt") || has("pyproject.toml") {
        words.push("Python".to_owned());
    }
    words
}

fn manager(manager: Manager) -> &'static str {
    match manager {
        Manager::Npm => "npm",
        Manager::Pnpm => "pnpm",
        Manager::YarnClassic => "Yarn 1",
        Manager::Yarn => "Yarn",
    }
}
