//! What runs beside each other: publications and deployments, each killed, doubled or overtaken at any of its calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use delivery_definition::names::EnvironmentName;
use delivery_release::ReleaseError;
use delivery_release::digest::Digest;
use delivery_release::environment::{
    Action, Begun, Ending, Environment, Outcome, Request, ServiceChange, ServiceResult,
};
use delivery_release::manifest::{
    Artifact, File, Manifest, SCHEMA, Service, Site, SiteArtifacts, Source,
};
use delivery_release::repository::{Provenance, Publisher, Repository};
use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::gate::{Gate, Pass};
use crate::generate::How;

pub(crate) const BUCKET: &str = "releases";

/// What every deployment deploys.
const PART: &str = "website";

/// The time of a history.
#[derive(Clone, Debug)]
pub(crate) struct Now(Arc<AtomicI64>);

impl Now {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_790_000_000)))
    }

    pub(crate) fn get(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub(crate) fn tick(&self, seconds: u32) {
        self.0.fetch_add(seconds.into(), Ordering::SeqCst);
    }
}

/// What a process does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Publish(u8),
    Deploy {
        environment: &'static str,
        request: Request,
        start: How,
        fails: bool,
    },
    /// A person releases the lease that is there.
    Unlock(&'static str),
}

/// What a process calls S3 by. The client is made once: that takes longer than its calls.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) gate: Gate,
    pub(crate) repository: Repository,
}

impl Slot {
    pub(crate) fn of(gate: Gate) -> Self {
        let repository = Repository::new(gate.client(), BUCKET);
        Self { gate, repository }
    }
}

/// A process that runs until its next call.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) gate: Gate,
    done: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Process {
    pub(crate) fn start(slot: Slot, work: Work, now: &Now) -> Self {
        let Slot { gate, repository } = slot;
        let done = Arc::new(AtomicBool::new(false));
        let (ends, at) = (Arc::clone(&done), now.clone());
        let tells = gate.clone();
        let task = tokio::spawn(async move {
            let _refused = work_of(work, &repository, &at).await;
            ends.store(true, Ordering::SeqCst);
            tells.notify();
        });
        Self { gate, done, task }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    /// Runs it to its next call.
    pub(crate) async fn settle(&self) {
        while !self.is_done() && !self.gate.is_waiting() && !self.task.is_finished() {
            self.gate.changed().await;
        }
    }

    /// Lets its next call pass, and runs it to the one after.
    pub(crate) async fn step(&self, pass: Pass) {
        self.settle().await;
        if self.is_done() {
            return;
        }
        self.gate.pass(pass);
        if pass == Pass::Die {
            while !self.gate.has_died() {
                self.gate.changed().await;
            }
            self.kill();
        } else {
            self.settle().await;
        }
    }

    pub(crate) fn kill(&self) {
        self.task.abort();
        self.done.store(true, Ordering::SeqCst);
    }
}

/// A history that failed leaves nobody behind for the next one.
impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn work_of(work: Work, repository: &Repository, now: &Now) -> Result<(), ReleaseError> {
    match work {
        Work::Publish(content) => publish(repository, content, now).await,
        Work::Deploy {
            environment,
            request,
            start,
            fails,
        } => {
            let environment = Environment::new(repository, name(environment));
            let at = now.get();
            let begun = match start {
                How::Once => environment.begin(&request, at).await?,
                How::AfterFailure => environment.begin_again(&request, at).await?,
                How::Always => Begun::UnderWay(environment.join(&request, at).await?),
            };
            let Begun::UnderWay(lease) = begun else {
                return Ok(());
            };
            let deployment = lease.deployment.id;
            let deployed = ServiceChange {
                result: ServiceResult::Deployed,
                summary: None,
            };
            environment
                .record_part(&deployment, PART, &deployed, now.get())
                .await?;
            let outcome = if fails {
                Outcome::Failed {
                    message: "no".to_owned(),
                }
            } else {
                Outcome::Succeeded
            };
            let ending = Ending {
                outcome,
                services: BTreeMap::new(),
            };
            environment.end(&deployment, &ending, now.get()).await?;
            Ok(())
        }
        Work::Unlock(environment) => {
            let environment = Environment::new(repository, name(environment));
            let state = environment.state().await?;
            if let Some(lease) = state.lease {
                let deployment = lease.deployment.id;
                environment.unlock(&deployment, "Anna", now.get()).await?;
            }
            Ok(())
        }
    }
}

pub(crate) async fn publish(
    repository: &Repository,
    content: u8,
    now: &Now,
) -> Result<(), ReleaseError> {
    let mut publisher = Publisher::new(repository);
    for bytes in blobs(content) {
        publisher.put_bytes(&bytes).await?;
    }
    let provenance = Provenance {
        pipeline: None,
        execution: format!("e{content}"),
        by: None,
    };
    publisher
        .publish(&manifest(content), &provenance, now.get())
        .await?;
    Ok(())
}

pub(crate) fn name(environment: &str) -> EnvironmentName {
    EnvironmentName::parse(environment).unwrap()
}

pub(crate) fn deploy(content: u8) -> Action {
    Action::Deploy {
        release: manifest(content).id(),
    }
}

/// Two releases share a blob with the next one.
fn blobs(content: u8) -> [Vec<u8>; 2] {
    [vec![content / 2], vec![100 + content]]
}

pub(crate) fn manifest(content: u8) -> Manifest {
    let [site, configuration] = blobs(content);
    let site = Site {
        artifacts: SiteArtifacts {
            site: Artifact {
                sha256: Digest::of(&site),
                size: 1,
                property: None,
            },
        },
        after: std::collections::BTreeSet::new(),
    };
    Manifest {
        schema: SCHEMA,
        application: "workshop".to_owned(),
        source: Source {
            repository: None,
            revision: format!("revision-{content}"),
            branch: None,
            dirty: false,
        },
        services: BTreeMap::from([("website".to_owned(), Service::Site(site))]),
        configuration: File {
            sha256: Digest::of(&configuration),
            size: 1,
            path: "delivery.toml".to_owned(),
        },
        elsewhere: std::collections::BTreeSet::new(),
        combined: BTreeMap::new(),
    }
}
