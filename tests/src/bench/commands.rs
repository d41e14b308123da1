//! What the start of the command line costs: the short commands of `delivery`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::time::Duration;

use aws_sdk_cloudformation::types::StackStatus;
use local::aws::LocalAws;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::Bench;
use super::engine::{self, Api, PIPELINE};
use super::figures::Figures;
use super::local_aws::{self, failed};
use super::report::{Section, Target};
use super::spent;
use crate::application::copy;
use crate::checkout;

/// Starts of each command. The kernel counts processor time in ticks of 10 ms, but adds up what they are rounded from: the
/// mean of 50 is right to 0.2 ms.
const RUNS: u32 = 50;

/// What one may take of a processor, in seconds.
const MOST_SECONDS: f64 = 0.015;

/// The stack whose pipeline `delivery status` shows.
const STACK: &str = "bench";

const COMMANDS: [&[&str]; 3] = [
    &["--version"],
    &["validate"],
    &["status", "--stack-name", STACK],
];

/// Starts `delivery` in a copy of `examples/workshop`, without cfn-lint on its path.
///
/// # Errors
///
/// Where it is not built, or fails.
pub(super) async fn compare(bench: &Bench) -> io::Result<Section> {
    let folder = bench.fresh("commands")?;
    let workshop = folder.join("workshop");
    copy(&checkout::root().join("examples/workshop"), &workshop)?;
    let nothing = folder.join("nothing");
    fs::create_dir(&nothing)?;

    let aws = local_aws::start().await?;
    let (sender, _jobs) = mpsc::unbounded_channel();
    let engine = engine::start(&nothing, &aws.access_key_id(), sender).await?;
    let api = Api::new(engine.endpoint(), &aws.access_key_id());
    api.call("CreatePipeline", &engine::pipeline()).await?;
    stack(&aws).await?;

    let mut variables = local_aws::variables(&aws, &nothing);
    variables.push(("PATH", nothing.clone().into()));
    variables.push(("DELIVERY_HOME", nothing.clone().into()));
    variables.push(("AWS_ENDPOINT_URL_CODEPIPELINE", engine.endpoint().into()));
    let mut rows = Vec::new();
    for arguments in COMMANDS {
        let run = async || {
            let mut command = Command::new(checkout::programs().join("delivery"));
            command.args(arguments).current_dir(&workshop).env_clear();
            command.envs(variables.iter().cloned());
            spent::run(&mut command).await.map(|spent| spent.wall)
        };
        rows.push(Row::measure(arguments, run).await?);
    }
    engine.shutdown().await;
    aws.stop().await.map_err(io::Error::other)?;
    Ok(section(&rows))
}

/// A command, and what its starts took, in seconds.
struct Row {
    command: String,
    wall: Figures,
    cpu: f64,
}

impl Row {
    async fn measure(
        arguments: &[&str],
        run: impl AsyncFn() -> io::Result<f64>,
    ) -> io::Result<Self> {
        run().await?; // what is not yet in memory is read
        let mut wall = Figures::default();
        let before = spent::ticks("self")?.children;
        for _ in 0..RUNS {
            wall.push(run().await?);
        }
        let cpu = spent::ticks("self")?.children - before;
        Ok(Self {
            command: format!("`delivery {}`", arguments[0]),
            wall,
            cpu: cpu / f64::from(RUNS),
        })
    }
}

fn section(rows: &[Row]) -> Section {
    let mut table =
        String::from("| command | wall, median, ms | processor, mean, ms |\n|---|---|---|\n");
    let mut targets = Vec::new();
    for Row { command, wall, cpu } in rows {
        let (wall, shown) = (wall.median() * 1e3, cpu * 1e3);
        let _infallible = writeln!(table, "| {command} | {wall:.1} | {shown:.1} |");
        targets.push(Target {
            work: command.clone(),
            aim: "below 15 ms of processor time".to_owned(),
            reached: format!("{shown:.1} ms"),
            met: *cpu < MOST_SECONDS,
        });
    }
    Section {
        title: "Start of the command line".to_owned(),
        text: format!(
            "{RUNS} starts of each command in a copy of `examples/workshop`. `validate` checks the rendered templates \
             by its own rules, without cfn-lint, which is a program of its own; `status` asks the local AWS for a \
             stack and its pipeline."
        ),
        table,
        targets,
        ..Section::default()
    }
}

/// Makes the stack that names the pipeline.
async fn stack(aws: &LocalAws) -> io::Result<()> {
    let template = format!(
        "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\nOutputs:\n  Pipeline: {{ Value: {PIPELINE} }}\n"
    );
    let client = aws_sdk_cloudformation::Client::new(&local_aws::config(aws));
    let create = client.create_stack().stack_name(STACK);
    let created = create.template_body(template).send().await;
    created.map_err(failed)?;
    loop {
        let described = client.describe_stacks().stack_name(STACK).send().await;
        let described = described.map_err(failed)?;
        let status = described
            .stacks()
            .first()
            .and_then(|stack| stack.stack_status());
        match status.map(StackStatus::as_str) {
            Some("CREATE_COMPLETE") => return Ok(()),
            Some("CREATE_IN_PROGRESS") => tokio::time::sleep(Duration::from_millis(50)).await,
            other => return Err(io::Error::other(format!("the stack is {other:?}"))),
        }
    }
}
