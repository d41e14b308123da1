//! Functions of events: not actions of a pipeline, but functions that EventBridge calls beside it.
//!
//! They get what actions get: a process whose memory is hidden, the log without secrets, and the configuration of
//! AWS clients. There is no job, so nothing is reported: an error is logged and fails the invocation. Lambda then calls the
//! function up to two more times with the same event, and counts it in the metric `Errors`. A function that is an action, too, is
//! served by [`serve_with_events`](crate::action::serve_with_events).
//!
//! ```no_run
//! use delivery_action::aws::SdkConfig;
//! use delivery_action::clock::Deadline;
//! use delivery_action::event::{self, EventFunction, RuntimeError};
//! use delivery_action::failure::JobError;
//! use serde_json::Value;
//!
//! struct Tell;
//!
//! impl Tell {
//!     fn new(_config: &SdkConfig) -> Result<Self, JobError> {
//!         Ok(Self)
//!     }
//! }
//!
//! impl EventFunction for Tell {
//!     const NAME: &'static str = "tell";
//!     type Error = JobError;
//!
//!     async fn handle(&self, event: &Value, _deadline: Deadline) -> Result<(), JobError> {
//!         tracing::info!(kind = %event["detail-type"], "an event");
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> Result<(), RuntimeError> {
//!     event::serve(Tell::new)
//! }
//! ```

use std::future::Future;

use lambda_runtime::layers::TracingLayer;
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use tokio::sync::OnceCell;
use tracing::Instrument;

use crate::action::invocation;
use crate::aws::{self, SdkConfig};
use crate::clock::Deadline;
use crate::env;
use crate::failure::{ActionError, Failure};
use crate::job::Invocation;
use crate::logging;
use crate::process;

/// Why the Lambda runtime ended: what `main` returns.
pub use lambda_runtime::Error as RuntimeError;

/// A function that is called with events.
pub trait EventFunction: Send + Sync + 'static {
    /// Its name, for the log.
    const NAME: &'static str;
    /// What can go wrong.
    type Error: ActionError;

    /// Handles one event.
    ///
    /// An event comes at least once, sometimes twice at the same time, so handling it twice must equal handling it
    /// once. Lambda ends the process at the deadline.
    ///
    /// # Errors
    ///
    /// Any error fails the invocation, and Lambda delivers the event again.
    fn handle(
        &self,
        event: &Value,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Handles a function's events until Lambda ends the process. This is the only call that a `main` makes.
///
/// The constructor is called with the first event, and again with the next if it failed.
///
/// # Errors
///
/// If the Lambda runtime cannot be reached, or the process cannot hide its memory.
pub fn serve<F: EventFunction>(
    constructor: impl Fn(&SdkConfig) -> Result<F, F::Error> + Send + Sync + 'static,
) -> Result<(), RuntimeError> {
    process::harden()?;
    logging::start();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(take_events(constructor))
}

async fn take_events<F: EventFunction>(
    constructor: impl Fn(&SdkConfig) -> Result<F, F::Error>,
) -> Result<(), RuntimeError> {
    let events = Events::new(constructor);
    let handler = service_fn(|event: LambdaEvent<Value>| {
        let events = &events;
        async move {
            events
                .handle(&event.payload, &invocation(&event.context))
                .await
        }
    });
    Runtime::new(handler).layer(TracingLayer::new()).run().await
}

/// A function of events, which is made with the first of them.
pub(crate) struct Events<F, C> {
    constructor: C,
    function: OnceCell<F>,
}

impl<F: EventFunction, C: Fn(&SdkConfig) -> Result<F, F::Error>> Events<F, C> {
    pub(crate) fn new(constructor: C) -> Self {
        Self {
            constructor,
            function: OnceCell::new(),
        }
    }

    pub(crate) async fn handle(
        &self,
        event: &Value,
        invocation: &Invocation,
    ) -> Result<(), RuntimeError> {
        let span = tracing::info_span!(
            "event", function = F::NAME, request_id = %invocation.request_id
        );
        let handled = async {
            let function: &F = self
                .function
                .get_or_try_init(|| async { (self.constructor)(&aws::of_function()) })
                .await?;
            function.handle(event, invocation.deadline).await
        };
        let handled = handled.instrument(span.clone()).await;
        handled.map_err(|error| span.in_scope(|| failed(&error)))
    }
}

/// Logs an error and makes of it what Lambda is told.
fn failed(error: &dyn ActionError) -> RuntimeError {
    let failure = Failure::new(error);
    tracing::error!(
        cause = failure.cause,
        hint = failure.hint,
        "the event failed"
    );
    let log = env::log_location();
    let place = [log.group, log.stream].into_iter().flatten();
    RuntimeError::from(failure.message(&place.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureType;
    use crate::logging::Secrets;

    #[derive(Debug)]
    struct Wrong;

    impl std::fmt::Display for Wrong {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the password s3cr3t-and-long is wrong")
        }
    }

    impl std::error::Error for Wrong {}

    impl ActionError for Wrong {
        fn failure_type(&self) -> FailureType {
            FailureType::ConfigurationError
        }

        fn hint(&self) -> Option<String> {
            Some("correct it".to_owned())
        }
    }

    #[test]
    fn lambda_is_told_the_cause_and_the_hint_without_secrets() {
        let _hidden = Secrets::hide(["s3cr3t-and-long"]);
        let told = failed(&Wrong).to_string();
        assert!(
            told.starts_with("the password [redacted] is wrong\nhint: correct it\nlog: "),
            "{told}"
        );
    }
}
