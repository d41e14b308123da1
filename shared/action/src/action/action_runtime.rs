//! The runtime that an action runs on, separate from the one that watches it.
//!
//! It has two jobs that a runtime inside the host's would not do: a blocked action cannot stop the host's timers,
//! and dropping it never waits. An action that was cancelled and still blocks (see [`super::host`]) would
//! otherwise keep the function from answering Lambda, and Lambda would run the reported job again.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::failure::{ActionError, FailureType};

/// Two, so that an action's requests and timers make progress while some of its code does not yield.
const WORKER_THREADS: usize = 2;

/// A tokio runtime for the action alone. `None` only while it is being dropped.
#[derive(Debug)]
pub(super) struct ActionRuntime(Option<Runtime>);

impl ActionRuntime {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Spawns a task on these threads.
    pub(super) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let runtime = self.0.as_ref().expect("it is taken when this is dropped");
        runtime.spawn(future)
    }
}

impl Drop for ActionRuntime {
    fn drop(&mut self) {
        // Dropping a runtime waits for its blocked threads, and panics inside an async caller. Shutting it
        // down in the background does neither; threads that are still blocked are abandoned.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The system did not allow the threads to start.
#[derive(Debug, thiserror::Error)]
#[error("the function cannot start its threads")]
pub(super) struct RuntimeStartError {
    pub(super) source: io::Error,
}

impl ActionError for RuntimeStartError {
    fn failure_type(&self) -> FailureType {
        FailureType::SystemUnavailable
    }

    fn hint(&self) -> Option<String> {
        Some("retry the stage; if it keeps failing, raise the function's memory".to_owned())
    }
}
