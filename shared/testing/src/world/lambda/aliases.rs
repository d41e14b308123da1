//! Aliases: what they may be set to, and every state that they have been in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Function, Lambda, Refused, arn, check_revision};
use crate::world::{Answer, ApiRequest};

/// One alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    version: String,
    /// In thousandths, so that states can be compared.
    weights: BTreeMap<String, u32>,
    description: String,
    revision_id: String,
    /// How often Lambda's own weights are seen after a move; `None` without provisioned concurrency.
    provisioned: Option<u32>,
    /// The version before, and how often it will still be seen with all the traffic.
    moving_from: Option<(String, u32)>,
}

/// A state that an alias came into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasEvent {
    /// `function:alias`.
    pub alias: String,
    /// What it was set to; `None` when it was deleted.
    pub state: Option<Alias>,
    /// Whether an invocation through it was answered then: it is there, and each version that it
    /// may choose exists and is active.
    pub served: bool,
}

impl Alias {
    pub(super) fn on(version: &str, revision_id: String) -> Self {
        Self {
            version: version.to_owned(),
            weights: BTreeMap::new(),
            description: String::new(),
            revision_id,
            provisioned: None,
            moving_from: None,
        }
    }

    /// The version that it is on.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The share of another version, in thousandths.
    #[must_use]
    pub fn weights(&self) -> &BTreeMap<String, u32> {
        &self.weights
    }

    /// Its description.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a weight is checked to be within 0 and 1, or chosen by a test"
    )]
    pub(super) fn set_weights(&mut self, weights: impl Iterator<Item = (String, f64)>) {
        self.weights = weights
            .map(|(version, weight)| (version, (weight * 1_000.0).round() as u32))
            .collect();
    }

    pub(super) fn forget_revision(&mut self) {
        self.revision_id.clear();
    }

    fn shown(&self, function: &str, name: &str) -> Value {
        let mut shown = json!({
            "AliasArn": format!("{}:{name}", arn(function)),
            "Name": name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision_id,
        });
        if let Some((before, _)) = &self.moving_from {
            shown["RoutingConfig"] = json!({"AdditionalVersionWeights": {before: 1.0}});
        } else if !self.weights.is_empty() {
            let weights: BTreeMap<_, _> = self
                .weights
                .iter()
                .map(|(version, weight)| (version, f64::from(*weight) / 1_000.0))
                .collect();
            shown["RoutingConfig"] = json!({"AdditionalVersionWeights": weights});
        }
        shown
    }

    fn is_served_by(&self, function: &Function) -> bool {
        let active = |version: &String| {
            version == "$LATEST"
                || version
                    .parse()
                    .ok()
                    .and_then(|number: u64| function.versions.get(&number))
                    .is_some_and(|version| version.pending == 0)
        };
        active(&self.version) && self.weights.keys().all(active)
    }
}

impl Lambda {
    /// Gives an alias provisioned concurrency: after each move Lambda keeps all traffic on the version before by
    /// a weight of its own, until the alias was looked at so often.
    pub fn provision(&mut self, function: &str, alias: &str, looks: u32) {
        let aliases = &mut self.function(function).aliases;
        let alias = aliases.get_mut(alias).expect("the test has made the alias");
        alias.provisioned = Some(looks);
    }

    pub(super) fn provisioned_concurrency(
        &mut self,
        function: &str,
        request: &ApiRequest,
    ) -> Result<Value, Refused> {
        let name = request.query.get("Qualifier").map_or("", String::as_str);
        let alias = self.alias(function, name)?;
        if alias.provisioned.is_none() {
            let code = "ProvisionedConcurrencyConfigNotFoundException";
            let message = "No Provisioned Concurrency Config found for this function";
            return Err(Answer::error(404, code, message));
        }
        let status = match alias.moving_from {
            Some(_) => "IN_PROGRESS",
            None => "READY",
        };
        Ok(json!({"RequestedProvisionedConcurrentExecutions": 1, "Status": status}))
    }

    pub(super) fn set_alias(&mut self, function: &str, name: &str, state: Alias) {
        let owner = self.function(function);
        owner.aliases.insert(name.to_owned(), state.clone());
        let served = state.is_served_by(owner);
        let alias = format!("{function}:{name}");
        self.alias_events.push(AliasEvent {
            alias,
            state: Some(state),
            served,
        });
    }

    fn alias(&mut self, function: &str, name: &str) -> Result<Alias, Refused> {
        let found = self.function(function).aliases.get(name).cloned();
        found.ok_or_else(|| {
            let message = format!("Cannot find alias arn: {}:{name}", arn(function));
            Answer::error(404, "ResourceNotFoundException", &message)
        })
    }

    pub(super) fn get_alias(
        &mut self,
        function: &str,
        request: &ApiRequest,
    ) -> Result<Value, Refused> {
        let name = request.segment(4);
        let shown = self.alias(function, name)?.shown(function, name);
        if let Some(alias) = self.function(function).aliases.get_mut(name) {
            alias.moving_from = alias
                .moving_from
                .take()
                .and_then(|(before, looks)| Some((before, looks.checked_sub(1)?)));
        }
        Ok(shown)
    }

    pub(super) fn create_alias(
        &mut self,
        function: &str,
        request: &ApiRequest,
    ) -> Result<Value, Refused> {
        let name = request.text("Name").to_owned();
        if self.alias(function, &name).is_ok() {
            let message = format!("Alias already exists: {}:{name}", arn(function));
            return Err(Answer::error(409, "ResourceConflictException", &message));
        }
        let mut state = Alias::on("", String::new());
        self.apply(function, request, &mut state)?;
        let shown = state.shown(function, &name);
        self.set_alias(function, &name, state);
        Ok(shown)
    }

    pub(super) fn update_alias(
        &mut self,
        function: &str,
        request: &ApiRequest,
    ) -> Result<Value, Refused> {
        let name = request.segment(4).to_owned();
        let mut state = self.alias(function, &name)?;
        check_revision(request, &state.revision_id)?;
        let before = state.version.clone();
        self.apply(function, request, &mut state)?;
        if let Some(looks) = state.provisioned.filter(|_| before != state.version) {
            state.moving_from = Some((before, looks));
        }
        let shown = state.shown(function, &name);
        self.set_alias(function, &name, state);
        Ok(shown)
    }

    pub(super) fn delete_alias(
        &mut self,
        function: &str,
        request: &ApiRequest,
    ) -> Result<Value, Refused> {
        let name = request.segment(4).to_owned();
        self.alias(function, &name)?;
        self.function(function).aliases.remove(&name);
        let alias = format!("{function}:{name}");
        self.alias_events.push(AliasEvent {
            alias,
            state: None,
            served: false,
        });
        Ok(json!({}))
    }

    /// What is not given stays as it is, also the weights.
    fn apply(
        &mut self,
        function: &str,
        request: &ApiRequest,
        state: &mut Alias,
    ) -> Result<(), Refused> {
        let body = &request.body;
        if let Some(version) = body.get("FunctionVersion").and_then(Value::as_str) {
            version.clone_into(&mut state.version);
        }
        if let Some(description) = body.get("Description").and_then(Value::as_str) {
            description.clone_into(&mut state.description);
        }
        if let Some(weights) = body.pointer("/RoutingConfig/AdditionalVersionWeights") {
            let weights: BTreeMap<String, f64> = serde_json::from_value(weights.clone())
                .map_err(|_| invalid("AdditionalVersionWeights is not a map of numbers"))?;
            check_weights(&weights)?;
            state.set_weights(weights.into_iter());
        }
        self.check_versions(function, state)?;
        state.revision_id = self.next_revision();
        Ok(())
    }

    fn check_versions(&mut self, function: &str, state: &Alias) -> Result<(), Refused> {
        let weighted = !state.weights.is_empty();
        if weighted && (state.version == "$LATEST" || state.weights.contains_key("$LATEST")) {
            return Err(invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if state.weights.contains_key(&state.version) {
            return Err(invalid("the versions of a weighted alias must differ"));
        }
        let owner = self.function(function);
        for version in std::iter::once(&state.version).chain(state.weights.keys()) {
            let exists = version == "$LATEST"
                || version
                    .parse()
                    .is_ok_and(|number: u64| owner.versions.contains_key(&number));
            if !exists {
                let message = format!("Function not found: {}:{version}", arn(function));
                return Err(Answer::error(404, "ResourceNotFoundException", &message));
            }
        }
        let found = |version: &String| owner.versions.get(&version.parse().ok()?);
        let identity = |version| found(version).map(|found| &found.identity);
        let first = identity(&state.version);
        if state.weights.keys().any(|other| identity(other) != first) {
            return Err(invalid(
                "Specified versions must be associated with the same execution role and dead letter queue configuration",
            ));
        }
        Ok(())
    }
}

fn check_weights(weights: &BTreeMap<String, f64>) -> Result<(), Refused> {
    if weights.len() > 1 {
        return Err(invalid(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    if weights.values().any(|weight| !(0.0..=1.0).contains(weight)) {
        return Err(invalid("a weight is not between 0.0 and 1.0"));
    }
    Ok(())
}

fn invalid(message: &str) -> Refused {
    Answer::error(400, "InvalidParameterValueException", message)
}
