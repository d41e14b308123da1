//! The Lambda runtime: the loop that takes events.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::aws::SdkConfig;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::ServiceExt;
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{Context, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use super::{Action, Constructor, Host};
use crate::aws;
use crate::clock::{self, Deadline};
use crate::env;
use crate::job::Invocation;
use crate::logging;
use crate::process;
use crate::sandbox;

/// Handles an action's events until Lambda ends the process. This is the only call that a `main` makes.
///
/// # Errors
///
/// If the Lambda runtime cannot be reached, or the process cannot hide its memory from its
/// children.
pub fn serve<A: Action>(constructor: impl Constructor<A>) -> Result<(), lambda_runtime::Error> {
    // The order matters: first hide the memory and adopt orphans, before any code could start a child; then
    // log, because the sandbox warns; then record the clean state that later jobs are compared with.
    process::harden()?;
    logging::start();
    sandbox::enter()?;
    // One thread that only waits for the action and reports; the action runs elsewhere (see `host`).
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(take_events(constructor))
}

async fn take_events<A: Action>(
    constructor: impl Constructor<A>,
) -> Result<(), lambda_runtime::Error> {
    let constructor = Arc::new(constructor);
    let host = OnceCell::new();
    let handler = service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let constructor = Arc::clone(&constructor);
        let host = &host;
        async move {
            let host = host
                .get_or_init(|| async {
                    let construct = move |config: &SdkConfig| constructor.construct(config);
                    Host::<A, _>::new(construct, aws::of_function())
                        .reporting_by(&aws::of_function())
                })
                .await;
            host.invoke_text(event.payload.get(), invocation(&event.context))
                .await
                .map_err(lambda_runtime::Error::from)
        }
    });
    Runtime::new(handler)
        .layer(TracingLayer::new())
        .layer(layer_fn(|answered| {
            ServiceExt::<LambdaInvocation>::map_response(answered, |()| exit_if_given_up())
        }))
        .run()
        .await
}

/// Ends the process if a job left something that cannot be removed, so that Lambda starts a fresh one.
///
/// It runs after the response was sent to the runtime API and before the next event is requested. Lambda treats this
/// as a failed invocation and delivers the event up to two more times; its job already has a result by then, so
/// those deliveries change nothing.
#[expect(
    clippy::exit,
    reason = "the process is what must not take another event"
)]
fn exit_if_given_up() {
    if let Some(reason) = sandbox::given_up() {
        tracing::error!(%reason, "this process exits");
        std::process::exit(1);
    }
}

fn invocation(context: &Context) -> Invocation {
    let end = UNIX_EPOCH + Duration::from_millis(context.deadline);
    let left = end.duration_since(clock::now()).unwrap_or_default();
    Invocation {
        request_id: context.request_id.clone(),
        deadline: Deadline::after(left),
        log: env::log_location(),
        function: env::function_name(),
    }
}
