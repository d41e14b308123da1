//! CloudFormation's stacks and change sets, as far as a deployment goes: asynchronous, and strict about who comes second.
//!
//! A change set is computed, and an operation ends, after some reads. A name is taken once, an executed change set is not
//! executed again, and executing one removes the others of its stack. Sources: CloudFormation API Reference,
//! `CreateChangeSet`, `ExecuteChangeSet`, `DescribeStacks`; messages as recorded from the service.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::{Answer, ApiRequest};
use removal::Resource;

mod removal;

/// The account and region in ids.
const ARN: &str = "arn:aws:cloudformation:eu-west-1:111122223333";

/// The stacks.
#[derive(Clone, Debug, Default)]
pub struct CloudFormation {
    stacks: BTreeMap<String, Stack>,
    /// How many reads a change set takes.
    polls: u32,
    /// How many reads an operation takes.
    operation_polls: u32,
    /// How many reads do not show a change set yet.
    hidden_reads: u32,
    /// How many ids and times were given.
    count: u32,
    /// Why operations fail from now on.
    failing: Option<String>,
    effects: Vec<(String, String)>,
}

/// What a stack is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployed {
    /// Its status.
    pub status: String,
    /// Its template: the text, or the address.
    pub template: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The role that it is changed with.
    pub role: String,
    /// Whether it is protected from being deleted.
    pub protected: bool,
}

#[derive(Clone, Debug, Default)]
struct Stack {
    id: String,
    now: Deployed,
    updated: u32,
    events: Vec<Event>,
    change_sets: BTreeMap<String, ChangeSet>,
    /// What is under way: the reads that are left, and what it leads to.
    pending: Option<(u32, Deployed)>,
    resources: Vec<Resource>,
}

#[derive(Clone, Debug)]
struct Event {
    id: u32,
    resource: String,
    status: String,
    reason: String,
    token: String,
}

#[derive(Clone, Debug)]
struct ChangeSet {
    polls: u32,
    executed: bool,
    wanted: Deployed,
}

type Refusal = (u16, &'static str, String);

impl CloudFormation {
    /// Has each change set and each operation take this many reads from now on.
    pub fn take_polls(&mut self, count: u32) {
        self.polls = count;
        self.operation_polls = count;
    }

    /// Has each operation take this many reads from now on.
    pub fn take_polls_of_operations(&mut self, count: u32) {
        self.operation_polls = count;
    }

    /// Has this many reads show no change set, though there is one: reads may lag behind writes.
    pub fn hide_change_sets(&mut self, reads: u32) {
        self.hidden_reads = reads;
    }

    /// Has each operation fail from now on, with this reason of its resource.
    pub fn fail_operations(&mut self, reason: &str) {
        self.failing = Some(reason.to_owned());
    }

    /// Makes a complete stack.
    pub fn add_stack(&mut self, name: &str, template: &str) {
        let id = self.next();
        let stack = Stack {
            id: format!("{ARN}:stack/{name}/{id}"),
            now: Deployed {
                status: "CREATE_COMPLETE".to_owned(),
                template: template.to_owned(),
                ..Deployed::default()
            },
            ..Stack::default()
        };
        self.stacks.insert(name.to_owned(), stack);
    }

    /// Puts a stack that is there into a status.
    ///
    /// # Panics
    ///
    /// There is no such stack.
    pub fn set_status(&mut self, name: &str, status: &str) {
        let stack = self.stacks.get_mut(name).expect("the stack is there");
        status.clone_into(&mut stack.now.status);
    }

    /// The stacks as they are, each operation at its end.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Deployed> {
        let settled = |stack: &Stack| match &stack.pending {
            Some((_, wanted)) => wanted.clone(),
            None => stack.now.clone(),
        };
        let stacks = self.stacks.iter();
        stacks
            .map(|(name, stack)| (name.clone(), settled(stack)))
            .filter(|(_, stack)| stack.status != "REVIEW_IN_PROGRESS")
            .collect()
    }

    /// Every change set that was executed: the stack and the template, in order.
    #[must_use]
    pub fn effects(&self) -> &[(String, String)] {
        &self.effects
    }

    /// Answers one request.
    #[must_use]
    pub fn route(&mut self, request: &ApiRequest) -> Answer {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(&request.bytes)
            .into_owned()
            .collect();
        let name = request.operation.name.as_str();
        let result = match name {
            "CreateChangeSet" => self.create_change_set(&fields),
            "DescribeChangeSet" => self.describe_change_set(&fields),
            "ExecuteChangeSet" => self.execute_change_set(&fields),
            "DeleteChangeSet" => self.delete_change_set(&fields),
            "DescribeStacks" => self.describe_stacks(&fields),
            "DescribeStackEvents" => self.describe_stack_events(&fields),
            "DeleteStack" => self.delete_stack(&fields),
            "ListStackResources" => self.list_stack_resources(&fields),
            "GetTemplate" => self.get_template(&fields),
            "UpdateTerminationProtection" => self.protect(&fields),
            _ => Err((
                400,
                "InvalidAction",
                format!("`{name}` is not part of this world"),
            )),
        };
        Answer::xml(match result {
            Ok(body) => (
                200,
                format!("<{name}Response><{name}Result>{body}</{name}Result></{name}Response>"),
            ),
            Err((status, code, message)) => (status, error(code, &message)),
        })
    }

    fn next(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// The stack of a name or an id.
    fn stack(&mut self, fields: &BTreeMap<String, String>) -> Result<&mut Stack, Refusal> {
        let name = text(fields, "StackName");
        let name = name.split('/').nth(1).unwrap_or(name).to_owned();
        let missing = (
            400,
            "ValidationError",
            format!("Stack with id {name} does not exist"),
        );
        self.stacks.get_mut(&name).ok_or(missing)
    }

    fn create_change_set(&mut self, fields: &BTreeMap<String, String>) -> Result<String, Refusal> {
        let (stack_name, name) = (text(fields, "StackName"), text(fields, "ChangeSetName"));
        let invalid = |message: String| (400, "ValidationError", message);
        let creates = text(fields, "ChangeSetType") == "CREATE";
        let (id, polls) = (self.next(), self.polls);
        if creates {
            self.stacks
                .entry(stack_name.to_owned())
                .or_insert_with(|| Stack {
                    id: format!("{ARN}:stack/{stack_name}/{id}"),
                    now: Deployed {
                        status: "REVIEW_IN_PROGRESS".to_owned(),
                        ..Deployed::default()
                    },
                    ..Stack::default()
                });
        }
        let stack = self
            .stacks
            .get_mut(stack_name)
            .ok_or_else(|| invalid(format!("Stack [{stack_name}] does not exist")))?;
        let reviewed = stack.now.status == "REVIEW_IN_PROGRESS";
        if creates && !reviewed {
            return Err(invalid(format!(
                "Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
            )));
        }
        if !reviewed && stack.now.status.ends_with("_IN_PROGRESS") {
            return Err(invalid(format!(
                "Stack:{} is in {} state and can not be updated.",
                stack.id, stack.now.status
            )));
        }
        if stack.change_sets.contains_key(name) {
            return Err((
                400,
                "AlreadyExistsException",
                format!("ChangeSet {name} already exists"),
            ));
        }
        let wanted = wanted(fields, &stack.now);
        let change_set = ChangeSet {
            polls,
            executed: false,
            wanted,
        };
        stack.change_sets.insert(name.to_owned(), change_set);
        Ok(format!(
            "<Id>{ARN}:changeSet/{name}/{id}</Id><StackId>{}</StackId>",
            stack.id
        ))
    }

    fn describe_change_set(
        &mut self,
        fields: &BTreeMap<String, String>,
    ) -> Result<String, Refusal> {
        let name = text(fields, "ChangeSetName");
        if let Some(left) = self.hidden_reads.checked_sub(1) {
            self.hidden_reads = left;
            return Err(gone(name));
        }
        let stack = self.stack(fields)?;
        let (id, now) = (stack.id.clone(), stack.now.clone());
        let change_set = stack.change_sets.get_mut(name).ok_or_else(|| gone(name))?;
        let (status, execution, reason, changes) = if change_set.executed {
            ("CREATE_COMPLETE", "EXECUTE_COMPLETE", "", "")
        } else if change_set.polls > 0 {
            change_set.polls -= 1;
            ("CREATE_PENDING", "UNAVAILABLE", "", "")
        } else if (&change_set.wanted.template, &change_set.wanted.parameters)
            == (&now.template, &now.parameters)
        {
            let reason = "The submitted information didn't contain changes.";
            ("FAILED", "UNAVAILABLE", reason, "")
        } else {
            let changes = "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action>\
                           <LogicalResourceId>Function</LogicalResourceId><ResourceType>AWS::Lambda::Function</ResourceType>\
                           <Replacement>False</Replacement></ResourceChange></member>";
            ("CREATE_COMPLETE", "AVAILABLE", "", changes)
        };
        Ok(format!(
            "<StackId>{id}</StackId><ChangeSetName>{name}</ChangeSetName><Status>{status}</Status>\
             <ExecutionStatus>{execution}</ExecutionStatus><StatusReason>{reason}</StatusReason><Changes>{changes}</Changes>"
        ))
    }

    fn execute_change_set(&mut self, fields: &BTreeMap<String, String>) -> Result<String, Refusal> {
        let (name, token) = (
            text(fields, "ChangeSetName"),
            text(fields, "ClientRequestToken"),
        );
        let (time, polls, failing) = (self.next(), self.operation_polls, self.failing.clone());
        let stack = self.stack(fields)?;
        let change_set = stack.change_sets.get_mut(name).ok_or_else(|| gone(name))?;
        if change_set.executed || change_set.polls > 0 || stack.pending.is_some() {
            return Err((
                400,
                "InvalidChangeSetStatus",
                format!("ChangeSet [{name}] cannot be executed in its current status"),
            ));
        }
        change_set.executed = true;
        let mut wanted = change_set.wanted.clone();
        let effect = (
            text(fields, "StackName").to_owned(),
            wanted.template.clone(),
        );
        stack
            .change_sets
            .retain(|_, change_set| change_set.executed);
        let verb = if stack.now.status == "REVIEW_IN_PROGRESS" {
            "CREATE"
        } else {
            "UPDATE"
        };
        if failing.is_some() {
            wanted = stack.now.clone();
        }
        wanted.status = match (verb, &failing) {
            (_, None) => format!("{verb}_COMPLETE"),
            ("CREATE", _) => "ROLLBACK_COMPLETE".to_owned(),
            _ => "UPDATE_ROLLBACK_COMPLETE".to_owned(),
        };
        stack.now.status = format!("{verb}_IN_PROGRESS");
        stack.updated = time;
        stack.pending = Some((polls, wanted));
        let begun = stack.now.status.clone();
        stack.tell(time * 100, "", &begun, "", token);
        if let Some(reason) = failing {
            let failed = format!("{verb}_FAILED");
            stack.tell(time * 100 + 1, "Function", &failed, &reason, token);
        }
        self.effects.push(effect);
        Ok(String::new())
    }

    fn delete_change_set(&mut self, fields: &BTreeMap<String, String>) -> Result<String, Refusal> {
        let stack = self.stack(fields)?;
        stack.change_sets.remove(text(fields, "ChangeSetName"));
        Ok(String::new())
    }

    /// The stack of a name or an id, or all that are there.
    fn describe_stacks(&mut self, fields: &BTreeMap<String, String>) -> Result<String, Refusal> {
        let all = text(fields, "StackName").is_empty();
        let described = if all {
            let stacks = self.stacks.values_mut();
            let described = stacks.map(Stack::described);
            described.collect()
        } else {
            self.stack(fields)?.described()
        };
        Ok(format!("<Stacks>{described}</Stacks>"))
    }

    fn describe_stack_events(
        &mut self,
        fields: &BTreeMap<String, String>,
    ) -> Result<String, Refusal> {
        let stack = self.stack(fields)?;
        let id = stack.id.clone();
        let name = id.split('/').nth(1).unwrap_or_default().to_owned();
        let events = stack.events.iter().rev().fold(String::new(), |mut text, event| {
            let (resource, kind, physical) = if event.resource.is_empty() {
                (name.as_str(), "AWS::CloudFormation::Stack", id.as_str())
            } else {
                let (kind, physical) = stack.resource(&event.resource);
                (event.resource.as_str(), kind, physical)
            };
            let _infallible = write!(
                text,
                "<member><StackId>{id}</StackId><EventId>{}</EventId><StackName>{name}</StackName>\
                 <LogicalResourceId>{resource}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
                 <ResourceType>{kind}</ResourceType><Timestamp>{}</Timestamp><ResourceStatus>{}</ResourceStatus>\
                 <ResourceStatusReason>{}</ResourceStatusReason><ClientRequestToken>{}</ClientRequestToken></member>",
                event.id,
                time(event.id),
                event.status,
                escape(&event.reason),
                event.token
            );
            text
        });
        Ok(format!("<StackEvents>{events}</StackEvents>"))
    }

    fn protect(&mut self, fields: &BTreeMap<String, String>) -> Result<String, Refusal> {
        let stack = self.stack(fields)?;
        stack.now.protected = text(fields, "EnableTerminationProtection") == "true";
        Ok(format!("<StackId>{}</StackId>", stack.id))
    }
}

impl Stack {
    /// What is told of it, after one read of what is under way.
    fn described(&mut self) -> String {
        self.go_on();
        let Self {
            id, now, updated, ..
        } = self;
        let name = id.split('/').nth(1).unwrap_or_default();
        let Deployed {
            status,
            protected,
            tags,
            ..
        } = now;
        let output = now.template.len();
        let tags = tags.iter().fold(String::new(), |mut text, (key, value)| {
            let (key, value) = (escape(key), escape(value));
            let _infallible = write!(
                text,
                "<member><Key>{key}</Key><Value>{value}</Value></member>"
            );
            text
        });
        format!(
            "<member><StackId>{id}</StackId><StackName>{name}</StackName><StackStatus>{status}</StackStatus>\
             <CreationTime>2026-01-01T00:00:00Z</CreationTime><LastUpdatedTime>{}</LastUpdatedTime>\
             <EnableTerminationProtection>{protected}</EnableTerminationProtection><Tags>{tags}</Tags><Outputs><member>\
             <OutputKey>TemplateLength</OutputKey><OutputValue>{output}</OutputValue></member></Outputs></member>",
            time(*updated)
        )
    }

    fn tell(&mut self, id: u32, resource: &str, status: &str, reason: &str, token: &str) {
        self.events.push(Event {
            id,
            resource: resource.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            token: token.to_owned(),
        });
    }

    /// One read of what is under way.
    fn go_on(&mut self) {
        match self.pending.take() {
            Some((0, wanted)) => {
                let last = self.events.last();
                let (id, token) =
                    last.map_or((0, String::new()), |event| (event.id, event.token.clone()));
                self.now = wanted;
                if self.now.status == "DELETE_COMPLETE" {
                    self.tell_what_is_kept(id + 1, &token);
                }
                let status = self.now.status.clone();
                self.tell(id + 2, "", &status, "", &token);
            }
            Some((polls, wanted)) => self.pending = Some((polls - 1, wanted)),
            None => {}
        }
    }
}

fn text<'a>(fields: &'a BTreeMap<String, String>, key: &str) -> &'a str {
    fields.get(key).map_or("", String::as_str)
}

/// The pairs of a list: `Tags.member.1.Key`.
fn members(
    fields: &BTreeMap<String, String>,
    list: &str,
    key: &str,
    value: &str,
) -> BTreeMap<String, String> {
    let pair = |place: usize| {
        let name = fields.get(&format!("{list}.member.{place}.{key}"))?;
        Some((
            name.clone(),
            text(fields, &format!("{list}.member.{place}.{value}")).to_owned(),
        ))
    };
    (1..).map_while(pair).collect()
}

/// What a request asks for, over what is there.
fn wanted(fields: &BTreeMap<String, String>, now: &Deployed) -> Deployed {
    let body = text(fields, "TemplateBody");
    let template = if body.is_empty() {
        text(fields, "TemplateURL")
    } else {
        body
    };
    Deployed {
        status: now.status.clone(),
        template: template.to_owned(),
        parameters: members(fields, "Parameters", "ParameterKey", "ParameterValue"),
        tags: members(fields, "Tags", "Key", "Value"),
        role: text(fields, "RoleARN").to_owned(),
        protected: now.protected,
    }
}

fn gone(name: &str) -> Refusal {
    (
        404,
        "ChangeSetNotFound",
        format!("ChangeSet [{name}] does not exist"),
    )
}

/// A second for each number.
fn time(number: u32) -> String {
    let (minutes, seconds) = (number / 60, number % 60);
    format!(
        "2026-01-{:02}T{:02}:{:02}:{seconds:02}Z",
        1 + minutes / 1440,
        minutes / 60 % 24,
        minutes % 60
    )
}

/// An error of the query protocol.
pub(super) fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{}</Message></Error></ErrorResponse>",
        escape(message)
    )
}
