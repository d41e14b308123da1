//! Makes a stage serve a document.
//!
//! Problem: an API has one definition, which every import replaces, and any number of deployments, which are snapshots of
//! it; a stage serves one of them. Nothing in API Gateway ties these steps together: a job may end
//! after any of them, Lambda may deliver it twice, and somebody else may import in between. And nothing says which
//! document a deployment was made of.
//!
//! Solution: the description of a deployment carries the digest of its document, so the state of API Gateway alone says
//! what is left to do. Doing it again, or twice at once, ends where doing it once ends:
//!
//! 1. If there is a deployment of this document, it is used. So production serves the very snapshot that was
//!    tested in another stage, and after a lost reply or a killed invocation the work is found again.
//! 2. Otherwise the document is imported, which no stage notices, and a deployment is created as `unchecked`. It
//!    gets the digest only after the API's description has shown that this import is still the last one:
//!    a deployment is a snapshot of whatever the API is at that moment.
//! 3. The stage is moved, its variables with it, in one call.
//! 4. Other deployments of this document, and unchecked ones, are removed unless a stage serves them: they are
//!    left over from repeated calls and killed invocations.
//!
//! If somebody else's change interferes, or the service throttles, all of it is tried again from the start.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use delivery_action::aws::CallErrorKind;
use delivery_action::clock::Deadline;
use delivery_action::execution::ExecutionCheck;

use crate::document::Document;
use crate::error::DeployApiError;
use crate::gateway::{Deployment, FailedCall, Gateway, Stage};

/// The beginning of the descriptions of this action's deployments.
const DESCRIPTION_PREFIX: &str = "serverless-delivery";

/// The description of a deployment until it is known which document it is of.
const UNCHECKED: &str = "serverless-delivery unchecked";

/// How often the work is done from the start if somebody else changes the API or the service throttles.
const MAX_ATTEMPTS: u32 = 5;

/// Pause before the next attempt, unless the service names one. Imports take about a second.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How much of the invocation has to be left after a pause to begin another attempt.
const MIN_TIME: Duration = Duration::from_secs(30);

/// What to serve, and where.
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
    /// The stage was moved to a deployment that existed already.
    Promoted,
    /// Only the stage's variables.
    Variables,
    /// The stage served the document already.
    Nothing,
}

/// Makes a stage serve a document.
pub(crate) async fn deploy(
    gateway: &Gateway,
    release: &Release<'_>,
    check: &ExecutionCheck,
    deadline: Deadline,
) -> Result<Deployed, DeployApiError> {
    let mut deployment = StageDeployment {
        gateway,
        release,
        check,
        first_seen: None,
        imported: false,
    };
    let mut attempt = 1;
    loop {
        let error = match deployment.attempt().await {
            Ok(deployed) => return Ok(deployed),
            Err(error) => error,
        };
        let Some(pause) = error.retry_in(RETRY_PAUSE) else {
            return Err(error);
        };
        if attempt == MAX_ATTEMPTS || deadline.remaining() < pause + MIN_TIME {
            return Err(error);
        }
        tracing::warn!(
            error = delivery_action::failure::chain(&error),
            ?pause,
            "retrying from the start"
        );
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

/// The work of one job, over all its attempts.
struct StageDeployment<'a> {
    gateway: &'a Gateway,
    release: &'a Release<'a>,
    check: &'a ExecutionCheck,
    /// The stage as the first attempt found it.
    first_seen: Option<Stage>,
    imported: bool,
}

impl StageDeployment<'_> {
    /// One attempt, from reading the state to cleaning up.
    async fn attempt(&mut self) -> Result<Deployed, DeployApiError> {
        let stage = self.stage().await?;
        let mut own = self.own_deployments().await?;
        if own.of_document.is_empty() {
            let created = self.import().await?;
            // Listed again, because there may be two by now: the job was delivered twice, or the SDK repeated
            // a call whose reply was lost. Both jobs have to choose the same one.
            own = self.own_deployments().await?;
            if own.of_document.is_empty() {
                own.of_document.push(created);
            }
        }
        // The one that the stage serves, so that a repeated job changes nothing; else the oldest.
        let served = own
            .of_document
            .iter()
            .find(|deployment| deployment.id == stage.deployment_id);
        let target = served.unwrap_or(&own.of_document[0]).id.clone();
        let changed = self.move_stage(&stage, &target).await?;
        self.remove_leftovers(&own, &target).await;
        let first_seen = self.first_seen.get_or_insert(stage);
        let change = match changed {
            _ if self.imported && first_seen.deployment_id != target => Change::Imported,
            _ if first_seen.deployment_id != target => Change::Promoted,
            true => Change::Variables,
            false => Change::Nothing,
        };
        Ok(Deployed {
            id: target,
            previous_id: first_seen.deployment_id.clone(),
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
            .map_err(|failed| self.failed("read", failed))?;
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
        self.first_seen.get_or_insert_with(|| stage.clone());
        Ok(stage)
    }

    async fn own_deployments(&self) -> Result<OwnDeployments, DeployApiError> {
        let marker = marker(self.release.document);
        let deployments = self
            .gateway
            .deployments(self.release.api)
            .await
            .map_err(|failed| self.failed("list the deployments of", failed))?;
        let (of_document, others): (Vec<_>, Vec<_>) = deployments
            .into_iter()
            .partition(|deployment| has_marker(&deployment.description, &marker));
        let unchecked = others.into_iter();
        Ok(OwnDeployments {
            of_document,
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
        // Asked before each of the two: an import takes seconds, in which a newer execution may have begun.
        self.check.still_runs().await?;
        let imported = self.gateway.import(api, &document.marked(&marker)).await?;
        self.check.still_runs().await?;
        let mut created = self
            .gateway
            .create_deployment(api, UNCHECKED)
            .await
            .map_err(|failed| self.failed("create a deployment of", failed))?;
        if imported.contains(&marker) {
            self.check_import(&created, &marker).await?;
        } else {
            tracing::warn!(
                "API Gateway did not keep the document's description, so the import cannot be checked"
            );
        }
        created.description = marker;
        if let Some(revision) = revision {
            created.description.push_str(" revision ");
            created.description.push_str(revision);
        }
        self.describe(&created).await?;
        tracing::info!(
            deployment = created.id,
            sha256 = document.sha256,
            "created a deployment"
        );
        self.imported = true;
        Ok(created)
    }

    /// Removes a deployment if the API's last import is another one by now: then nobody knows what the
    /// deployment is of.
    async fn check_import(&self, created: &Deployment, marker: &str) -> Result<(), DeployApiError> {
        let api = self.release.api;
        let read = self.gateway.description(api).await;
        let description = read.map_err(|failed| self.failed("read", failed))?;
        if description.contains(marker) {
            return Ok(());
        }
        if let Err(failed) = self.gateway.delete_deployment(api, &created.id).await {
            // Its description has no digest, so no job will ever use it.
            tracing::warn!(deployment = created.id, error = %failed.call, "cannot remove a deployment of another import");
        }
        Err(DeployApiError::ImportReplaced {
            api: api.to_owned(),
        })
    }

    /// Records in a deployment's description which document it is of.
    async fn describe(&self, created: &Deployment) -> Result<(), DeployApiError> {
        let api = self.release.api;
        let described = self
            .gateway
            .describe_deployment(api, &created.id, &created.description)
            .await;
        described.map_err(|failed| {
            if failed.call.kind == CallErrorKind::NotFound {
                // Another job has removed it as a leftover.
                return DeployApiError::DeploymentRemoved {
                    api: api.to_owned(),
                    deployment: created.id.clone(),
                };
            }
            self.failed("describe a deployment of", failed)
        })
    }

    /// Moves the stage unless it is there already; returns whether anything had to change.
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
        let Err(failed) = self
            .gateway
            .update_stage(api, name, deployment, &changed)
            .await
        else {
            return Ok(true);
        };
        let may_be_gone = matches!(
            failed.call.kind,
            CallErrorKind::NotFound | CallErrorKind::Invalid
        );
        // API Gateway answers both if the deployment does not exist; only a look tells.
        if may_be_gone
            && self
                .gateway
                .has_deployment(api, target)
                .await
                .is_ok_and(|exists| !exists)
        {
            return Err(DeployApiError::DeploymentRemoved {
                api: api.to_owned(),
                deployment: target.to_owned(),
            });
        }
        Err(self.failed("move the stage of", failed))
    }

    /// Removes deployments that repeated calls and killed invocations left. If that fails, the job does not:
    /// no stage serves them.
    async fn remove_leftovers(&self, own: &OwnDeployments, target: &str) {
        let api = self.release.api;
        let all = || own.of_document.iter().chain(&own.unchecked);
        if all().all(|deployment| deployment.id == target) {
            return;
        }
        let served: HashSet<_> = match self.gateway.stages(api).await {
            Ok(stages) => stages
                .into_iter()
                .map(|(_, deployment)| deployment)
                .collect(),
            Err(failed) => {
                tracing::warn!(error = %failed.call, "cannot list stages, so leftover deployments stay");
                return;
            }
        };
        let is_leftover = |found: &&Deployment| found.id != target && !served.contains(&found.id);
        for deployment in all().filter(is_leftover) {
            match self.gateway.delete_deployment(api, &deployment.id).await {
                Ok(()) => {
                    tracing::info!(deployment = deployment.id, "removed a leftover deployment");
                }
                Err(failed) => {
                    tracing::warn!(deployment = deployment.id, error = %failed.call, "cannot remove a leftover deployment");
                }
            }
        }
    }

    fn failed(&self, doing: &'static str, failed: FailedCall) -> DeployApiError {
        DeployApiError::call(doing, self.release.api, failed)
    }
}

/// Deployments that jobs of this action created, the oldest first.
struct OwnDeployments {
    /// Those of this document.
    of_document: Vec<Deployment>,
    /// Those whose job has not recorded, or never will, which document they are of.
    unchecked: Vec<Deployment>,
}

/// The beginning of the descriptions of a document's deployments.
fn marker(document: &Document) -> String {
    format!("{DESCRIPTION_PREFIX} sha256:{}", document.sha256)
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
