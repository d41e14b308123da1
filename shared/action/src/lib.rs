//! Write an action for AWS CodePipeline as a Lambda function in Rust.
//!
//! CodePipeline hands a function a *job*: an event with parameters, artifacts and credentials. The function
//! works, and then has to report one result by a call of its own. This crate is everything around the work:
//! it reads the event, runs your [`Action`](action::Action), and reports one result no matter what
//! happens, even when the action panics, hangs or runs out of Lambda's time. An error reaches the pipeline's console with
//! its cause, a hint and the last lines of output, without secrets.
//!
//! # A complete action
//!
//! This file is the whole `src/main.rs`. Besides `delivery-action` it needs `serde` (with `derive`) and
//! `thiserror`; its tests need `delivery-testing` and `tokio` (with `macros` and `rt-multi-thread`).
//!
//! ```no_run,standalone_crate
#![doc = include_str!("../examples/release-window.rs")]
//! ```
//!
//! # An action that reads an artifact
//!
//! It takes one input artifact, looks at the archive's list of files, and adds an error of its own to those that
//! this crate reports:
//!
//! ```no_run,standalone_crate
#![doc = include_str!("../examples/size-budget.rs")]
//! ```
//!
//! `delivery new-action NAME` writes a project like these, with a CloudFormation template.
//!
//! # Rules
//!
//! - **An invocation reports one result.** [`Action::run`](action::Action::run) returns an
//!   [`Outcome`](action::Outcome) or an error, and [`serve`](action::serve) reports it. Never call
//!   `PutJobSuccessResult` or `PutJobFailureResult` yourself.
//! - **Doing a job twice equals doing it once.** Lambda delivers an event at least once, sometimes twice at the
//!   same time. Look first at what is there already, and make changes conditional.
//! - **Work that takes longer than one invocation continues in the next.** Return
//!   [`Outcome::Continue`](action::Outcome::Continue) with a [token](continuation) before
//!   [`deadline`](job::Invocation::deadline); at the deadline the future is dropped and the job fails.
//! - **Clients come from the [`SdkConfig`](aws::SdkConfig)** that the constructor gets: it holds the
//!   function's credentials, region and endpoints. The input and output artifacts are reached with the job's
//!   own credentials, by [`Store::for_job`](artifact::Store::for_job).
//! - **Variables are read by [`env`](mod@env) alone**, so that an empty variable counts as unset everywhere, and one
//!   place says what a function depends on.
//! - **Children are started by [`process`] alone.** It hides the function's credentials from them and ends all
//!   their descendants.
//! - **An error says what happened, where, and what to do next** ([`failure::ActionError`]). Never put a
//!   parameter's value in one unless it cannot be a secret.
//!
//! # Modules
//!
//! | module | for |
//! |-|-|
//! | [`action`] | the trait, [`serve`](action::serve), and the one place that reports results |
//! | [`event`] | the same for a function of events, which is no action |
//! | [`job`] | what CodePipeline hands over: artifacts, credentials, time |
//! | [`parameters`] | `UserParameters` into your own struct, whose field names serde decides (`rename_all`) |
//! | [`failure`] | errors as the console shows them: type, cause, hint, output; this crate's own as one [`JobError`](failure::JobError) |
//! | [`artifact`] | artifacts from and to the artifact store |
//! | [`workspace`] | the job's own directory, removed when the job ends |
//! | [`continuation`] | what one job leaves for the next |
//! | [`execution`] | whether the pipeline's execution still runs: ask before each change that others see |
//! | [`process`] | child processes |
//! | [`aws`] | configuration of clients, and what a failed call means |
//! | [`blocking()`] | work that blocks, off the async threads |
//! | [`clock`], [`env`](mod@env), [`glob`], [`text`] | time, variables, patterns, text that is safe to show |
//! | [`logging`], [`sandbox`] | JSON lines without secrets, `/tmp` between two jobs: [`serve`](action::serve) starts both |
//!
//! # What a new version may change
//!
//! Versions follow [semantic versioning](https://semver.org); `CHANGELOG.md` lists every change. Breaking is
//! not only what no longer compiles:
//!
//! - a trait's required methods and associated items ([`Action`](action::Action),
//!   [`Params`](parameters::Params), [`ActionError`](failure::ActionError), [`Progress`](continuation::Progress));
//!   a new method with a default is not breaking;
//! - the JSON of continuation tokens (`{"action":...,"version":...,"content":...}`): a token outlives an update
//!   of its function;
//! - the text forms that [`parameters`] reads, and which keys it refuses;
//! - the failure types that errors of this crate report: alarms filter by them;
//! - the layout of a failure's message (cause, `hint:`, `last lines of output:`, `log:`), but not its words;
//! - the variables that a function reads, and the calls to AWS that it needs permission for;
//! - the minimum Rust version, which rises in minor versions only.
//!
//! The words of messages and of the log, limits that rise, and new variants of enums marked
//! `#[non_exhaustive]` are not breaking.

pub mod action;
pub mod artifact;
pub mod aws;
mod blocking;
pub mod clock;
pub mod continuation;
pub mod env;
pub mod event;
pub mod execution;
pub mod failure;
pub mod glob;
pub mod job;
pub mod logging;
pub mod parameters;
pub mod process;
mod removal;
pub mod sandbox;
pub mod text;
pub mod workspace;

pub use blocking::blocking;
