//! The state machine under generated sequences of events: after each one its invariants (`laws`) hold.

mod laws;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::engine::declaration::{ExecutionMode, PipelineDeclaration, RetryMode};
use crate::engine::durations::Durations;
use crate::engine::execution::{
    ErrorDetails, Execution, ExecutionStatus, JobStatus, Trigger, TriggerType,
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
    Commands {
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
        4 => prop::bool::weighted(0.8).prop_map(|good| Op::Commands { good }),
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
    let commands = json!({
        "name": "m", "runOrder": 3, "commands": ["make"],
        "inputArtifacts": [{"name": "SourceOutput"}],
        "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
    });
    let many: Vec<_> = (0..7).map(|n| lambda(&format!("d{n}"), 3, &[])).collect();
    let mut commit = json!({"name": "Commit", "actions": [
        lambda("a", 1, &["A"]), lambda("b", 1, &["B"]), commands, lambda("c", 5, &["C"])]});
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
    /// Whose commands run.
    shells: BTreeSet<ActionExecutionId>,
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
            shells: BTreeSet::new(),
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
                        Effect::RunCommands(request) => {
                            assert!(self.shells.insert(request.action), "a shell runs twice");
                        }
                        Effect::EndCommands { action } => drop(self.shells.remove(&action)),
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
    fn perform(&mut self, op: &Op) -> Option<ExecutionId> {
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
            Op::Source { good } => self.finish_source(*good)?,
            Op::Commands { good } => self.finish_commands(*good)?,
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

    fn finish_source(&mut self, good: bool) -> Option<()> {
        let action = self.sources.pop()?;
        let result = source(good);
        self.apply(Event::SourceFinished { action, result })
            .unwrap();
        Some(())
    }

    fn finish_commands(&mut self, good: bool) -> Option<()> {
        let action = self.shells.pop_first()?;
        let result = if good {
            Ok(BTreeMap::new())
        } else {
            Err(error())
        };
        self.apply(Event::CommandsFinished { action, result })
            .unwrap();
        Some(())
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
            let retried = world.perform(op);
            if let Some(id) = &retried {
                let before = world.ended.get(id).map(|execution| execution.status);
                let left = [None, Some(ExecutionStatus::Failed), Some(ExecutionStatus::Stopped)];
                prop_assert!(left.contains(&before), "{before:?} was left by a retry");
            }
            world.check(retried.as_ref());
        }
        // From here on no job reports and no approval is answered: timeouts alone must end everything that has started.
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
