//! The CodePipeline engine: what the service does, on one machine.
//!
//! The core is a pure state machine, `(state, event) -> (state, effects)`, in [`mod@state`] and
//! [`mod@step`]: no clock, no randomness, no input or output. [`driver`] runs it, `crate::api` serves
//! its API. A stage's lock is taken and released in `step/stage_lock.rs`.
//!
//! Invariants: a stage of a `SUPERSEDED` or `QUEUED` pipeline holds at most one execution; a
//! superseded, succeeded or cancelled execution never moves again; each job ends or times out.

mod aws;
mod change;
mod clock;
mod commands;
mod credentials;
pub(crate) mod declaration;
mod discard;
pub(crate) mod driver;
mod durations;
pub(crate) mod execution;
mod fetch;
pub(crate) mod identity;
pub(crate) mod message;
mod pipeline;
mod ports;
pub(crate) mod read;
pub(crate) mod roles;
mod state;
mod step;
pub(crate) mod structure;
mod variables;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use crate::api;
use crate::source::Source;

pub use aws::EVENT_SOURCE;
pub use change::{ActionChange, ArtifactLocation, ChangeState, StateChange, Subject};
pub use clock::{Clock, SimulatedClock};
pub use commands::{CommandRunner, CommandsRequest, InputArtifact, OutputArtifact};
pub use credentials::Credentials;
pub use declaration::{
    ActionDeclaration, ActionTypeId, ArtifactName, ArtifactStore as ArtifactStoreDeclaration,
    EncryptionKey, EnvironmentVariable, ExecutionMode, FailureConditions, PipelineDeclaration,
    PipelineType, Provider, RetryConfiguration, RetryMode, StageDeclaration, Tag,
    VariableDeclaration,
};
pub use durations::Durations;
pub use execution::{
    ActionStatus, Details, ErrorDetails, ExecutionStatus, StageStatus, Trigger, TriggerType,
};
pub use identity::{ActionExecutionId, ExecutionId, JobId, Stamp};
pub use ports::{
    ArtifactStore, BusEvent, EventBus, FunctionInvoker, MAX_BUS_EVENTS, Notifier, PortError,
    PortFuture, Ports, Roles,
};

use driver::Driver;
use message::{Event, Refusal, Reply, Start};
use state::State;

/// What an engine is started with.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The region that it says it is in.
    pub region: String,
    /// The account that it says it belongs to, 12 digits.
    pub account_id: String,
    /// Where the local AWS listens, such as `http://127.0.0.1:4566`.
    pub aws_endpoint: String,
    /// What jobs are handed for the artifact store, and what the engine itself signs with.
    pub credentials: Credentials,
    /// How long to wait for what.
    pub durations: Durations,
    /// Where time comes from.
    pub clock: Clock,
    /// What stands in for a connection's repository, by `FullRepositoryId`.
    pub sources: BTreeMap<String, Source>,
}

/// Why an engine cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No loopback port.
    #[error("cannot listen on a free port of 127.0.0.1")]
    Listen(#[source] std::io::Error),
}

/// Why an execution cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    /// The API's error, such as `PipelineNotFoundException`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl From<Refusal> for StartError {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code(),
            message: refusal.to_string(),
        }
    }
}

/// The engine.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Starts an engine that uses a local AWS.
    ///
    /// # Errors
    ///
    /// [`EngineError`] where no port can be had.
    pub async fn start(config: EngineConfig) -> Result<EngineHandle, EngineError> {
        let local_aws = aws::LocalAws {
            endpoint: &config.aws_endpoint,
            region: &config.region,
            credentials: &config.credentials,
        };
        let ports = local_aws.ports();
        Self::start_with(config, ports).await
    }

    /// Starts an engine with ports of the caller's own.
    ///
    /// # Errors
    ///
    /// [`EngineError`] where no port can be had.
    pub async fn start_with(
        config: EngineConfig,
        ports: Ports,
    ) -> Result<EngineHandle, EngineError> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(EngineError::Listen)?;
        let address = listener.local_addr().map_err(EngineError::Listen)?;
        let state = State::new(&config.region, &config.account_id, config.durations);
        let driver = Driver::start(
            state,
            config.clock,
            config.credentials,
            ports,
            config.sources,
        );
        api::serve(&driver, listener);
        Ok(EngineHandle { driver, address })
    }
}

/// A running engine.
#[derive(Debug)]
pub struct EngineHandle {
    driver: Arc<Driver>,
    address: SocketAddr,
}

impl EngineHandle {
    /// Where the API listens: the value for `AWS_ENDPOINT_URL_CODEPIPELINE`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All changes from now on, in order, for a live view.
    #[must_use]
    pub fn subscribe(&self) -> Changes {
        Changes(self.driver.subscribe())
    }

    /// Lets a local source stand in for a repository, in place of any before it.
    pub fn set_source(&self, repository_id: &str, source: Source) {
        let mut sources = self
            .driver
            .sources
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        sources.insert(repository_id.to_owned(), source);
    }

    /// Starts an execution because a source changed, as a connection's webhook would.
    ///
    /// # Errors
    ///
    /// [`StartError`] where the service would refuse to start.
    pub fn source_changed(&self, pipeline: &str, detail: &str) -> Result<ExecutionId, StartError> {
        let trigger = Trigger {
            trigger_type: TriggerType::WebhookV2,
            trigger_detail: detail.to_owned(),
        };
        let start = Start {
            pipeline: pipeline.to_owned(),
            trigger,
            variables: BTreeMap::new(),
            request_token: None,
            overrides: Vec::new(),
        };
        match self.driver.apply(Event::Start(start))? {
            Reply::Execution(id) => Ok(id),
            Reply::Nothing | Reply::ApprovedAt(_) => unreachable!("a start answers with its id"),
        }
    }

    /// Stops listening and ends every task; functions that run are not waited for.
    pub async fn shutdown(self) {
        self.driver.shutdown().await;
    }
}

/// A stream of changes.
#[derive(Debug)]
pub struct Changes(mpsc::UnboundedReceiver<StateChange>);

impl Changes {
    /// The next change; `None` once the engine has ended.
    pub async fn next(&mut self) -> Option<StateChange> {
        self.0.recv().await
    }
}
