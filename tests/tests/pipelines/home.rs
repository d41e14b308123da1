//! A folder for what a test's runs leave, beside the one installation of the local AWS.

use std::path::Path;

use local::ministack::{VERSION, install};
use pipeline_tests::checkout;
use tempfile::TempDir;

/// A home of the test's own. The installation in it is the checkout's: installing it again for every
/// test would take longer than the test.
pub(crate) fn home() -> TempDir {
    let shared = checkout::root().join(".delivery");
    install(&shared).unwrap();
    let home = tempfile::Builder::new()
        .prefix("delivery-home-")
        .tempdir()
        .unwrap();
    let installation = Path::new(&format!("ministack-{VERSION}")).to_owned();
    std::os::unix::fs::symlink(shared.join(&installation), home.path().join(&installation))
        .unwrap();
    home
}
