//! The action: what a function does with a job, and the one place that talks to the Lambda runtime
//! and reports results to CodePipeline.
//!
//! Exactly one result is reported per invocation, even if the action panics, blocks, runs out of time, cannot be
//! constructed, or gets an event of which only the job id can be read. Once a result is reported, the invocation
//! succeeds; it fails only if the report could not be sent, so that Lambda's retries deliver the job again.

use std::collections::BTreeMap;
use std::future::Future;

use crate::aws::SdkConfig;
use crate::continuation::ContinuationToken;
use crate::failure::ActionError;
use crate::job::Job;
use crate::parameters::Params;

mod action_runtime;
mod host;
mod report;
mod serve;

pub use host::{DEADLINE_MARGIN, Host, HostError};
pub use report::ReportError;
pub(crate) use serve::invocation;
pub use serve::{serve, serve_with_events};

/// Why the Lambda runtime ended: what `main` returns.
pub use lambda_runtime::Error as RuntimeError;

/// One kind of CodePipeline action: turns a [`Job`] into an [`Outcome`].
pub trait Action: Send + Sync + 'static {
    /// The action's name: its crate's, its function's and its template's.
    const NAME: &'static str;
    /// The typed `UserParameters` of the action.
    type Params: Params;
    /// What can go wrong, and how the pipeline classes it.
    type Error: ActionError;

    /// Does the work of one job.
    ///
    /// Lambda may deliver a job twice, at the same time too, so doing the work twice must equal
    /// doing it once. The future is dropped [`DEADLINE_MARGIN`] before Lambda's time runs out; an
    /// action that can go on later returns [`Outcome::Continue`] before that.
    ///
    /// # Errors
    ///
    /// Any error fails the action execution.
    fn run(
        &self,
        job: &Job,
        params: Self::Params,
    ) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;
}

/// Makes an action from the configuration of its AWS clients: `fn(&SdkConfig) -> A`, or
/// `fn(&SdkConfig) -> Result<A, A::Error>` if the function's configuration may lack something.
///
/// [`serve`] takes the constructor, not the action: what fails in it is reported as the job's
/// failure rather than left to CodePipeline's 20-minute timer.
pub trait Constructor<A: Action>: Send + Sync + 'static {
    /// Makes the action.
    ///
    /// # Errors
    ///
    /// What is missing in the function's configuration.
    fn construct(&self, config: &SdkConfig) -> Result<A, A::Error>;
}

impl<A, F, C> Constructor<A> for F
where
    A: Action,
    F: Fn(&SdkConfig) -> C + Send + Sync + 'static,
    C: Constructed<A>,
{
    fn construct(&self, config: &SdkConfig) -> Result<A, A::Error> {
        self(config).into_result()
    }
}

/// What a constructor returns: an action, or why there is none.
pub trait Constructed<A: Action> {
    /// The same as a `Result`.
    ///
    /// # Errors
    ///
    /// That of the constructor.
    fn into_result(self) -> Result<A, A::Error>;
}

impl<A: Action> Constructed<A> for A {
    fn into_result(self) -> Result<A, A::Error> {
        Ok(self)
    }
}

impl<A: Action> Constructed<A> for Result<A, A::Error> {
    fn into_result(self) -> Self {
        self
    }
}

/// How a job that did not fail ended.
#[derive(Debug)]
pub enum Outcome {
    /// The action execution is complete. Only now may output variables be set.
    Complete(Completion),
    /// CodePipeline is to send another job with this token.
    Continue(Continuation),
}

/// A completed action execution.
#[derive(Debug, Default)]
pub struct Completion {
    /// One line for people who look at the console; the location of the log is appended.
    pub summary: String,
    /// Output variables by name (`[A-Za-z0-9@\-_]+`), at most 122,880 bytes in all.
    pub variables: BTreeMap<String, String>,
}

/// Work that goes on in a later job.
#[derive(Debug)]
pub struct Continuation {
    /// What the next job needs to know.
    pub token: ContinuationToken,
    /// One line for people who watch the console in the meantime.
    pub summary: String,
    /// How much is done, 0 to 100.
    pub percent_complete: Option<u8>,
}
