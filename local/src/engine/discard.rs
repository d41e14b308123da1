//! Ports for an engine without a local AWS: benchmarks, and tests of what the engine's API answers.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::ports::{
    ArtifactStore, BusEvent, EventBus, FunctionInvoker, Notifier, PortError, PortFuture, Ports,
    Roles,
};

impl Ports {
    /// Ports that accept artifacts, events and messages and keep none, and let every role be assumed.
    pub fn discarding(functions: impl FunctionInvoker + 'static) -> Self {
        Self {
            functions: Arc::new(functions),
            artifacts: Arc::new(Discard),
            events: Arc::new(Discard),
            notifications: Arc::new(Discard),
            roles: Arc::new(Discard),
        }
    }
}

struct Discard;

impl ArtifactStore for Discard {
    fn put<'a>(
        &'a self,
        _bucket: &'a str,
        _key: &'a str,
        _file: &'a Path,
        _encryption_key: Option<&'a str>,
    ) -> PortFuture<'a, Result<(), PortError>> {
        Box::pin(async { Ok(()) })
    }
}

impl EventBus for Discard {
    fn put<'a>(&'a self, _events: &'a [BusEvent]) -> PortFuture<'a, Result<(), PortError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Notifier for Discard {
    fn publish<'a>(
        &'a self,
        _topic: &'a str,
        _subject: &'a str,
        _message: String,
    ) -> PortFuture<'a, Result<(), PortError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Roles for Discard {
    fn trust_policy<'a>(
        &'a self,
        _name: &'a str,
    ) -> PortFuture<'a, Result<Option<Value>, PortError>> {
        let policy = json!({"Statement": {"Effect": "Allow", "Action": "*", "Principal": "*"}});
        Box::pin(async { Ok(Some(policy)) })
    }
}
