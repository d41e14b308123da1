//! Pipelines and their tags.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::pages;
use crate::engine::driver::Driver;
use crate::engine::message::Event;
use crate::engine::{PipelineDeclaration, Tag};

use super::{Answer, read};

/// Pipelines on a page where the request does not say (`API_ListPipelines`: 1,000).
const PIPELINES_PAGE: usize = 1_000;

/// Tags on a page where the request does not say: all that a pipeline may have.
const TAGS_PAGE: usize = 100;

#[derive(Deserialize)]
struct Declared {
    pipeline: PipelineDeclaration,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(super) fn create(driver: &Arc<Driver>, input: Value) -> Answer {
    let Declared { pipeline, tags } = read(input)?;
    let name = pipeline.name.clone();
    let shown = json!(tags);
    driver.apply(Event::CreatePipeline {
        declaration: Box::new(pipeline),
        tags,
    })?;
    let mut read = driver.state().read_pipeline(&name, Some(1))?;
    Ok(Some(
        json!({"pipeline": read["pipeline"].take(), "tags": shown}),
    ))
}

pub(super) fn update(driver: &Arc<Driver>, input: Value) -> Answer {
    let Declared { pipeline, .. } = read(input)?;
    let name = pipeline.name.clone();
    driver.apply(Event::UpdatePipeline {
        declaration: Box::new(pipeline),
    })?;
    let mut read = driver.state().read_pipeline(&name, None)?;
    Ok(Some(json!({"pipeline": read["pipeline"].take()})))
}

#[derive(Deserialize)]
struct Named {
    name: String,
    version: Option<u32>,
}

pub(super) fn get(driver: &Arc<Driver>, input: Value) -> Answer {
    let Named { name, version } = read(input)?;
    Ok(Some(driver.state().read_pipeline(&name, version)?))
}

pub(super) fn delete(driver: &Arc<Driver>, input: Value) -> Answer {
    let Named { name, .. } = read(input)?;
    driver.apply(Event::DeletePipeline { name })?;
    Ok(None)
}

pub(super) fn state(driver: &Arc<Driver>, input: Value) -> Answer {
    let Named { name, .. } = read(input)?;
    Ok(Some(driver.state().read_state(&name)?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(driver: &Arc<Driver>, input: Value) -> Answer {
    let page: Page = read(input)?;
    let all = driver.state().read_pipelines();
    let (pipelines, next) = pages::page(
        all,
        page.max_results,
        page.next_token.as_deref(),
        PIPELINES_PAGE,
    )?;
    Ok(Some(with_token(json!({"pipelines": pipelines}), next)))
}

/// An answer with the token of its next page, if there is one.
pub(super) fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    answer
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tagged {
    resource_arn: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
    #[serde(flatten)]
    page: Page,
}

pub(super) fn tag(driver: &Arc<Driver>, input: Value) -> Answer {
    let Tagged {
        resource_arn: arn,
        tags,
        ..
    } = read(input)?;
    driver.apply(Event::Tag { arn, tags })?;
    Ok(Some(json!({})))
}

pub(super) fn untag(driver: &Arc<Driver>, input: Value) -> Answer {
    let Tagged {
        resource_arn: arn,
        tag_keys: keys,
        ..
    } = read(input)?;
    driver.apply(Event::Untag { arn, keys })?;
    Ok(Some(json!({})))
}

pub(super) fn list_tags(driver: &Arc<Driver>, input: Value) -> Answer {
    let Tagged {
        resource_arn, page, ..
    } = read(input)?;
    let all = driver.state().read_tags(&resource_arn)?;
    let (tags, next) = pages::page(all, page.max_results, page.next_token.as_deref(), TAGS_PAGE)?;
    Ok(Some(with_token(json!({"tags": tags}), next)))
}
