//! What the console shows, read from AWS. All tabs together cost as much as one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::args::Global;
use crate::cloud;
use crate::error::CliError;
use crate::exit::Exit;
use crate::pipeline::rollout::{ServedEnvironment, served};
use crate::pipeline::status::{self, StatusDocument};
use crate::pipeline::target::Target;
use crate::release::find_repository;
use crate::release::list::{self, ReleaseList};
use crate::settings::Settings;

/// How long a look at AWS is shown again. One is some twenty calls, and AWS limits the calls of an account for each service: a
/// page that is open all day must leave most of them to others.
const FRESH_ON_AWS: Duration = Duration::from_secs(10);

/// The same on one machine, where nobody else waits: short enough to watch a rollout of some seconds.
const FRESH_HERE: Duration = Duration::from_secs(2);

/// Releases that are shown: a screen of them, as `delivery releases` has it.
const RELEASES: usize = 20;

/// The environments, and what has to come before each of them, as `delivery.toml` in this folder has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    /// Those that a release goes through, in order.
    pub(super) stages: Vec<String>,
    /// Pairs of an environment and the one before it; `None` where there is no file.
    pub(super) before: Option<Vec<(String, String)>>,
}

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// When.
    pub(super) at: Timestamp,
    pub(super) region: String,
    pub(super) status: StatusDocument,
    pub(super) served: Vec<ServedEnvironment>,
    /// The newest releases; `None` where the stack has no repository, or who asks may not read it.
    pub(super) releases: Option<ReleaseList>,
    pub(super) order: Order,
    /// The environments with a pipeline that applies releases to them.
    pub(super) applying: Vec<String>,
}

impl Look {
    /// Reads it on a thread of its own: what the commands do is not made to move between threads, as what a server awaits has
    /// to be.
    async fn read(global: &Global) -> Result<Self, CliError> {
        let global = global.clone();
        let runtime = Handle::current();
        let reading = spawn_blocking(move || runtime.block_on(Self::read_here(&global)));
        reading.await.expect("reading does not panic")
    }

    async fn read_here(global: &Global) -> Result<Self, CliError> {
        let settings = Settings::load(global)?;
        let target = Target::of(&settings).await?;
        let served = served(&target).await?;
        let status = status::look(&settings, &target).await?;
        let releases = match find_repository(&target.cloud, &target.stack) {
            Some(repository) => match list::look(&repository, RELEASES).await {
                Ok(releases) => Some(releases),
                Err(error) if error.exit() == Exit::Denied => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        let applying = crate::stack::pipelines::applying(&target.stack);
        Ok(Self {
            at: delivery_action::clock::timestamp(),
            region: target.cloud.region().to_owned(),
            status,
            served,
            releases,
            order: Order::of(&settings),
            applying: applying.map(|(name, _)| name).collect(),
        })
    }
}

impl Order {
    fn of(settings: &Settings) -> Self {
        let stages = settings.definition().stages();
        let before = stages.iter().filter_map(|stage| {
            let after = stage.after.as_ref()?;
            Some((stage.name.clone(), after.value.clone()))
        });
        Self {
            before: settings.file_path().map(|_| before.collect()),
            stages: stages.iter().map(|stage| stage.name.clone()).collect(),
        }
    }
}

/// What was read last, and why the newest attempt failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) look: Option<Arc<Look>>,
    pub(super) problem: Option<String>,
    until: Option<Instant>,
}

#[cfg(test)]
impl Known {
    pub(super) fn of(look: Look, problem: Option<&str>) -> Self {
        Self {
            look: Some(Arc::new(look)),
            problem: problem.map(str::to_owned),
            until: None,
        }
    }
}

/// Looks at AWS when somebody asks, and not more often than needed.
pub(super) struct Looks {
    global: Global,
    fresh_for: Duration,
    known: Mutex<Known>,
}

impl Looks {
    pub(super) fn new(global: &Global) -> Self {
        Self {
            global: global.clone(),
            fresh_for: if cloud::is_on_this_machine() {
                FRESH_HERE
            } else {
                FRESH_ON_AWS
            },
            known: Mutex::default(),
        }
    }

    /// How long a page may be shown before it asks again.
    pub(super) fn fresh_for(&self) -> Duration {
        self.fresh_for
    }

    /// What is known; read anew if that was some time ago. Those who ask meanwhile wait for the same answer.
    pub(super) async fn recent(&self) -> Known {
        let mut known = self.known.lock().await;
        if known.until.is_none_or(|until| Instant::now() >= until) {
            let read = Look::read(&self.global).await;
            match read {
                Ok(look) => {
                    known.look = Some(Arc::new(look));
                    known.problem = None;
                }
                Err(error) => known.problem = Some(error.message()),
            }
            known.until = Some(Instant::now() + self.fresh_for);
        }
        known.clone()
    }

    /// Reads anew in any case, as before a command.
    pub(super) async fn fresh(&self) -> Result<Arc<Look>, CliError> {
        let mut known = self.known.lock().await;
        let look = Arc::new(Look::read(&self.global).await?);
        *known = Known {
            look: Some(Arc::clone(&look)),
            problem: None,
            until: Some(Instant::now() + self.fresh_for),
        };
        Ok(look)
    }

    /// Makes the next who asks read anew: a command has changed something.
    pub(super) async fn forget(&self) {
        self.known.lock().await.until = None;
    }
}
