//! The driver of `scripts/bench`, the S3 that serves both sides, and the archives' command line.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use delivery_archive::Creation;
use jiff::Timestamp;
use pipeline_tests::bench::machine::Machine;
use pipeline_tests::bench::peers::Peers;
use pipeline_tests::bench::{Bench, report, s3};
use pipeline_tests::checkout;

/// Compares this project with what a team would use instead.
#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the comparisons.
    Run(Run),
    /// Serves S3 from memory until it is ended.
    Serve {
        /// What is added to each request, in milliseconds.
        #[arg(long, default_value_t = 0)]
        delay_ms: u64,
    },
    /// Extracts an archive as an action does.
    Extract(Archive),
    /// Makes an archive as an action does.
    Create(Archive),
}

#[derive(Debug, Args)]
struct Archive {
    from: PathBuf,
    to: PathBuf,
    /// How many threads do it.
    #[arg(long, default_value = "2")]
    threads: NonZero<usize>,
}

#[derive(Debug, Args)]
struct Run {
    /// Some of: extract, create, large, npm, site, deploy, promote, first, memory, start, size, engine; without any,
    /// all of them, and docs/benchmarks.md is written.
    comparisons: Vec<String>,
    /// One round of each, without a warm-up: to see that everything works.
    #[arg(long)]
    quick: bool,
    /// Where the peers are.
    #[arg(long)]
    peers: PathBuf,
    /// Where the functions' programs are.
    #[arg(long)]
    functions: PathBuf,
    /// Where the functions' packages are.
    #[arg(long)]
    packages: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Run(options) => run(options).await,
        Command::Serve { delay_ms } => s3::server::serve(Duration::from_millis(delay_ms)).await,
        Command::Extract(Archive { from, to, threads }) => {
            delivery_archive::extract_file_with(&from, &to, threads)
                .map(drop)
                .map_err(io::Error::other)
        }
        Command::Create(Archive { from, to, threads }) => {
            let creation = Creation::of(&from).threads(threads.get());
            creation.write_file(&to).map(drop).map_err(io::Error::other)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Run) -> io::Result<()> {
    let date = Timestamp::from_second(Timestamp::now().as_second()).map_err(io::Error::other)?;
    let directory = tempfile::Builder::new()
        .prefix("delivery-bench-")
        .tempdir()?;
    let machine = Machine::this(
        date.strftime("%Y-%m-%d %H:%M").to_string(),
        directory.path(),
    );
    let bench = Bench {
        directory: directory.path().to_owned(),
        peers: Peers::find(&options.peers.canonicalize()?),
        functions: options.functions.canonicalize()?,
        packages: options.packages,
        threads: machine.cores,
        quick: options.quick,
    };
    for missing in &bench.peers.missing {
        eprintln!("bench: {missing} could not be had and is not compared");
    }
    let everything = options.comparisons.is_empty();
    let wanted = if everything {
        Bench::COMPARISONS.map(str::to_owned).to_vec()
    } else {
        options.comparisons
    };
    let mut sections = Vec::new();
    for name in wanted {
        eprintln!("bench: {name}");
        let made = bench.compare(&name).await?;
        for section in &made {
            println!("{}", report::section(section));
        }
        sections.extend(made);
    }
    println!("{}", report::targets(&sections));
    if everything && !bench.quick {
        let page = checkout::root().join("docs/benchmarks.md");
        std::fs::write(&page, report::page(&machine, &bench.peers, &sections))?;
        eprintln!("bench: written to {}", page.display());
    }
    Ok(())
}
