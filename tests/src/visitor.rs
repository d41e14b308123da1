//! Someone who fetches what was deployed, once or all the time.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long an answer may take: API Gateway itself gives up after 29 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(29);

/// How long a visitor rests between two requests: often enough to meet every moment of a deployment,
/// and the functions are processes on this machine.
const REST: Duration = Duration::from_millis(20);

/// Makes requests.
#[derive(Clone, Debug)]
pub struct Visitor {
    http: Client<HttpConnector, Empty<Bytes>>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// The `version` of a JSON answer; `None` where it is not one, or failed.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        let version = body["version"].as_str()?.to_owned();
        self.status.is_success().then_some(version)
    }
}

impl Default for Visitor {
    fn default() -> Self {
        Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
        }
    }
}

impl Visitor {
    /// Fetches a URL.
    ///
    /// # Errors
    ///
    /// Where no answer comes.
    pub async fn get(&self, url: &str) -> io::Result<Answer> {
        self.get_in(url, "en").await
    }

    /// Fetches a URL in a language.
    ///
    /// # Errors
    ///
    /// Where no answer comes.
    pub async fn get_in(&self, url: &str, language: &str) -> io::Result<Answer> {
        let request = Request::get(url)
            .header(header::USER_AGENT, "delivery-demo")
            .header(header::ACCEPT_LANGUAGE, language)
            .body(Empty::new())
            .map_err(io::Error::other)?;
        let answer = async {
            let response = self.http.request(request).await.map_err(io::Error::other)?;
            let status = response.status();
            let body = response
                .into_body()
                .collect()
                .await
                .map_err(io::Error::other)?
                .to_bytes();
            Ok(Answer {
                status,
                body: String::from_utf8_lossy(&body).into_owned(),
            })
        };
        tokio::time::timeout(ANSWER_WITHIN, answer).await?
    }

    /// Fetches these URLs repeatedly until it is stopped.
    #[must_use]
    pub fn keep_fetching(&self, urls: Vec<String>) -> Fetching {
        let (stop, stopped) = watch::channel(false);
        let visitor = self.clone();
        let task = tokio::spawn(async move {
            let mut seen = Seen::default();
            while !*stopped.borrow() {
                for url in &urls {
                    seen.add(url, visitor.get(url).await);
                }
                tokio::time::sleep(REST).await;
            }
            seen
        });
        Fetching { stop, task }
    }
}

/// A visitor who fetches all the time.
#[derive(Debug)]
pub struct Fetching {
    stop: watch::Sender<bool>,
    task: JoinHandle<Seen>,
}

/// What a visitor saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many requests were made.
    pub requests: usize,
    /// The versions that answered, in their order, each named once in a row, by URL.
    pub versions: Vec<(String, String)>,
    /// What failed.
    pub failures: Vec<String>,
}

impl Seen {
    fn add(&mut self, url: &str, answer: io::Result<Answer>) {
        self.requests += 1;
        match answer {
            Ok(answer) if answer.status.is_success() => {
                let Some(version) = answer.version() else {
                    return;
                };
                let last = self.versions.iter().rev().find(|(of, _)| of == url);
                if last.is_none_or(|(_, last)| *last != version) {
                    self.versions.push((url.to_owned(), version));
                }
            }
            Ok(answer) => self
                .failures
                .push(format!("{url}: {} {}", answer.status, answer.body)),
            Err(error) => self.failures.push(format!("{url}: {error}")),
        }
    }
}

impl Fetching {
    /// Ends it and tells what was seen.
    ///
    /// # Errors
    ///
    /// Where the visitor did not survive.
    pub async fn end(self) -> io::Result<Seen> {
        self.stop.send_replace(true);
        self.task.await.map_err(io::Error::other)
    }
}
