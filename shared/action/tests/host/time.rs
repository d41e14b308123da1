//! The end of a function's time, whatever the action does: the report is sent before it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use delivery_action::action::{Action, Completion, Host, Outcome};
use delivery_action::aws::SdkConfig;
use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_testing::events::{JobEvent, invocation, invocation_of};
use delivery_testing::proxy::{Fault, Proxy, Rule};
use delivery_testing::s3;
use delivery_testing::world::World;
use serde::Deserialize;

use crate::{SampleError, event, only_failure};

/// An action that does not end, in one of the ways there are.
struct Endless;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndlessParams {
    by: By,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Waiting,
    Spinning,
    Blocking,
    BlockingAllThreads,
    Dropping,
    Nothing,
}

impl Params for EndlessParams {
    fn from_user_parameters(parameters: UserParameters, _: &Job) -> Result<Self, ParametersError> {
        parameters.deserialize()
    }
}

/// Whether an action that spins may end: it has been reported. It would take a processor from all later tests.
static SPUN_ENOUGH: AtomicBool = AtomicBool::new(false);

/// Blocks its thread when it is dropped, as the removal of a large tree does.
struct SlowToDrop;

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        block();
    }
}

fn block() {
    loop {
        std::thread::park();
    }
}

impl Action for Endless {
    const NAME: &'static str = "endless";
    type Params = EndlessParams;
    type Error = SampleError;

    async fn run(&self, _: &Job, params: EndlessParams) -> Result<Outcome, SampleError> {
        // Whoever waited for a timer last holds the runtime's driver when it blocks.
        tokio::time::sleep(Duration::from_millis(1)).await;
        match params.by {
            By::Waiting => std::future::pending().await,
            By::Spinning => {
                while !SPUN_ENOUGH.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
            By::Blocking => block(),
            By::BlockingAllThreads => {
                let _blocked: Vec<_> = (0..8).map(|_| tokio::spawn(async { block() })).collect();
                std::future::pending::<()>().await;
            }
            By::Dropping => {
                let _slow = SlowToDrop;
                std::future::pending::<()>().await;
            }
            By::Nothing => {}
        }
        let summary = "done".to_owned();
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
fn construct(_: &SdkConfig) -> Result<Endless, SampleError> {
    Ok(Endless)
}

/// Runs a function of some seconds; the message of the only report, which came before its end.
async fn stopped(by: &str, seconds: u64) -> String {
    let world = World::start().await;
    let event = event(&format!("by={by}"));
    world.code_pipeline().add_job(&event);
    let invocation = invocation_of(Duration::from_secs(seconds));
    let end = invocation.deadline;
    let host = Host::new(construct, world.config());
    host.invoke(event, invocation).await.unwrap();
    assert!(
        !end.remaining().is_zero(),
        "a function of {seconds} s is reported too late"
    );
    only_failure(world.code_pipeline().reports()).1
}

#[test_case::test_case("waiting")]
#[test_case::test_case("spinning")]
#[test_case::test_case("blocking")]
#[test_case::test_case("blocking-all-threads")]
#[test_case::test_case("dropping")]
#[tokio::test]
async fn an_action_that_does_not_end_is_reported_in_time(by: &str) {
    let message = stopped(by, 8).await;
    if by == "spinning" {
        SPUN_ENOUGH.store(true, Ordering::Relaxed);
    }
    assert!(
        message.starts_with(
            "the action ran out of time: it was stopped 2 s before the function's timeout of 8 s\nhint: raise the function's `Timeout`"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn functions_of_all_times_are_reported_before_their_end() {
    let (short, longer, longest) = tokio::join!(
        stopped("blocking", 4),
        stopped("blocking", 10),
        stopped("blocking", 20)
    );
    assert!(
        short.contains("stopped 1 s before the function's timeout of 4 s"),
        "{short}"
    );
    assert!(
        longer.contains("before the function's timeout of 10 s"),
        "{longer}"
    );
    assert!(
        longest.contains("stopped 5 s before the function's timeout of 20 s"),
        "{longest}"
    );
}

#[tokio::test]
async fn an_action_that_blocks_leaves_the_next_job_its_function() {
    let world = World::start().await;
    let host = Host::new(construct, world.config());
    for (id, by, seconds) in [("a", "blocking", 8), ("b", "nothing", 60)] {
        let event = JobEvent::new()
            .id(id)
            .user_parameters(&format!("by={by}"))
            .build();
        world.code_pipeline().add_job(&event);
        host.invoke(event, invocation_of(Duration::from_secs(seconds)))
            .await
            .unwrap();
    }
    assert_eq!(world.code_pipeline().accepted().len(), 2);
}

#[test_case::test_case("waiting", "PutJobFailureResult", 8; "at the end of the time")]
#[test_case::test_case("nothing", "PutJobSuccessResult", 300; "with time left")]
#[tokio::test]
async fn a_codepipeline_that_hangs_once_is_outlived(by: &str, operation: &str, seconds: u64) {
    let world = World::start().await;
    let hang = Fault::Delay(Duration::from_hours(1));
    let rule = Rule::once(&format!("codepipeline:{operation}"), hang);
    let proxy = Proxy::start(&world.url(), [rule]).await;
    let event = event(&format!("by={by}"));
    world.code_pipeline().add_job(&event);
    let invocation = invocation_of(Duration::from_secs(seconds));
    let end = invocation.deadline;
    let config = s3::config(&proxy.url(), delivery_testing::events::FUNCTION_KEYS);
    Host::new(construct, config)
        .invoke(event, invocation)
        .await
        .unwrap();
    assert!(!end.remaining().is_zero());
    assert_eq!(world.code_pipeline().reports().len(), 1);
    assert_eq!(world.code_pipeline().accepted().len(), 1);
}

#[tokio::test]
async fn a_codepipeline_that_hangs_for_good_ends_the_invocation_in_time() {
    let world = World::start().await;
    let hang = Fault::Delay(Duration::from_hours(1));
    let rule = Rule::always("codepipeline:PutJobFailureResult", hang);
    let proxy = Proxy::start(&world.url(), [rule]).await;
    let event = event("by=waiting");
    let invocation = invocation_of(Duration::from_secs(8));
    let end = invocation.deadline;
    let config = s3::config(&proxy.url(), delivery_testing::events::FUNCTION_KEYS);
    let ended = Host::new(construct, config).invoke(event, invocation).await;
    ended.unwrap_err();
    assert!(!end.remaining().is_zero());
}

#[tokio::test]
async fn an_event_that_cannot_be_parsed_is_reported() {
    let world = World::start().await;
    let valid = event("by=nothing");
    world.code_pipeline().add_job(&valid);
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let text = valid
        .to_string()
        .replacen("\"data\":", &format!("\"deep\":{deep},\"data\":"), 1);
    let host = Host::new(construct, world.config());
    host.invoke_text(&text, invocation()).await.unwrap();
    let (failure_type, message) = only_failure(world.code_pipeline().reports());
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.starts_with("the event cannot be read: it is nested too deeply (line 1"),
        "{message}"
    );
}
