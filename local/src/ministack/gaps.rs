//! The gaps of `MiniStack` that are closed inside its own process, in a small file each.
//!
//! `MiniStack`'s CloudFormation calls its own services by their functions, and keeps to itself what a
//! resource becomes. What nothing in front of it can change is replaced there, at the pinned version:
//! docs/decisions/0080-gaps-inside-ministack.md

use std::fs;
use std::io;
use std::path::Path;

/// A module of the package `gaps`.
type Module = (&'static str, &'static str);

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("gaps/", $name, ".py")))),*]
    };
}

/// What the gaps share.
const HELPERS: &[Module] = &modules!["gateway", "secrets"];

/// One gap each, in the order of their installation.
const GAPS: &[Module] = &modules![
    "addresses",
    "api_keys",
    "busy_stacks",
    "capabilities",
    "change_sets",
    "access",
    "assumed_roles",
    "empty_sections",
    "existing_names",
    "failed_starts",
    "full_buckets",
    "function_directories",
    "function_environment",
    "function_logs",
    "function_settings",
    "function_urls",
    "http_api_bodies",
    "integer_keys",
    "member_accounts",
    "missing_code",
    "code_of_other_accounts",
    "nested_attributes",
    "nested_deletion",
    "nested_failure",
    "nested_parents",
    "nodejs_sdk",
    "pipeline_events",
    "pipelines",
    "rest_api_bodies",
    "api_body_locations",
    "runtime_api",
    "sam_parameters",
    "shared_ports",
    "signed_requests",
    "simulated_policies",
    "stack_descriptions",
    "stack_policies",
    "stack_roles",
    "template_errors",
    "template_urls",
    "nested_transforms",
    "weighted_aliases",
    "function_metrics",
    "reserved_concurrency",
    "alarm_states",
    "math_alarms",
    "composite_alarms",
    "conditional_writes",
    "codedeploy_types",
];

/// Writes the package into a folder, and gives back the names of its gaps.
pub(super) fn write(folder: &Path) -> io::Result<Vec<&'static str>> {
    let package = folder.join("gaps");
    fs::create_dir(&package)?;
    fs::write(package.join("__init__.py"), "")?;
    for (name, source) in HELPERS.iter().chain(GAPS) {
        fs::write(package.join(format!("{name}.py")), source)?;
    }
    Ok(GAPS.iter().map(|(name, _)| *name).collect())
}
