//! A folder for the state of a test's runs, with the shared installation of the local AWS.

use std::path::Path;

use local::ministack::{VERSION, install};
use tempfile::TempDir;

use crate::checkout;

/// A home of the test's own. The installation in it is the checkout's: installing it again for every
/// test would take longer than the test.
///
/// # Panics
///
/// Where it cannot be installed.
#[must_use]
pub fn home() -> TempDir {
    let shared = checkout::root().join(".delivery");
    install(&shared).expect("a test that cannot go on has failed");
    let home = tempfile::Builder::new()
        .prefix("delivery-home-")
        .tempdir()
        .expect("a test that cannot go on has failed");
    let installation = Path::new(&format!("ministack-{VERSION}")).to_owned();
    std::os::unix::fs::symlink(shared.join(&installation), home.path().join(&installation))
        .expect("a test that cannot go on has failed");
    home
}
