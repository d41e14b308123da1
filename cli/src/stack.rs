//! The commands about the stack.

pub(crate) mod connection;
pub(crate) mod console;
pub(crate) mod description;
mod down;
pub(crate) mod failure;
pub(crate) mod follow;
pub(crate) mod parameters;
pub(crate) mod pipelines;
pub(crate) mod publish;
pub(crate) mod question;
mod up;
mod validate;
mod wait;

pub(crate) use down::down;
pub(crate) use publish::publish;
pub(crate) use up::up;
#[cfg(test)]
pub(crate) use validate::Validation;
pub(crate) use validate::validate;
pub(crate) use wait::wait;
