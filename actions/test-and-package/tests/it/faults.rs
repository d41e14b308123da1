//! Faults at every mutating call, with the function's real binary: each output is whole or not there, and the job
//! has one result.

use std::path::Path;

use delivery_testing::archives::{EXECUTABLE, FILE, zip_with_modes};
use delivery_testing::events::JobEvent;
use delivery_testing::matrix::{self, Scenario};
use delivery_testing::s3::StoredObject;
use delivery_testing::world::World;
use serde_json::Value;

use crate::projects::GULP;

const BUCKET: &str = "artifact-store";
const SOURCE: &str = "greeter/SourceInst/aB3xY9z";
const SITE: &str = "greeter/DistSiteOu/cD4wV8u";
const CODE: &str = "greeter/DistLambda/eF5xU7t";

/// A task that makes a small site and a file.
const TASK: &str = "mkdir dist; echo '<p>' > dist/index.html; head -c 70000 /dev/zero > code.bin; echo end >> code.bin";

/// A task and its two outputs.
struct Packaging;

impl Scenario for Packaging {
    /// The outputs, the file by its length and whether its bytes are right. As long as one of them is
    /// missing there are none: what a failed job stored is not an artifact of the execution.
    type State = Option<(StoredObject, usize, bool)>;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_test-and-package"))
    }

    fn event(&self) -> Value {
        JobEvent::new()
            .input("SourceInstalledOutput", BUCKET, SOURCE)
            .output("Site", BUCKET, SITE)
            .output("Code", BUCKET, CODE)
            .user_parameters("task=package&Site=dist&Code=code.bin")
            .build()
    }

    async fn seed(&self, world: &World) {
        let source = zip_with_modes(&[
            ("gulpfile.js", b"package", FILE),
            ("node_modules/.bin/gulp", GULP.as_bytes(), EXECUTABLE),
            ("tasks/package.sh", TASK.as_bytes(), FILE),
        ]);
        let bucket = world.bucket(BUCKET);
        bucket.create().await.put(SOURCE, source).await;
    }

    async fn snapshot(&self, world: &World) -> Self::State {
        let bucket = world.bucket(BUCKET);
        let (site, code) = (bucket.get(SITE).await?, bucket.get(CODE).await?.body);
        let zeros = code.iter().take_while(|byte| **byte == 0).count();
        Some((site, code.len(), code[zeros..] == *b"end\n"))
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    fn check(&self, _world: &World) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_call_ends_in_the_outputs_or_before_them() {
    let summary = matrix::run(&Packaging).await;
    println!(
        "test-and-package: {} cells, {} mutating calls: {:?}",
        summary.cells,
        summary.calls.len(),
        summary.calls
    );
    assert_eq!(summary.broken, Vec::<String>::new());
    assert_eq!(
        summary.calls,
        [
            "s3:PutObject",
            "s3:PutObject",
            "codepipeline:PutJobSuccessResult"
        ]
    );
}
