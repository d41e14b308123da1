//! What a release calls itself.

use delivery_action::artifact::Store;
use delivery_action::job::Artifact;
use jiff::Timestamp;

use crate::error::DeploySiteError;

/// Lengths of a commit id: SHA-1 and SHA-256.
const COMMIT_ID_LENGTHS: [usize; 2] = [40, 64];

/// The version: what the parameter says, else the artifact's revision where that is a commit id, else
/// when the artifact was stored. That time is the same for a job that is delivered again and for every
/// stage, where the clock's would make a release of its own each time.
pub(crate) async fn of(
    store: &Store,
    artifact: &Artifact,
    parameter: Option<&str>,
) -> Result<String, DeploySiteError> {
    if let Some(version) = parameter {
        return Ok(version.to_owned());
    }
    if let Some(revision) = artifact
        .revision
        .as_deref()
        .filter(|revision| is_commit_id(revision))
    {
        return Ok(revision.to_owned());
    }
    Ok(written(store.modified(artifact).await?))
}

fn is_commit_id(revision: &str) -> bool {
    COMMIT_ID_LENGTHS.contains(&revision.len()) && revision.chars().all(|c| c.is_ascii_hexdigit())
}

/// A time as `YYYYMMDD-HHMMSS`, UTC.
fn written(time: Timestamp) -> String {
    time.strftime("%Y%m%d-%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_without_separators() {
        assert_eq!(
            written(Timestamp::from_second(1_732_180_445).unwrap()),
            "20241121-091405"
        );
    }

    #[test]
    fn only_a_whole_commit_id_is_one() {
        assert!(is_commit_id("0123456789abcdef0123456789abcdef01234567"));
        assert!(!is_commit_id("0123456"));
        assert!(!is_commit_id("v1.0.0-0123456789abcdef0123456789abcdef0"));
    }
}
