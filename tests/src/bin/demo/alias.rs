//! The alias of production, looked at all the time.

use std::io;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use delivery_action::clock;
use delivery_alias::{FunctionAlias, Watcher};
use delivery_rollout::{Alias, Traffic};
use jiff::Timestamp;
use pipeline_tests::delivery::Delivery;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The alias that production's requests come by.
const ALIAS: &str = "prod";

/// How often the alias is looked at: what is said of its times is this exact.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// The alias of production in a local AWS that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Production {
    alias: FunctionAlias,
    watcher: Watcher,
}

/// A state of the alias, and when it was first seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) alias: Alias,
}

/// Somebody who looks at it all the time.
#[derive(Debug)]
pub(crate) struct Looking {
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<Vec<Seen>>>,
}

impl Production {
    /// Finds the function that has the alias.
    pub(crate) async fn of(delivery: &Delivery) -> io::Result<Self> {
        let config = config(delivery).await?;
        let lambda = aws_sdk_lambda::Client::new(&config);
        let cloud_watch = aws_sdk_cloudwatch::Client::new(&config);
        let listed = lambda.list_functions().send().await;
        let functions = listed.map_err(io::Error::other)?.functions;
        for function in functions.unwrap_or_default() {
            let name = function.function_name().unwrap_or_default();
            let alias = FunctionAlias::new(&lambda, name, ALIAS);
            if alias.read().await.map_err(io::Error::other)?.is_some() {
                let watcher = Watcher::new(&cloud_watch, name, ALIAS);
                return Ok(Self { alias, watcher });
            }
        }
        Err(io::Error::other(format!(
            "no function has an alias `{ALIAS}`"
        )))
    }

    /// The alias as it is now.
    pub(crate) async fn read(&self) -> io::Result<Alias> {
        let found = self.alias.read().await.map_err(io::Error::other)?;
        let found = found.ok_or_else(|| io::Error::other(format!("the alias `{ALIAS}` is gone")));
        found.map(|found| found.alias)
    }

    /// What Lambda counted for two versions since then.
    pub(crate) async fn traffic(
        &self,
        stable: &str,
        new: &str,
        since: Timestamp,
    ) -> io::Result<Traffic> {
        let traffic = self.watcher.traffic(stable, new, since, now()?).await;
        traffic.map_err(io::Error::other)
    }

    /// Looks at it until it is told to stop.
    pub(crate) fn look(&self) -> Looking {
        let (stop, stopped) = watch::channel(false);
        let production = self.clone();
        let task = tokio::spawn(async move {
            let mut seen: Vec<Seen> = Vec::new();
            while !*stopped.borrow() {
                let alias = production.read().await?;
                if seen.last().is_none_or(|last| last.alias != alias) {
                    let at = Instant::now();
                    seen.push(Seen { at, alias });
                }
                tokio::time::sleep(LOOK).await;
            }
            Ok(seen)
        });
        Looking { stop, task }
    }
}

impl Looking {
    /// Stops, and says what was seen.
    pub(crate) async fn end(self) -> io::Result<Vec<Seen>> {
        self.stop.send_replace(true);
        self.task.await.map_err(io::Error::other)?
    }
}

/// Now, as CloudWatch counts time.
pub(crate) fn now() -> io::Result<Timestamp> {
    Timestamp::try_from(clock::now()).map_err(io::Error::other)
}

async fn config(delivery: &Delivery) -> io::Result<SdkConfig> {
    let mut variables = delivery.variables().await?;
    let mut take = |name: &str| {
        let value = variables.remove(name);
        value.ok_or_else(|| io::Error::other(format!("`delivery local env` has no {name}")))
    };
    let credentials = Credentials::new(
        take("AWS_ACCESS_KEY_ID")?,
        take("AWS_SECRET_ACCESS_KEY")?,
        None,
        None,
        "local",
    );
    Ok(SdkConfig::builder()
        .http_client(delivery_action::aws::http_client())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(take("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(take("AWS_ENDPOINT_URL")?)
        .build())
}
