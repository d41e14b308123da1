//! Where the template of a service is.

use delivery_definition::{Kind, Service, kind_of};

use super::listing::Listing;
use crate::deployment::DeploymentError;
use crate::package::Files;

/// The folder of a service in a tree whose definition is in this one; empty for the root.
#[must_use]
pub fn folder_of(service: &Service, folder: &str) -> String {
    let parts = [folder, service.folder()].into_iter();
    let parts: Vec<&str> = parts.filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}

/// The path of a service's template in a tree whose definition is in this folder.
///
/// # Errors
///
/// The service is not a stack, or has no template.
pub async fn template_of(
    service: &Service,
    folder: &str,
    files: &impl Files,
) -> Result<String, DeploymentError> {
    let folder = folder_of(service, folder);
    let listing = Listing::of(files, &folder).await?;
    let detected = kind_of(service, &listing)?;
    match detected.template.filter(|_| detected.kind == Kind::Stack) {
        Some(template) if folder.is_empty() => Ok(template),
        Some(template) => Ok(format!("{folder}/{template}")),
        None => Err(DeploymentError::NotAStack {
            service: service.name.clone(),
            kind: detected.kind.to_string(),
        }),
    }
}
