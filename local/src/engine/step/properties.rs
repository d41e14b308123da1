//! The machine's laws, under generated sequences of events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::engine::declaration::{ExecutionMode, PipelineDeclaration, RetryMode};
use crate::engine::durations::Durations;
use crate::engine::execution::{
    ActionStatus, ErrorDetails, Execution, ExecutionStatus, JobStatus, Position, Trigger,
    TriggerType,
};
use crate::engine::identity::{ActionExecutionId, ExecutionId, JobId, Stamp};
use crate::engine::message::{
    ApprovalAnswer, Effect, Event, Refusal, Reply, SourceOutput, Start, SuccessReport, Timer,
    TransitionSide,
};
use crate::engine::state::State;

const PIPELINE: &str = "p";
const STAGES: [&str; 4] = ["Source", "Commit", "Acceptance", "Production"];

/// Something that may happen; indices choose among what there is at that time.
#[derive(Clone, Debug)]
enum Op {
    Start,
    Stop {
        execution: Index,
        abandon: bool,
    },
    Retry {
        execution: Index,
        stage: usize,
        all: bool,
    },
    Update {
        mode: ExecutionMode,
    },
    Transition {
        stage: usize,
        outbound: bool,
        enable: bool,
    },
    Report {
        job: Index,
        report: Report,
    },
    Source {
        good: bool,
    },
    Approve {
        good: bool,
    },
    Refused {
        job: Index,
    },
    Fire,
}

#[derive(Clone, Copy, Debug)]
enum Report {
    Done,
    Failed,
    GoesOn,
}

fn mode() -> impl Strategy<Value = ExecutionMode> {
    prop_oneof![
        Just(ExecutionMode::Superseded),
        Just(ExecutionMode::Queued),
        Just(ExecutionMode::Parallel)
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let report = prop_oneof![
        6 => Just(Report::Done), 2 => Just(Report::Failed), 2 => Just(Report::GoesOn)
    ];
    let stage = 0..STAGES.len();
    prop_oneof![
        6 => Just(Op::Start),
        2 => (any::<Index>(), any::<bool>())
            .prop_map(|(execution, abandon)| Op::Stop { execution, abandon }),
        4 => (any::<Index>(), stage.clone(), any::<bool>())
            .prop_map(|(execution, stage, all)| Op::Retry { execution, stage, all }),
        1 => mode().prop_map(|mode| Op::Update { mode }),
        3 => (stage, any::<bool>(), any::<bool>())
            .prop_map(|(stage, outbound, enable)| Op::Transition { stage, outbound, enable }),
        16 => (any::<Index>(), report).prop_map(|(job, report)| Op::Report { job, report }),
        10 => prop::bool::weighted(0.9).prop_map(|good| Op::Source { good }),
        4 => prop::bool::weighted(0.8).prop_map(|good| Op::Approve { good }),
        1 => any::<Index>().prop_map(|job| Op::Refused { job }),
        3 => Just(Op::Fire),
    ]
}

fn lambda(name: &str, run_order: u32, outputs: &[&str]) -> Value {
    let outputs: Vec<_> = outputs.iter().map(|name| json!({"name": name})).collect();
    json!({
        "name": name, "runOrder": run_order, "outputArtifacts": outputs,
        "inputArtifacts": [{"name": "SourceOutput"}],
        "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
        "configuration": {"FunctionName": name, "UserParameters": "c=#{S.CommitId}"},
    })
}

fn declaration(mode: ExecutionMode, retries: bool) -> PipelineDeclaration {
    let source = json!({
        "name": "Checkout", "namespace": "S", "outputArtifacts": [{"name": "SourceOutput"}],
        "actionTypeId": {"category": "Source", "owner": "AWS",
            "provider": "CodeStarSourceConnection", "version": "1"},
        "configuration": {"ConnectionArn": "c", "FullRepositoryId": "o/r", "BranchName": "main"},
    });
    let approval = json!({
        "name": "Approve", "runOrder": 1,
        "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
    });
    let many: Vec<_> = (0..7).map(|n| lambda(&format!("d{n}"), 3, &[])).collect();
    let mut commit = json!({"name": "Commit", "actions": [
        lambda("a", 1, &["A"]), lambda("b", 1, &["B"]), lambda("c", 5, &["C"])]});
    if retries {
        commit["onFailure"] = json!({"result": "RETRY"});
    }
    serde_json::from_value(json!({
        "name": PIPELINE, "roleArn": "r", "executionMode": mode, "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": "store"},
        "stages": [
            {"name": "Source", "actions": [source]},
            commit,
            {"name": "Acceptance", "actions": many},
            {"name": "Production", "actions": [approval, lambda("e", 2, &["E"])]},
        ],
    }))
    .unwrap()
}

/// The machine and the world around it.
struct World {
    state: State,
    now: Timestamp,
    seed: u128,
    sources: Vec<ActionExecutionId>,
    jobs: Vec<JobId>,
    timers: Vec<(Timestamp, Timer)>,
    approvals: Vec<(String, String, String)>,
    /// Executions as they were when they reached an end that cannot be left.
    ended: BTreeMap<ExecutionId, Execution>,
}

impl World {
    fn new(mode: ExecutionMode, retries: bool) -> Self {
        let mut world = Self {
            state: State::new("us-east-1", "000000000000", Durations::aws()),
            now: Timestamp::UNIX_EPOCH,
            seed: 0,
            sources: Vec::new(),
            jobs: Vec::new(),
            timers: Vec::new(),
            approvals: Vec::new(),
            ended: BTreeMap::new(),
        };
        let declaration = Box::new(declaration(mode, retries));
        world
            .apply(Event::CreatePipeline {
                declaration,
                tags: Vec::new(),
            })
            .unwrap();
        world
    }

    fn apply(&mut self, event: Event) -> Result<Reply, Refusal> {
        self.seed += 1;
        let before = self.state.clone();
        match self.state.apply(
            Stamp {
                now: self.now,
                seed: self.seed,
            },
            event,
        ) {
            Ok(applied) => {
                for effect in applied.effects {
                    match effect {
                        Effect::FetchSource(request) => self.sources.push(request.action),
                        Effect::Invoke(request) => self.jobs.push(request.job),
                        Effect::Wake { at, timer } => self.timers.push((at, timer)),
                        Effect::Notify(_) => {}
                        Effect::Announce(change) => {
                            use crate::engine::change::Subject;
                            if let Subject::ApprovalNeeded {
                                stage,
                                action,
                                token,
                            } = change.subject
                            {
                                self.approvals.push((stage, action, token));
                            }
                        }
                    }
                }
                Ok(applied.reply)
            }
            Err(refusal) => {
                assert_eq!(
                    self.state, before,
                    "a refused event changed something: {refusal}"
                );
                Err(refusal)
            }
        }
    }

    fn execution_at(&self, index: Index) -> Option<ExecutionId> {
        let executions = &self.state.pipelines[PIPELINE].executions;
        (!executions.is_empty()).then(|| index.get(executions).clone())
    }

    fn job_at(&self, index: Index) -> Option<JobId> {
        (!self.jobs.is_empty()).then(|| index.get(&self.jobs).clone())
    }

    /// Does one thing; returns the execution that was retried, if one was.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn take(&mut self, op: &Op) -> Option<ExecutionId> {
        match op {
            Op::Start => drop(self.apply(start())),
            Op::Stop { execution, abandon } => {
                let execution = self.execution_at(*execution)?;
                let (pipeline, abandon) = (PIPELINE.to_owned(), *abandon);
                drop(self.apply(Event::Stop {
                    pipeline,
                    execution,
                    abandon,
                    reason: None,
                }));
            }
            Op::Retry {
                execution,
                stage,
                all,
            } => return self.retry(*execution, *stage, *all),
            Op::Update { mode } => {
                let declaration = Box::new(declaration(*mode, true));
                self.apply(Event::UpdatePipeline { declaration }).unwrap();
            }
            Op::Transition {
                stage,
                outbound,
                enable,
            } => {
                self.transition(*stage, *outbound, *enable);
            }
            Op::Report { job, report } => self.report(*job, *report),
            Op::Source { good } => {
                let action = self.sources.pop()?;
                self.apply(Event::SourceFinished {
                    action,
                    result: source(*good),
                })
                .unwrap();
            }
            Op::Approve { good } => {
                let (stage, action, token) = self.approvals.last()?.clone();
                drop(self.apply(Event::AnswerApproval(ApprovalAnswer {
                    pipeline: PIPELINE.to_owned(),
                    stage,
                    action,
                    token,
                    approved: *good,
                    summary: "s".to_owned(),
                })));
            }
            Op::Refused { job } => {
                let job = self.job_at(*job)?;
                self.apply(Event::InvocationRefused {
                    job,
                    error: error(),
                })
                .unwrap();
            }
            Op::Fire => drop(self.fire()),
        }
        None
    }

    fn retry(&mut self, execution: Index, stage: usize, all: bool) -> Option<ExecutionId> {
        let execution = self.execution_at(execution)?;
        let count = self.state.executions.len();
        let mode = if all {
            RetryMode::AllActions
        } else {
            RetryMode::FailedActions
        };
        let event = Event::Retry {
            pipeline: PIPELINE.to_owned(),
            stage: STAGES[stage].to_owned(),
            execution: execution.clone(),
            mode,
        };
        match self.apply(event) {
            Ok(reply) => {
                assert_eq!(
                    reply,
                    Reply::Execution(execution.clone()),
                    "a retry keeps the id"
                );
                assert_eq!(self.state.executions.len(), count);
                Some(execution)
            }
            Err(_) => None,
        }
    }

    fn transition(&mut self, stage: usize, outbound: bool, enable: bool) {
        let side = if outbound {
            TransitionSide::Outbound
        } else {
            TransitionSide::Inbound
        };
        let (pipeline, stage) = (PIPELINE.to_owned(), STAGES[stage].to_owned());
        let event = if enable {
            Event::EnableTransition {
                pipeline,
                stage,
                side,
            }
        } else {
            Event::DisableTransition {
                pipeline,
                stage,
                side,
                reason: "r".to_owned(),
            }
        };
        self.apply(event).unwrap();
    }

    fn report(&mut self, job: Index, report: Report) {
        let Some(job) = self.job_at(job) else { return };
        let open = self.state.jobs[&job].status == JobStatus::InProgress;
        let success = |token: Option<&str>| Event::JobSucceeded {
            job: job.clone(),
            report: Box::new(SuccessReport {
                continuation_token: token.map(str::to_owned),
                ..SuccessReport::default()
            }),
        };
        let event = match report {
            Report::Done => success(None),
            Report::GoesOn => success(Some("t")),
            Report::Failed => {
                let job = job.clone();
                Event::JobFailed {
                    job,
                    error: error(),
                    external_execution_id: None,
                }
            }
        };
        let result = self.apply(event);
        if open {
            result.unwrap();
        } else {
            assert_eq!(
                result,
                Err(Refusal::InvalidJobState(job)),
                "one job has one result"
            );
        }
    }

    /// Lets time pass until the next timer.
    fn fire(&mut self) -> bool {
        let earliest = self
            .timers
            .iter()
            .enumerate()
            .min_by_key(|(_, (at, _))| *at);
        let Some((index, _)) = earliest else {
            return false;
        };
        let (at, timer) = self.timers.remove(index);
        self.now = self.now.max(at);
        self.apply(Event::Timer(timer)).unwrap();
        true
    }

    fn check(&mut self, retried: Option<&ExecutionId>) {
        self.check_active();
        self.check_locks();
        self.check_order();
        self.check_run_order();
        self.check_jobs();
        self.check_ends(retried);
        let outputs = self
            .state
            .actions
            .values()
            .flat_map(|action| &action.outputs);
        let mut keys = BTreeSet::new();
        for artifact in outputs {
            assert!(
                keys.insert(&artifact.key),
                "two action executions share a key"
            );
        }
    }

    fn active(&self) -> impl Iterator<Item = &Execution> {
        let executions = &self.state.pipelines[PIPELINE].executions;
        executions
            .iter()
            .map(|id| &self.state.executions[id])
            .filter(|it| it.is_active())
    }

    fn check_active(&self) {
        let pipeline = &self.state.pipelines[PIPELINE];
        let active: BTreeSet<_> = self.active().map(|it| it.id.clone()).collect();
        assert_eq!(pipeline.active, active, "the executions in progress");
        for (place, id) in pipeline.actions.iter().enumerate() {
            assert_eq!(self.state.actions[id].place, place);
        }
    }

    fn check_locks(&self) {
        for (name, state) in &self.state.pipelines[PIPELINE].stages {
            let inside = self.active().filter(|execution| {
                !execution.is_parallel()
                    && matches!(execution.position, Position::Inside(_))
                    && execution.stage().unwrap().name == *name
            });
            let inside: Vec<_> = inside.map(|execution| &execution.id).collect();
            assert!(inside.len() <= 1, "`{name}` holds {inside:?}");
            assert_eq!(
                state.lock_holder.as_ref(),
                inside.first().copied(),
                "the lock of `{name}`"
            );
            let waiting = state.waiting.iter().map(|id| &self.state.executions[id]);
            let superseding = waiting
                .clone()
                .filter(|it| it.mode == ExecutionMode::Superseded);
            assert!(superseding.count() <= 1, "`{name}` has one place to wait");
            for execution in waiting {
                assert!(
                    execution.is_active(),
                    "an ended execution waits at `{name}`"
                );
                assert!(matches!(execution.position, Position::Waiting(_)));
            }
        }
    }

    /// Nobody overtakes: of two executions that share stages, the older is as far or further.
    fn check_order(&self) {
        let place = |execution: &Execution| match execution.position {
            Position::Waiting(index) => 2 * index,
            Position::Inside(index) => 2 * index + 1,
            Position::Done => usize::MAX,
        };
        let sharing: Vec<_> = self.active().filter(|it| !it.is_parallel()).collect();
        for pair in sharing.windows(2) {
            assert!(
                place(pair[0]) >= place(pair[1]),
                "a newer execution overtook an older one"
            );
        }
    }

    fn check_run_order(&self) {
        for execution in self.active() {
            let Some(stage) = execution.stage() else {
                continue;
            };
            let Some(run) = execution.stage_runs.get(&stage.name) else {
                continue;
            };
            let status = |name: &str| run.latest.get(name).map(|id| self.state.actions[id].status);
            for action in stage
                .actions
                .iter()
                .filter(|action| status(&action.name).is_some())
            {
                let mut earlier = stage
                    .actions
                    .iter()
                    .filter(|it| it.run_order < action.run_order);
                assert!(
                    earlier.all(|it| status(&it.name) == Some(ActionStatus::Succeeded)),
                    "`{}` started before its run order came",
                    action.name
                );
            }
            if execution.is_parallel() {
                let running = run.latest.keys();
                let running = running.filter(|it| status(it) == Some(ActionStatus::InProgress));
                assert!(running.count() <= 5, "more than five actions run");
            }
        }
    }

    /// Whatever runs will end: something is there that ends it.
    fn check_jobs(&self) {
        for job in self
            .state
            .jobs
            .values()
            .filter(|job| job.status == JobStatus::InProgress)
        {
            let action = &self.state.actions[&job.action_execution];
            assert_eq!(
                action.status,
                ActionStatus::InProgress,
                "an open job of an ended action"
            );
            assert_eq!(
                action.job.as_ref(),
                Some(&job.id),
                "two open jobs of one action"
            );
        }
        for action in self.state.actions.values() {
            let execution = &self.state.executions[&action.execution];
            if action.status != ActionStatus::InProgress {
                continue;
            }
            assert!(
                execution.is_active(),
                "an action runs in an ended execution"
            );
            let timer = Timer::ActionTime {
                action: action.id.clone(),
            };
            assert!(
                self.timers.iter().any(|(_, set)| *set == timer),
                "no timer ends the action"
            );
        }
    }

    fn check_ends(&mut self, retried: Option<&ExecutionId>) {
        if let Some(id) = retried {
            self.ended.remove(id);
        }
        for (id, execution) in &self.ended {
            assert_eq!(
                &self.state.executions[id], execution,
                "an ended execution changed"
            );
        }
        for execution in self.state.executions.values().filter(|it| !it.is_active()) {
            self.ended.insert(execution.id.clone(), execution.clone());
        }
    }
}

fn start() -> Event {
    Event::Start(Start {
        pipeline: PIPELINE.to_owned(),
        trigger: Trigger {
            trigger_type: TriggerType::StartPipelineExecution,
            trigger_detail: String::new(),
        },
        variables: BTreeMap::new(),
        request_token: None,
        overrides: Vec::new(),
    })
}

fn error() -> ErrorDetails {
    ErrorDetails {
        code: "JobFailed".to_owned(),
        message: "m".to_owned(),
    }
}

fn source(good: bool) -> Result<SourceOutput, ErrorDetails> {
    if !good {
        return Err(error());
    }
    let variables = BTreeMap::from([("CommitId".to_owned(), "abc".to_owned())]);
    Ok(SourceOutput {
        revision: "abc".to_owned(),
        summary: None,
        variables,
    })
}

proptest! {
    #[test]
    fn every_sequence_of_events_keeps_the_laws(
        mode in mode(),
        retries in any::<bool>(),
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut world = World::new(mode, retries);
        world.check(None);
        for op in &ops {
            let retried = world.take(op);
            if let Some(id) = &retried {
                let before = world.ended.get(id).map(|execution| execution.status);
                let left = [None, Some(ExecutionStatus::Failed), Some(ExecutionStatus::Stopped)];
                prop_assert!(left.contains(&before), "{before:?} was left by a retry");
            }
            world.check(retried.as_ref());
        }
        // Nobody answers any more: time alone ends everything that has begun.
        for stage in 0..STAGES.len() {
            world.transition(stage, false, true);
            world.transition(stage, true, true);
        }
        while world.fire() {
            world.check(None);
        }
        prop_assert_eq!(world.active().count(), 0);
        let open = world.state.jobs.values().filter(|job| job.status == JobStatus::InProgress);
        prop_assert_eq!(open.count(), 0);
    }
}
