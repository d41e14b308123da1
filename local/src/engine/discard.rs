//! Ports for an engine without a local AWS: benchmarks, and tests of what the engine's API answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::commands::{CommandRunner, CommandsRequest};
use super::ports::{
    ArtifactStore, BusEvent, EventBus, FunctionInvoker, Notifier, PortError, PortFuture, Ports,
    Roles,
};

impl Ports {
    /// Ports that accept artifacts, events and messages and keep none, run no commands, and let every role be
    /// assumed.
    pub fn discarding(functions: impl FunctionInvoker + 'static) -> Self {
        Self {
            functions: Arc::new(functions),
            commands: Arc::new(Discard),
            artifacts: Arc::new(Discard),
            events: Arc::new(Discard),
            notifications: Arc::new(Discard),
            roles: Arc::new(Discard),
        }
    }
}

struct Discard;

impl CommandRunner for Discard {
    fn run<'a>(
        &'a self,
        _request: &'a CommandsRequest,
        _end: CancellationToken,
    ) -> PortFuture<'a, Result<BTreeMap<String, String>, PortError>> {
        Box::pin(async {
            Err(PortError {
                code: "ConfigurationError".to_owned(),
                message: "this engine runs no commands".to_owned(),
            })
        })
    }
}

impl ArtifactStore for Discard {
    fn get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        _to: &'a Path,
    ) -> PortFuture<'a, Result<(), PortError>> {
        let message = format!("s3://{bucket}/{key} was not kept");
        Box::pin(async {
            Err(PortError {
                code: "RevisionUnavailable".to_owned(),
                message,
            })
        })
    }

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
