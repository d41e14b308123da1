//! `delivery run`: from the current commit to production, on this machine.

mod addresses;
mod deliveries;
mod executions;
mod keys;
mod promotions;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use aws_sdk_codepipeline::primitives::DateTime;
use delivery_action::clock;

use crate::action_functions::{self, Function};
use crate::application::Application;
use crate::args::Global;
use crate::args::run::Run;
use crate::checkout;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::follow::outcome::{self, Outcome, Progress};
use crate::follow::{Pipeline, round};
use crate::installation;
use crate::interrupt::Interrupt;
use crate::local_aws;
use crate::local_aws::environment::Environment;
use crate::local_aws::launch::{Stack, launch};
use crate::local_aws::services::REPOSITORY;
use crate::message::{RunMessage, Severity, Step};
use crate::output::Reporter;
use crate::preflight::{self, Planned};
use crate::record::{Recorder, RunsFolder};
use crate::settings::check::Purpose;
use crate::settings::{CustomFunction, FILE_NAME, Settings};
use crate::state_folder::{EnvironmentSettings, StateFolder};
use crate::templates::Templates;

use executions::Executions;

/// The folder of the state's with packages that were made of functions' programs.
const PACKAGES: &str = "function-packages";

/// What a second Ctrl-C means: [`local::ministack::END_WITHIN`] is what the supervisor takes at most.
const STILL_STOPPING: &str =
    "interrupted; the local AWS is still stopping, and ends by itself within 20 s";

/// What an interruption means where something did not end, which a notice says.
const NOT_STOPPED: &str = "interrupted; not everything that was started has been stopped";

/// Runs the pipeline and says how it ended. Whatever the end, what was started for the run is ended, unless it stays up:
/// before this returns where the run was cut short, and otherwise within [`local::ministack::END_WITHIN`].
pub(crate) async fn run(global: &Global, arguments: &Run) -> Exit {
    let mut reporter = Reporter::new(global);
    reporter.await_recorder();
    let started = Instant::now();
    let mut progress = Progress::default();
    let mut environment = Environment::default();
    if arguments.watch {
        reporter.name_executions();
        progress.interrupted = Some("stopped watching".into());
    }
    let mut interrupt = Interrupt::listen();
    let outcome = match &mut interrupt {
        Ok(interrupt) => {
            let work = work(
                global,
                arguments,
                &reporter,
                &mut environment,
                &mut progress,
            );
            tokio::select! {
                outcome = work => outcome,
                () = interrupt.received() => Ok(Outcome::Interrupted),
                () = tokio::time::sleep(arguments.timeout), if !arguments.watch => Ok(Outcome::TimedOut),
            }
        }
        Err(source) => Err(CliError::LocalAws {
            source: std::io::Error::from(source.kind()).into(),
        }),
    };
    let stays = environment.stays();
    if stays && !arguments.watch {
        let meaning = if progress.is_under_way() {
            "interrupted; the execution continues, and the local AWS stays up until `delivery local stop`"
        } else {
            "interrupted; the local AWS stays up until `delivery local stop`"
        };
        progress.interrupted = Some(meaning.into());
    }
    if let Ok(interrupt) = &mut interrupt {
        tokio::select! {
            all_ended = end(environment, &outcome, &reporter) => {
                if !all_ended {
                    progress.interrupted = Some(NOT_STOPPED.into());
                }
            }
            // A second Ctrl-C: a supervisor process stops what is left as soon as this process is gone.
            () = interrupt.received() => progress.interrupted = Some(STILL_STOPPING.into()),
        }
    }
    if !stays && !progress.urls.is_empty() {
        // Nothing answers there any more.
        progress.urls.clear();
        reporter.notice(
            "the local AWS was stopped, and the sites with it; `delivery run --keep` leaves them up",
        );
    }
    let mut result = outcome::result(&outcome, &progress, round(started.elapsed().as_secs_f64()));
    result.page = reporter.page();
    reporter.report(RunMessage::Result(result));
    outcome::exit(&outcome, &progress)
}

/// Whoever interrupts a run wants its processes gone; of one that is over nobody waits for that.
async fn end(
    environment: Environment,
    outcome: &Result<Outcome, CliError>,
    reporter: &Reporter,
) -> bool {
    if matches!(outcome, Ok(Outcome::Over)) {
        environment.leave(reporter).await
    } else {
        environment.close(reporter).await
    }
}

async fn work(
    global: &Global,
    arguments: &Run,
    reporter: &Reporter,
    environment: &mut Environment,
    progress: &mut Progress,
) -> Result<Outcome, CliError> {
    let mut application = Application::find(&arguments.application).await?;
    let home = StateFolder::find(global.home.as_deref());
    let settings = Settings::load_from(global, &application.directory)?;
    application.in_effect = settings.in_effect();
    application.in_effect_in_part = settings.in_effect_in_part();
    let custom = settings.custom_functions();
    action_functions::custom::check_here(&custom)?;
    let templates = templates(&application, &settings)?;
    let parameters = parameters(&application, &templates, &settings, arguments);
    check(
        &application,
        &templates,
        &parameters,
        &settings,
        &home,
        arguments,
        reporter,
    )
    .await?;
    record(&application, reporter).await?;
    let rendered = rendered(&templates)?;
    let functions = prepare_functions(global, arguments, reporter).await?;
    let custom = prepare_custom(&custom, global, reporter).await?;
    let source = (&application, &templates);
    start(environment, &home, source, arguments, reporter).await?;
    let node_layer = node_layer(arguments);
    let name = stack_name(global, &application);
    let stack = Stack {
        name: &name,
        templates: rendered.path(),
        pipelines: &templates.pipelines,
        environments: &templates.environments,
        parameters,
        functions: &functions,
        packages: home.path().join(PACKAGES),
        custom,
        node_layer: node_layer.as_deref(),
    };
    let launched_at = DateTime::from(clock::now());
    let pipelines = launch_stack(environment, stack, reporter, progress).await?;
    environment.keep();
    if arguments.watch || arguments.keep {
        addresses::report(environment, &settings, &templates, reporter, progress).await;
    }
    let launched = templates.pipelines.iter().zip(pipelines).collect();
    let checkout = &application.directory;
    let deliveries = deliveries::of(launched, launched_at, environment, &name, checkout).await?;
    let answers = arguments.watch || environment.stays();
    let promotions = promotions::left(settings.definition().environments(), answers);
    let (timeout, reports_logs) = (arguments.timeout, global.verbose > 0);
    let mut executions = Executions::new(deliveries, promotions, timeout, reports_logs);
    executions.begin(reporter, progress).await?;
    if arguments.watch {
        return executions.watch(&application, reporter, progress).await;
    }
    let outcome = executions.once(reporter, progress).await;
    addresses::add(environment, &settings, &templates, progress).await;
    outcome
}

/// Begins the record of the run. A folder that cannot be written to is delivered all the same.
async fn record(application: &Application, reporter: &Reporter) -> Result<(), CliError> {
    application.revision().await?;
    let runs = RunsFolder::of(&application.directory);
    match Recorder::begin(&runs, &application.stack_name()) {
        Ok(recorder) => reporter.record(recorder),
        Err(error) => reporter.notice(format!("this run leaves no page: {error}")),
    }
    Ok(())
}

/// The template's parameter that says how late metrics may be, where a rollout is watched.
const METRICS_DELAY: &str = "MetricsDelay";

/// The local AWS counts a request when it has answered it. A second is the least that deploy-app takes.
const LOCAL_METRICS_DELAY: &str = "1s";

/// The template's parameters. Given last, one of the command line wins; of `delivery.toml` those count that name
/// actions of the user's own.
fn parameters(
    application: &Application,
    templates: &Templates,
    settings: &Settings,
    arguments: &Run,
) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::from([("BranchName".to_owned(), application.branch.clone())]);
    if templates.is_one_app
        && let Some(folder) = application.folder()
    {
        parameters.insert(preflight::DIRECTORY.to_owned(), folder.to_owned());
    }
    if declares(templates, METRICS_DELAY) {
        parameters.insert(METRICS_DELAY.to_owned(), LOCAL_METRICS_DELAY.to_owned());
    }
    parameters.extend(settings.custom_actions());
    parameters.extend(arguments.parameters.iter().cloned());
    parameters
}

fn declares(templates: &Templates, parameter: &str) -> bool {
    let declared = templates.parameters();
    declared.iter().any(|one| one.name == parameter)
}

/// The templates of the application: services are where `delivery.toml` is.
fn templates(application: &Application, settings: &Settings) -> Result<Templates, CliError> {
    let has_services = settings.definition().file().services.is_some();
    let services = settings.directory.canonicalize();
    if has_services && services.is_ok_and(|services| services != application.directory) {
        return Err(NotServices {
            application: application.directory.clone(),
            services: settings.directory.clone(),
        }
        .into());
    }
    Templates::of_folder(settings, &application.directory)
}

/// The templates as files, for the launch.
fn rendered(templates: &Templates) -> Result<tempfile::TempDir, CliError> {
    let folder = tempfile::tempdir().map_err(|source| CliError::File {
        verb: "write",
        path: std::env::temp_dir(),
        source,
    })?;
    templates.write(folder.path())?;
    Ok(folder)
}

/// A folder of an application with services, not the application.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is only a part of the application: `{}` has its services", .application.display(), .services.join(FILE_NAME).display())]
struct NotServices {
    application: PathBuf,
    services: PathBuf,
}

impl Explained for NotServices {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn kind(&self) -> &'static str {
        "usage"
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "deliver all of it: `delivery run {}`",
            self.services.display()
        ))
    }
}

fn stack_name(global: &Global, application: &Application) -> String {
    let named = global.stack_name.clone();
    named.unwrap_or_else(|| application.stack_name())
}

fn node_layer(arguments: &Run) -> Option<PathBuf> {
    let functions = arguments.functions.as_deref();
    functions.and_then(action_functions::node_layer)
}

/// Checks before anything is started, and reports what it found.
async fn check(
    application: &Application,
    templates: &Templates,
    parameters: &BTreeMap<String, String>,
    settings: &Settings,
    home: &StateFolder,
    arguments: &Run,
    reporter: &Reporter,
) -> Result<(), CliError> {
    let found = preflight::look(&Planned {
        application,
        templates,
        parameters,
        // Those that do not count here are for AWS: a mistyped one may have been meant for here, too.
        other_parameters: settings.file_parameters(),
        functions: &settings.custom_functions(),
        purpose: Purpose::Run,
        home: home.path(),
        has_node_layer: node_layer(arguments).is_some(),
    })
    .await;
    let verdict = found.verdict();
    for finding in found.findings {
        // Errors are the command's own, all of them at its end.
        if finding.severity == Severity::Note {
            reporter.report(RunMessage::Finding(finding));
        }
    }
    verdict
}

async fn prepare_functions(
    global: &Global,
    arguments: &Run,
    reporter: &Reporter,
) -> Result<Vec<Function>, CliError> {
    let beside = action_functions::beside_this_program();
    if let Some(directory) = arguments.functions.as_deref().or(beside.as_deref()) {
        let found = action_functions::prebuilt(directory)?;
        reporter.report(RunMessage::Step {
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
        action_functions::NAMES.len(),
        action_functions::profile()
    );
    let step = Timed::begin(reporter, Step::Functions, detail);
    let built = action_functions::build(&workspace, global.quiet).await?;
    step.end(reporter, "built".to_owned());
    Ok(built)
}

/// Builds the functions of the user's own, where there are any.
async fn prepare_custom(
    functions: &[CustomFunction],
    global: &Global,
    reporter: &Reporter,
) -> Result<Vec<local::launch::CustomFunction>, CliError> {
    if functions.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = functions.iter().map(|one| one.name.as_str()).collect();
    let detail = format!("building {}", names.join(", "));
    let step = Timed::begin(reporter, Step::Functions, detail);
    let built = action_functions::custom::programs(functions, global.quiet).await?;
    step.end(reporter, "built".to_owned());
    Ok(built)
}

fn checkout() -> Result<PathBuf, CliError> {
    checkout::find().ok_or_else(|| CliError::NoFunctions {
        folder: installation::to_fill(),
    })
}

async fn start(
    environment: &mut Environment,
    home: &StateFolder,
    (application, templates): (&Application, &Templates),
    arguments: &Run,
    reporter: &Reporter,
) -> Result<(), CliError> {
    let settings = EnvironmentSettings {
        application: application.directory.clone(),
        repository: REPOSITORY.to_owned(),
        whole_repository: templates.is_one_app,
        home: home.path().to_owned(),
        continuation_delay_ms: u64::try_from(arguments.continuation_delay.as_millis())
            .unwrap_or(u64::MAX),
    };
    let starting = local_aws::installation(home).unwrap_or_else(|| "starting".to_owned());
    let step = Timed::begin(reporter, Step::LocalAws, starting);
    let found = if arguments.keep {
        environment
            .find_or_start_in_background(home.environment(&application.directory), &settings)
            .await?
    } else {
        environment.start_here(&settings).await?
    };
    let verb = if found { "found" } else { "started" };
    let endpoints = environment.endpoints();
    step.end(
        reporter,
        format!(
            "{verb} at {}, CodePipeline at {}",
            endpoints.aws, endpoints.codepipeline
        ),
    );
    Ok(())
}

async fn launch_stack(
    environment: &Environment,
    stack: Stack<'_>,
    reporter: &Reporter,
    progress: &mut Progress,
) -> Result<Vec<Pipeline>, CliError> {
    let name = stack.name;
    let step = Timed::begin(reporter, Step::Stack, format!("launching {name}"));
    let launched = launch(environment.endpoints(), stack).await?;
    progress.urls = launched.urls;
    for url in launched.former_sites {
        reporter.notice(format!(
            "{url} stays, although `{FILE_NAME}` has no such site any more: delete its bucket when nobody needs it; a \
             site that is put back gets another address"
        ));
    }
    step.end(reporter, format!("{name} {}", launched.verb));
    let client = environment.endpoints().codepipeline();
    let pipelines = launched.pipelines.into_iter();
    let pipelines = pipelines.map(|name| Pipeline::new(client.clone(), name));
    Ok(pipelines.collect())
}

/// A step of the preparation that is being taken.
struct Timed {
    step: Step,
    since: Instant,
}

impl Timed {
    fn begin(reporter: &Reporter, step: Step, detail: String) -> Self {
        reporter.report(RunMessage::Step {
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

    fn end(self, reporter: &Reporter, detail: String) {
        let seconds = Some(round(self.since.elapsed().as_secs_f64()));
        reporter.report(RunMessage::Step {
            step: self.step,
            done: true,
            seconds,
            detail,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_interruption_says_how_long_the_end_takes() {
        let seconds = local::ministack::END_WITHIN.as_secs();
        assert!(STILL_STOPPING.ends_with(&format!("within {seconds} s")));
    }
}
