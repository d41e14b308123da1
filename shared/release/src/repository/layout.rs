//! The keys of the repository's bucket, written and read.

use jiff::Timestamp;

use crate::digest::Digest;
use crate::environment::DeploymentId;
use crate::manifest::ReleaseId;
use crate::time;

/// What keys of blobs begin with.
pub(crate) const BLOBS: &str = "blobs/sha256/";

/// What keys of releases begin with.
pub(crate) const RELEASES: &str = "releases/";

/// What keys of environments begin with.
pub(crate) const ENVIRONMENTS: &str = "environments/";

/// The environments that were seen to be removed. It stands beside their folders, not in one.
pub(crate) const REMOVED: &str = "environments/removed.json";

/// What keys of the index by time begin with.
pub const BY_TIME: &str = "releases/by-time/";

/// A blob.
#[must_use]
pub fn blob(digest: &Digest) -> String {
    format!("{BLOBS}{digest}")
}

/// The manifest of a release.
#[must_use]
pub fn manifest(release: &ReleaseId) -> String {
    format!("{RELEASES}{release}/manifest.json")
}

/// Who published a release first, and when. An execution's id has nothing but letters, digits and `-`.
#[must_use]
pub fn provenance(release: &ReleaseId, execution: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let execution: String = execution.chars().map(plain).collect();
    format!("{RELEASES}{release}/provenance-{execution}.json")
}

/// The mark that a release passed the tests of an environment.
#[must_use]
pub fn verified(release: &ReleaseId, environment: &str) -> String {
    format!("{RELEASES}{release}/verified/{environment}.json")
}

/// What the marks of a family's environments begin with.
pub(crate) fn verified_in_family(release: &ReleaseId, family: &str) -> String {
    format!("{RELEASES}{release}/verified/{family}-")
}

/// The entry of the index by time.
#[must_use]
pub fn by_time(published: Timestamp, release: &ReleaseId) -> String {
    format!("{BY_TIME}{}-{release}", time::compact(published))
}

/// What an environment has, and who is changing it.
#[must_use]
pub fn current(environment: &str) -> String {
    format!("{ENVIRONMENTS}{environment}/current.json")
}

/// The environment whose document has this key.
pub(crate) fn environment_of(key: &str) -> Option<&str> {
    let name = key.strip_prefix(ENVIRONMENTS)?;
    name.strip_suffix("/current.json")
}

/// The records of an environment's deployments.
pub(crate) fn deployments(environment: &str) -> String {
    format!("{ENVIRONMENTS}{environment}/deployments/")
}

/// The record of a deployment.
#[must_use]
pub fn deployment(environment: &str, deployment: &DeploymentId) -> String {
    format!("{}{deployment}.json", deployments(environment))
}

/// What a key of a release is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OfRelease {
    Manifest(ReleaseId),
    Published(Timestamp, ReleaseId),
    Verified(ReleaseId, String),
}

/// Reads a key of a release; `None` for all others.
pub(crate) fn of_release(key: &str) -> Option<OfRelease> {
    if let Some(entry) = key.strip_prefix(BY_TIME) {
        let (published, release) = entry.split_once('-')?;
        return Some(OfRelease::Published(
            time::from_compact(published)?,
            release.parse().ok()?,
        ));
    }
    let (release, rest) = key.strip_prefix(RELEASES)?.split_once('/')?;
    let release = release.parse().ok()?;
    if rest == "manifest.json" {
        return Some(OfRelease::Manifest(release));
    }
    let environment = rest.strip_prefix("verified/")?.strip_suffix(".json")?;
    Some(OfRelease::Verified(release, environment.to_owned()))
}

/// The digest that a blob's key names.
pub(crate) fn digest_of(key: &str) -> Option<Digest> {
    key.strip_prefix(BLOBS)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let release: ReleaseId = "0123456789abcdef".parse().unwrap();
        let at: Timestamp = "2026-11-27T20:33:50Z".parse().unwrap();
        let read = |key: String| of_release(&key);
        assert_eq!(
            read(manifest(&release)),
            Some(OfRelease::Manifest(release.clone()))
        );
        assert_eq!(
            by_time(at, &release),
            "releases/by-time/20261127T203350Z-0123456789abcdef"
        );
        assert_eq!(
            read(by_time(at, &release)),
            Some(OfRelease::Published(at, release.clone()))
        );
        assert_eq!(
            read(verified(&release, "int")),
            Some(OfRelease::Verified(release.clone(), "int".to_owned()))
        );
        let provenance = provenance(&release, "arn:aws:x/../1");
        assert_eq!(
            provenance,
            "releases/0123456789abcdef/provenance-arn-aws-x----1.json"
        );
        assert_eq!(read(provenance), None);
        let digest = Digest::of(b"abc");
        assert_eq!(digest_of(&blob(&digest)), Some(digest));
    }
}
