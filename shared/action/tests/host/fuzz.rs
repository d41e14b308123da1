//! Events of every shape: one report for each that names a job, no panic, no secret in the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use delivery_action::action::{Action, Completion, Host, HostError, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::failure::{ActionError, FailureType, MAX_MESSAGE_CHARS};
use delivery_action::job::Job;
use delivery_action::logging::lines_to;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_action::text::is_deceptive;
use delivery_testing::events::{JobEvent, Keys, invocation};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use crate::refused::Answers;

/// How many events there are unless `DELIVERY_FUZZ_EVENTS` says otherwise: a quarter of a minute's work, since the SDK
/// is not optimised in tests. `scripts/test` asks for more.
const EVENTS: u64 = 2_000;

/// The variable that asks for more.
const MORE: &str = "DELIVERY_FUZZ_EVENTS";

fn events() -> u64 {
    delivery_action::env::var(MORE).map_or(EVENTS, |number| number.parse().unwrap())
}

/// How many are under way at a time.
const CONCURRENT: usize = 8;

/// What is in every secret, and in nothing else.
const MARK: &str = "planted";

/// What is wrong with a line of the log, once something is.
static WRONG_LINE: Mutex<Option<String>> = Mutex::new(None);

/// The log.
struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let controls = text.trim_end().chars().any(is_deceptive);
        if text.contains(MARK) || controls || serde_json::from_str::<Value>(&text).is_err() {
            WRONG_LINE
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An action that fetches its inputs, and logs and reports all that it was given.
struct Telltale(SdkConfig);

struct Told(String);

impl Params for Told {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _: &Job,
    ) -> Result<Self, ParametersError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Known {
            task: Option<String>,
        }
        let variables = parameters.take_prefixed("Env.")?;
        let task = parameters.deserialize::<Known>()?.task.unwrap_or_default();
        Ok(Self(
            variables
                .into_values()
                .fold(task, |printed, value| printed + " " + &value),
        ))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("told {0}")]
struct TellError(String);

impl ActionError for TellError {
    fn failure_type(&self) -> FailureType {
        FailureType::JobFailed
    }

    fn hint(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }

    fn output(&self) -> Option<&str> {
        Some(&self.0)
    }
}

impl Action for Telltale {
    const NAME: &'static str = "telltale";
    type Params = Told;
    type Error = TellError;

    async fn run(&self, job: &Job, Told(printed): Told) -> Result<Outcome, TellError> {
        let json = Value::from(&*printed).to_string();
        let credentials = format!("{:?}", job.credentials);
        tracing::info!(printed, json, debug = ?printed, credentials, "{printed}");
        let store = Store::for_job(&self.0, job);
        for artifact in &job.input_artifacts {
            let fetched = store
                .fetch(artifact, Path::new("/nonexistent/artifact"))
                .await;
            fetched.map_err(|error| TellError(enough(&format!("{printed} {error}"))))?;
        }
        Ok(Outcome::Complete(Completion {
            summary: printed.repeat(100),
            ..Completion::default()
        }))
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a constructor may fail, though not this one"
)]
fn construct(config: &SdkConfig) -> Result<Telltale, TellError> {
    Ok(Telltale(config.clone()))
}

/// Now and then more than a report takes.
fn enough(printed: &str) -> String {
    let times = if printed.len().is_multiple_of(16) {
        100
    } else {
        1
    };
    printed.repeat(times)
}

/// `SplitMix64`: the same events in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// What stands in a text where JSON that no [`Value`] can hold is put in.
const RAW: &str = "@raw@";

fn raw(random: &mut Random) -> String {
    let depth = random.one_of(&[60, 126, 127, 128, 129, 500, 2_000]);
    match random.below(6) {
        0 => "[".repeat(depth) + &"]".repeat(depth),
        1 => "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth),
        2 => r#""\ud800""#.to_owned(),
        3 => r#""\udc00\ud800 planted-half""#.to_owned(),
        4 => "-1e999".to_owned(),
        _ => r#"{"x":"a","x":"b"}"#.to_owned(),
    }
}

/// A value to put in another's place.
fn value(random: &mut Random) -> Value {
    match random.below(12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(random.next()),
        3 => json!(-0.5),
        4 => json!([]),
        5 => json!({}),
        6 => json!([{"name": 1}, "planted-in-a-list"]),
        7 => json!("planted expected planted-value, expected"),
        8 => json!(random.one_of(&[
            "",
            " ",
            "\0",
            "\r\nx: planted-header",
            "\u{202e}\u{9b}2J",
            "😀",
            "%zz",
            "{",
            "../.."
        ])),
        9 => json!("x".repeat(random.one_of(&[63, 1_025, 5_001, 10_000]))),
        10 => json!("\u{1b}]0;planted-title".repeat(50)),
        _ => json!(RAW),
    }
}

fn parameters(random: &mut Random, secret: &str) -> String {
    let encoded = secret.bytes().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "%{byte:02X}");
        text
    });
    match random.below(8) {
        0 => json!({"task": "t", "Env.A_TOKEN": secret}).to_string(),
        1 => json!({"task": {"deep": 1}, "Env.A_TOKEN": secret}).to_string(),
        2 => format!("task=t&task=u&Env.A_TOKEN={encoded}"),
        3 => format!("Env.A_TOKEN={encoded}&Env.B_KEY={encoded}{encoded}&task=%F0%9F%98%80%1B[2J"),
        4 => format!("Env.A_TOKEN={encoded}&unknown=1"),
        5 => format!("Env.A_TOKEN={encoded}&task=%ZZ"),
        6 => "task=".to_owned() + &"t".repeat(random.one_of(&[3_000, 10_000])),
        _ => format!("task=t&Env.A_TOKEN={encoded}"),
    }
}

/// All places below a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(key, value)| places(value, &format!("{at}/{key}"), found));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, value)| places(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

fn change(event: &mut Value, random: &mut Random) {
    let mut all = Vec::new();
    places(event, "", &mut all);
    let place = random.one_of(&all);
    let (parent, name) = place.rsplit_once('/').unwrap_or_default();
    if random.below(3) == 0
        && let Some(Value::Object(fields)) = event.pointer_mut(parent)
    {
        fields.remove(name);
        return;
    }
    let mut value = value(random);
    if !place.contains("artifactCredentials") {
        // Names, ids and keys are shown.
        value = serde_json::from_str(&value.to_string().replace(MARK, "visible")).unwrap();
    }
    if let Some(there) = event.pointer_mut(&place) {
        *there = value;
    }
}

/// An event as a text, and the job that it names.
fn event(number: u64) -> (String, Option<String>) {
    let mut random = Random(number);
    let secret = random.one_of(&[
        "planted-plain",
        "planted-qu\"ote-planted",
        "planted\\back\\slash",
        "planted-line-1\nplanted-line-2\r\nplanted-3",
        "planted\ttab\u{7}bell\u{202e}turn",
        "planted!",
        "-planted-grüße-😀",
    ]);
    let keys = Keys {
        access_key_id: "ASIAplanted000000000",
        secret_access_key: random.one_of(&["planted+secret/key==", "planted\nkey"]),
        session_token: Some(random.one_of(&["planted-token", "planted-token\r\nx-evil: 1"])),
    };
    let mut event = JobEvent::new()
        .id(&format!("11111111-abcd-1111-abcd-{number:012x}"))
        .credentials(Some(keys))
        .input(
            "Source",
            "store",
            random.one_of(&["p/Source/x", "p/%/\u{202e}ü?#"]),
        )
        .output("Package", "store", "p/Package/x")
        .user_parameters(&parameters(&mut random, secret))
        .continuation_token("{}")
        .encryption_key("arn:aws:kms:eu-west-1:111122223333:key/k")
        .build();
    for _ in 0..random.below(4) {
        change(&mut event, &mut random);
    }
    let id = event
        .pointer("/CodePipeline.job/id")
        .and_then(Value::as_str);
    let id = id
        .filter(|id| !id.is_empty() && *id != RAW)
        .map(str::to_owned);
    let mut text = event.to_string();
    while text.contains(&format!("\"{RAW}\"")) {
        text = text.replacen(&format!("\"{RAW}\""), &raw(&mut random), 1);
    }
    if random.below(4) == 0 {
        let twice = random.one_of(&["\"data\":7,\"data\":", "\"data\":{},\"id\":[],\"data\":"]);
        text = text.replacen("\"data\":", twice, 1);
    }
    (text, id)
}

/// Counts what CodePipeline accepts, by job, and refuses what its limits do; S3 has nothing.
#[derive(Default)]
struct Reports {
    accepted: BTreeMap<String, usize>,
    wrong: Option<String>,
}

impl Reports {
    fn answer(&mut self, operation: &str, body: &Value) -> (u16, String) {
        if !operation.starts_with("PutJob") {
            return (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned());
        }
        let (text, limit) = match &body["failureDetails"]["message"] {
            Value::String(message) => (message.as_str(), MAX_MESSAGE_CHARS),
            _ => (
                body["executionDetails"]["summary"]
                    .as_str()
                    .unwrap_or_default(),
                2_048,
            ),
        };
        let controls = text
            .chars()
            .any(|character| is_deceptive(character) && !matches!(character, '\n' | '\t'));
        if text.contains(MARK) || text.contains("panicked") || controls {
            self.wrong.get_or_insert_with(|| body.to_string());
        }
        if text.is_empty() || text.encode_utf16().count() > limit {
            self.wrong.get_or_insert_with(|| body.to_string());
            return (400, r#"{"__type":"ValidationException"}"#.to_owned());
        }
        *self
            .accepted
            .entry(body["jobId"].as_str().unwrap_or_default().to_owned())
            .or_default() += 1;
        (200, "{}".to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_that_names_a_job_is_reported_once() {
    // Another test may have set it; then the log is that test's.
    let lines = tracing_subscriber::registry().with(lines_to(|| Log));
    tracing::subscriber::set_global_default(lines).unwrap();
    let reports: Arc<Mutex<Reports>> = Arc::default();
    let answering = Arc::clone(&reports);
    let config =
        Answers::config(move |operation, body| answering.lock().unwrap().answer(operation, body));
    let host = Host::new(construct, config);
    let mut named = BTreeMap::<String, usize>::new();
    let events = events();
    for number in 0..events {
        if let (_, Some(id)) = event(number) {
            *named.entry(id).or_default() += 1;
        }
    }
    let jobs: usize = named.values().sum();
    futures_util::stream::iter(0..events)
        .for_each_concurrent(CONCURRENT, |number| {
            let host = &host;
            async move {
                let (text, id) = event(number);
                match (host.invoke_text(&text, invocation()).await, &id) {
                    (Ok(()), Some(_)) | (Err(HostError::NoJob), None) => {}
                    (ended, _) => panic!("event {number} of {id:?} ended with {ended:?}: {text}"),
                }
            }
        })
        .await;
    let reports = std::mem::take(&mut *reports.lock().unwrap());
    let reported: usize = reports.accepted.values().sum();
    println!("{events} fuzzed events, {jobs} name a job, {reported} reports");
    assert_eq!(reports.wrong, None);
    assert_eq!(*WRONG_LINE.lock().unwrap(), None);
    assert!(reports.accepted == named, "one report for each job");
    assert!(
        u64::try_from(jobs).unwrap() > events / 2,
        "{jobs} of {events} name a job"
    );
}
