//! The Lambda runtime: the loop that takes events.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Action, Constructor, Host};
use crate::clock::{self, Deadline};
use crate::job::Invocation;
use crate::{aws, env, logging, process};

/// Threads of the runtime: one for the action, one so that the watchdog runs beside it.
const WORKER_THREADS: usize = 2;

/// Serves an action's events until Lambda ends the process. This is all that a `main` calls.
///
/// # Errors
///
/// Where the Lambda runtime cannot be reached, or the process cannot hide its memory from its
/// children.
pub fn serve<A: Action>(constructor: impl Constructor<A>) -> Result<(), lambda_runtime::Error> {
    process::harden()?;
    logging::start();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()?
        .block_on(take_events(constructor))
}

async fn take_events<A: Action>(
    constructor: impl Constructor<A>,
) -> Result<(), lambda_runtime::Error> {
    let constructor = Arc::new(constructor);
    let host = OnceCell::new();
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let constructor = Arc::clone(&constructor);
        let host = &host;
        async move {
            let host = host
                .get_or_init(|| async {
                    let construct = move |config: &SdkConfig| constructor.construct(config);
                    Host::<A, _>::new(construct, aws::of_function())
                })
                .await;
            host.invoke(event.payload, invocation(&event.context))
                .await
                .map_err(lambda_runtime::Error::from)
        }
    }))
    .await
}

fn invocation(context: &Context) -> Invocation {
    let end = UNIX_EPOCH + Duration::from_millis(context.deadline);
    let left = end.duration_since(clock::now()).unwrap_or_default();
    Invocation {
        request_id: context.request_id.clone(),
        deadline: Deadline::after(left),
        log: env::log_location(),
    }
}
