//! The files of an input artifact.

pub(crate) use delivery_stack::package::ArtifactFiles;
