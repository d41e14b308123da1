//! What tests of actions need: events, a strict in-memory AWS, faults.

pub mod archives;
