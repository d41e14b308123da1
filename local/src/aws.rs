//! The local AWS: `MiniStack` with the gateway in front of it.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::access::KeySuffix;
use crate::gateway::{Bound, Gateway};
use crate::ministack::{self, Ministack};

/// Why the local AWS cannot start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The gateway cannot listen.
    #[error("cannot listen on a port of the loopback interface")]
    Port(#[source] io::Error),
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
        let seed = delivery_action::env::var_os(ministack::ROUTING_SEED);
        Self::start_with(home, region, seed).await
    }

    /// As [`start`](Self::start); each alias with weights draws the same versions in the same order in every run with
    /// the same seed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_seeded(home: PathBuf, region: &str, seed: &str) -> Result<Self, Error> {
        Self::start_with(home, region, Some(seed.into())).await
    }

    async fn start_with(
        home: PathBuf,
        region: &str,
        routing_seed: Option<OsString>,
    ) -> Result<Self, Error> {
        let bound = Bound::new().await.map_err(Error::Port)?;
        let endpoint = bound.endpoint();
        let keys = KeySuffix::new();
        let options = ministack::Options {
            home: home.clone(),
            endpoint,
            region: region.to_owned(),
            keys: keys.clone(),
            routing_seed,
        };
        let ministack = Ministack::start(&options).await?;
        let gateway = bound.serve(ministack.address(), ministack.secret(), keys.clone(), home);
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
}
