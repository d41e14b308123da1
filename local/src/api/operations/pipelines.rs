//! Pipelines and their tags.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::failure::ApiError;
use crate::engine::driver::Driver;
use crate::engine::message::{Event, Refusal};
use crate::engine::read::{Cut, Listed};
use crate::engine::roles::{self, RoleError};
use crate::engine::{PipelineDeclaration, Tag, structure};

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

pub(super) async fn create(driver: &Arc<Driver>, input: Value) -> Answer {
    let Declared { pipeline, tags } = read(input)?;
    check_roles(driver, &pipeline).await?;
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

pub(super) async fn update(driver: &Arc<Driver>, input: Value) -> Answer {
    let Declared { pipeline, .. } = read(input)?;
    check_roles(driver, &pipeline).await?;
    let name = pipeline.name.clone();
    driver.apply(Event::UpdatePipeline {
        declaration: Box::new(pipeline),
    })?;
    let mut read = driver.state().read_pipeline(&name, None)?;
    Ok(Some(json!({"pipeline": read["pipeline"].take()})))
}

/// Checks the roles of a declaration whose structure is right: what is wrong with that comes first.
async fn check_roles(driver: &Driver, pipeline: &PipelineDeclaration) -> Result<(), ApiError> {
    structure::check(pipeline, &driver.region)?;
    match roles::check(pipeline, &driver.account_id, &*driver.ports.roles).await {
        Ok(()) => Ok(()),
        Err(RoleError::NotAssumable(message)) => Err(Refusal::InvalidStructure(message).into()),
        Err(error @ RoleError::Unknown { .. }) => Err(ApiError::Unavailable(error.to_string())),
    }
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
pub(super) struct Page {
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Page {
    /// What it asks for, where a page has this many unless the request says otherwise.
    pub(super) fn cut(&self, default: usize) -> Cut<'_> {
        Cut {
            size: self.max_results.unwrap_or(default),
            after: self.next_token.as_deref(),
        }
    }
}

/// A page, and the token of the next where there is one.
pub(super) fn listed(name: &str, page: Listed) -> Value {
    let mut answer = json!({ name: page.items });
    if let Some(next) = page.next {
        answer["nextToken"] = json!(next);
    }
    answer
}

pub(super) fn list(driver: &Arc<Driver>, input: Value) -> Answer {
    let page: Page = read(input)?;
    let pipelines = driver.state().read_pipelines(page.cut(PIPELINES_PAGE))?;
    Ok(Some(listed("pipelines", pipelines)))
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
    let tags = driver
        .state()
        .read_tags(&resource_arn, page.cut(TAGS_PAGE))?;
    Ok(Some(listed("tags", tags)))
}
