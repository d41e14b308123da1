//! Which services are as they were in the release before.

use std::collections::BTreeSet;

use delivery_release::manifest::Manifest;
use delivery_release::repository::Repository;

use crate::error::ReleaseActionError;

/// How many releases are looked through: each pipeline of an application publishes its own, so the newest one may have other
/// services. It is information only, and not worth more requests.
const MAX_RELEASES: usize = 10;

/// The services whose entry is that of the newest release with that service, among those published before this one. Asked
/// before it is published: what is there then came before it, unless it is there itself.
pub(crate) async fn services(
    repository: &Repository,
    manifest: &Manifest,
) -> Result<BTreeSet<String>, ReleaseActionError> {
    let listed = repository.releases().await?;
    let own = manifest.id();
    let place = listed.iter().position(|one| one.release == own);
    let before = listed.into_iter().skip(place.map_or(0, |place| place + 1));
    let mut open: BTreeSet<&String> = manifest.services.keys().collect();
    let mut unchanged = BTreeSet::new();
    for one in before.take(MAX_RELEASES) {
        let earlier = match repository.manifest(&one.release).await {
            Ok(earlier) => earlier,
            // This release does not depend on it.
            Err(error) => {
                tracing::warn!(release = %one.release, %error, "an earlier release cannot be read");
                continue;
            }
        };
        open.retain(|name| {
            let Some(there) = earlier.services.get(*name) else {
                return true;
            };
            if manifest.services.get(*name) == Some(there) {
                unchanged.insert((*name).clone());
            }
            false
        });
        if open.is_empty() {
            break;
        }
    }
    Ok(unchanged)
}
