//! The Lambda runtime: the loop that takes events.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::aws::SdkConfig;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::ServiceExt;
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{Context, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use super::{Action, Constructor, Host};
use crate::aws;
use crate::clock::{self, Deadline};
use crate::env;
use crate::event::{EventFunction, Events};
use crate::job::{EVENT_KEY, Invocation};
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
    let jobs = Jobs::<A, _>::new(Arc::new(constructor));
    start()?.block_on(take_events(async |text, invocation| {
        jobs.handle(text, invocation).await
    }))
}

/// The same for a function that is called with other events, too: by `EventBridge`, or by a person. Whatever is not a job
/// of `CodePipeline` is one.
///
/// # Errors
///
/// As [`serve`].
pub fn serve_with_events<F>(constructor: impl Constructor<F>) -> Result<(), lambda_runtime::Error>
where
    F: Action + EventFunction<Error = <F as Action>::Error>,
{
    let constructor = Arc::new(constructor);
    let jobs = Jobs::<F, _>::new(Arc::clone(&constructor));
    let events = Events::<F, _>::new(move |config: &SdkConfig| constructor.construct(config));
    start()?.block_on(take_events(async |text, invocation| {
        match serde_json::from_str::<Value>(text) {
            Ok(event) if event.get(EVENT_KEY).is_none() => events.handle(&event, &invocation).await,
            // What cannot be read may be a job all the same: then the host reports that as its failure.
            _ => jobs.handle(text, invocation).await,
        }
    }))
}

fn start() -> Result<tokio::runtime::Runtime, lambda_runtime::Error> {
    // The order matters: first hide the memory and adopt orphans, before any code could start a child; then
    // log, because the sandbox warns; then record the clean state that later jobs are compared with.
    process::harden()?;
    logging::start();
    sandbox::enter()?;
    // One thread that only waits for the action and reports; the action runs elsewhere (see `host`).
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

async fn take_events(
    handle: impl AsyncFn(&str, Invocation) -> Result<(), lambda_runtime::Error>,
) -> Result<(), lambda_runtime::Error> {
    let handle = &handle;
    let handler = service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        handle(event.payload.get(), invocation(&event.context)).await
    });
    Runtime::new(handler)
        .layer(TracingLayer::new())
        .layer(layer_fn(|answered| {
            ServiceExt::<LambdaInvocation>::map_response(answered, |()| exit_if_given_up())
        }))
        .run()
        .await
}

/// An action's jobs; its host is made with the first of them.
struct Jobs<A: Action, C> {
    constructor: Arc<C>,
    host: OnceCell<HostOf<A>>,
}

type HostOf<A> = Host<A, Construct<A>>;

type Construct<A> = Box<dyn Fn(&SdkConfig) -> Result<A, <A as Action>::Error> + Send + Sync>;

impl<A: Action, C: Constructor<A>> Jobs<A, C> {
    fn new(constructor: Arc<C>) -> Self {
        Self {
            constructor,
            host: OnceCell::new(),
        }
    }

    async fn handle(
        &self,
        text: &str,
        invocation: Invocation,
    ) -> Result<(), lambda_runtime::Error> {
        let host = self
            .host
            .get_or_init(|| async {
                let constructor = Arc::clone(&self.constructor);
                let construct = Box::new(move |config: &SdkConfig| constructor.construct(config));
                Host::new(construct as _, aws::of_function()).reporting_by(&aws::of_function())
            })
            .await;
        let handled = host.invoke_text(text, invocation).await;
        handled.map_err(lambda_runtime::Error::from)
    }
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

pub(crate) fn invocation(context: &Context) -> Invocation {
    let end = UNIX_EPOCH + Duration::from_millis(context.deadline);
    let left = end.duration_since(clock::now()).unwrap_or_default();
    Invocation {
        request_id: context.request_id.clone(),
        deadline: Deadline::after(left),
        log: env::log_location(),
        function: env::function_name(),
    }
}
