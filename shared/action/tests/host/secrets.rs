//! What a job regards as secret is not in its report, and is forgotten with the job.

use delivery_action::action::{Action, Completion, Host, Outcome};
use delivery_action::aws::SdkConfig;
use delivery_action::job::Job;
use delivery_action::logging::redact;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_testing::events::{JobEvent, invocation};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use serde::Deserialize;

use crate::SampleError;

/// An action that tells what it was given.
struct Telltale;

struct Told(String);

impl Params for Told {
    fn from_user_parameters(
        mut parameters: UserParameters,
        _: &Job,
    ) -> Result<Self, ParametersError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        let variables = parameters.take_prefixed("Env.")?;
        let Nothing {} = parameters.deserialize()?;
        Ok(Self(variables.into_values().collect::<Vec<_>>().join(" ")))
    }
}

impl Action for Telltale {
    const NAME: &'static str = "telltale";
    type Params = Told;
    type Error = SampleError;

    async fn run(&self, _: &Job, params: Told) -> Result<Outcome, SampleError> {
        let summary = format!("{} {:?}", params.0, params.0);
        Ok(Outcome::Complete(Completion {
            summary,
            ..Completion::default()
        }))
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a constructor may fail, though not this one"
)]
fn construct(_: &SdkConfig) -> Result<Telltale, SampleError> {
    Ok(Telltale)
}

/// The summaries of jobs of one warm function.
async fn summaries(parameters: &[&str]) -> Vec<String> {
    let world = World::start().await;
    let host = Host::new(construct, world.config());
    for (number, parameters) in parameters.iter().enumerate() {
        let event = JobEvent::new()
            .id(&format!("job-{number}"))
            .user_parameters(parameters)
            .build();
        world.code_pipeline().add_job(&event);
        host.invoke(event, invocation()).await.unwrap();
    }
    let pipeline = world.code_pipeline();
    let summary = |reported: &&Reported| match reported {
        Reported::Success { summary, .. } => summary.clone(),
        other => panic!("{other:?}"),
    };
    pipeline.accepted().iter().map(summary).collect()
}

#[tokio::test]
async fn a_secret_of_one_job_is_a_word_of_the_next() {
    let printed = summaries(&["Env.CACHE_KEY=warm-frontend", "Env.NAME=warm-frontend"]).await;
    assert!(
        printed[0].starts_with("[redacted] \"[redacted]\""),
        "{printed:?}"
    );
    assert!(
        printed[1].starts_with("warm-frontend \"warm-frontend\""),
        "{printed:?}"
    );
    assert_eq!(redact("warm-frontend"), "warm-frontend");
}

#[test_case::test_case("Env.A_SECRET=qu%22ote-hidden-0"; "quote")]
#[test_case::test_case("Env.B_TOKEN=back%5Cslash-hidden-1"; "backslash")]
#[test_case::test_case("Env.C_KEY=line-hidden-2%0Aline-hidden-3%0D%0Aline-hidden-4"; "lines")]
#[test_case::test_case("{\"Env.D_PASSWORD\":\"json-hidden-5\"}"; "json")]
#[tokio::test]
async fn a_secret_is_hidden_whatever_is_in_it(parameters: &str) {
    let printed = summaries(&[parameters]).await;
    assert!(
        printed[0].contains("[redacted]") && !printed[0].contains("hidden"),
        "{printed:?}"
    );
}
