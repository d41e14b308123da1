//! A program that deploys: its commands, its folder, its stack.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use local::aws::LocalAws;
use tokio::process::Command;

use super::deployed::Place;
use crate::bench::Bench;
use crate::bench::contest::Contender;
use crate::bench::function::search_path;
use crate::bench::local_aws;
use crate::bench::spent::{self, Spent};
use crate::checkout;

/// What a program is called, how it deploys, and where that is found afterwards.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// What is run before, which is not measured.
    pub(super) before: &'static [&'static str],
    /// What is run, one after the other.
    pub(super) commands: &'static [&'static str],
    pub(super) stack: &'static str,
    /// The logical id of the function that changes.
    pub(super) function: &'static str,
    pub(super) says_unchanged: &'static str,
}

const OWN: Program = Program {
    name: "this project",
    before: &[],
    commands: &["delivery deploy dev-bench"],
    stack: "bench-dev-bench-notes",
    function: "List",
    says_unchanged: "unchanged",
};

const PEERS: [Program; 3] = [
    Program {
        name: "SAM CLI",
        before: &[],
        commands: &[
            "sam deploy --template-file notes/template.yaml --stack-name bench-sam --s3-bucket code --s3-prefix sam \
             --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --no-confirm-changeset \
             --no-fail-on-empty-changeset --no-progressbar",
        ],
        stack: "bench-sam",
        function: "List",
        says_unchanged: "No changes to deploy",
    },
    Program {
        name: "AWS CLI",
        before: &[],
        commands: &[
            "aws cloudformation package --template-file notes/template.yaml --s3-bucket code --s3-prefix aws \
             --output-template-file packaged.yaml",
            "aws cloudformation deploy --template-file packaged.yaml --stack-name bench-aws --capabilities \
             CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --no-fail-on-empty-changeset",
        ],
        stack: "bench-aws",
        function: "List",
        says_unchanged: "No changes to deploy",
    },
    Program {
        name: "Serverless Framework",
        before: &[],
        commands: &["serverless deploy --stage dev"],
        stack: "bench-dev",
        function: "ListLambdaFunction",
        says_unchanged: "No changes to deploy",
    },
];

/// Nothing is reported to anyone, and nobody reads page by page.
const VARIABLES: [(&str, &str); 4] = [
    ("AWS_PAGER", ""),
    ("SAM_CLI_TELEMETRY", "0"),
    ("SLS_TELEMETRY_DISABLED", "1"),
    ("SLS_NOTIFICATIONS_MODE", "off"),
];

/// A program in its folder.
pub(super) struct Deployer {
    program: &'static Program,
    path: PathBuf,
    folder: PathBuf,
    variables: Vec<(&'static str, OsString)>,
}

impl Deployer {
    /// This project, then each peer that was found.
    pub(super) fn all(bench: &Bench, aws: &LocalAws, root: &Path) -> Vec<Self> {
        let own = Self::new(&OWN, checkout::programs().join("delivery"), aws, root);
        let peers = Self::found(bench, &PEERS, aws, root);
        std::iter::once(own).chain(peers).collect()
    }

    /// Those of these programs that were found, each with a folder of its own.
    pub(super) fn found(
        bench: &Bench,
        programs: &'static [Program],
        aws: &LocalAws,
        root: &Path,
    ) -> Vec<Self> {
        let found = programs.iter().filter_map(|program| {
            let path = bench.peers.path(verb(program.commands[0]))?;
            Some(Self::new(program, path, aws, root))
        });
        found.collect()
    }

    fn new(program: &'static Program, path: PathBuf, aws: &LocalAws, root: &Path) -> Self {
        let mut variables = local_aws::variables(aws, root);
        variables.extend(VARIABLES.map(|(name, value)| (name, value.into())));
        variables.push(("PATH", search_path(&[])));
        Self {
            program,
            path,
            folder: root.join(program.stack),
            variables,
        }
    }

    pub(super) fn contender(&self) -> Contender {
        Contender::new(self.program.name, self.program.commands.join(" && "))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn place(&self) -> Place<'static> {
        Place {
            stack: self.program.stack,
            function: self.program.function,
        }
    }

    pub(super) fn says_unchanged(&self) -> &'static str {
        self.program.says_unchanged
    }

    /// Runs its commands; returns what they took and printed. What comes before them is not counted.
    pub(super) async fn deploy(&self) -> io::Result<(Spent, String)> {
        self.run(self.program.before).await?;
        self.run(self.program.commands).await
    }

    async fn run(&self, commands: &[&str]) -> io::Result<(Spent, String)> {
        let mut spent = Spent::default();
        let mut printed = String::new();
        for command in commands {
            let mut running = Command::new(&self.path);
            running
                .args(command.split_whitespace().skip(1))
                .current_dir(&self.folder)
                .env_clear()
                .envs(self.variables.iter().cloned());
            let (taken, said) = spent::run_and_read(&mut running).await?;
            spent = spent + taken;
            printed.push_str(&said);
        }
        Ok((spent, printed))
    }

    pub(super) fn failed(&self, what: &str, printed: &str) -> io::Error {
        io::Error::other(format!("{} {what}:\n{printed}", self.program.name))
    }
}

fn verb(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::deploy::deployed::BUCKET;

    #[test]
    fn the_bucket_of_the_commands_is_the_one_that_is_made() {
        let uses = PEERS.iter().flat_map(|program| program.commands);
        let uses = uses.filter_map(|command| command.split_once("--s3-bucket "));
        let buckets: Vec<&str> = uses.map(|(_, rest)| verb(rest)).collect();
        assert_eq!(buckets, [BUCKET; 2]);
    }
}
