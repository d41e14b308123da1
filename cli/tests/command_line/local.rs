//! `delivery local`.

use crate::program::says;

#[test]
fn where_nothing_is_kept_the_directory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    let message = says(folder.path(), &["local", "stop"], 5);
    let expected = format!("no local environment is running for `{}`", here.display());
    assert!(message.contains(&expected), "{message}");
}
