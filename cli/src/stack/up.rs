//! `delivery up`: creates or updates the stack with a change set that is shown first.
//!
//! The command can end at any step before the change set is executed: refused, answered with no, interrupted,
//! or as a dry run. [`Cleanup`] notes each thing before it is created and removes all of it at such an end. Once
//! the change set is executed CloudFormation goes on alone, and nothing is removed any more.

mod cleanup;
mod error;
pub(crate) mod recover;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use delivery_action::aws::CallError;
use delivery_stack::change_set::{self, ChangeSetRequest, Prepared, TemplateSource};
use delivery_stack::description::{Description, describe};
use delivery_stack::events::Follower;
use delivery_stack::parameters::Value;
use delivery_stack::state::State;
use delivery_stack::template::Template;
use tokio::time::sleep_until;

use super::connection;
use super::console;
use super::description::{check_is_delivery, message};
use super::failure::StackError;
use super::follow::{Followed, WaitLimits, conclude, follow};
use super::parameters;
use super::publish::objects::{self, Sent};
use super::publish::{self, Publication};
use crate::args::Global;
use crate::args::stack::Up;
use crate::cloud::Cloud;
use crate::error::CliError;
use crate::exit::Exit;
use crate::message::{Change, ResourceAction, StackMessage};
use crate::output::{Reporter, write_stdout};
use crate::settings::{Settings, check};
use crate::templates::Templates;

use cleanup::Cleanup;
pub(crate) use error::UpError;
use recover::{NextStep, agree};

/// Polling interval for a change set, which is ready within some seconds.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What our own templates may do that CloudFormation asks about.
const CAPABILITIES: [&str; 2] = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"];

/// What every step of `up` needs.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    reporter: &'a Reporter,
    arguments: &'a Up,
    settings: &'a Settings,
    cloud: &'a Cloud,
    client: Client,
}

/// What the preparation ends with.
enum Plan {
    /// The change set waits to be executed.
    Execute { stack_id: String, name: String },
    /// The stack is as it should be.
    Nothing(Option<Box<Description>>),
    /// The changes were shown.
    Shown,
    /// A signal came.
    Interrupted,
}

/// The command.
pub(crate) async fn up(global: &Global, arguments: &Up) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let mut limits = WaitLimits::new(arguments.timeout)?;
    let cloud = Cloud::connect(&settings).await?;
    let reporter = Reporter::new(global);
    let work = Work {
        reporter: &reporter,
        arguments,
        settings: &settings,
        client: cloud.cloudformation(),
        cloud: &cloud,
    };
    let mut cleanup = Cleanup::default();
    let plan = plan(&work, &mut cleanup, &mut limits).await;
    reporter.clear_progress();
    match plan {
        Ok(Plan::Execute { stack_id, name }) => {
            execute(&work, &cleanup, &stack_id, &name, &mut limits).await
        }
        Ok(Plan::Nothing(stack)) => {
            cleanup.run(&cloud).await?;
            reporter.notice("no changes: the stack is up to date");
            match stack {
                Some(stack) => {
                    reporter.report(message(&stack));
                    end(&work, &stack).await
                }
                None => Ok(Exit::Success),
            }
        }
        Ok(Plan::Shown) => {
            cleanup.run(&cloud).await?;
            reporter.notice("dry run: nothing was changed, and nothing is left behind");
            Ok(Exit::Success)
        }
        Ok(Plan::Interrupted) => {
            cleanup.run(&cloud).await?;
            reporter.notice(
                "interrupted; nothing was changed, and everything created for it was removed",
            );
            Ok(Exit::Interrupted)
        }
        Err(error) => {
            if let Err(also) = cleanup.run(&cloud).await {
                reporter.notice(format!(
                    "cannot remove what was created for the change: {}",
                    also.message()
                ));
            }
            Err(error)
        }
    }
}

/// Everything up to the change set that is shown and agreed to.
#[expect(clippy::too_many_lines, reason = "the steps, in their order")]
async fn plan(
    work: &Work<'_>,
    cleanup: &mut Cleanup,
    limits: &mut WaitLimits,
) -> Result<Plan, CliError> {
    let stack_name = &work.settings.stack_name;
    let found = describe(&work.client, stack_name).await?;
    // A stack that is changing is refused below, and may not have a template yet.
    let at_rest =
        |stack: &&Description| stack.state() != State::Gone && !stack.state().is_in_progress();
    if let Some(stack) = found.as_ref().filter(at_rest) {
        check_is_delivery(stack, work.arguments.adopt)?;
    }
    if work.arguments.template_url.is_none() {
        check_parameters(work, found.as_ref())?;
    }
    let given = &work.arguments.parameters;
    check::functions_on_aws(work.settings, given, work.reporter)?;
    let source = source(work).await?;
    let values = values(work, found.as_ref(), &source)?;
    let next = recover::ready(work, found.as_ref(), limits).await?;
    if next == NextStep::Interrupted {
        return Ok(Plan::Interrupted);
    }
    let timeout = limits.deadline();
    let prepared = tokio::select! {
        prepared = prepare(work, cleanup, &source, &values, next, found.as_ref()) => prepared?,
        () = sleep_until(timeout) => {
            return Err(UpError::NotPrepared {
                stack: stack_name.clone(),
                after: limits.timeout,
            }
            .into());
        }
        () = limits.interrupt.received() => return Ok(Plan::Interrupted),
    };
    work.reporter.clear_progress();
    let (stack_id, changes) = match prepared {
        Prepared::Ready { stack_id, changes } => (stack_id, changes),
        Prepared::Nothing => return Ok(Plan::Nothing(found.map(Box::new))),
        Prepared::Over => {
            return Err(StackError::Overtaken {
                stack: stack_name.clone(),
            }
            .into());
        }
        Prepared::Refused { reason } => {
            return Err(UpError::Refused {
                stack: stack_name.clone(),
                reason,
            }
            .into());
        }
    };
    let changes: Vec<Change> = changes.iter().map(Change::from).collect();
    show(work, &changes);
    if work.arguments.dry_run {
        return Ok(Plan::Shown);
    }
    let critical: Vec<&str> = changes
        .iter()
        .filter(|change| change.is_critical())
        .map(|change| change.path.as_str())
        .collect();
    if !critical.is_empty() {
        agree(work, "replace or remove resources that hold data?", || {
            format!(
                "{} would be replaced or removed, including its data",
                critical.join(", ")
            )
        })?;
    }
    let name = cleanup.change_set.as_ref().map(|(_, name)| name.clone());
    Ok(Plan::Execute {
        stack_id,
        name: name.unwrap_or_default(),
    })
}

/// Where the template comes from.
enum Source {
    /// It is published first.
    Publication(Box<Publication>),
    /// It is there.
    Published { url: String, template: Template },
}

impl Source {
    fn template(&self) -> &Template {
        match self {
            Self::Publication(publication) => &publication.template,
            Self::Published { template, .. } => template,
        }
    }
}

async fn source(work: &Work<'_>) -> Result<Source, CliError> {
    let Some(url) = &work.arguments.template_url else {
        let account = publish::account(work.cloud).await?;
        let region = work.cloud.region();
        let publication =
            publish::prepare(work.settings, &work.arguments.publish, &account, region)?;
        return Ok(Source::Publication(Box::new(publication)));
    };
    let (bucket, key) =
        console::object_of(url).ok_or_else(|| UpError::NotAnObject { url: url.clone() })?;
    let resource = format!("s3://{bucket}/{key}");
    let object = work
        .cloud
        .s3()
        .get_object()
        .bucket(&bucket)
        .key(&key)
        .send()
        .await
        .map_err(|error| CallError::new("s3:GetObject", &resource, &error))?;
    let body = object.body.collect().await;
    let body = body.map_err(|source| CliError::File {
        verb: "read",
        path: resource.into(),
        source: source.into(),
    })?;
    let text = String::from_utf8_lossy(&body.into_bytes()).into_owned();
    let template = Template::read(&text).map_err(|source| UpError::Template {
        url: url.clone(),
        source,
    })?;
    Ok(Source::Published {
        url: url.clone(),
        template,
    })
}

/// Checks the parameters by the template alone, before packages are looked for and anything is sent: a
/// mistyped name is reported at once.
fn check_parameters(work: &Work<'_>, found: Option<&Description>) -> Result<(), CliError> {
    let given = work.settings.parameters(&work.arguments.parameters);
    let declared = Templates::of(work.settings)?.parameters();
    let previous = previous(found);
    Ok(parameters::check(&declared, &given, &previous, true)?)
}

/// The names of the parameters that the stack has and an update keeps.
fn previous(found: Option<&Description>) -> BTreeSet<String> {
    let keeps = |stack: &&Description| {
        matches!(
            stack.state(),
            State::Complete | State::RolledBack | State::LeftFailed | State::StuckUpdate
        )
    };
    found
        .filter(keeps)
        .map(|stack| stack.parameters.keys().cloned().collect())
        .unwrap_or_default()
}

fn values(
    work: &Work<'_>,
    found: Option<&Description>,
    source: &Source,
) -> Result<BTreeMap<String, Value>, CliError> {
    let given = work.settings.parameters(&work.arguments.parameters);
    let publishes = matches!(source, Source::Publication(_));
    let declared = source.template().parameters();
    Ok(parameters::merge(
        &declared,
        &given,
        &previous(found),
        publishes,
    )?)
}

/// Publishes and has the change worked out.
async fn prepare(
    work: &Work<'_>,
    cleanup: &mut Cleanup,
    source: &Source,
    values: &BTreeMap<String, Value>,
    next: NextStep,
    found: Option<&Description>,
) -> Result<Prepared, CliError> {
    let template_url = match source {
        Source::Published { url, .. } => url.clone(),
        Source::Publication(publication) => {
            if work.arguments.dry_run {
                lend(work, cleanup, publication).await?;
            } else {
                publish::send(&work.cloud.s3(), publication, work.reporter).await?;
            }
            publication.template_url()
        }
    };
    let stack = &work.settings.stack_name;
    let name = format!("delivery-{}", uuid::Uuid::new_v4().simple());
    // Noted before the call: if its answer is lost, the change set may exist all the same and has to be removed.
    cleanup.change_set = Some((stack.clone(), name.clone()));
    cleanup.makes_stack = next == NextStep::Create;
    work.reporter.show_progress("computing the changes");
    let request = ChangeSetRequest {
        stack,
        name: &name,
        creates: next != NextStep::Update,
        template: &TemplateSource::Url(template_url),
        parameters: values,
        capabilities: &CAPABILITIES,
        role_arn: None,
        tags: &BTreeMap::new(),
        description: "delivery up",
    };
    if let Err(error) = change_set::create(&work.client, &request).await {
        return Err(refusal(work, error).await?);
    }
    let found = found.filter(|_| next == NextStep::Update);
    Ok(change_set::prepared(&work.client, stack, &name, found, ASK_EVERY).await?)
}

/// The error of a rejected call: someone else may have started to change the stack.
async fn refusal(work: &Work<'_>, error: CallError) -> Result<CliError, CliError> {
    let stack = &work.settings.stack_name;
    let is_about_the_stack =
        error.is_code("AlreadyExistsException") || error.is_code("ValidationError");
    if is_about_the_stack
        && let Some(found) = describe(&work.client, stack).await?
        && found.state().is_in_progress()
    {
        return Ok(recover::busy(&work.client, &found).await?.into());
    }
    if error.is_code("ValidationError") {
        return Ok(UpError::Refused {
            stack: stack.clone(),
            reason: error.message,
        }
        .into());
    }
    Ok(error.into())
}

/// Sends the templates for a dry run, and notes what has to be taken back.
async fn lend(
    work: &Work<'_>,
    cleanup: &mut Cleanup,
    publication: &Publication,
) -> Result<(), CliError> {
    let s3 = work.cloud.s3();
    cleanup.makes_bucket = !publication.bucket.exists(&s3).await?;
    cleanup.bucket = Some(publication.bucket.clone());
    publish::ensure_bucket(&s3, &publication.bucket, work.reporter).await?;
    for object in publication.nested.iter().chain([&publication.root]) {
        if objects::bring(&s3, &publication.bucket, object).await? == Sent::New {
            cleanup.keys.push(object.key.clone());
        }
    }
    Ok(())
}

/// Shows the changes, and how many there are of each kind.
fn show(work: &Work<'_>, changes: &[Change]) {
    work.reporter.notice(format!(
        "changes of the stack `{}`:",
        work.settings.stack_name
    ));
    for change in changes {
        work.reporter.report(StackMessage::Change(change.clone()));
    }
    if changes.is_empty() {
        work.reporter
            .notice("no resource changes, only outputs, conditions, parameters or descriptions");
        return;
    }
    work.reporter.notice(summary(changes));
}

fn summary(changes: &[Change]) -> String {
    let count = |actions: &[ResourceAction]| {
        changes
            .iter()
            .filter(|change| actions.contains(&change.action))
            .count()
    };
    format!(
        "{} to add, {} to change, {} to replace, {} to remove",
        count(&[ResourceAction::Add, ResourceAction::Import]),
        count(&[ResourceAction::Change]),
        count(&[ResourceAction::Replace, ResourceAction::MayReplace]),
        count(&[ResourceAction::Remove, ResourceAction::Leave]),
    )
}

/// Executes the change set and follows it to its end.
async fn execute(
    work: &Work<'_>,
    cleanup: &Cleanup,
    stack_id: &str,
    name: &str,
    limits: &mut WaitLimits,
) -> Result<Exit, CliError> {
    let mut follower = Follower::from_now(&work.client, stack_id).await?;
    let stack_name = &work.settings.stack_name;
    if let Err(error) = change_set::execute(&work.client, stack_name, name, name).await {
        let overtaken = change_set::is_gone(&error) || error.is_code("InvalidChangeSetStatus");
        if error.outcome_unknown {
            return Err(error.into());
        }
        cleanup.run(work.cloud).await?;
        if overtaken {
            return Err(StackError::Overtaken {
                stack: work.settings.stack_name.clone(),
            }
            .into());
        }
        return Err(error.into());
    }
    match follow(&work.client, work.reporter, &mut follower, stack_id, limits).await? {
        Followed::Ended(stack, events) => {
            conclude(work.reporter, &stack, &events)?;
            end(work, &stack).await
        }
        Followed::TimedOut(stack) => Err(limits.timed_out(&stack).into()),
        Followed::Interrupted => {
            work.reporter.notice(
                "interrupted; CloudFormation continues: `delivery wait` follows it, `delivery log` shows its events",
            );
            Ok(Exit::Interrupted)
        }
    }
}

/// The outputs, the connection, and what to do next.
async fn end(work: &Work<'_>, stack: &Description) -> Result<Exit, CliError> {
    if !work.reporter.is_json() {
        let width = stack.outputs.keys().map(String::len).max().unwrap_or(0);
        for (key, value) in &stack.outputs {
            write_stdout(&format!("{key:<width$}  {value}\n"));
        }
    }
    if let Some(arn) = stack.parameters.get(connection::PARAMETER) {
        match connection::find(&work.cloud.codeconnections(), arn).await {
            Ok(found) if found.is_pending() => {
                work.reporter.report(found.pending());
                work.reporter.notice(
                    "then start the pipeline with `delivery start`; `delivery doctor` checks the connection again",
                );
                return Ok(Exit::Pending);
            }
            Ok(_) => {}
            Err(error) => work.reporter.notice(format!(
                "cannot check the connection: {error}; `delivery doctor` checks it again"
            )),
        }
    }
    work.reporter.notice("next: `delivery status`");
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changes_are_counted_by_what_happens() {
        let change = |action| Change {
            path: "A".to_owned(),
            resource_type: "AWS::S3::Bucket".to_owned(),
            action,
            physical_id: None,
            properties: Vec::new(),
            holds_data: true,
            loses_data: false,
        };
        let changes: Vec<Change> = [
            ResourceAction::Add,
            ResourceAction::Replace,
            ResourceAction::MayReplace,
            ResourceAction::Leave,
        ]
        .into_iter()
        .map(change)
        .collect();
        assert_eq!(
            summary(&changes),
            "1 to add, 0 to change, 2 to replace, 1 to remove"
        );
    }
}
