//! What an environment has after a release that holds only some of its services: a manifest, too, so that promotion and
//! rollback always have one id.

use super::Manifest;

impl Manifest {
    /// This release over what an environment has: its own services, and those of `there` that other pipelines deliver. What is
    /// in neither is not part of the application any more.
    ///
    /// A release with all services comes back as it is.
    #[must_use]
    pub fn over(&self, there: &Self) -> Self {
        let id = there.id();
        let mut all = self.clone();
        for (name, service) in &there.services {
            if self.services.contains_key(name) || !self.elsewhere.contains(name) {
                continue;
            }
            let of = there.combined.get(name).unwrap_or(&id);
            all.services.insert(name.clone(), service.clone());
            all.combined.insert(name.clone(), of.clone());
        }
        all
    }
}
