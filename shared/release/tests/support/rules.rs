//! What holds for each action that deploys its part of a release. An action's tests include this file and say by [`Subject`]
//! what the action deploys.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_release::environment::{
    Action, Begun, Ending, Lease, Outcome, Record, Request, ServiceResult, State,
};
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::{Verification, layout};
use delivery_testing::events::JobEvent;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use jiff::Timestamp;

use crate::releases::{BUCKET, Made, at, bucket, environment, publish, repository};

/// The execution that all jobs are of.
pub(crate) const EXECUTION: &str = "0a1b2c3d-1111-2222-3333-444455556666";

/// Time for a job that does not wait.
const ENOUGH: Duration = Duration::from_mins(5);

/// Time for a job that waits for nothing but its own end: a little more than a second.
const LITTLE: Duration = Duration::from_secs(2);

/// A byte in the middle of each blob: of an archive, in the contents of its first file.
const INSIDE: usize = 41;

/// What an action deploys, in a world.
pub(crate) trait Subject {
    /// The action's name.
    const ACTION: &'static str;
    /// What the deployment calls its part of the service `shop`.
    const PART: &'static str;
    /// The definition of the release.
    const DEFINITION: &'static str;

    /// Calls whose service takes no condition.
    const UNCONDITIONAL: &'static [&'static str] = &[];

    /// Puts into a world what the part is deployed to.
    fn seed(world: &World) -> impl Future<Output = ()> + Send;

    /// The service `shop`, by a word that is in it.
    fn service(word: &str) -> Made;

    /// The key of the blob that the action deploys.
    fn blob(release: &ReleaseId, world: &World) -> impl Future<Output = String>;

    /// The action's own parameters; those of an action that fails while it deploys, if `broken`.
    fn parameters(broken: bool) -> String;

    /// Runs a job in this time.
    fn run(world: &World, event: JobEvent, time: Duration) -> impl Future<Output = Reported>;

    /// What is deployed.
    fn deployed(world: &World) -> impl Future<Output = String> + Send;
}

/// A world with one release.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) release: ReleaseId,
}

impl Stage {
    pub(crate) async fn of<S: Subject>() -> Self {
        let world = World::start().await;
        S::seed(&world).await;
        let release = publish(&world, S::DEFINITION, &[("shop", S::service("one"))]).await;
        world.forget_calls();
        Self { world, release }
    }

    /// The job of the release; `more` are further parameters.
    pub(crate) fn job<S: Subject>(&self, more: &str) -> JobEvent {
        job(&S::parameters(false), self.release.as_str(), more)
    }

    pub(crate) async fn run<S: Subject>(&self, more: &str) -> Reported {
        S::run(&self.world, self.job::<S>(more), ENOUGH).await
    }

    pub(crate) async fn state(&self) -> State {
        environment(&self.world, "int").state().await.unwrap()
    }

    pub(crate) async fn lease(&self) -> Lease {
        self.state().await.lease.expect("a deployment is under way")
    }

    /// Begins a deployment.
    async fn begin(&self, owner: &str, now: Timestamp) -> Lease {
        let request = Request {
            owner: owner.to_owned(),
            by: "Anna".to_owned(),
            reason: None,
            action: Action::Deploy {
                release: self.release.clone(),
            },
            until: None,
        };
        let begun = environment(&self.world, "int").begin(&request, now).await;
        match begun.unwrap() {
            Begun::UnderWay(lease) => lease,
            Begun::Ended(record) => panic!("it has ended: {record:?}"),
        }
    }

    async fn end(&self, lease: &Lease, outcome: Outcome) -> Record {
        let ending = Ending {
            outcome,
            services: BTreeMap::new(),
        };
        let id = &lease.deployment.id;
        let int = environment(&self.world, "int");
        let ended = int.end(id, &ending, now());
        ended.await.unwrap()
    }
}

/// A job of the service `shop` in `int`.
pub(crate) fn job(own: &str, release: &str, more: &str) -> JobEvent {
    JobEvent::new().user_parameters(&format!(
        "{own}&releases={BUCKET}&release={release}&environment=int&service=shop&pipeline=shop\
         &execution={EXECUTION}{more}"
    ))
}

fn now() -> Timestamp {
    delivery_action::clock::timestamp()
}

fn own() -> String {
    format!("shop/{EXECUTION}")
}

fn failed(message: &str) -> Outcome {
    Outcome::Failed {
        message: message.to_owned(),
    }
}

/// The part is deployed, and the deployment goes on: the last action of the stage ends it.
pub(crate) async fn deploys<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let variables = stage.run::<S>("&by=Anna&reason=because%20of%20it").await;
    let variables = variables.variables();
    assert_eq!(variables["Release"], stage.release.as_str());
    assert_eq!(variables["PreviousRelease"], "none");
    assert_eq!(variables["Environment"], "int");
    assert!(S::deployed(&stage.world).await.contains("one"));
    let lease = stage.lease().await;
    assert_eq!(lease.deployment.owner, own());
    assert_eq!(lease.deployment.by, "Anna");
    assert_eq!(lease.deployment.reason.as_deref(), Some("because of it"));
    assert_eq!(lease.parts[S::PART].result, ServiceResult::Deployed);
    assert_eq!(lease.parts.len(), 1);

    // Delivered once more, it joins its own deployment and finds its work done.
    stage.run::<S>("").await.variables();
    let again = stage.lease().await;
    assert_eq!(again.deployment, lease.deployment);
    assert_eq!(again.parts[S::PART].result, ServiceResult::Deployed);
    stage.end(&again, Outcome::Succeeded).await;

    // The same release once more, by another execution: nothing has changed.
    let more = job_of::<S>("2", stage.release.as_str(), "");
    S::run(&stage.world, more, ENOUGH).await.variables();
    let part = stage.lease().await.parts[S::PART].clone();
    assert_eq!(part.result, ServiceResult::Unchanged);
}

/// An action of an execution whose deployment has succeeded works with a lease, too.
pub(crate) async fn repeats_what_has_succeeded<S: Subject>() {
    let stage = Stage::of::<S>().await;
    stage.run::<S>("").await.variables();
    let lease = stage.lease().await;
    stage.end(&lease, Outcome::Succeeded).await;
    let before = stage.state().await;
    let variables = stage.run::<S>("").await.variables();
    assert_eq!(variables["Release"], stage.release.as_str());
    let after = stage.state().await;
    assert_eq!(after.current, before.current);
    let again = after.lease.unwrap();
    assert_eq!(again.deployment.id.number(), 2);
    assert_eq!(again.parts[S::PART].result, ServiceResult::Deployed);
}

/// A copy of its job that comes when others have deployed since is refused: it would undo what they did.
pub(crate) async fn comes_back_after_others<S: Subject>() {
    let stage = Stage::of::<S>().await;
    stage.run::<S>("").await.variables();
    let first = stage.end(&stage.lease().await, Outcome::Succeeded).await;
    let second = publish(&stage.world, S::DEFINITION, &[("shop", S::service("two"))]).await;
    let deploys = job_of::<S>("2", second.as_str(), "");
    S::run(&stage.world, deploys, ENOUGH).await.variables();
    stage.end(&stage.lease().await, Outcome::Succeeded).await;
    let message = refusal::<S>(&stage, stage.release.as_str(), "").await;
    let expected = format!(
        "RevisionOutOfSync: deployment {} of `int` is not under way any more: somebody else has deployed since",
        first.deployment.id
    );
    assert!(message.starts_with(&expected), "{message}");
    assert!(S::deployed(&stage.world).await.contains("two"));
}

/// Somebody else's deployment is waited for, in a later job where it takes long.
pub(crate) async fn waits<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let other = stage.begin("other/1", now()).await;
    let before = S::deployed(&stage.world).await;
    let waiting = S::run(&stage.world, stage.job::<S>(""), LITTLE).await;
    let Reported::Continuation { summary, token } = waiting else {
        panic!("it does not wait: {waiting:?}");
    };
    let expected = format!(
        "waiting: `int` is being changed by Anna (other/1), whose lease lasts until {}",
        other.until
    );
    assert!(summary.starts_with(&expected), "{summary}");
    assert_eq!(S::deployed(&stage.world).await, before);

    stage.end(&other, Outcome::Succeeded).await;
    let job = stage
        .job::<S>("")
        .id("22222222-abcd-1111-abcd-111111abcdef");
    let job = job.continuation_token(&token);
    S::run(&stage.world, job, ENOUGH).await.variables();
    assert_eq!(stage.lease().await.deployment.owner, own());
}

/// It is not waited for any longer than is said.
pub(crate) async fn gives_up<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let other = stage.begin("other/1", now()).await;
    let token = format!(
        r#"{{"action":"{}","version":1,"content":{{"began_seconds":1}}}}"#,
        S::ACTION
    );
    let job = stage.job::<S>("&wait=5m").continuation_token(&token);
    let message = S::run(&stage.world, job, ENOUGH).await.failure();
    let expected = "RevisionOutOfSync: `int` is being changed by Anna (other/1): deployment";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(stage.lease().await, other);
}

/// The lease of somebody who died is taken over.
pub(crate) async fn takes_over<S: Subject>() {
    let stage = Stage::of::<S>().await;
    stage.begin("other/1", at("2026-01-01T00:00:00Z")).await;
    stage.run::<S>("").await.variables();
    let int = stage.state().await;
    let last = int.last.unwrap();
    assert_eq!(last.deployment.owner, "other/1");
    assert!(matches!(last.outcome, Outcome::Abandoned { .. }));
    assert_eq!(int.lease.unwrap().deployment.owner, own());
}

/// An action that was in the middle of its work does not go on after others have deployed.
pub(crate) async fn does_not_go_on_after_others<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let own = stage.begin(&own(), at("2026-01-01T00:00:00Z")).await;
    let other = stage.begin("other/1", now()).await;
    stage.end(&other, Outcome::Succeeded).await;
    let before = stage.state().await;
    let token = format!(
        r#"{{"action":"{}","version":1,"content":{{"began_seconds":1,"deployment":"{}"}}}}"#,
        S::ACTION,
        own.deployment.id
    );
    let job = stage.job::<S>("").continuation_token(&token);
    let message = S::run(&stage.world, job, ENOUGH).await.failure();
    let expected = format!(
        "RevisionOutOfSync: deployment {} of `int` is not under way any more: somebody else has deployed since",
        own.deployment.id
    );
    assert!(message.starts_with(&expected), "{message}");
    assert_eq!(stage.state().await, before);
}

/// An action that fails ends the deployment; a retry of the stage begins it again, with what was deployed before.
pub(crate) async fn fails_and_is_retried<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let broken = job(&S::parameters(true), stage.release.as_str(), "");
    let message = S::run(&stage.world, broken, ENOUGH).await.failure();
    let int = stage.state().await;
    assert_eq!(int.lease, None);
    assert_eq!(int.current, None);
    let last = int.last.unwrap();
    let Outcome::Failed { message: recorded } = &last.outcome else {
        panic!("it has not failed: {last:?}");
    };
    let cause = message.split_once(": ").unwrap().1;
    let cause = cause.split_once("\nhint").unwrap().0;
    assert_eq!(recorded, &format!("{}: {cause}", S::PART));
    assert_eq!(last.services[S::PART].result, ServiceResult::Failed);

    stage.run::<S>("").await.variables();
    let lease = stage.lease().await;
    assert_eq!(lease.deployment.id.number(), 2);
    assert!(lease.parts[S::PART].is_there());
}

/// A job whose execution has ended begins nothing.
pub(crate) async fn comes_late<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let job = stage.job::<S>("");
    {
        let mut pipeline = stage.world.code_pipeline();
        pipeline.add_job(&stage.job::<S>("").build());
        pipeline.set_execution(EXECUTION, "Stopped");
    }
    let before = S::deployed(&stage.world).await;
    let message = S::run(&stage.world, job, ENOUGH).await.failure();
    assert!(
        message.starts_with("RevisionOutOfSync: pipeline execution"),
        "{message}"
    );
    assert_eq!(stage.state().await, State::default());
    assert_eq!(S::deployed(&stage.world).await, before);
}

/// What a job is refused with; nothing is deployed, and nothing begun.
async fn refusal<S: Subject>(stage: &Stage, release: &str, more: &str) -> String {
    let before = (S::deployed(&stage.world).await, stage.state().await);
    let job = job(&S::parameters(false), release, more);
    let message = S::run(&stage.world, job, ENOUGH).await.failure();
    let after = (S::deployed(&stage.world).await, stage.state().await);
    assert_eq!(after, before);
    message
}

/// What somebody has changed by hand is refused by its name.
pub(crate) async fn refuses_damage<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let manifest = layout::manifest(&stage.release);
    let blob = S::blob(&stage.release, &stage.world).await;
    let bucket = bucket(&stage.world);
    let whole = bucket.get(&blob).await.unwrap().body;
    let mut other = whole.clone();
    let inside = INSIDE.min(other.len() - 1);
    other[inside] ^= 1;
    bucket.put(&blob, other.clone()).await;
    let message = refusal::<S>(&stage, stage.release.as_str(), "").await;
    let expected = format!("RevisionUnavailable: `s3://{BUCKET}/{blob}` was changed after it");
    assert!(message.starts_with(&expected), "{message}");

    // After the deployment has begun it is found by whoever reads it, and nothing of it is used.
    bucket.put(&blob, whole).await;
    stage.begin(&own(), now()).await;
    bucket.put(&blob, other).await;
    let before = S::deployed(&stage.world).await;
    let message = stage.run::<S>("").await.failure();
    assert!(message.starts_with("RevisionUnavailable: "), "{message}");
    assert!(message.contains(&blob), "{message}");
    assert_eq!(S::deployed(&stage.world).await, before);
    assert!(matches!(
        stage.state().await.last.unwrap().outcome,
        Outcome::Failed { .. }
    ));

    let text = bucket.get(&manifest).await.unwrap().body;
    let text = String::from_utf8(text).unwrap();
    let changed = text.replacen("workshop", "workshap", 1);
    bucket.put(&manifest, changed).await;
    let message = refusal::<S>(&stage, stage.release.as_str(), "").await;
    let expected = format!(
        "RevisionUnavailable: the manifest of the release `{}` was changed",
        stage.release
    );
    assert!(message.starts_with(&expected), "{message}");

    let newer = r#"{"schema":2}"#;
    let id = ReleaseId::of(newer.as_bytes());
    bucket.put(&layout::manifest(&id), newer).await;
    let message = refusal::<S>(&stage, id.as_str(), "").await;
    assert!(message.contains("has schema 2"), "{message}");
}

/// A release that did not pass the tests of the environment before is refused, unless a person says why it is deployed.
pub(crate) async fn asks_for_tests<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let refusal = |more: &'static str| refusal::<S>(&stage, stage.release.as_str(), more);
    let promotes = "&kind=promote&from=qa&verified-in=qa";
    let id = &stage.release;
    let untested = format!("the release `{id}` has not passed the tests of `qa`");
    assert_eq!(
        refusal("&kind=promote&from=qa&verified-in=qa&unverified=no&reason=-").await,
        format!(
            "RevisionUnavailable: {untested}; nothing was deployed\nhint: deploy it to `qa` first; or promote it with \
             `--unverified --message REASON`"
        )
    );
    assert_eq!(
        refusal("&kind=promote&from=qa&verified-in=qa&unverified=yes&reason=-").await,
        format!(
            "ConfigurationError: {untested}, and no reason is given to deploy it all the same; nothing was deployed\n\
             hint: say why with `--message REASON`"
        )
    );

    let verification = Verification::new(
        "20261128T000000Z-1".parse().unwrap(),
        "execution",
        at("2026-11-28T00:00:00Z"),
    );
    let tested = publish(&stage.world, S::DEFINITION, &[("shop", S::service("two"))]).await;
    let repository = repository(&stage.world);
    let qa = environment(&stage.world, "qa-0a1b2c3d").name().clone();
    repository
        .verify(&tested, &qa, &verification)
        .await
        .unwrap();
    let verified = job(&S::parameters(false), tested.as_str(), promotes);
    S::run(&stage.world, verified, ENOUGH).await.variables();
    let lease = stage.lease().await;
    let promotion = Action::Promote {
        release: tested,
        from: "qa".to_owned(),
    };
    assert_eq!(lease.deployment.action, promotion);
    stage.end(&lease, failed("its tests failed")).await;

    let forced = "&kind=promote&from=qa&verified-in=qa&unverified=yes&reason=a%20hot%20fix";
    stage.run::<S>(forced).await.variables();
    let reason = stage.lease().await.deployment.reason;
    assert_eq!(reason.as_deref(), Some("not verified in qa: a hot fix"));
}

/// A rollback goes to what was there before, without being asked for tests.
pub(crate) async fn goes_back<S: Subject>() {
    let stage = Stage::of::<S>().await;
    stage.run::<S>("").await.variables();
    let first = stage.end(&stage.lease().await, Outcome::Succeeded).await;
    let second = publish(&stage.world, S::DEFINITION, &[("shop", S::service("two"))]).await;
    let deploys = job_of::<S>("2", second.as_str(), "");
    let variables = S::run(&stage.world, deploys, ENOUGH).await.variables();
    assert_eq!(variables["PreviousRelease"], stage.release.as_str());
    assert!(S::deployed(&stage.world).await.contains("two"));
    stage.end(&stage.lease().await, Outcome::Succeeded).await;

    let more = "&kind=rollback&verified-in=qa";
    let back = job_of::<S>("3", stage.release.as_str(), more);
    let variables = S::run(&stage.world, back, ENOUGH).await.variables();
    assert_eq!(variables["Release"], stage.release.as_str());
    assert!(S::deployed(&stage.world).await.contains("one"));
    let lease = stage.lease().await;
    let origin = lease.deployment.to.unwrap().origin;
    assert_eq!(origin, Some(first.deployment.id));
}

/// The job of another execution.
fn job_of<S: Subject>(execution: &str, release: &str, more: &str) -> JobEvent {
    let own = S::parameters(false);
    JobEvent::new()
        .id(&format!("33333333-abcd-1111-abcd-{execution}"))
        .user_parameters(&format!(
            "{own}&releases={BUCKET}&release={release}&environment=int&service=shop&pipeline=shop\
             &execution={execution}{more}"
        ))
}

/// A pipeline that was started without a release says how it is started.
pub(crate) async fn needs_a_release<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let message = refusal::<S>(&stage, "none", "&kind=deploy&from=-&by=-&reason=-").await;
    assert_eq!(
        message,
        "ConfigurationError: no release is given: start this pipeline with `delivery promote` or `delivery rollback`\n\
         hint: `delivery promote` applies what another environment has, `delivery rollback` what this one had before"
    );
}

/// A release without the service has nothing for the action.
pub(crate) async fn has_nothing<S: Subject>() {
    let stage = Stage::of::<S>().await;
    let definition =
        "application = \"workshop\"\n[services]\nother = \"other\"\n[environments]\nint = {}\n";
    let template = b"Resources: { T: { Type: AWS::SNS::Topic } }";
    let stack = vec![("template", template.to_vec())];
    let release = publish(&stage.world, definition, &[("other", stack)]).await;
    let before = S::deployed(&stage.world).await;
    let job = job(&S::parameters(false), release.as_str(), "");
    let reported = S::run(&stage.world, job, ENOUGH).await;
    let Reported::Success { summary, variables } = reported else {
        panic!("no success: {reported:?}");
    };
    let expected = format!("nothing to deploy: the release `{release}` has no service `shop`");
    assert!(summary.starts_with(&expected), "{summary}");
    assert_eq!(variables["Release"], release.as_str());
    assert_eq!(S::deployed(&stage.world).await, before);
    assert!(stage.lease().await.parts.is_empty());
}

/// Parameters that do not fit together are refused by their names.
pub(crate) async fn names_wrong_parameters<S: Subject>() {
    let stage = Stage::of::<S>().await;
    for (more, expected) in [
        ("&kind=promote", "lacks `from`"),
        (
            "&kind=up",
            "`kind` in `UserParameters` is not valid: expected one of `deploy`, `promote`, `rollback`",
        ),
        (
            "&unverified=perhaps",
            "`unverified` in `UserParameters` is not valid: expected one of `no`, `yes`",
        ),
        (
            "&wait=0",
            "`wait` in `UserParameters` is not valid: expected a duration",
        ),
        (
            "&instance=x",
            "`environment` in `UserParameters` is not valid: expected the family of an execution's environment: `qa`",
        ),
        (
            "&verified-in=a.b",
            "`verified-in` in `UserParameters` is not valid: expected the name of an environment",
        ),
        (
            "&Address.Url=x",
            "`Address.Url` in `UserParameters` is not valid: expected a service and its output",
        ),
    ] {
        let message = refusal::<S>(&stage, stage.release.as_str(), more).await;
        assert!(message.starts_with("ConfigurationError: "), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

/// Makes a test of each rule.
#[macro_export]
macro_rules! rules_hold {
    ($subject:ty) => {
        $crate::rules_hold!($subject:
            deploys,
            repeats_what_has_succeeded,
            comes_back_after_others,
            waits,
            gives_up,
            takes_over,
            does_not_go_on_after_others,
            fails_and_is_retried,
            comes_late,
            refuses_damage,
            asks_for_tests,
            goes_back,
            needs_a_release,
            has_nothing,
            names_wrong_parameters,
        );
    };
    ($subject:ty: $($rule:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $rule() {
                $crate::rules::$rule::<$subject>().await;
            }
        )+
    };
}
