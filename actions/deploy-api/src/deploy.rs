//! From a document to a stage that serves it.
//!
//! A deployment carries its document's digest in its description, so the state of API Gateway alone
//! says what is left to do, and doing it again, or twice at once, ends where doing it once ends:
//!
//! 1. A deployment of this very document is taken where there is one. So Production serves the
//!    snapshot that Acceptance has tested, and a lost reply or a killed invocation is found again.
//! 2. Else the document is imported, which no stage notices, and a deployment is made. It is said to be of this
//!    document only when the API still has this import: a deployment holds whatever the API is at that moment,
//!    and someone else may import in between.
//! 3. The stage is moved onto it, its variables with it, in one call.
//! 4. Other deployments of this very document, and those that were never said to be of any, are removed where no
//!    stage serves them: a repeated call or a killed invocation left them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use delivery_action::aws::CallErrorKind;
use delivery_action::clock::Deadline;
use delivery_action::execution::ExecutionCheck;

use crate::document::Document;
use crate::error::DeployApiError;
use crate::gateway::{Deployment, Gateway, Refusal, Stage};

/// What the descriptions of our deployments begin with.
const OURS: &str = "serverless-delivery";

/// What a deployment is called until it is known what it holds.
const UNCHECKED: &str = "serverless-delivery unchecked";

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
    check: &ExecutionCheck,
    deadline: Deadline,
) -> Result<Deployed, DeployApiError> {
    let mut job = Rounds {
        gateway,
        release,
        check,
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
            error = delivery_action::failure::chain(&error),
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
    check: &'a ExecutionCheck,
    /// The stage as the first round met it.
    before: Option<Stage>,
    imported: bool,
}

impl Rounds<'_> {
    async fn round(&mut self) -> Result<Deployed, DeployApiError> {
        let stage = self.stage().await?;
        let mut ours = self.our_deployments().await?;
        if ours.same.is_empty() {
            let made = self.import().await?;
            // A reply may have been lost, or the job delivered twice: see what there really is.
            ours = self.our_deployments().await?;
            if ours.same.is_empty() {
                ours.same.push(made);
            }
        }
        let same = &ours.same;
        let served = same
            .iter()
            .find(|deployment| deployment.id == stage.deployment_id);
        let target = served.unwrap_or(&same[0]).id.clone();
        let changed = self.move_stage(&stage, &target).await?;
        self.prune(&ours, &target).await;
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

    async fn our_deployments(&self) -> Result<Ours, DeployApiError> {
        let marker = marker(self.release.document);
        let deployments = self
            .gateway
            .deployments(self.release.api)
            .await
            .map_err(|refusal| self.failed("list the deployments of", refusal))?;
        let (same, others): (Vec<_>, Vec<_>) = deployments
            .into_iter()
            .partition(|deployment| has_marker(&deployment.description, &marker));
        let unchecked = others.into_iter();
        Ok(Ours {
            same,
            unchecked: unchecked
                .filter(|deployment| deployment.description == UNCHECKED)
                .collect(),
        })
    }

    async fn import(&mut self) -> Result<Deployment, DeployApiError> {
        let Release {
            api,
            document,
            revision,
            ..
        } = *self.release;
        let marker = marker(document);
        self.check.still_runs().await?;
        let imported = self.gateway.import(api, &document.marked(&marker)).await?;
        self.check.still_runs().await?;
        let mut made = self
            .gateway
            .create_deployment(api, UNCHECKED)
            .await
            .map_err(|refusal| self.failed("make a deployment of", refusal))?;
        if imported.contains(&marker) {
            self.check_import(&made, &marker).await?;
        } else {
            tracing::warn!("API Gateway does not keep the document's description: not checked");
        }
        made.description = marker;
        if let Some(revision) = revision {
            made.description.push_str(" revision ");
            made.description.push_str(revision);
        }
        self.describe(&made).await?;
        tracing::info!(
            deployment = made.id,
            sha256 = document.sha256,
            "made a deployment"
        );
        self.imported = true;
        Ok(made)
    }

    /// Takes a deployment back where the API is of another import by now: no one knows what it holds then.
    async fn check_import(&self, made: &Deployment, marker: &str) -> Result<(), DeployApiError> {
        let api = self.release.api;
        let read = self.gateway.description(api).await;
        let description = read.map_err(|refusal| self.failed("read", refusal))?;
        if description.contains(marker) {
            return Ok(());
        }
        if let Err(refusal) = self.gateway.delete_deployment(api, &made.id).await {
            // It bears no document's name, so no job will ever use it.
            tracing::warn!(deployment = made.id, error = %refusal.call, "a deployment of another import stays");
        }
        Err(DeployApiError::ImportReplaced {
            api: api.to_owned(),
        })
    }

    /// Says what a deployment holds.
    async fn describe(&self, made: &Deployment) -> Result<(), DeployApiError> {
        let api = self.release.api;
        let described = self
            .gateway
            .describe_deployment(api, &made.id, &made.description)
            .await;
        described.map_err(|refusal| {
            if refusal.call.kind == CallErrorKind::NotFound {
                // Another job has cleaned up meanwhile.
                return DeployApiError::Overtaken {
                    api: api.to_owned(),
                    deployment: made.id.clone(),
                };
            }
            self.failed("describe a deployment of", refusal)
        })
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
        self.check.still_runs().await?;
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

    /// Removes what repeated calls and killed invocations made. That something is left is no reason to fail: no
    /// stage serves it.
    async fn prune(&self, ours: &Ours, target: &str) {
        let api = self.release.api;
        let left = || ours.same.iter().chain(&ours.unchecked);
        if left().all(|deployment| deployment.id == target) {
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
        for deployment in left().filter(|left| left.id != target && !served.contains(&left.id)) {
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

/// Deployments that jobs of this action made, the oldest first.
struct Ours {
    /// Those of this very document.
    same: Vec<Deployment>,
    /// Those that nobody knows what they hold.
    unchecked: Vec<Deployment>,
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
            value: serde_json::Value::Null,
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
