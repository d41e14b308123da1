//! Approvals and transitions.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::driver::Driver;
use crate::engine::message::{ApprovalAnswer, Event, Reply, TransitionSide};
use crate::engine::read;

use super::Answer;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerInput {
    pipeline_name: String,
    stage_name: String,
    action_name: String,
    result: AnswerResult,
    token: String,
}

#[derive(Deserialize)]
struct AnswerResult {
    summary: String,
    status: AnswerStatus,
}

#[derive(Deserialize)]
enum AnswerStatus {
    Approved,
    Rejected,
}

pub(super) fn answer(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: AnswerInput = super::read(input)?;
    let answer = ApprovalAnswer {
        pipeline: input.pipeline_name,
        stage: input.stage_name,
        action: input.action_name,
        token: input.token,
        approved: matches!(input.result.status, AnswerStatus::Approved),
        summary: input.result.summary,
    };
    match driver.apply(Event::AnswerApproval(answer))? {
        Reply::ApprovedAt(time) => Ok(Some(json!({"approvedAt": read::epoch_seconds(time)}))),
        Reply::Nothing | Reply::Execution(_) => Ok(Some(json!({}))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransitionInput {
    pipeline_name: String,
    stage_name: String,
    transition_type: TransitionType,
    #[serde(default)]
    reason: String,
}

#[derive(Clone, Copy, Deserialize)]
enum TransitionType {
    Inbound,
    Outbound,
}

impl From<TransitionType> for TransitionSide {
    fn from(kind: TransitionType) -> Self {
        match kind {
            TransitionType::Inbound => Self::Inbound,
            TransitionType::Outbound => Self::Outbound,
        }
    }
}

pub(super) fn disable_transition(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: TransitionInput = super::read(input)?;
    driver.apply(Event::DisableTransition {
        pipeline: input.pipeline_name,
        stage: input.stage_name,
        side: input.transition_type.into(),
        reason: input.reason,
    })?;
    Ok(None)
}

pub(super) fn enable_transition(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: TransitionInput = super::read(input)?;
    driver.apply(Event::EnableTransition {
        pipeline: input.pipeline_name,
        stage: input.stage_name,
        side: input.transition_type.into(),
    })?;
    Ok(None)
}
