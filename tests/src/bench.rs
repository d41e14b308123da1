//! `scripts/bench`: every comparison of this project with what a team would use instead, each contender in
//! turn on the same input, in one run.
//!
//! Only ratios of one run count: machines differ and are noisy. No test asserts a time.

pub mod archives;
pub mod commands;
pub mod contest;
pub mod deploy;
pub mod engine;
pub mod figures;
pub mod first;
pub mod function;
pub mod inputs;
pub mod local_aws;
pub mod machine;
pub mod npm;
pub mod peers;
pub mod report;
pub mod s3;
pub mod site;
pub mod size;
pub mod spent;
pub mod start;

use std::io;
use std::path::PathBuf;

/// What all comparisons share.
#[derive(Debug)]
pub struct Bench {
    /// Where inputs and outputs are made: in memory where the machine has such a folder.
    pub directory: PathBuf,
    /// The programs that are compared with.
    pub peers: peers::Peers,
    /// The functions' programs for Lambda, a folder each with its `bootstrap`.
    pub functions: PathBuf,
    /// The functions' packages.
    pub packages: PathBuf,
    /// Threads of every contender whose number of threads can be set.
    pub threads: usize,
    /// Fewer rounds and no warm-up: for development, not for publication.
    pub quick: bool,
}

impl Bench {
    /// Rounds of a comparison; once with `--quick`.
    #[must_use]
    pub fn rounds(&self, usual: usize) -> contest::Rounds {
        if self.quick {
            return contest::Rounds {
                counted: 1,
                warm_up: false,
            };
        }
        contest::Rounds {
            counted: usual,
            warm_up: true,
        }
    }

    /// A new, empty folder of this name.
    ///
    /// # Errors
    ///
    /// Where the disk is full.
    pub fn fresh(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.directory.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Which comparisons there are, by what the command line calls them.
    pub const COMPARISONS: [&str; 12] = [
        "extract", "create", "large", "npm", "site", "deploy", "promote", "first", "memory",
        "start", "size", "engine",
    ];

    /// Makes one comparison.
    ///
    /// # Errors
    ///
    /// Where an input cannot be made, a contender fails, or there is no comparison of this name.
    pub async fn compare(&self, name: &str) -> io::Result<Vec<report::Section>> {
        match name {
            "extract" => archives::extract(self).await,
            "create" => archives::create(self).await,
            "large" => archives::large(self).await,
            "npm" => npm::compare(self).await,
            "site" => site::compare(self).await,
            "deploy" => deploy::compare(self).await,
            "promote" => deploy::promotion::compare(self).await,
            "first" => first::compare(self).await.map(|section| vec![section]),
            "memory" => npm::memory(self).await,
            "start" => start::compare(self).await,
            "size" => size::table(self),
            "engine" => engine::compare(self).await,
            _ => Err(io::Error::other(format!(
                "there is no comparison `{name}`, only {}",
                Self::COMPARISONS.join(", ")
            ))),
        }
    }
}
