//! `delivery run`: from the current commit to production, on this machine.

pub(crate) mod environment;
mod executions;

use std::path::PathBuf;
use std::time::Instant;

use crate::application::Application;
use crate::args::Global;
use crate::args::run::Run;
use crate::error::CliError;
use crate::event::{Event, Step};
use crate::exit::Exit;
use crate::follow::outcome::{self, Outcome, Progress};
use crate::follow::{Explainer, Pipeline, Place, round};
use crate::functions::{self, Function};
use crate::home::{self, Home, Settings};
use crate::host::REPOSITORY;
use crate::interrupt::Interrupt;
use crate::launch::{Stack, launch};
use crate::output::Output;

use environment::Environment;
use executions::Executions;

/// Runs the pipeline and says how it ended. Whatever the end, what was started for the run is ended
/// before this returns, unless it is to be kept.
pub(crate) async fn run(global: &Global, arguments: &Run) -> Exit {
    let mut output = Output::new(global);
    let started = Instant::now();
    let mut progress = Progress::default();
    let mut environment = Environment::default();
    let outcome = match Interrupt::listen() {
        Ok(mut interrupt) => {
            let work = work(
                global,
                arguments,
                &mut output,
                &mut environment,
                &mut progress,
            );
            tokio::select! {
                outcome = work => outcome,
                () = interrupt.received() => Ok(Outcome::Interrupted),
            }
        }
        Err(source) => Err(CliError::LocalAws {
            source: source.into(),
        }),
    };
    environment.close(&mut output).await;
    let result = outcome::result(&outcome, &progress, round(started.elapsed().as_secs_f64()));
    output.tell(&Event::Result(result));
    outcome::exit(&outcome, &progress)
}

async fn work(
    global: &Global,
    arguments: &Run,
    output: &mut Output,
    environment: &mut Environment,
    progress: &mut Progress,
) -> Result<Outcome, CliError> {
    let application = Application::find(&arguments.application).await?;
    let functions = prepare_functions(global, arguments, output).await?;
    let home = Home::find(global.home.as_deref());
    start(environment, &home, &application, arguments, output).await?;
    let (pipeline, created) = launch_stack(
        global,
        environment,
        &application,
        arguments,
        &functions,
        output,
        progress,
    )
    .await?;
    environment.is_worth_keeping();

    let shape = pipeline.shape().await?;
    output.tell(&Event::Pipeline {
        name: pipeline.name().to_owned(),
        stages: shape.stages.clone(),
    });
    let begun = if created {
        pipeline.begun_by_creation().await?
    } else {
        None
    };
    let endpoints = environment.endpoints();
    let (lambda, logs) = (endpoints.lambda(), endpoints.logs());
    let explainer = Explainer::new(pipeline, shape, lambda, logs, Place::Run);
    let mut executions = Executions::new(explainer, arguments.timeout);
    executions.begin(begun, progress).await?;
    if arguments.watch {
        executions.watch(&application, output, progress).await
    } else {
        executions.once(output, progress).await
    }
}

async fn prepare_functions(
    global: &Global,
    arguments: &Run,
    output: &mut Output,
) -> Result<Vec<Function>, CliError> {
    if let Some(directory) = &arguments.functions {
        let found = functions::prebuilt(directory)?;
        output.tell(&Event::Step {
            step: Step::Functions,
            done: true,
            seconds: None,
            detail: format!("{} taken from `{}`", found.len(), directory.display()),
        });
        return Ok(found);
    }
    let workspace = checkout()?;
    let detail = format!(
        "building {} with cargo ({} profile)",
        functions::NAMES.len(),
        functions::profile()
    );
    let step = Timed::begin(output, Step::Functions, detail);
    let built = functions::build(&workspace, global.quiet).await?;
    step.end(output, "built".to_owned());
    Ok(built)
}

fn checkout() -> Result<PathBuf, CliError> {
    home::checkout().ok_or_else(|| CliError::NoSources {
        workspace: env!("CARGO_MANIFEST_DIR").into(),
    })
}

async fn start(
    environment: &mut Environment,
    home: &Home,
    application: &Application,
    arguments: &Run,
    output: &mut Output,
) -> Result<(), CliError> {
    let settings = Settings {
        application: application.directory.clone(),
        repository: REPOSITORY.to_owned(),
        home: home.path().to_owned(),
        continuation_delay_ms: u64::try_from(arguments.continuation_delay.as_millis())
            .unwrap_or(u64::MAX),
    };
    let step = Timed::begin(
        output,
        Step::LocalAws,
        "starting (installed first, once)".to_owned(),
    );
    let found = if arguments.keep {
        environment
            .keep(home.instance(&application.directory), &settings)
            .await?
    } else {
        environment.host(&settings).await?
    };
    let verb = if found { "found" } else { "started" };
    let endpoints = environment.endpoints();
    step.end(
        output,
        format!(
            "{verb} at {}, CodePipeline at {}",
            endpoints.aws, endpoints.codepipeline
        ),
    );
    Ok(())
}

async fn launch_stack(
    global: &Global,
    environment: &Environment,
    application: &Application,
    arguments: &Run,
    functions: &[Function],
    output: &mut Output,
    progress: &mut Progress,
) -> Result<(Pipeline, bool), CliError> {
    let name = global
        .stack_name
        .clone()
        .unwrap_or_else(|| application.stack_name());
    let step = Timed::begin(output, Step::Stack, format!("launching {name}"));
    // Given last, a parameter of the command line wins.
    let branch = ("BranchName".to_owned(), application.branch.clone());
    let parameters = [branch]
        .into_iter()
        .chain(arguments.parameters.iter().cloned())
        .collect();
    let templates = checkout()?.join("cloudformation");
    let node_layer = arguments
        .functions
        .as_deref()
        .and_then(functions::node_layer);
    let stack = Stack {
        name: &name,
        templates: &templates,
        parameters,
        functions,
        node_layer: node_layer.as_deref(),
    };
    let launched = launch(environment.endpoints(), stack).await?;
    progress.urls = launched.urls;
    step.end(output, format!("{name} {}", launched.verb));
    let client = environment.endpoints().codepipeline();
    Ok((Pipeline::new(client, launched.pipeline), launched.created))
}

/// A step of the preparation that is being taken.
struct Timed {
    step: Step,
    since: Instant,
}

impl Timed {
    fn begin(output: &mut Output, step: Step, detail: String) -> Self {
        output.tell(&Event::Step {
            step,
            done: false,
            seconds: None,
            detail,
        });
        Self {
            step,
            since: Instant::now(),
        }
    }

    fn end(self, output: &mut Output, detail: String) {
        let seconds = Some(round(self.since.elapsed().as_secs_f64()));
        output.tell(&Event::Step {
            step: self.step,
            done: true,
            seconds,
            detail,
        });
    }
}
