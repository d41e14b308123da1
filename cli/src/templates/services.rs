//! What is wrong with the files that services name, as the pipeline would find it minutes later.

use std::collections::BTreeMap;
use std::path::Path;

use delivery_action::failure::{ActionError as _, chain};
use delivery_definition::{Definition, Detected, Kind, Service};
use delivery_stack::package::{self, Folder};

use crate::message::{Finding, Severity};

/// What is found. Of a service that is built nothing is looked at: its build may make what is not there yet.
pub(super) fn findings(
    definition: &Definition,
    folder: &Path,
    kinds: &BTreeMap<String, Detected>,
) -> Vec<Finding> {
    let services = definition.services().iter();
    let deployed_as_they_are = services.filter(|service| service.build.is_none());
    let findings = deployed_as_they_are.flat_map(|service| match kinds.get(&service.name) {
        Some(Detected {
            kind: Kind::Stack,
            template: Some(template),
        }) => of_template(folder, service, template),
        Some(Detected {
            kind: Kind::Site, ..
        }) => of_site(folder, service).into_iter().collect(),
        _ => Vec::new(),
    });
    findings.collect()
}

fn of_template(folder: &Path, service: &Service, template: &str) -> Vec<Finding> {
    let path = match service.folder() {
        "." => template.to_owned(),
        directory => format!("{directory}/{template}"),
    };
    let mistakes = package::mistakes(&Folder::new(folder), &path);
    let findings = mistakes.iter().map(|mistake| Finding {
        severity: Severity::Error,
        message: format!("service `{}`: {}", service.name, chain(mistake)),
        help: mistake.hint(),
    });
    findings.collect()
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
