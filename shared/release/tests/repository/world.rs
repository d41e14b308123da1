//! A repository with releases of twenty functions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;
use delivery_action::failure::Failure;
use delivery_definition::names::EnvironmentName;
use delivery_release::ReleaseError;
use delivery_release::environment::{
    Action, Begun, Ending, Environment, Lease, Outcome, Record, Request,
};
use delivery_release::manifest::{
    Artifact, File, Manifest, ReleaseId, SCHEMA, Service, Source, Stack,
};
use delivery_release::repository::{Blob, Provenance, Publication, Publisher, Repository};
use delivery_testing::s3::{Bucket, LocalS3, Objects};
use jiff::Timestamp;

pub(crate) const BUCKET: &str = "workshop-releases";

/// Functions of the service.
const FUNCTIONS: usize = 20;

pub(crate) struct World {
    pub(crate) s3: LocalS3,
    pub(crate) bucket: Bucket,
    pub(crate) repository: Repository,
}

impl World {
    pub(crate) async fn start() -> Self {
        let s3 = LocalS3::start_with(Objects::in_memory()).await;
        let bucket = s3.bucket(BUCKET);
        bucket.create().await;
        let repository = Repository::new(Client::new(&s3.config()), BUCKET);
        Self {
            s3,
            bucket,
            repository,
        }
    }

    /// Publishes a release whose first function has this code.
    pub(crate) async fn publish(&self, code: &str) -> Publication {
        let mut publisher = Publisher::new(&self.repository);
        let manifest = self.manifest(code, &mut publisher).await;
        let publication = publisher.publish(&manifest, &provenance(code), at(0)).await;
        publication.unwrap()
    }

    pub(crate) async fn manifest(&self, code: &str, publisher: &mut Publisher) -> Manifest {
        let mut artifacts = BTreeMap::new();
        for index in 0..FUNCTIONS {
            let code = if index == 0 {
                code.to_owned()
            } else {
                format!("code {index}")
            };
            let blob = publisher.put_bytes(code.as_bytes()).await.unwrap();
            let property = format!("/Resources/F{index}/Properties/CodeUri");
            artifacts.insert(format!("F{index}"), artifact(blob, Some(property)));
        }
        let template = publisher.put_bytes(b"Resources: {}").await.unwrap();
        let stack = Stack {
            template: file(template, "api/template.yaml"),
            transform: vec!["AWS::Serverless-2016-10-31".to_owned()],
            artifacts,
            after: BTreeSet::new(),
        };
        let configuration = publisher.put_bytes(b"application = \"workshop\"\n").await;
        Manifest {
            schema: SCHEMA,
            application: "workshop".to_owned(),
            source: source(code),
            services: BTreeMap::from([("api".to_owned(), Service::CloudFormation(stack))]),
            configuration: file(configuration.unwrap(), "delivery.toml"),
            elsewhere: BTreeSet::new(),
            combined: BTreeMap::new(),
        }
    }

    pub(crate) fn environment(&self, name: &str) -> Environment {
        Environment::new(&self.repository, EnvironmentName::parse(name).unwrap())
    }

    /// Deploys with success.
    pub(crate) async fn deploy(&self, environment: &str, release: &ReleaseId) -> Record {
        let release = release.clone();
        let owner = format!("job of {release}");
        let request = request(&owner, Action::Deploy { release });
        self.run(environment, &request).await
    }

    pub(crate) async fn run(&self, environment: &str, request: &Request) -> Record {
        let environment = self.environment(environment);
        let lease = under_way(environment.begin(request, at(60)).await);
        let id = lease.deployment.id;
        environment.end(&id, &succeeded(), at(120)).await.unwrap()
    }
}

pub(crate) fn under_way(begun: Result<Begun, ReleaseError>) -> Lease {
    match begun.unwrap() {
        Begun::UnderWay(lease) => lease,
        Begun::Ended(record) => panic!("it has ended: {record:?}"),
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_771_800 + seconds).unwrap()
}

pub(crate) fn request(owner: &str, action: Action) -> Request {
    Request {
        owner: owner.to_owned(),
        by: "Anna".to_owned(),
        reason: None,
        until: None,
        action,
    }
}

pub(crate) fn succeeded() -> Ending {
    Ending {
        outcome: Outcome::Succeeded,
        services: BTreeMap::new(),
    }
}

pub(crate) fn source(code: &str) -> Source {
    Source {
        repository: Some("team/workshop".to_owned()),
        revision: format!("commit of {code}"),
        branch: Some("main".to_owned()),
        dirty: false,
    }
}

pub(crate) fn provenance(execution: &str) -> Provenance {
    Provenance {
        pipeline: Some("workshop".to_owned()),
        execution: execution.to_owned(),
        by: None,
    }
}

pub(crate) fn file(blob: Blob, path: &str) -> File {
    File {
        sha256: blob.sha256,
        size: blob.size,
        path: path.to_owned(),
    }
}

pub(crate) fn artifact(blob: Blob, property: Option<String>) -> Artifact {
    Artifact {
        sha256: blob.sha256,
        size: blob.size,
        property,
    }
}

/// The whole message that a person sees.
pub(crate) fn message(error: &ReleaseError) -> String {
    Failure::new(error).message("the log")
}
