//! A site's bucket in a strict world, and jobs that deploy to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use delivery_action::action::Host;
use delivery_archive::Creation;
use delivery_testing::events::{JobEvent, invocation_of};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_site::DeploySite;
use serde_json::Value;

/// The parameters of most jobs.
pub(crate) const PARAMETERS: &str = "bucket=www&version=v1&apiBaseurl=https%3A%2F%2Fapi.example";

/// The manifest's key.
pub(crate) const MANIFEST: &str = ".delivery-manifest.json";

/// A release.
pub(crate) const FIRST: [(&str, &str); 6] = [
    (
        "index.html",
        "<link rel=stylesheet href=style.css><script src=app.1a2b3c4d.js></script><a href=about/index.html>",
    ),
    (
        "about/index.html",
        "<link rel=stylesheet href=../style.css><img src=../logo.png>",
    ),
    ("style.css", "body { color: black }"),
    ("app.1a2b3c4d.js", "fetch('config.json')"),
    ("logo.png", "logo"),
    ("old.txt", "only in the first release"),
];

/// The release after it: a page and an asset more, one asset renamed, one file less.
pub(crate) const SECOND: [(&str, &str); 6] = [
    (
        "index.html",
        "<link rel=stylesheet href=style.css><script src=app.5e6f7a8b.js></script><a href=news/index.html>",
    ),
    (
        "news/index.html",
        "<link rel=stylesheet href=../style.css><script src=../news.js></script>",
    ),
    ("style.css", "body { color: white }"),
    ("app.5e6f7a8b.js", "fetch('config.json') // again"),
    ("logo.png", "logo"),
    ("news.js", "news()"),
];

pub(crate) struct Frame {
    pub(crate) world: World,
    jobs: AtomicUsize,
}

impl Frame {
    /// A world with an empty site bucket, a distribution, and the first release as the artifact.
    pub(crate) async fn start() -> Self {
        Self::start_in(World::start().await).await
    }

    /// The same in a world of the test's choice.
    pub(crate) async fn start_in(world: World) -> Self {
        world.bucket("store").create().await;
        world.bucket("www").create().await;
        world.cloud_front().create("E1");
        let frame = Self {
            world,
            jobs: AtomicUsize::new(0),
        };
        frame.release(&FIRST).await;
        frame
    }

    /// Replaces the artifact by a zip of these files.
    pub(crate) async fn release(&self, files: &[(&str, &str)]) {
        self.artifact(zip(files)).await;
    }

    /// Replaces the artifact.
    pub(crate) async fn artifact(&self, body: impl Into<Vec<u8>>) {
        self.world.bucket("store").put("p/Site/x", body).await;
    }

    /// Runs a new job and returns what it reports.
    pub(crate) async fn run(&self, parameters: &str) -> Reported {
        self.run_job(self.event(parameters, None), Duration::from_mins(5))
            .await
    }

    /// The event of a new job.
    pub(crate) fn event(&self, parameters: &str, revision: Option<&str>) -> JobEvent {
        let number = self.jobs.fetch_add(1, Ordering::SeqCst);
        JobEvent::new()
            .id(&format!("11111111-abcd-1111-abcd-{number:012}"))
            .input_of_revision("DistSiteOutput", "store", "p/Site/x", revision)
            .user_parameters(parameters)
    }

    pub(crate) async fn run_job(&self, event: JobEvent, time: Duration) -> Reported {
        let event = event.build();
        self.world.code_pipeline().add_job(&event);
        let host = Host::<DeploySite, _>::new(DeploySite::new, self.world.config());
        host.invoke(event, invocation_of(time)).await.unwrap();
        let reports = self.world.code_pipeline().reports().to_vec();
        reports
            .last()
            .expect("a result was reported")
            .result
            .clone()
    }

    /// The output variables of a new job that has to succeed.
    pub(crate) async fn succeed(&self, parameters: &str) -> BTreeMap<String, String> {
        self.run(parameters).await.variables()
    }

    /// Type and message of a new job that has to fail, the message without the place of the log.
    pub(crate) async fn fail(&self, parameters: &str) -> String {
        self.run(parameters).await.failure()
    }

    /// The keys in the site's bucket, without the manifest.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let keys = self.world.bucket("www").snapshot().await.into_keys();
        keys.filter(|key| key != MANIFEST).collect()
    }

    /// One object of the site as text.
    pub(crate) async fn text(&self, key: &str) -> String {
        let object = self
            .world
            .bucket("www")
            .get(key)
            .await
            .expect("the object is there");
        String::from_utf8(object.body).unwrap()
    }

    pub(crate) async fn config(&self) -> Value {
        serde_json::from_str(&self.text("config.json").await).unwrap()
    }

    /// The site's keys that were put or deleted since the calls were forgotten, in order.
    pub(crate) fn writes(&self) -> Vec<String> {
        let calls = self.world.calls().into_iter();
        calls
            .filter(|call| call.operation.mutating && call.operation.resource.starts_with("www/"))
            .map(|call| {
                format!(
                    "{} {}",
                    call.operation.name,
                    &call.operation.resource["www/".len()..]
                )
            })
            .collect()
    }
}

/// A zip with these files.
pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let bytes = files
        .iter()
        .map(|(name, content)| (*name, content.as_bytes()));
    zip_with(bytes, &[])
}

/// A zip with these files and symbolic links (path, target), as test-and-package makes it.
pub(crate) fn zip_with<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    links: &[(&str, &str)],
) -> Vec<u8> {
    zip_of(files, links, true)
}

/// A zip that says nothing of its files, as other programs make it.
pub(crate) fn foreign_zip<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    zip_of(files, &[], false)
}

fn zip_of<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    links: &[(&str, &str)],
    fingerprints: bool,
) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::create_dir(&source).unwrap();
    for (name, content) in files {
        let path = source.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, content).unwrap();
    }
    for (name, target) in links {
        std::os::unix::fs::symlink(target, source.join(name)).unwrap();
    }
    let zip = directory.path().join("zip");
    let creation = Creation::of(&source).fingerprints(fingerprints);
    creation.write_file(&zip).unwrap();
    std::fs::read(zip).unwrap()
}
