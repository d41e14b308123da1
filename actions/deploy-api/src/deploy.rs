//! From a document to a stage that serves it.
//!
//! A deployment carries its document's digest in its description, so the state of API Gateway alone
//! says what is left to do, and doing it again, or twice at once, ends where doing it once ends:
//!
//! 1. A deployment of this very document is taken where there is one. So Production serves the
//!    snapshot that Acceptance has tested, and a lost reply or a killed invocation is found again.
//! 2. Else the document is imported, which no stage notices, and a deployment is made of it.
//! 3. The stage is moved onto it, its variables with it, in one call.
//! 4. Other deployments of this very document that no stage serves are removed: a repeated call made
//!    them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use shared::aws::CallErrorKind;
use shared::clock::Deadline;

use crate::document::Document;
use crate::error::DeployApiError;
use crate::gateway::{Deployment, Gateway, Refusal, Stage};

/// What the descriptions of our deployments begin with.
const OURS: &str = "serverless-delivery";

/// How often the work is begun anew where someone else changes the API or the service throttles; each
/// time it reads the state afresh.
const MAX_ROUNDS: u32 = 5;

/// Pause before the next round, unless the service names one. Imports take about a second.
const ROUND_PAUSE: Duration = Duration::from_secs(1);

/// What has to be left of the invocation after a pause, or the round is not begun.
const LEAST_TIME: Duration = Duration::from_secs(30);

/// What is to be served, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release<'a> {
    pub(crate) api: &'a str,
    pub(crate) stage: &'a str,
    pub(crate) document: &'a Document,
    pub(crate) variables: &'a BTreeMap<String, String>,
    pub(crate) revision: Option<&'a str>,
}

/// What a stage serves now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deployed {
    /// The deployment.
    pub(crate) id: String,
    /// What it served before this job.
    pub(crate) previous_id: String,
    /// What this job changed.
    pub(crate) change: Change,
}

/// What a job changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A new import and deployment.
    Imported,
    /// The stage was moved onto a deployment that was there.
    Promoted,
    /// Only the stage's variables.
    Variables,
    /// All was as it should be.
    Nothing,
}

/// Makes a stage serve a document.
pub(crate) async fn deploy(
    gateway: &Gateway,
    release: &Release<'_>,
    deadline: Deadline,
) -> Result<Deployed, DeployApiError> {
    let mut job = Rounds {
        gateway,
        release,
        before: None,
        imported: false,
    };
    let mut round = 1;
    loop {
        let error = match job.round().await {
            Ok(deployed) => return Ok(deployed),
            Err(error) => error,
        };
        let Some(pause) = error.retry_in(ROUND_PAUSE) else {
            return Err(error);
        };
        if round == MAX_ROUNDS || deadline.remaining() < pause + LEAST_TIME {
            return Err(error);
        }
        tracing::warn!(
            error = shared::failure::chain(&error),
            ?pause,
            "beginning anew"
        );
        tokio::time::sleep(pause).await;
        round += 1;
    }
}

struct Rounds<'a> {
    gateway: &'a Gateway,
    release: &'a Release<'a>,
    /// The stage as the first round met it.
    before: Option<Stage>,
    imported: bool,
}

impl Rounds<'_> {
    async fn round(&mut self) -> Result<Deployed, DeployApiError> {
        let stage = self.stage().await?;
        let mut same = self.same_document().await?;
        if same.is_empty() {
            let made = self.import().await?;
            // A reply may have been lost, or the job delivered twice: see what there really is.
            same = self.same_document().await?;
            if same.is_empty() {
                same.push(made);
            }
        }
        let served = same
            .iter()
            .find(|deployment| deployment.id == stage.deployment_id);
        let target = served.unwrap_or(&same[0]).id.clone();
        let changed = self.move_stage(&stage, &target).await?;
        self.prune(&same, &target).await;
        let before = self.before.get_or_insert(stage);
        let change = match changed {
            _ if self.imported && before.deployment_id != target => Change::Imported,
            _ if before.deployment_id != target => Change::Promoted,
            true => Change::Variables,
            false => Change::Nothing,
        };
        Ok(Deployed {
            id: target,
            previous_id: before.deployment_id.clone(),
            change,
        })
    }

    async fn stage(&mut self) -> Result<Stage, DeployApiError> {
        let Release {
            api, stage: name, ..
        } = *self.release;
        let stage = self
            .gateway
            .stage(api, name)
            .await
            .map_err(|refusal| self.failed("read", refusal))?;
        let Some(stage) = stage else {
            let stages = self.gateway.stages(api).await.unwrap_or_default();
            let mut stages: Vec<_> = stages.into_iter().map(|(name, _)| name).collect();
            stages.dedup();
            return Err(DeployApiError::NoStage {
                api: api.to_owned(),
                stage: name.to_owned(),
                stages,
            });
        };
        if let Some(canary) = stage.canary_deployment_id {
            return Err(DeployApiError::Canary {
                api: api.to_owned(),
                stage: name.to_owned(),
                deployment: stage.deployment_id,
                canary,
            });
        }
        self.before.get_or_insert_with(|| stage.clone());
        Ok(stage)
    }

    /// The deployments of this very document, the oldest first.
    async fn same_document(&self) -> Result<Vec<Deployment>, DeployApiError> {
        let marker = marker(self.release.document);
        let mut deployments = self
            .gateway
            .deployments(self.release.api)
            .await
            .map_err(|refusal| self.failed("list the deployments of", refusal))?;
        deployments.retain(|deployment| has_marker(&deployment.description, &marker));
        Ok(deployments)
    }

    async fn import(&mut self) -> Result<Deployment, DeployApiError> {
        let Release {
            api,
            document,
            revision,
            ..
        } = *self.release;
        self.gateway.import(api, &document.body).await?;
        let mut description = marker(document);
        if let Some(revision) = revision {
            description.push_str(" revision ");
            description.push_str(revision);
        }
        let made = self
            .gateway
            .create_deployment(api, &description)
            .await
            .map_err(|refusal| self.failed("make a deployment of", refusal))?;
        tracing::info!(
            deployment = made.id,
            sha256 = document.sha256,
            "made a deployment"
        );
        self.imported = true;
        Ok(made)
    }

    /// Moves the stage where it is not there yet, and says whether anything had to change.
    async fn move_stage(&self, stage: &Stage, target: &str) -> Result<bool, DeployApiError> {
        let Release {
            api,
            stage: name,
            variables,
            ..
        } = *self.release;
        let changed: BTreeMap<_, _> = variables
            .iter()
            .filter(|(name, value)| stage.variables.get(*name) != Some(value))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let deployment = (stage.deployment_id != target).then_some(target);
        if changed.is_empty() && deployment.is_none() {
            return Ok(false);
        }
        let Err(refusal) = self
            .gateway
            .update_stage(api, name, deployment, &changed)
            .await
        else {
            return Ok(true);
        };
        let refused = matches!(
            refusal.call.kind,
            CallErrorKind::NotFound | CallErrorKind::Invalid
        );
        if refused
            && self
                .gateway
                .has_deployment(api, target)
                .await
                .is_ok_and(|there| !there)
        {
            return Err(DeployApiError::Overtaken {
                api: api.to_owned(),
                deployment: target.to_owned(),
            });
        }
        Err(self.failed("move the stage of", refusal))
    }

    /// Removes what repeated calls made. That something is left is no reason to fail: no stage
    /// serves it.
    async fn prune(&self, same: &[Deployment], target: &str) {
        let api = self.release.api;
        if same.len() < 2 {
            return;
        }
        let served: HashSet<_> = match self.gateway.stages(api).await {
            Ok(stages) => stages
                .into_iter()
                .map(|(_, deployment)| deployment)
                .collect(),
            Err(refusal) => {
                tracing::warn!(error = %refusal.call, "repeated deployments stay");
                return;
            }
        };
        for deployment in same
            .iter()
            .filter(|same| same.id != target && !served.contains(&same.id))
        {
            match self.gateway.delete_deployment(api, &deployment.id).await {
                Ok(()) => {
                    tracing::info!(deployment = deployment.id, "removed a repeated deployment");
                }
                Err(refusal) => {
                    tracing::warn!(deployment = deployment.id, error = %refusal.call, "a repeated deployment stays");
                }
            }
        }
    }

    fn failed(&self, doing: &'static str, refusal: Refusal) -> DeployApiError {
        DeployApiError::call(doing, self.release.api, refusal)
    }
}

/// What the description of a document's deployments begins with.
fn marker(document: &Document) -> String {
    format!("{OURS} sha256:{}", document.sha256)
}

fn has_marker(description: &str, marker: &str) -> bool {
    description
        .strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_with_and_without_a_revision() {
        let document = Document {
            body: Vec::new(),
            sha256: "ab".to_owned(),
        };
        let marker = marker(&document);
        assert_eq!(marker, "serverless-delivery sha256:ab");
        assert!(has_marker("serverless-delivery sha256:ab", &marker));
        assert!(has_marker(
            "serverless-delivery sha256:ab revision 1",
            &marker
        ));
        assert!(!has_marker("serverless-delivery sha256:abc", &marker));
        assert!(!has_marker("made by hand", &marker));
    }
}
