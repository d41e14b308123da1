//! The services that the engine calls: functions, a shell, an artifact store, an event bus, topics and roles.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use super::change::StateChange;
use super::commands::CommandRunner;

/// What a port's call returns.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Invokes functions.
pub trait FunctionInvoker: Send + Sync {
    /// Queues an event for a function. As with Lambda's asynchronous invocation, the invoker itself delivers the event
    /// again after a function error. The event holds credentials: never log it.
    fn invoke<'a>(
        &'a self,
        function: &'a str,
        event: Vec<u8>,
    ) -> PortFuture<'a, Result<(), PortError>>;
}

/// Stores artifacts.
pub trait ArtifactStore: Send + Sync {
    /// Gets an artifact into a file.
    fn get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        to: &'a Path,
    ) -> PortFuture<'a, Result<(), PortError>>;

    /// Puts a file into the store.
    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        file: &'a Path,
        encryption_key: Option<&'a str>,
    ) -> PortFuture<'a, Result<(), PortError>>;
}

/// Publishes state changes.
pub trait EventBus: Send + Sync {
    /// Publishes changes, in this order; at most [`MAX_BUS_EVENTS`].
    fn put<'a>(&'a self, events: &'a [BusEvent]) -> PortFuture<'a, Result<(), PortError>>;
}

/// Entries of one request (`API_PutEvents` of EventBridge: 10).
pub const MAX_BUS_EVENTS: usize = 10;

/// A change, with the pipeline it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct BusEvent {
    /// What changed.
    pub change: StateChange,
    /// The ARN of its pipeline.
    pub resource: String,
}

/// Publishes messages.
pub trait Notifier: Send + Sync {
    /// Publishes a message to a topic.
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        subject: &'a str,
        message: String,
    ) -> PortFuture<'a, Result<(), PortError>>;
}

/// Looks up roles.
pub trait Roles: Send + Sync {
    /// A role's trust policy; `None` where there is no such role.
    fn trust_policy<'a>(
        &'a self,
        name: &'a str,
    ) -> PortFuture<'a, Result<Option<Value>, PortError>>;
}

/// A failed call of a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PortError {
    /// The failure type that an action gets from it.
    pub code: String,
    /// What happened, where, and what to do.
    pub message: String,
}

/// The services around an engine.
#[derive(Clone)]
pub struct Ports {
    /// How functions are invoked.
    pub functions: Arc<dyn FunctionInvoker>,
    /// What runs the commands of `Commands` actions.
    pub commands: Arc<dyn CommandRunner>,
    /// Where artifacts are stored.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Where changes are published.
    pub events: Arc<dyn EventBus>,
    /// How people learn that an approval is needed.
    pub notifications: Arc<dyn Notifier>,
    /// Where roles are looked up.
    pub roles: Arc<dyn Roles>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ports")
    }
}
