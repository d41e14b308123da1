//! What a pipeline delivers to an environment: where, and what became of it so far.

pub(super) mod history;
pub(super) mod place;
