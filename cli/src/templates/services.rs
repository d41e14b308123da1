//! What is wrong with the files that services name, as the pipeline would find it minutes later.

use std::collections::BTreeMap;
use std::path::Path;

use delivery_action::failure::{ActionError as _, chain};
use delivery_definition::{Definition, Detected, Kind, Service};
use delivery_stack::package::{self, Folder, PackageError};
use local::source::is_ignored;

use crate::init::left_out;
use crate::message::{Finding, Severity};

/// What to do about a path of a service that is built.
const OF_A_BUILD: &str = "correct the path; if the build makes it, add it to `.gitignore`";

/// What is found.
pub(super) fn findings(
    definition: &Definition,
    folder: &Path,
    kinds: &BTreeMap<String, Detected>,
) -> Vec<Finding> {
    let services = definition.services().iter();
    let findings = services.flat_map(|service| match kinds.get(&service.name) {
        Some(Detected {
            kind: Kind::Stack,
            template: Some(template),
        }) => {
            let mut findings = of_template(folder, service, template);
            findings.extend(of_packages(folder, service, template));
            findings
        }
        Some(Detected {
            kind: Kind::Site, ..
        }) if service.build.is_none() => of_site(folder, service).into_iter().collect(),
        _ => Vec::new(),
    });
    findings.collect()
}

fn of_template(folder: &Path, service: &Service, template: &str) -> Vec<Finding> {
    let path = match service.folder() {
        "." => template.to_owned(),
        directory => format!("{directory}/{template}"),
    };
    let mistakes = package::mistakes(&Folder::new(folder), &path).into_iter();
    let of_build = |mistake: &PackageError| service.build.is_some() && may_be_made(folder, mistake);
    let findings = mistakes.filter(|mistake| !of_build(mistake));
    let findings = findings.map(|mistake| {
        let (severity, help) = match service.build {
            Some(_) => (Severity::Note, Some(OF_A_BUILD.to_owned())),
            None => (Severity::Error, mistake.hint()),
        };
        Finding {
            severity,
            message: format!("service `{}`: {}", service.name, chain(&mistake)),
            help,
        }
    });
    findings.collect()
}

/// Functions that are deployed without the packages that they need.
fn of_packages(folder: &Path, service: &Service, template: &str) -> Vec<Finding> {
    let build = service.build.as_ref();
    if build.is_some_and(|build| build.value.commands.is_some()) {
        return Vec::new();
    }
    let folders = left_out(folder, service.folder(), template).into_iter();
    let findings = folders.map(|(path, commands)| Finding {
        severity: Severity::Note,
        message: format!(
            "service `{}`: nothing installs the packages of `{path}/package.json`, so its function is deployed without them",
            service.name
        ),
        help: Some(format!(
            "bundle them by a script that names `{path}`, or build with `commands`, such as \"{commands}\""
        )),
    });
    findings.collect()
}

/// Whether a build can be expected to make what is not there: a template, or what Git ignores, as it should what is made.
fn may_be_made(folder: &Path, mistake: &PackageError) -> bool {
    let PackageError::Missing(place) = mistake else {
        return true;
    };
    let template = Path::new(&place.file).parent().unwrap_or(Path::new(""));
    // Where that is not known, nothing is said.
    is_ignored(folder, &template.join(&place.path)).unwrap_or(true)
}

fn of_site(folder: &Path, service: &Service) -> Option<Finding> {
    let site = folder.join(service.folder()).join(service.site_folder());
    (!site.is_dir()).then(|| Finding {
        severity: Severity::Error,
        message: format!(
            "service `{}`: the folder `{}` of its site is not there",
            service.name,
            service.site_folder()
        ),
        help: Some(
            "correct `site`, or name what builds it: `build = { task = \"build\" }`".to_owned(),
        ),
    })
}
