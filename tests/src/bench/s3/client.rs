//! The driver's side of the server: starts it, fills buckets, asks for counts.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use delivery_testing::events::TEST_KEYS;
use delivery_testing::s3::{self, Bucket};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::count::Counted;
use super::server::{COUNT, EMPTY, RESULT};

/// A running server, which ends with this.
#[derive(Debug)]
pub struct Server {
    url: String,
    http: Client<HttpConnector, Empty<Bytes>>,
    _process: Child,
}

impl Server {
    /// Starts one in a process of its own, so that its memory and time are not those of a contender.
    ///
    /// # Errors
    ///
    /// Where this program cannot be started again.
    ///
    /// # Panics
    ///
    /// Never: the output that it reads is asked for.
    pub async fn start(delay: Duration) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", "--delay-ms", &delay.as_millis().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().expect("its output was asked for");
        let mut port = String::new();
        BufReader::new(stdout).read_line(&mut port).await?;
        Ok(Self {
            url: format!("http://127.0.0.1:{}", port.trim()),
            http: Client::builder(TokioExecutor::new()).build_http(),
            _process: process,
        })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A bucket that is there, with nothing in it.
    ///
    /// # Errors
    ///
    /// Where the server has ended.
    pub async fn empty(&self, name: &str) -> io::Result<Bucket> {
        self.get(&format!("{EMPTY}{name}")).await?;
        Ok(self.bucket(name))
    }

    /// A bucket with what is in it.
    #[must_use]
    pub fn bucket(&self, name: &str) -> Bucket {
        Bucket::new(&s3::config(&self.url, TEST_KEYS), name)
    }

    /// What was counted since this was last asked.
    ///
    /// # Errors
    ///
    /// Where the server has ended.
    pub async fn counted(&self) -> io::Result<Counted> {
        Ok(Counted::from_json(&self.get(COUNT).await?))
    }

    /// The summary of the last job.
    ///
    /// # Errors
    ///
    /// Where the job failed, with its message, or reported nothing.
    pub async fn summary(&self) -> io::Result<String> {
        let result = self.get(RESULT).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if text(&result["operation"]) == "PutJobSuccessResult" {
            return Ok(text(&result["body"]["executionDetails"]["summary"]));
        }
        Err(io::Error::other(format!("the job failed: {result}")))
    }

    async fn get(&self, path: &str) -> io::Result<Value> {
        let uri = format!("{}{path}", self.url)
            .parse()
            .map_err(io::Error::other)?;
        let response = self.http.get(uri).await.map_err(io::Error::other)?;
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(io::Error::other)?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    }
}
