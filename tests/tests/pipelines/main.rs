//! Whole pipelines over the real local AWS, with the programs that a user gets.

mod aws;
mod demo;
mod home;
mod interruption;
mod leaks;
mod story;
mod superseding;
