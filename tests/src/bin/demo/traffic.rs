//! Several visitors of production at once, all the time, each answer of theirs kept.

use std::io;
use std::time::{Duration, Instant};

use pipeline_tests::visitor::Visitor;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What visitors speak, in turns: every third one Spanish.
const LANGUAGES: [&str; 3] = ["en", "de", "es"];

/// How many visit at once. A canary with 10 % that fails a third of its requests needs about 90 of them for the three
/// errors that prove something.
const VISITORS: usize = 4;

/// How long each rests between two requests, so that the pipeline on the same machine has some of it, too.
const REST: Duration = Duration::from_millis(50);

/// A request, when its answer came.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) at: Instant,
    /// The version that answered, or what came instead.
    pub(crate) answer: Result<String, String>,
}

/// Visitors who go on until they are stopped.
#[derive(Debug)]
pub(crate) struct Traffic {
    stop: watch::Sender<bool>,
    visitors: JoinSet<Vec<Visit>>,
}

impl Traffic {
    /// Sends visitors to a URL.
    pub(crate) fn send(url: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut visitors = JoinSet::new();
        for number in 0..VISITORS {
            visitors.spawn(visit(url.to_owned(), number, stopped.clone()));
        }
        Self { stop, visitors }
    }

    /// Stops, waits for the answers that are to come, and gives all in the order in which they came.
    pub(crate) async fn end(mut self) -> io::Result<Vec<Visit>> {
        self.stop.send_replace(true);
        let mut visits = Vec::new();
        while let Some(visited) = self.visitors.join_next().await {
            visits.extend(visited.map_err(io::Error::other)?);
        }
        visits.sort_by_key(|visit| visit.at);
        Ok(visits)
    }
}

async fn visit(url: String, number: usize, stopped: watch::Receiver<bool>) -> Vec<Visit> {
    let visitor = Visitor::default();
    let mut visits = Vec::new();
    while !*stopped.borrow() {
        let language = LANGUAGES[(number + visits.len()) % LANGUAGES.len()];
        let answer = match visitor.get_in(&url, language).await {
            Ok(answer) => answer
                .version()
                .ok_or_else(|| format!("{} {}", answer.status, answer.body)),
            Err(error) => Err(error.to_string()),
        };
        let at = Instant::now();
        visits.push(Visit { at, answer });
        tokio::time::sleep(REST).await;
    }
    visits
}
