//! Node.js projects: what is checked of them before a pipeline starts, their tasks, and their test reports.

pub mod junit;
pub mod project;
pub mod task;
