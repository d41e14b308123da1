//! A source in an artifact store, and an action that works on it.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use crate::archives::{FILE, zip_with_modes};
use crate::events::{JobEvent, invocation};
use crate::s3::{LocalS3, StoredObject};
use delivery_action::action::{Action, Outcome};
use delivery_action::failure::Failure;
use delivery_action::job::{Invocation, Job};
use delivery_action::parameters::{Params as _, UserParameters};

/// The artifact store's bucket.
const BUCKET: &str = "artifact-store";

/// Key of the input artifact.
const SOURCE_KEY: &str = "greeter/SourceOutp/aB3xY9z";

/// An artifact store that holds one source.
#[derive(Debug)]
pub struct SourceStore {
    s3: LocalS3,
}

impl SourceStore {
    /// A store with a source of these plain files.
    pub async fn of(files: &[(&str, &str)]) -> Self {
        let entries: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, text.as_bytes(), FILE))
            .collect();
        Self::of_entries(&entries).await
    }

    /// A store with a source of these entries, with the Unix mode of each.
    pub async fn of_entries(entries: &[(&str, &[u8], u32)]) -> Self {
        Self::of_bytes(zip_with_modes(entries)).await
    }

    /// A store whose source is this object.
    pub async fn of_bytes(bytes: Vec<u8>) -> Self {
        let s3 = LocalS3::start().await;
        s3.bucket(BUCKET)
            .create()
            .await
            .put(SOURCE_KEY, bytes)
            .await;
        Self { s3 }
    }

    /// The S3 that it is in.
    #[must_use]
    pub fn s3(&self) -> &LocalS3 {
        &self.s3
    }

    /// An event with the source as its input artifact.
    #[must_use]
    pub fn event(&self, user_parameters: &str) -> JobEvent {
        JobEvent::new()
            .input("SourceOutput", BUCKET, SOURCE_KEY)
            .user_parameters(user_parameters)
    }

    /// The same with output artifacts of these names.
    #[must_use]
    pub fn event_with_outputs(&self, user_parameters: &str, outputs: &[&str]) -> JobEvent {
        outputs
            .iter()
            .fold(self.event(user_parameters), |event, name| {
                event.output(name, BUCKET, &output_key(name))
            })
    }

    /// Does the job of an event, as the function would.
    ///
    /// # Errors
    ///
    /// The failure that would be reported.
    pub async fn run<A: Action>(&self, action: &A, event: JobEvent) -> Result<Outcome, Failure> {
        self.run_in(action, event, invocation()).await
    }

    /// The same in an invocation of the test's choice.
    ///
    /// # Errors
    ///
    /// The failure that would be reported.
    pub async fn run_in<A: Action>(
        &self,
        action: &A,
        event: JobEvent,
        invocation: Invocation,
    ) -> Result<Outcome, Failure> {
        let job =
            Job::from_event(&event.build(), invocation).map_err(|error| Failure::new(&error))?;
        let params = UserParameters::parse(job.user_parameters.as_deref())
            .and_then(|parameters| A::Params::from_user_parameters(parameters, &job))
            .map_err(|error| Failure::new(&error))?;
        action
            .run(&job, params)
            .await
            .map_err(|error| Failure::new(&error))
    }

    /// An output artifact; `None` if nothing was stored.
    pub async fn output(&self, name: &str) -> Option<StoredObject> {
        self.s3.bucket(BUCKET).get(&output_key(name)).await
    }

    /// The files of a zip that is an output artifact, by name; a symbolic link's content is its target.
    ///
    /// # Panics
    ///
    /// If nothing was stored, or it is not a zip.
    pub async fn output_files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let object = self
            .output(name)
            .await
            .expect("the output artifact was stored");
        let mut zip = zip::ZipArchive::new(Cursor::new(object.body)).expect("it is a zip");
        let mut files = BTreeMap::new();
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).expect("the entry is there");
            let name = entry.name().expect("its name is text").into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("the entry is whole");
            if !entry.is_dir() {
                files.insert(name, bytes);
            }
        }
        files
    }
}

fn output_key(name: &str) -> String {
    format!("greeter/{name}/cD4wV8u")
}

/// A summary without how long its task took, which is the machine's and its other work's: `test (npm) in …`.
#[must_use]
pub fn untimed(summary: &str) -> String {
    let time = regex_lite::Regex::new(r"\bin \d+s\b").expect("a pattern");
    time.replace_all(summary, "in …").into_owned()
}
