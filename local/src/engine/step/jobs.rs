//! Jobs: starting them, the reports of their functions, and their timeouts.

use jiff::Timestamp;

use crate::engine::change::Subject;
use crate::engine::declaration::Provider;
use crate::engine::execution::{ActionStatus, ErrorDetails, Job, JobStatus};
use crate::engine::identity::{ActionExecutionId, JobId};
use crate::engine::message::{Effect, JobRequest, Refusal, Reply, SuccessReport, Timer};

use super::Step;

/// Largest sum of an action's output variables (User Guide, quotas: 122,880 bytes).
pub(super) const MAX_OUTPUT_VARIABLE_BYTES: usize = 122_880;

/// The code of an action that ran out of time. The service's own is not documented.
const TIMED_OUT: &str = "JobTimedOut";

impl Step<'_> {
    /// Makes a new job of an action and has its function invoked.
    pub(super) fn start_job(&mut self, id: &ActionExecutionId, continuation_token: Option<String>) {
        let job = Job {
            id: JobId::from(self.ids.uuid()),
            action_execution: id.clone(),
            status: JobStatus::InProgress,
            continuation_token,
        };
        let job_id = job.id.clone();
        self.state.jobs.insert(job_id.clone(), job);
        self.action_mut(id).job = Some(job_id.clone());
        if let Some(request) = self.state.job_request(&job_id) {
            self.effects.push(Effect::Invoke(request));
        }
    }

    /// A job that may still report, and its action.
    fn open_job(&self, id: &JobId) -> Result<ActionExecutionId, Refusal> {
        let job = self
            .state
            .jobs
            .get(id)
            .ok_or_else(|| Refusal::JobNotFound(id.clone()))?;
        if job.status != JobStatus::InProgress {
            return Err(Refusal::InvalidJobState(id.clone()));
        }
        Ok(job.action_execution.clone())
    }

    fn close_job(&mut self, id: &JobId, status: JobStatus) {
        if let Some(job) = self.state.jobs.get_mut(id) {
            job.status = status;
        }
    }

    pub(super) fn job_succeeded(
        &mut self,
        job: &JobId,
        report: SuccessReport,
    ) -> Result<Reply, Refusal> {
        let action_id = self.open_job(job)?;
        let size = report
            .output_variables
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if size > MAX_OUTPUT_VARIABLE_BYTES {
            return Err(Refusal::OutputVariablesTooLarge(size));
        }
        if report.continuation_token.is_some() && !report.output_variables.is_empty() {
            return Err(Refusal::Validation(
                "outputVariables cannot be given with a continuationToken: they belong to the action's last \
                 job"
                    .to_owned(),
            ));
        }
        self.close_job(job, JobStatus::Succeeded);
        let now = self.now;
        let action = self.action_mut(&action_id);
        action.last_report = now;
        action.details.summary = report.details.summary.or(action.details.summary.take());
        action.details.external_execution_id = report
            .details
            .external_execution_id
            .or(action.details.external_execution_id.take());
        action.details.percent_complete = report.details.percent_complete;
        action.revision = report.revision.or(action.revision.take());
        if let Some(token) = report.continuation_token {
            self.wait_for_next_job(&action_id, token);
        } else {
            action.output_variables = report.output_variables;
            self.complete(&action_id, ActionStatus::Succeeded, None);
        }
        Ok(Reply::Nothing)
    }

    fn wait_for_next_job(&mut self, id: &ActionExecutionId, token: String) {
        let durations = self.state.durations;
        let action = self.action_mut(id);
        action.job = None;
        let (stage, name) = (action.stage.clone(), action.action.name.clone());
        let (execution, details) = (action.execution.clone(), action.details.clone());
        self.wake(
            durations.continuation_delay,
            Timer::Continue {
                action: id.clone(),
                token,
            },
        );
        self.wake(
            durations.silence,
            Timer::Silence {
                action: id.clone(),
                last_report: self.now,
            },
        );
        let progress = Subject::Progress {
            stage,
            action: name,
            action_execution_id: id.clone(),
            details,
        };
        self.announce(&execution, progress);
    }

    pub(super) fn job_failed(
        &mut self,
        job: &JobId,
        error: ErrorDetails,
        external_execution_id: Option<String>,
    ) -> Result<Reply, Refusal> {
        let action_id = self.open_job(job)?;
        self.close_job(job, JobStatus::Failed);
        let now = self.now;
        let action = self.action_mut(&action_id);
        action.last_report = now;
        if external_execution_id.is_some() {
            action.details.external_execution_id = external_execution_id;
        }
        self.complete(&action_id, ActionStatus::Failed, Some(error));
        Ok(Reply::Nothing)
    }

    /// The function could not be invoked, so no report will come.
    pub(super) fn invocation_refused(&mut self, job: &JobId, error: ErrorDetails) -> Reply {
        if let Ok(action_id) = self.open_job(job) {
            self.complete(&action_id, ActionStatus::Failed, Some(error));
        }
        Reply::Nothing
    }

    /// Starts the next job of an action that continues, unless the action has ended since.
    pub(super) fn continue_action(&mut self, id: &ActionExecutionId, token: String) {
        let waits = self.state.actions.get(id).is_some_and(|action| {
            action.status == ActionStatus::InProgress && action.job.is_none()
        });
        if waits {
            self.start_job(id, Some(token));
        }
    }

    pub(super) fn fail_if_silent(&mut self, id: &ActionExecutionId, last_report: Timestamp) {
        let silent = self
            .state
            .actions
            .get(id)
            .is_some_and(|action| action.last_report == last_report);
        if silent {
            let function = self
                .action(id)
                .resolved
                .get("FunctionName")
                .cloned()
                .unwrap_or_default();
            self.time_out(id, format!(
                "The AWS Lambda function {function} failed to return a result. Check the function to \
                 verify that it has permission to call the PutJobSuccessResult action and that it \
                 made a call to PutJobSuccessResult."
            ));
        }
    }

    pub(super) fn fail_for_time(&mut self, id: &ActionExecutionId) {
        let Some(action) = self.state.actions.get(id) else {
            return;
        };
        let message = match action.action.provider() {
            Some(Provider::Manual) => "the approval was not answered in time",
            Some(Provider::Lambda) => "the action exceeded the total time limit of a Lambda action",
            Some(Provider::Commands) => "the action exceeded the time limit of a Commands action",
            Some(Provider::Connection) | None => "the action exceeded its time limit",
        };
        self.time_out(id, message.to_owned());
    }

    fn time_out(&mut self, id: &ActionExecutionId, message: String) {
        let action = self.action(id);
        if action.status != ActionStatus::InProgress {
            return;
        }
        if let Some(job) = action.job.clone() {
            self.close_job(&job, JobStatus::TimedOut);
        }
        let error = ErrorDetails {
            code: TIMED_OUT.to_owned(),
            message,
        };
        self.complete(id, ActionStatus::Failed, Some(error));
    }
}

impl crate::engine::state::State {
    /// What a job's function is handed, without credentials.
    pub(crate) fn job_request(&self, id: &JobId) -> Option<JobRequest> {
        let job = self.jobs.get(id)?;
        let action = self.actions.get(&job.action_execution)?;
        let execution = self.executions.get(&action.execution)?;
        let store = execution.declaration.store(&self.region);
        Some(JobRequest {
            job: id.clone(),
            action: action.id.clone(),
            configuration: action.resolved.clone(),
            inputs: action.inputs.clone(),
            outputs: action.outputs.clone(),
            continuation_token: job.continuation_token.clone(),
            encryption_key: store.and_then(|store| store.encryption_key.clone()),
        })
    }
}
