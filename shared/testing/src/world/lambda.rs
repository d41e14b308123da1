//! Lambda's functions, versions and aliases, with every guard that AWS has.
//!
//! Updates take a number of looks rather than time: the status stays `InProgress` until it has been
//! read that often. Each state that an alias has ever been in is recorded.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, ApiRequest};
use crate::events::ACCOUNT_ID;
use crate::s3::{Objects, REGION};

mod aliases;

pub use aliases::{Alias, AliasEvent};

/// All functions of the account.
#[derive(Debug, Default)]
pub struct Lambda {
    functions: BTreeMap<String, Function>,
    alias_events: Vec<AliasEvent>,
    revisions: u64,
    polls: u32,
    store_error: Option<&'static str>,
    failing_code: Option<String>,
    answers: BTreeMap<String, Vec<Invocation>>,
}

/// How a function answers an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What it returns.
    pub payload: String,
    /// `Unhandled`, if it failed.
    pub error: Option<&'static str>,
    /// The end of its log.
    pub log: String,
}

/// One function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// The code of `$LATEST`.
    pub code_sha256: String,
    /// What else a version is made of; a change of it makes another version.
    pub configuration: String,
    /// What it may do and where its failed events go; a change of it makes another version, too.
    pub identity: Identity,
    /// Changes with every change of `$LATEST`.
    pub revision_id: String,
    /// How often the update in progress will still be seen.
    pub in_progress: u32,
    /// Why the last update failed; `None` if it did not.
    pub failed: Option<String>,
    /// The published versions.
    pub versions: BTreeMap<u64, Version>,
    /// The aliases.
    pub aliases: BTreeMap<String, Alias>,
    /// The last version's number; numbers are never used again.
    pub last_version: u64,
}

/// What the two versions of a weighted alias must share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Another execution role than the one with the function's name.
    pub role: Option<String>,
    /// The dead letter queue.
    pub dead_letter_queue: Option<String>,
}

/// One published version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Its code.
    pub code_sha256: String,
    /// What else it is made of.
    pub configuration: String,
    /// Its role and queue.
    pub identity: Identity,
    /// Its description.
    pub description: String,
    /// How often it will still be seen `Pending`.
    pub pending: u32,
}

/// The hash of code as Lambda writes it.
#[must_use]
pub fn code_sha256(code: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(code))
}

/// Versions on one page at most (`API_ListVersionsByFunction`, `MaxItems`).
const VERSIONS_A_PAGE: usize = 50;

type Refused = Answer;

impl Lambda {
    /// Adds a function with this code, one published version of it, and aliases on that version.
    pub fn add_function(&mut self, name: &str, code: &[u8], aliases: &[&str]) {
        let sha = code_sha256(code);
        let version = Version {
            code_sha256: sha.clone(),
            configuration: "c1".to_owned(),
            ..Version::default()
        };
        let function = Function {
            code_sha256: sha,
            configuration: "c1".to_owned(),
            revision_id: self.next_revision(),
            versions: BTreeMap::from([(1, version)]),
            last_version: 1,
            ..Function::default()
        };
        self.functions.insert(name.to_owned(), function);
        for alias in aliases {
            let state = Alias::on("1", self.next_revision());
            self.set_alias(name, alias, state);
        }
    }

    /// A function, to look at or to change behind the action's back.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn function(&mut self, name: &str) -> &mut Function {
        self.functions
            .get_mut(name)
            .expect("the test has added the function")
    }

    /// Puts other code into `$LATEST`, as another deployment would.
    pub fn change_code(&mut self, name: &str, code: &[u8]) {
        let revision_id = self.next_revision();
        let function = self.function(name);
        function.code_sha256 = code_sha256(code);
        function.revision_id = revision_id;
    }

    /// Changes the configuration of `$LATEST`, as a stack update would.
    pub fn change_configuration(&mut self, name: &str, configuration: &str) {
        let revision_id = self.next_revision();
        let function = self.function(name);
        configuration.clone_into(&mut function.configuration);
        function.revision_id = revision_id;
    }

    /// Gives `$LATEST` another role or dead letter queue, as a stack update would.
    pub fn change_identity(&mut self, name: &str, identity: Identity) {
        let revision_id = self.next_revision();
        let function = self.function(name);
        function.identity = identity;
        function.revision_id = revision_id;
    }

    /// Puts an alias somewhere, as another deployment would.
    pub fn change_alias(
        &mut self,
        function: &str,
        alias: &str,
        version: &str,
        weights: &[(&str, f64)],
    ) {
        let mut state = Alias::on(version, self.next_revision());
        state.set_weights(
            weights
                .iter()
                .map(|&(version, weight)| (version.to_owned(), weight)),
        );
        self.set_alias(function, alias, state);
    }

    /// From now on an update is seen `InProgress`, and a version `Pending`, this many times.
    pub fn take_polls(&mut self, polls: u32) {
        self.polls = polls;
    }

    /// From now on Lambda may not read code from the store.
    pub fn deny_store(&mut self) {
        self.answer_of_store("AccessDenied");
    }

    /// From now on the store answers Lambda with this error code.
    pub fn answer_of_store(&mut self, code: &'static str) {
        self.store_error = Some(code);
    }

    /// From now on updates end as failed for this reason.
    pub fn fail_updates(&mut self, reason: &str) {
        self.failing_code = Some(reason.to_owned());
    }

    /// A function that answers its invocations like this, one after the other, and then always as the last time.
    pub fn answer_invocations(&mut self, function: &str, answers: Vec<Invocation>) {
        self.answers.insert(function.to_owned(), answers);
    }

    /// Every state that any alias has been in, in order.
    #[must_use]
    pub fn alias_events(&self) -> &[AliasEvent] {
        &self.alias_events
    }

    /// All functions without what differs between two equal runs (revision ids).
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Function> {
        let mut functions = self.functions.clone();
        for function in functions.values_mut() {
            function.revision_id.clear();
            for alias in function.aliases.values_mut() {
                alias.forget_revision();
            }
        }
        functions
    }

    fn next_revision(&mut self) -> String {
        self.revisions += 1;
        format!("00000000-0000-4000-8000-{:012}", self.revisions)
    }

    pub(super) fn route(&mut self, request: &ApiRequest, store: &Objects) -> Answer {
        let name = function_name(request.segment(2)).to_owned();
        if request.operation.name == "Invoke"
            && let Some(answers) = self.answers.get_mut(&name)
        {
            return invoked(answers);
        }
        if !self.functions.contains_key(&name) {
            let message = format!("Function not found: {}", arn(&name));
            return Answer::error(404, "ResourceNotFoundException", &message);
        }
        let answer = match request.operation.name.as_str() {
            "GetFunctionConfiguration" => self.configuration(&name, request),
            "GetFunction" => self
                .configuration(&name, request)
                .map(|configuration| json!({"Configuration": configuration, "Code": {}})),
            "UpdateFunctionCode" => self.update_code(&name, request, store),
            "PublishVersion" => self.publish(&name, request),
            "ListVersionsByFunction" => Ok(self.list_versions(&name, request)),
            "GetProvisionedConcurrencyConfig" => self.provisioned_concurrency(&name, request),
            "GetAlias" => self.get_alias(&name, request),
            "CreateAlias" => self.create_alias(&name, request),
            "UpdateAlias" => self.update_alias(&name, request),
            "DeleteAlias" => self.delete_alias(&name, request),
            other => Err(Answer::error(404, "UnknownOperationException", other)),
        };
        match answer {
            Ok(body)
                if matches!(
                    request.operation.name.as_str(),
                    "PublishVersion" | "CreateAlias"
                ) =>
            {
                Answer::json_with(201, &body)
            }
            Ok(body) => Answer::json(&body),
            Err(refused) => refused,
        }
    }

    fn configuration(&mut self, name: &str, request: &ApiRequest) -> Result<Value, Refused> {
        let Some(qualifier) = request.query.get("Qualifier").filter(|q| *q != "$LATEST") else {
            let function = self.function(name);
            let shown = latest(name, function);
            function.in_progress = function.in_progress.saturating_sub(1);
            return Ok(shown);
        };
        let function = self.function(name);
        let number = match function.aliases.get(qualifier) {
            Some(alias) => alias.version().parse().ok(),
            None => qualifier.parse().ok(),
        };
        let found =
            number.and_then(|number: u64| Some((number, function.versions.get_mut(&number)?)));
        let Some((number, version)) = found else {
            let message = format!("Function not found: {}:{qualifier}", arn(name));
            return Err(Answer::error(404, "ResourceNotFoundException", &message));
        };
        let shown = published(name, number, version);
        version.pending = version.pending.saturating_sub(1);
        Ok(shown)
    }

    fn update_code(
        &mut self,
        name: &str,
        request: &ApiRequest,
        store: &Objects,
    ) -> Result<Value, Refused> {
        check_revision(request, &self.function(name).revision_id)?;
        check_idle(name, self.function(name))?;
        let (bucket, key) = (request.text("S3Bucket"), request.text("S3Key"));
        if let Some(code) = self.store_error.filter(|code| *code != "AccessDenied") {
            let message = format!(
                "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: see the code"
            );
            let name = "InvalidParameterValueException";
            return Err(Answer::error(400, name, &message));
        }
        if self.store_error.is_some() {
            let message = format!(
                "Your access has been denied by S3, please make sure your request credentials have \
                 permission to GetObject for {bucket}/{key}. S3 Error Code: AccessDenied. S3 Error \
                 Message: Access Denied"
            );
            return Err(Answer::error(403, "AccessDeniedException", &message));
        }
        let Some(code) = store.read(bucket, key) else {
            let message = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error \
                           Message: The specified key does not exist.";
            return Err(Answer::error(
                400,
                "InvalidParameterValueException",
                message,
            ));
        };
        if !code.starts_with(b"PK\x03\x04") {
            let message =
                "Could not unzip uploaded file. Please check your file, then try to upload again.";
            return Err(Answer::error(
                400,
                "InvalidParameterValueException",
                message,
            ));
        }
        let (revision_id, polls, failed) =
            (self.next_revision(), self.polls, self.failing_code.clone());
        let function = self.function(name);
        function.code_sha256 = code_sha256(&code);
        function.revision_id = revision_id;
        function.in_progress = polls;
        function.failed = failed;
        Ok(latest(name, function))
    }

    fn publish(&mut self, name: &str, request: &ApiRequest) -> Result<Value, Refused> {
        let current = self.function(name).clone();
        let expected = request.text("CodeSha256");
        if !expected.is_empty() && expected != current.code_sha256 {
            let message = format!(
                "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({}). \
                 Please try again with the CodeSHA256 in $LATEST.",
                current.code_sha256
            );
            return Err(Answer::error(
                400,
                "InvalidParameterValueException",
                &message,
            ));
        }
        check_revision(request, &current.revision_id)?;
        check_idle(name, &current)?;
        if let Some((&number, last)) = current.versions.last_key_value()
            && last.code_sha256 == current.code_sha256
            && last.configuration == current.configuration
            && last.identity == current.identity
        {
            return Ok(published(name, number, last));
        }
        let (revision_id, polls) = (self.next_revision(), self.polls);
        let function = self.function(name);
        function.last_version += 1;
        function.revision_id = revision_id;
        let version = Version {
            code_sha256: current.code_sha256,
            configuration: current.configuration,
            identity: current.identity,
            description: request.text("Description").to_owned(),
            pending: polls,
        };
        let shown = published(name, function.last_version, &version);
        function.versions.insert(function.last_version, version);
        Ok(shown)
    }

    fn list_versions(&mut self, name: &str, request: &ApiRequest) -> Value {
        let function = self.function(name);
        let mut versions = vec![latest(name, function)];
        versions.extend(
            function
                .versions
                .iter()
                .map(|(&number, v)| published(name, number, v)),
        );
        let marker = request.query.get("Marker").map_or("0", String::as_str);
        let start: usize = marker.parse().unwrap_or_default();
        let page: Vec<_> = versions.iter().skip(start).take(VERSIONS_A_PAGE).collect();
        let mut shown = json!({"Versions": page});
        if start + page.len() < versions.len() {
            shown["NextMarker"] = (start + page.len()).to_string().into();
        }
        shown
    }
}

fn invoked(answers: &mut Vec<Invocation>) -> Answer {
    let answer = if answers.len() > 1 {
        answers.remove(0)
    } else {
        answers[0].clone()
    };
    let mut headers = vec![
        ("x-amz-log-result", BASE64_STANDARD.encode(&answer.log)),
        ("x-amz-executed-version", "$LATEST".to_owned()),
    ];
    headers.extend(
        answer
            .error
            .map(|error| ("x-amz-function-error", error.to_owned())),
    );
    Answer {
        status: 200,
        headers,
        body: answer.payload.into_bytes(),
    }
}

/// The name in a name, partial ARN or ARN.
fn function_name(text: &str) -> &str {
    text.rsplit_once("function:").map_or(text, |(_, name)| name)
}

fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}")
}

fn check_revision(request: &ApiRequest, current: &str) -> Result<(), Refused> {
    let given = request.text("RevisionId");
    if given.is_empty() || given == current {
        return Ok(());
    }
    let message = "The RevisionId provided does not match the latest RevisionId for the Lambda \
                   function or alias. Call the GetFunction or the GetAlias API to retrieve the \
                   latest RevisionId for your resource.";
    Err(Answer::error(412, "PreconditionFailedException", message))
}

fn check_idle(name: &str, function: &Function) -> Result<(), Refused> {
    if function.in_progress == 0 {
        return Ok(());
    }
    let message = format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {}",
        arn(name)
    );
    Err(Answer::error(409, "ResourceConflictException", &message))
}

impl Identity {
    fn role_arn(&self, function: &str) -> String {
        let role = self.role.as_deref().unwrap_or(function);
        format!("arn:aws:iam::{ACCOUNT_ID}:role/{role}")
    }

    fn dead_letter_config(&self) -> Value {
        match &self.dead_letter_queue {
            Some(queue) => {
                json!({"TargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}")})
            }
            None => Value::Null,
        }
    }
}

fn latest(name: &str, function: &Function) -> Value {
    let mut shown = json!({
        "FunctionName": name,
        "FunctionArn": arn(name),
        "Version": "$LATEST",
        "CodeSha256": function.code_sha256,
        "Environment": {"Variables": {"CONFIGURATION": function.configuration}},
        "RevisionId": function.revision_id,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Role": function.identity.role_arn(name),
        "DeadLetterConfig": function.identity.dead_letter_config(),
    });
    if function.in_progress > 0 {
        shown["LastUpdateStatus"] = "InProgress".into();
    } else if let Some(reason) = &function.failed {
        shown["LastUpdateStatus"] = "Failed".into();
        shown["LastUpdateStatusReason"] = reason.as_str().into();
        shown["LastUpdateStatusReasonCode"] = "InvalidConfiguration".into();
    }
    shown
}

fn published(name: &str, number: u64, version: &Version) -> Value {
    json!({
        "FunctionName": name,
        "FunctionArn": format!("{}:{number}", arn(name)),
        "Version": number.to_string(),
        "CodeSha256": version.code_sha256,
        "Environment": {"Variables": {"CONFIGURATION": version.configuration}},
        "Description": version.description,
        "RevisionId": format!("version-{number}"),
        "State": if version.pending > 0 { "Pending" } else { "Active" },
        "LastUpdateStatus": "Successful",
        "Role": version.identity.role_arn(name),
        "DeadLetterConfig": version.identity.dead_letter_config(),
    })
}
