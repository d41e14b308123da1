//! `release-window`: lets a release pass only between two hours of the day (UTC).

use std::time::UNIX_EPOCH;

use delivery_action::action::{Action, Completion, Outcome, RuntimeError, serve};
use delivery_action::aws::SdkConfig;
use delivery_action::clock;
use delivery_action::failure::{ActionError, FailureType};
use delivery_action::job::Job;
use delivery_action::parameters::Parameters;

struct ReleaseWindow;

/// `UserParameters`, such as `from=8&until=16`.
#[derive(serde::Deserialize)]
struct Window {
    from: u64,
    until: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("it is {hour} o'clock UTC, and releases pass from {from} to {until} o'clock")]
struct Closed {
    hour: u64,
    from: u64,
    until: u64,
}

impl ActionError for Closed {
    fn failure_type(&self) -> FailureType {
        FailureType::JobFailed
    }

    fn hint(&self) -> Option<String> {
        Some("retry the stage then, or change `from` and `until` in `UserParameters`".to_owned())
    }
}

impl Action for ReleaseWindow {
    const NAME: &'static str = "release-window";
    type Params = Parameters<Window>;
    type Error = Closed;

    async fn run(&self, _job: &Job, params: Parameters<Window>) -> Result<Outcome, Closed> {
        let Parameters(Window { from, until }) = params;
        let since_1970 = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let hour = since_1970.as_secs() / 3600 % 24;
        if !(from..until).contains(&hour) {
            return Err(Closed { hour, from, until });
        }
        Ok(Outcome::Complete(Completion {
            summary: format!("the release window is open until {until} o'clock"),
            ..Completion::default()
        }))
    }
}

fn main() -> Result<(), RuntimeError> {
    serve(|_: &SdkConfig| ReleaseWindow)
}

#[cfg(test)]
mod tests {
    use delivery_testing::events::JobEvent;
    use delivery_testing::world::{World, codepipeline::Reported};

    use super::*;

    async fn result(parameters: &str) -> Reported {
        let event = JobEvent::new().user_parameters(parameters);
        let world = World::start().await;
        world.run(|_: &SdkConfig| ReleaseWindow, event).await
    }

    #[tokio::test]
    async fn an_open_window_lets_the_release_pass() {
        let result = result("from=0&until=24").await;
        assert!(matches!(result, Reported::Success { .. }), "{result:?}");
    }

    #[tokio::test]
    async fn a_closed_window_fails_the_job_and_says_what_to_do() {
        let Reported::Failure { message, .. } = result("from=0&until=0").await else {
            panic!("the job passed")
        };
        assert!(
            message.contains("\nhint: retry the stage then"),
            "{message}"
        );
    }
}
