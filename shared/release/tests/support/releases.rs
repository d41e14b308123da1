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

/// What a service is made of, by names: the `template` of a stack, the `files` of a site, or `function`, `api` and `site` of an app.
pub(crate) type Made = Vec<(&'static str, Vec<u8>)>;

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
    services: &[(&str, Made)],
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
    let publication = publisher.publish(&manifest, &provenance, now).await;
    publication.unwrap().release
}

async fn entry(publisher: &mut Publisher, made: &Made) -> Service {
    let after = BTreeSet::new();
    let mut artifacts = AppArtifacts::default();
    for (name, bytes) in made {
        let made = artifact(publisher, bytes).await;
        match *name {
            "template" => {
                let blob = Blob {
                    sha256: made.sha256,
                    size: made.size,
                };
                return Service::CloudFormation(Stack {
                    template: file(blob, "api/template.yaml"),
                    transform: Vec::new(),
                    artifacts: BTreeMap::new(),
                    after,
                });
            }
            "files" => {
                let artifacts = SiteArtifacts { site: made };
                return Service::Site(Site { artifacts, after });
            }
            "function" => artifacts.function = Some(made),
            "api" => artifacts.api = Some(made),
            "site" => artifacts.site = Some(made),
            other => panic!("no service has `{other}`"),
        }
    }
    Service::App(App { artifacts, after })
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
