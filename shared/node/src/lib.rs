//! Node.js projects: what is checked of them before a pipeline starts, their tasks, their test reports, and what
//! an artifact says of its dependencies.

pub mod dependencies;
pub mod junit;
pub mod project;
pub mod task;
