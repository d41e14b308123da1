//! Releases deployed by the functions' own programs, as the stage of an environment runs them: `deploy-stack`, then `release` at
//! the end.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use delivery_release::manifest::ReleaseId;
use delivery_testing::events::JobEvent;
use delivery_testing::runtime::{Ended, Function, KillSwitch};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use local::aws::LocalAws;

use crate::bench::function::program;
use crate::bench::spent::{self, Spent};
use crate::bench::{Bench, local_aws};

/// The bucket of releases.
pub(super) const RELEASES: &str = "releases";

/// What the stacks are made with.
pub(super) const ROLE: &str = "arn:aws:iam::000000000000:role/cloudformation";

/// The most that Lambda gives.
const TIMEOUT: Duration = Duration::from_mins(15);

/// CodePipeline's part is the world's: it gives out jobs, and takes their results.
const CODE_PIPELINE: &str = "AWS_ENDPOINT_URL_CODEPIPELINE";

/// The two functions, warm.
pub(super) struct Stage {
    world: World,
    deploy_stack: Function,
    release: Function,
    jobs: u64,
}

impl Stage {
    pub(super) async fn start(bench: &Bench, aws: &LocalAws) -> io::Result<Self> {
        let world = World::start().await;
        let mut variables: Vec<(&str, OsString)> = local_aws::variables(aws, &bench.directory);
        variables.push((CODE_PIPELINE, world.url().into()));
        let start = async |name| {
            let kill = KillSwitch::default();
            let program = program(bench, name)?;
            let endpoint = aws.endpoint();
            io::Result::Ok(
                Function::start_with(&program, endpoint, &kill, TIMEOUT, &variables).await,
            )
        };
        Ok(Self {
            deploy_stack: start("deploy-stack").await?,
            release: start("release").await?,
            world,
            jobs: 0,
        })
    }

    /// Applies a release to an environment; `how` are the parameters that say on what terms.
    pub(super) async fn apply(
        &mut self,
        release: &ReleaseId,
        environment: &str,
        how: &str,
    ) -> io::Result<Spent> {
        let execution = format!("{:08}-0000-4000-8000-000000000000", self.jobs);
        let common = format!(
            "releases={RELEASES}&release={release}&pipeline=promote-apply-{environment}&execution={execution}"
        );
        let deploys = format!("{common}&role={ROLE}&environment={environment}&service=shop{how}");
        let event = self.next(&deploys);
        let deployed = job(&self.world, &mut self.deploy_stack, &event).await?;
        let event = self.next(&format!("{common}&end={environment}"));
        let ended = job(&self.world, &mut self.release, &event).await?;
        Ok(deployed + ended)
    }

    fn next(&mut self, parameters: &str) -> JobEvent {
        self.jobs += 1;
        let id = format!("{:08}-abcd-1111-2222-333344445555", self.jobs);
        JobEvent::new()
            .id(&id)
            .user_parameters(parameters)
            .credentials(None)
    }
}

/// From the event handed out until the result is reported and the invocation has ended.
async fn job(world: &World, function: &mut Function, event: &JobEvent) -> io::Result<Spent> {
    let event = event.clone().build();
    world.code_pipeline().add_job(&event);
    let process = function.id().map(|id| id.to_string()).unwrap_or_default();
    let before = spent::ticks(&process)?;
    let begun = Instant::now();
    let ended = function.invoke(&event).await;
    let wall = begun.elapsed().as_secs_f64();
    let after = spent::ticks(&process)?;
    let reported = world.code_pipeline().reports().last().cloned();
    match (ended, reported.map(|report| report.result)) {
        (Ended::Succeeded, Some(Reported::Success { .. })) => Ok(Spent {
            wall,
            cpu: after.own - before.own,
        }),
        (ended, reported) => Err(io::Error::other(format!("{ended:?}: {reported:?}"))),
    }
}
