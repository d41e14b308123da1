//! The threads that an action runs on.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::failure::{ActionError, FailureType};

/// Two, so that what an action awaits goes on beside work of it that does not yield.
const WORKER_THREADS: usize = 2;

/// A tokio runtime apart from the caller's.
#[derive(Debug)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs a future on these threads.
    pub(super) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let runtime = self.0.as_ref().expect("it is taken when this is dropped");
        runtime.spawn(future)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A thread that blocks would be waited for, and waiting is not allowed in an async caller.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The system gives no threads.
#[derive(Debug, thiserror::Error)]
#[error("the function cannot start its threads")]
pub(super) struct NoThreads {
    pub(super) source: io::Error,
}

impl ActionError for NoThreads {
    fn failure_type(&self) -> FailureType {
        FailureType::SystemUnavailable
    }

    fn hint(&self) -> Option<String> {
        Some("retry the stage; if it keeps failing, raise the function's memory".to_owned())
    }
}
