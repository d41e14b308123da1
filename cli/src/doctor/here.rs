//! What this machine has: versions, tools, settings.

use std::collections::BTreeMap;

use tokio::process::Command;

use crate::application::Application;
use crate::args::Global;
use crate::checkout;
use crate::cloud::Cloud;
use crate::message::Severity;
use crate::preflight::{self, Planned};
use crate::settings::check::{Purpose, SettingsCheck};
use crate::settings::{FILE_NAME, Settings};
use crate::state_folder::StateFolder;
use crate::templates::Templates;

use super::{Check, Setting};

/// What builds packages of functions.
const PACKAGER: &str = "cargo-lambda";

/// What runs on this machine need, and what for; the last one is for who builds packages from a checkout.
const TOOLS: [(&str, &[&str], &str); 5] = [
    ("git", &["--version"], "reads the commit that is delivered"),
    ("python3", &["--version"], "runs the local AWS"),
    (
        "node",
        &["--version"],
        "runs the application's tasks on this machine",
    ),
    (
        "npm",
        &["--version"],
        "installs the application's packages on this machine",
    ),
    (
        PACKAGER,
        &["lambda", "--version"],
        "builds the functions' packages",
    ),
];

/// The versions of this program and of the tools.
pub(super) async fn versions() -> Vec<Check> {
    let mut checks = vec![Check::ok("delivery", env!("CARGO_PKG_VERSION"))];
    let builds = checkout::find().is_some();
    for (tool, arguments, purpose) in TOOLS {
        if tool == PACKAGER && !builds {
            continue;
        }
        checks.push(match version(tool, arguments).await {
            Some(version) => Check::ok(tool, version),
            None => Check::note(
                tool,
                format!("not installed; it {purpose}"),
                Some(format!("install `{tool}`")),
            ),
        });
    }
    checks
}

/// The application in the directory of the settings, as `run` looks at it before it starts anything.
pub(super) async fn application(global: &Global, settings: &Settings) -> Vec<Check> {
    const NAME: &str = "application";
    let directory = &settings.directory;
    let templates = match Templates::of(settings) {
        Ok(templates) => templates,
        Err(error) => {
            let help = "correct it; `delivery validate` checks it";
            return vec![Check::failed(NAME, error.message(), help)];
        }
    };
    if templates.is_one_app && !directory.join("package.json").is_file() {
        let found = format!("none in `{}`: no `package.json`", directory.display());
        let mut checks = parameters(settings, &templates);
        checks.push(Check::note(NAME, found, None));
        return checks;
    }
    let mut application = match Application::find(directory).await {
        Ok(application) => application,
        Err(error) => {
            let help = "fix what the message says; until then nothing can be delivered";
            return vec![Check::failed(NAME, error.message(), help)];
        }
    };
    application.in_effect = settings.in_effect();
    application.in_effect_in_part = settings.in_effect_in_part();
    let home = StateFolder::find(global.home.as_deref());
    let found = preflight::look(&Planned {
        application: &application,
        templates: &templates,
        parameters: &settings.parameters(&[]),
        other_parameters: BTreeMap::new(),
        functions: &settings.custom_functions(),
        purpose: Purpose::Aws,
        home: home.path(),
        has_node_layer: false,
    })
    .await;
    if found.findings.is_empty() {
        return vec![Check::ok(NAME, directory.display().to_string())];
    }
    let checks = found
        .findings
        .into_iter()
        .map(|finding| match finding.severity {
            Severity::Error => {
                Check::failed(NAME, finding.message, finding.help.unwrap_or_default())
            }
            Severity::Note => Check::note(NAME, finding.message, finding.help),
        });
    checks.collect()
}

/// The template's parameters that are set and that it does not take.
fn parameters(settings: &Settings, templates: &Templates) -> Vec<Check> {
    let help = format!("correct it in `{FILE_NAME}` or in its environment variable");
    let check = SettingsCheck {
        declared: &templates.parameters(),
        parameters: &settings.parameters(&[]),
        functions: &settings.custom_functions(),
        purpose: Purpose::Aws,
    };
    let checks = check.findings().into_iter().map(|finding| {
        let help = finding.help.unwrap_or_else(|| help.clone());
        match finding.severity {
            Severity::Error => Check::failed("parameters", finding.message, help),
            Severity::Note => Check::note("parameters", finding.message, Some(help)),
        }
    });
    checks.collect()
}

/// The first line of what a tool says of its version.
async fn version(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}

/// The profile that the SDK takes by itself.
fn profile_of_environment() -> Option<String> {
    delivery_action::env::var("AWS_PROFILE")
}

/// The settings that count, and where they come from. Credentials are none of them.
pub(super) fn settings(
    global: &Global,
    settings: &Settings,
    cloud: Option<&Cloud>,
) -> Vec<Setting> {
    let source = |given: Option<&String>, variable: &str, effective: Option<&String>| {
        match (given, effective) {
            (Some(given), _) if delivery_action::env::var(variable).as_ref() == Some(given) => {
                "environment"
            }
            (Some(_), _) => "flag",
            (None, Some(_)) => FILE_NAME,
            (None, None) => "default",
        }
        .to_owned()
    };
    let from_file = settings.file_stack_name();
    let mut all = vec![
        Setting {
            name: "stack-name".to_owned(),
            value: settings.stack_name.clone(),
            source: source(global.stack_name.as_ref(), "DELIVERY_STACK_NAME", from_file),
        },
        Setting {
            name: "region".to_owned(),
            value: cloud.map_or_else(
                || settings.region.clone().unwrap_or_default(),
                |cloud| cloud.region().to_owned(),
            ),
            source: source(
                global.region.as_ref(),
                "AWS_REGION",
                settings.region.as_ref(),
            ),
        },
        Setting {
            name: "profile".to_owned(),
            value: settings
                .profile
                .clone()
                .or_else(profile_of_environment)
                .unwrap_or_default(),
            source: match (&settings.profile, profile_of_environment()) {
                (None, Some(_)) => "environment".to_owned(),
                (found, _) => source(global.profile.as_ref(), "", found.as_ref()),
            },
        },
    ];
    all.extend(settings.parameters(&[]).into_iter().map(|(name, value)| {
        let variable = format!("{}{name}", crate::settings::PARAMETER_PREFIX);
        let from_environment = delivery_action::env::var(&variable).is_some();
        Setting {
            value: delivery_action::logging::redact(&value).into_owned(),
            name,
            source: if from_environment {
                "environment".to_owned()
            } else {
                FILE_NAME.to_owned()
            },
        }
    }));
    all
}
