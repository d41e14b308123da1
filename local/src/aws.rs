//! The local AWS: `MiniStack` with the gateway in front of it.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use crate::access::KeySuffix;
use crate::codedeploy;
use crate::gateway::{Bound, Gateway};
use crate::ministack::{self, Ministack};

/// The caller's variable that says how long a minute of CodeDeploy lasts: `1s`.
pub const CODEDEPLOY_MINUTE: &str = "DELIVERY_CODEDEPLOY_MINUTE";

/// What can be set of the local AWS.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the draws of weighted aliases begin with; without it they differ in every run.
    pub routing_seed: Option<OsString>,
    /// How long a minute of CodeDeploy's deployment configurations lasts.
    pub codedeploy_minute: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            routing_seed: None,
            codedeploy_minute: codedeploy::MINUTE,
        }
    }
}

impl Settings {
    /// Those of the caller's variables.
    fn of_variables() -> Result<Self, Error> {
        let minute = match delivery_action::env::var(CODEDEPLOY_MINUTE) {
            None => codedeploy::MINUTE,
            Some(text) => minute(&text).ok_or(Error::CodeDeployMinute(text))?,
        };
        Ok(Self {
            routing_seed: delivery_action::env::var_os(ministack::ROUTING_SEED),
            codedeploy_minute: minute,
        })
    }
}

fn minute(text: &str) -> Option<Duration> {
    let duration: SignedDuration = text.parse().ok()?;
    let duration = Duration::try_from(duration).ok()?;
    (!duration.is_zero()).then_some(duration)
}

/// Why the local AWS cannot start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The gateway cannot listen.
    #[error("cannot listen on a port of the loopback interface")]
    Port(#[source] io::Error),
    /// The length of CodeDeploy's minutes is not one.
    #[error("`{CODEDEPLOY_MINUTE}` is `{0}`; it must be a duration such as `1s` or `500ms`")]
    CodeDeployMinute(String),
    /// `MiniStack` failed.
    #[error(transparent)]
    Ministack(#[from] ministack::Error),
}

/// The running local AWS. Dropping it ends it too, only without waiting for the end.
#[derive(Debug)]
pub struct LocalAws {
    gateway: Gateway,
    ministack: Ministack,
    keys: KeySuffix,
}

impl LocalAws {
    /// Installs what is missing below `home` (the project's own `.delivery`), and starts.
    ///
    /// # Errors
    ///
    /// When `MiniStack` cannot be installed or started; the error says what to do.
    pub async fn start(home: PathBuf, region: &str) -> Result<Self, Error> {
        Self::start_with(home, region, Settings::of_variables()?).await
    }

    /// As [`start`](Self::start); each alias with weights draws the same versions in the same order in every run with
    /// the same seed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_seeded(home: PathBuf, region: &str, seed: &str) -> Result<Self, Error> {
        let settings = Settings {
            routing_seed: Some(seed.into()),
            ..Settings::default()
        };
        Self::start_with(home, region, settings).await
    }

    /// As [`start`](Self::start), with these settings and not those of the caller's variables.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(
        home: PathBuf,
        region: &str,
        settings: Settings,
    ) -> Result<Self, Error> {
        let bound = Bound::new().await.map_err(Error::Port)?;
        let endpoint = bound.endpoint();
        let keys = KeySuffix::new();
        let options = ministack::Options {
            home: home.clone(),
            endpoint,
            region: region.to_owned(),
            keys: keys.clone(),
            routing_seed: settings.routing_seed,
        };
        let ministack = Ministack::start(&options).await?;
        let gateway = bound.serve(
            ministack.address(),
            ministack.secret(),
            keys.clone(),
            home,
            settings.codedeploy_minute,
        );
        Ok(Self {
            gateway,
            ministack,
            keys,
        })
    }

    /// Its endpoint, for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.gateway.endpoint()
    }

    /// What its access keys end with; keys with another ending are refused.
    #[must_use]
    pub fn keys(&self) -> &KeySuffix {
        &self.keys
    }

    /// The access key of its user; the secret that goes with it is [`crate::launch::SECRET_ACCESS_KEY`].
    #[must_use]
    pub fn access_key_id(&self) -> String {
        self.keys.access_key_id("AKIA")
    }

    /// Sends calls of the CodePipeline API that come to this endpoint to the engine.
    pub fn route_codepipeline(&self, engine: SocketAddr) {
        self.gateway.route_codepipeline(engine);
    }

    /// `MiniStack`.
    #[must_use]
    pub fn ministack(&self) -> &Ministack {
        &self.ministack
    }

    /// Ends it, with every function and every process below it, and waits for that.
    ///
    /// # Errors
    ///
    /// When something does not end.
    pub async fn stop(self) -> Result<(), Error> {
        drop(self.gateway);
        Ok(self.ministack.stop().await?)
    }

    /// Ends it without waiting for the end: its supervisor, a process of its own, sees to it.
    pub fn leave(self) {
        drop(self.gateway);
        self.ministack.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_a_duration_above_zero() {
        assert_eq!(minute("1s"), Some(Duration::from_secs(1)));
        assert_eq!(minute("500ms"), Some(Duration::from_millis(500)));
        for text in ["0s", "-1s", "1", "soon", ""] {
            assert_eq!(minute(text), None, "{text}");
        }
    }
}
