//! Releases in a bucket, for the tests of actions that deploy them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;
use delivery_definition::names::EnvironmentName;
use delivery_release::environment::Environment;
use delivery_release::manifest::{
    App, AppArtifacts, Artifact, File, Manifest, ReleaseId, SCHEMA, Service, Site, SiteArtifacts,
    Source, Stack,
};
use delivery_release::repository::{Blob, Provenance, Publisher, Repository};
use delivery_testing::s3::Bucket;
use delivery_testing::world::World;
use jiff::Timestamp;

pub(crate) const BUCKET: &str = "workshop-releases";

/// The commit that all releases are of.
pub(crate) const REVISION: &str = "9f3c0000000000000000000000000000000000aa";

/// What a service is made of.
#[derive(Clone, Debug)]
#[allow(
    dead_code,
    reason = "each action deploys one kind, and its tests include this file"
)]
pub(crate) enum Made<'a> {
    /// A packaged template.
    Stack(&'a str),
    /// The files of a site, as a zip archive.
    Site(Vec<u8>),
    /// The artifacts of an app: the function, the API and the site.
    App([Option<Vec<u8>>; 3]),
}

pub(crate) fn repository(world: &World) -> Repository {
    Repository::new(Client::new(&world.test_config()), BUCKET)
}

pub(crate) fn bucket(world: &World) -> Bucket {
    world.bucket(BUCKET)
}

pub(crate) fn environment(world: &World, name: &str) -> Environment {
    let name = EnvironmentName::parse(name).unwrap();
    Environment::new(&repository(world), name)
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Publishes a release of these services; the bucket is made with the first one.
pub(crate) async fn publish(
    world: &World,
    definition: &str,
    services: &[(&str, Made<'_>)],
) -> ReleaseId {
    let client = Client::new(&world.test_config());
    if client.head_bucket().bucket(BUCKET).send().await.is_err() {
        bucket(world).create().await;
    }
    let mut publisher = Publisher::new(&repository(world));
    let mut entries = BTreeMap::new();
    for (name, made) in services {
        entries.insert((*name).to_owned(), entry(&mut publisher, made).await);
    }
    let configuration = publisher.put_bytes(definition.as_bytes()).await.unwrap();
    let manifest = Manifest {
        schema: SCHEMA,
        application: "workshop".to_owned(),
        source: Source {
            repository: None,
            revision: REVISION.to_owned(),
            branch: None,
            dirty: false,
        },
        services: entries,
        configuration: file(configuration, "delivery.toml"),
        elsewhere: BTreeSet::new(),
        combined: BTreeMap::new(),
    };
    let provenance = Provenance {
        pipeline: None,
        execution: "e".to_owned(),
        by: None,
    };
    let now = at("2026-11-28T00:00:00Z");
    let published = publisher.publish(&manifest, &provenance, now).await;
    published.unwrap().release
}

async fn entry(publisher: &mut Publisher, made: &Made<'_>) -> Service {
    let after = BTreeSet::new();
    match made {
        Made::Stack(template) => Service::CloudFormation(Stack {
            template: file(
                publisher.put_bytes(template.as_bytes()).await.unwrap(),
                "api/template.yaml",
            ),
            transform: Vec::new(),
            artifacts: BTreeMap::new(),
            after,
        }),
        Made::Site(zip) => {
            let site = artifact(publisher, zip).await;
            let artifacts = SiteArtifacts { site };
            Service::Site(Site { artifacts, after })
        }
        Made::App(made) => {
            let mut artifacts = Vec::new();
            for bytes in made {
                artifacts.push(match bytes {
                    Some(bytes) => Some(artifact(publisher, bytes).await),
                    None => None,
                });
            }
            let mut artifacts = artifacts.into_iter();
            let artifacts = AppArtifacts {
                function: artifacts.next().unwrap(),
                api: artifacts.next().unwrap(),
                site: artifacts.next().unwrap(),
            };
            Service::App(App { artifacts, after })
        }
    }
}

async fn artifact(publisher: &mut Publisher, bytes: &[u8]) -> Artifact {
    let Blob { sha256, size } = publisher.put_bytes(bytes).await.unwrap();
    Artifact {
        sha256,
        size,
        property: None,
    }
}

fn file(blob: Blob, path: &str) -> File {
    File {
        sha256: blob.sha256,
        size: blob.size,
        path: path.to_owned(),
    }
}
