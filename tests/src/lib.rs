//! What the demo and the whole-pipeline tests share: an application with a history, the `delivery`
//! program as a user runs it, and a visitor who fetches what was deployed.

pub mod application;
pub mod aws;
pub mod bench;
pub mod checkout;
pub mod cost;
pub mod delivery;
pub mod home;
pub mod packages;
pub mod sdk;
pub mod visitor;
