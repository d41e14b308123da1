//! What reader and writer share: the fields of zip records, and the rules for names and paths.

pub(crate) mod entry;
pub(crate) mod extra_fields;
pub(crate) mod fields;
pub(crate) mod fingerprint;
pub(crate) mod name;
pub(crate) mod path_tree;
