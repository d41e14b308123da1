//! The guard: looks at each watched alias, and puts a rollout back that nobody watches any more.

use aws_sdk_lambda::Client;
use delivery_action::aws::{CallError, CallErrorKind, SdkConfig};
use delivery_action::clock::{self, Deadline};
use delivery_action::env;
use delivery_action::event::EventFunction;
use delivery_alias::{Found, FunctionAlias};
use delivery_rollout::{Change, Marker, Phase, put_back_unwatched, under_way};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::error::GuardError;
use crate::event::EndedAction;
use crate::watched::{WATCHED_ALIASES, Watched};

/// Aliases that are looked at at once: one that Lambda does not answer for must not hold up the others, and Lambda takes
/// 15 such calls a second for a whole account (Lambda Developer Guide, "Lambda quotas").
const AT_ONCE: usize = 4;

/// Events tell their time in whole seconds, and by another clock than the action's.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(2);

/// The function.
#[derive(Debug)]
pub struct Guard {
    lambda: Client,
    watched: Vec<Watched>,
}

impl Guard {
    /// The guard of these aliases.
    #[must_use]
    pub fn new(config: &SdkConfig, watched: Vec<Watched>) -> Self {
        Self {
            lambda: Client::new(config),
            watched,
        }
    }

    /// The guard of the aliases in this function's configuration.
    ///
    /// # Errors
    ///
    /// [`GuardError::Configuration`].
    pub fn of_function(config: &SdkConfig) -> Result<Self, GuardError> {
        let list = env::var(WATCHED_ALIASES);
        Ok(Self::new(config, Watched::parse_list(list.as_deref())?))
    }

    async fn look_after(
        &self,
        watched: &Watched,
        ended: Option<&EndedAction>,
    ) -> Result<(), CallError> {
        let alias = FunctionAlias::new(&self.lambda, &watched.function, &watched.alias);
        let Some(found) = alias.read().await? else {
            return Ok(()); // before its first deployment
        };
        if !says_that_it_is_watched(&found) {
            return Ok(());
        }
        let good = alias.good().read().await?.map(|good| good.alias.version);
        let good = good.as_deref();
        let ended = ended.filter(|ended| {
            let marker = under_way(&found.alias, good);
            ended.moves(watched) && marker.is_some_and(|marker| !began_after(marker, ended.at))
        });
        let ended = ended.map(|ended| ended.execution.as_str());
        let Some(change) = put_back_unwatched(clock::timestamp(), &found.alias, good, ended) else {
            return Ok(());
        };
        put_back(&alias, &found, &change).await
    }
}

impl EventFunction for Guard {
    const NAME: &'static str = "guard";
    type Error = GuardError;

    async fn handle(&self, event: &Value, _deadline: Deadline) -> Result<(), GuardError> {
        let ended = EndedAction::of(event);
        let watched = self.watched.iter();
        let looks: Vec<_> = watched
            .map(|watched| self.look_after(watched, ended.as_ref()))
            .collect();
        let looked: Vec<_> = stream::iter(looks)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let failed: Vec<_> = looked.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(GuardError::Calls {
            of: self.watched.len(),
            failed,
        })
    }
}

/// Most aliases are in no rollout; then one call is enough.
fn says_that_it_is_watched(found: &Found) -> bool {
    let marker = found.alias.description.marker.as_ref();
    marker.is_some_and(|marker| marker.phase.watched_until().is_some())
}

/// Whether the step began after an event: a retried stage has the execution of the attempt that failed.
fn began_after(marker: &Marker, at: Timestamp) -> bool {
    match marker.phase {
        Phase::Step { since, .. } | Phase::Bake { since, .. } => {
            since.duration_since(at) > CLOCKS_DIFFER
        }
        Phase::Ended(_) => false,
    }
}

async fn put_back(alias: &FunctionAlias, from: &Found, change: &Change) -> Result<(), CallError> {
    match alias.change(from, change).await {
        Ok(_) => {}
        // Somebody else has changed it, so somebody is there; or it was this change, whose answer was lost.
        Err(error) if error.kind == CallErrorKind::Conflict => {
            let is_ours = |now: &Found| now.alias.description == change.description;
            if !alias.read().await?.as_ref().is_some_and(is_ours) {
                tracing::info!(
                    alias = alias.resource(),
                    "left as it is: it was changed meanwhile"
                );
                return Ok(());
            }
        }
        Err(error) => return Err(error),
    }
    tracing::warn!(
        alias = alias.resource(),
        version = change.version,
        says = %change.description,
        "put back: this version has all traffic"
    );
    Ok(())
}
