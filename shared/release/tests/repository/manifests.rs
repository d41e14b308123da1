//! The forms of a manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use delivery_release::digest::Digest;
use delivery_release::manifest::{
    App, AppArtifacts, Artifact, File, Manifest, SCHEMA, Service, Site, SiteArtifacts, Source,
    Stack,
};

fn artifact(bytes: &str, property: Option<&str>) -> Artifact {
    Artifact {
        sha256: Digest::of(bytes.as_bytes()),
        size: bytes.len() as u64,
        property: property.map(str::to_owned),
    }
}

fn file(bytes: &str, path: &str) -> File {
    File {
        sha256: Digest::of(bytes.as_bytes()),
        size: bytes.len() as u64,
        path: path.to_owned(),
    }
}

/// One with a service of each engine.
fn manifest() -> Manifest {
    let stack = Stack {
        template: file("Resources", "restapi/template.yaml"),
        transform: vec!["AWS::Serverless-2016-10-31".to_owned()],
        artifacts: BTreeMap::from([(
            "Submit".to_owned(),
            artifact("code", Some("/Resources/Submit/Properties/CodeUri")),
        )]),
        after: BTreeSet::from(["shop".to_owned()]),
    };
    let app = App {
        artifacts: AppArtifacts {
            function: Some(artifact("function", None)),
            api: Some(artifact("openapi", None)),
            site: None,
        },
        after: BTreeSet::new(),
    };
    let site = Site {
        artifacts: SiteArtifacts {
            site: artifact("zip", None),
        },
        after: BTreeSet::from(["restapi".to_owned()]),
    };
    Manifest {
        schema: SCHEMA,
        application: "workshop".to_owned(),
        source: Source {
            repository: Some("team/workshop".to_owned()),
            revision: "9f3c".to_owned(),
            branch: Some("main".to_owned()),
            dirty: true,
        },
        services: BTreeMap::from([
            ("restapi".to_owned(), Service::CloudFormation(stack)),
            ("shop".to_owned(), Service::App(app)),
            ("website".to_owned(), Service::Site(site)),
        ]),
        configuration: file("toml", "delivery.toml"),
        elsewhere: BTreeSet::from(["tasks".to_owned()]),
        combined: BTreeMap::new(),
    }
}

#[test]
fn the_canonical_form_is_sorted_and_has_no_white_space() {
    let manifest = manifest();
    insta::assert_snapshot!(String::from_utf8(manifest.to_bytes()).unwrap());
    insta::assert_snapshot!(manifest.id(), @"fd1c488581a076de");
    assert_eq!(Manifest::read(&manifest.to_bytes()).unwrap(), manifest);
}

#[test]
fn the_id_depends_on_the_content_and_not_on_how_it_was_written() {
    let manifest = manifest();
    let pretty = serde_json::to_string_pretty(&manifest).unwrap();
    assert_ne!(pretty.as_bytes(), manifest.to_bytes());
    let read = Manifest::read(pretty.as_bytes()).unwrap();
    assert_eq!(read.id(), manifest.id());
    let mut other = manifest.clone();
    other.source.revision.push('0');
    assert_ne!(other.id(), manifest.id());
}

#[test]
fn a_terraform_module_gets_each_artifact_by_name() {
    let tfvars = serde_json::to_string_pretty(&manifest().tfvars("workshop-releases"));
    insta::assert_snapshot!(tfvars.unwrap());
}

#[test]
fn yaml_says_the_same() {
    let yaml = manifest().to_yaml();
    let read: Manifest = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(read, manifest());
    insta::assert_snapshot!(yaml);
}

#[test]
fn a_service_is_deployed_after_one_that_there_is() {
    let mut bad = manifest();
    bad.services.remove("shop");
    let refused = Manifest::read(&bad.to_bytes()).unwrap_err();
    insta::assert_snapshot!(refused, @"its service `restapi` is deployed after `shop`, which it does not have");
    bad.elsewhere.insert("shop".to_owned());
    bad.check().unwrap();
}

#[test]
fn a_release_with_all_services_takes_nothing_over() {
    let there = manifest();
    let mut release = manifest();
    release.elsewhere.clear();
    release.services.remove("website");
    assert_eq!(release.over(&there), release);
    release.elsewhere.insert("website".to_owned());
    let combined = release.over(&there);
    assert_eq!(combined.services, there.services);
    assert_eq!(combined.combined["website"], there.id());
    // What was taken over before keeps its release.
    let again = release.over(&combined);
    assert_eq!(again.combined["website"], there.id());
}

#[test]
fn the_example_of_the_documentation_is_this_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/releases.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    assert_eq!(Manifest::read(example.as_bytes()).unwrap(), manifest());
}
