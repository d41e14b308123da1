//! An application with releases, and what its environments have of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use delivery_definition::names::EnvironmentName;
use delivery_release::environment::{
    Action, Begun, DeploymentId, Ending, Environment, Lease, Outcome, Record, Request,
};
use delivery_release::manifest::{
    Artifact, File, Manifest, ReleaseId, SCHEMA, Service, Site, SiteArtifacts, Source, Stack,
};
use delivery_release::repository::{Blob, Provenance, Publisher, Repository, Verification};
use delivery_testing::s3::{Bucket, LocalS3, Objects};
use jiff::Timestamp;

use crate::services::RELEASES;
use crate::world::{Ended, Job, World};

/// `delivery.toml` of the application.
pub(crate) const SETTINGS: &str = r#"application = "shop"

[services]
api = { directory = "api", parameters = { LogLevel = "info", Pages = "${website.Url}" } }
website = { directory = "website", build = { task = "build" } }

[environments]
int = {}
prod = { after = "int", services = { api = { Memory = 512 } } }
dev = {}
"#;

/// The first release's commit, and the second one's.
pub(crate) const COMMITS: [&str; 2] = [
    "9f3c1d2e00000000000000000000000000000001",
    "12ab34cd00000000000000000000000000000002",
];

pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) repository: Repository,
    pub(crate) bucket: Bucket,
    pub(crate) s3: LocalS3,
}

impl Shop {
    /// The application, without any release.
    pub(crate) async fn start() -> Self {
        let mut world = World::start().await;
        let job = world.job_of("package").await;
        world.fail(&job, "not of interest").await;
        world.until_stage("Commit", "Failed").await;
        let s3 = LocalS3::start_with(Objects::in_memory()).await;
        let bucket = s3.bucket(RELEASES);
        bucket.create().await;
        world.endpoints.push(("AWS_ENDPOINT_URL_S3", s3.url()));
        std::fs::write(world.folder.path().join("delivery.toml"), SETTINGS).unwrap();
        Self {
            repository: Repository::new(Client::new(&s3.config()), RELEASES),
            world,
            bucket,
            s3,
        }
    }

    /// The same with two releases: the second one is in `int`, where it was verified, and the first in `prod`.
    pub(crate) async fn with_releases() -> (Self, [ReleaseId; 2]) {
        let shop = Self::start().await;
        let first = shop.publish("one", COMMITS[0], SETTINGS, at(0)).await;
        let settings = SETTINGS.replace("512", "1024").replace("info", "warn");
        let second = shop.publish("two", COMMITS[1], &settings, at(3600)).await;
        for release in [&first, &second] {
            let record = shop.deploy("int", release).await;
            shop.verify(release, "int", record.deployment.id).await;
        }
        shop.deploy("prod", &first).await;
        (shop, [first, second])
    }

    /// Publishes a release that nobody needs, and fifty newer ones, so that age alone would not keep the old ones.
    pub(crate) async fn with_an_old_release(&self) -> ReleaseId {
        let old = self
            .publish("old", COMMITS[0], SETTINGS, at(-365 * 24 * 3600))
            .await;
        for number in 0..50 {
            let code = format!("newer {number}");
            self.publish(&code, COMMITS[1], SETTINGS, at(7200 + number))
                .await;
        }
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        for key in self.bucket.snapshot().await.keys() {
            self.s3.objects().set_modified(RELEASES, key, long_ago);
        }
        old
    }

    /// Publishes a release whose function has this code.
    pub(crate) async fn publish(
        &self,
        code: &str,
        commit: &str,
        settings: &str,
        at: Timestamp,
    ) -> ReleaseId {
        let mut publisher = Publisher::new(&self.repository);
        let mut blob = async |bytes: &str| publisher.put_bytes(bytes.as_bytes()).await.unwrap();
        let template = blob("Parameters: {LogLevel: {Type: String}}\nResources: {}").await;
        let stack = Stack {
            template: file(template, "api/template.yaml"),
            transform: Vec::new(),
            artifacts: BTreeMap::from([("Greet".to_owned(), artifact(blob(code).await))]),
            after: BTreeSet::new(),
        };
        let site = Site {
            artifacts: SiteArtifacts {
                site: artifact(blob("pages").await),
            },
            after: BTreeSet::new(),
        };
        let manifest = Manifest {
            schema: SCHEMA,
            application: "shop".to_owned(),
            source: Source {
                repository: Some("octo/shop".to_owned()),
                revision: commit.to_owned(),
                branch: Some("main".to_owned()),
                dirty: false,
            },
            services: BTreeMap::from([
                ("api".to_owned(), Service::CloudFormation(stack)),
                ("website".to_owned(), Service::Site(site)),
            ]),
            configuration: file(blob(settings).await, "delivery.toml"),
            elsewhere: BTreeSet::new(),
            combined: BTreeMap::new(),
        };
        let provenance = Provenance {
            pipeline: Some("shop".to_owned()),
            execution: format!("publishes-{code}"),
            by: None,
        };
        let publication = publisher.publish(&manifest, &provenance, at);
        publication.await.unwrap().release
    }

    pub(crate) fn environment(&self, name: &str) -> Environment {
        Environment::new(&self.repository, EnvironmentName::parse(name).unwrap())
    }

    /// Begins a deployment.
    pub(crate) async fn begin(&self, environment: &str, owner: &str, action: Action) -> Lease {
        let request = Request {
            owner: owner.to_owned(),
            by: "Anna".to_owned(),
            reason: None,
            action,
            until: None,
        };
        let environment = self.environment(environment);
        match environment.begin(&request, at(7200)).await.unwrap() {
            Begun::UnderWay(lease) => lease,
            Begun::Ended(record) => panic!("it has ended: {record:?}"),
        }
    }

    /// Ends a deployment.
    pub(crate) async fn end(
        &self,
        environment: &str,
        id: &DeploymentId,
        outcome: Outcome,
    ) -> Record {
        let ending = Ending {
            outcome,
            services: BTreeMap::new(),
        };
        let environment = self.environment(environment);
        environment.end(id, &ending, at(7260)).await.unwrap()
    }

    /// Deploys with success.
    pub(crate) async fn deploy(&self, environment: &str, release: &ReleaseId) -> Record {
        let owner = format!("shop/execution-{environment}-{release}");
        self.deploy_by(&owner, environment, release).await
    }

    pub(crate) async fn deploy_by(
        &self,
        owner: &str,
        environment: &str,
        release: &ReleaseId,
    ) -> Record {
        let release = release.clone();
        let lease = self
            .begin(environment, owner, Action::Deploy { release })
            .await;
        let id = lease.deployment.id;
        self.end(environment, &id, Outcome::Succeeded).await
    }

    pub(crate) async fn verify(&self, release: &ReleaseId, environment: &str, id: DeploymentId) {
        let name = EnvironmentName::parse(environment).unwrap();
        let mark = Verification::new(id, "execution", at(7300));
        self.repository.verify(release, &name, &mark).await.unwrap();
    }

    /// The job of the execution that the creation of an applying pipeline starts; it has no release, and fails.
    pub(crate) async fn create_applying(&mut self, name: &str, stage: &str) {
        self.world.create_applying(name, stage).await;
        let job = self.world.job_of("apply").await;
        assert!(job.user_parameters().starts_with("release=none&"));
        self.world.fail(&job, "no release is given").await;
    }

    pub(crate) async fn applies(&mut self) -> Job {
        self.world.job_of("apply").await
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Ended {
        let arguments = [arguments, &["--stack-name", "released"]].concat();
        self.world.json(&arguments).await
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        let arguments = [arguments, &["--stack-name", "released"]].concat();
        self.world.run(&arguments).await
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_771_800 + seconds).unwrap()
}

fn file(blob: Blob, path: &str) -> File {
    File {
        sha256: blob.sha256,
        size: blob.size,
        path: path.to_owned(),
    }
}

fn artifact(blob: Blob) -> Artifact {
    Artifact {
        sha256: blob.sha256,
        size: blob.size,
        property: None,
    }
}
