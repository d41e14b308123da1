//! What was packaged, by the names that a manifest has for it. Pure.

use delivery_release::repository::Blob;

use super::locations::Location;

/// A template, and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The template's text, with the addresses of what it names.
    pub text: String,
    /// What it names, in the order of the template.
    pub artifacts: Vec<Packaged>,
}

/// Something that a template names, in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packaged {
    /// The resource's logical id, where it names nothing else; otherwise that with the property, such as
    /// `Resolver.CodeS3Location`. What a nested template names has the name of the nested one before it: `Inner/Submit`.
    pub name: String,
    /// Where the template names it, as a JSON pointer; `None` in a nested template, which has the address in its own text.
    pub property: Option<String>,
    /// The blob.
    pub blob: Blob,
}

/// What a location names, and what that names in turn.
#[derive(Clone, Debug)]
pub(super) struct Uploaded {
    pub(super) blob: Blob,
    pub(super) inner: Vec<Packaged>,
}

/// Names what locations lead to.
pub(super) fn named(found: &[(Location, Uploaded)]) -> Vec<Packaged> {
    let mut artifacts = Vec::new();
    for (location, uploaded) in found {
        let all = found.iter();
        let is_alone = all
            .filter(|(other, _)| other.resource == location.resource)
            .count()
            == 1;
        let name = if is_alone {
            location.resource.clone()
        } else {
            format!("{}.{}", location.resource, below(location))
        };
        artifacts.push(Packaged {
            property: Some(location.pointer.clone()),
            blob: uploaded.blob,
            name: name.clone(),
        });
        artifacts.extend(uploaded.inner.iter().map(|inner| Packaged {
            name: format!("{name}/{}", inner.name),
            property: None,
            blob: inner.blob,
        }));
    }
    artifacts
}

/// The place in a resource or section, which only one location has.
fn below(location: &Location) -> String {
    let pointer = location.pointer.as_str();
    let properties = format!("/Resources/{}/Properties/", location.resource);
    let place = pointer.strip_prefix(&properties);
    place
        .unwrap_or(pointer)
        .trim_start_matches('/')
        .replace('/', ".")
}
