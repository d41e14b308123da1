//! What the actions of a stage say about the release that they deploy.

use crate::pipeline::{Action, with_execution};
use crate::plan::{Member, PlannedEnvironment, PlannedService};
use crate::publish;
use crate::query::{Piece, Query};

/// The function that publishes releases, and ends deployments.
pub(crate) const RELEASE: &str = "Release";

/// The parameter that says whether what was applied counts as verified: not where an action of the user's own is left out.
pub(crate) const VERIFIES: &str = "Verifies";

/// The variable of the execution, whose first digits are in the name of its environment.
const EXECUTION: &str = "codepipeline.PipelineExecutionId";

/// The variable with the name of a developer's environment, without the family's.
pub(crate) const NAME: &str = "variables.name";

/// What a person says of a deployment, as variables of pipelines that apply releases and as parameters of actions.
const OF_DEPLOYMENT: [&str; 5] = ["kind", "from", "by", "reason", "unverified"];

/// Which release a stage deploys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    /// The one that this execution published.
    Published,
    /// The one that this execution was started with. It must have been verified in `after`.
    Asked { after: Option<&'a str> },
}

impl Given<'_> {
    fn variable(self) -> String {
        match self {
            Self::Published => format!("{}.Release", publish::NAMESPACE),
            Self::Asked { .. } => "variables.release".to_owned(),
        }
    }
}

/// What each action that deploys a service says.
pub(crate) fn add(
    query: Query,
    given: Given<'_>,
    environment: &PlannedEnvironment<'_>,
    service: &PlannedService<'_>,
) -> Query {
    let query = query
        .parameter("releases", "Releases")
        .variable("release", &given.variable());
    let query =
        of_environment(query, "environment", environment).text("service", &service.service.name);
    let mut query = with_execution(query);
    if let Given::Asked { after } = given {
        for key in OF_DEPLOYMENT {
            query = query.variable(key, &format!("variables.{key}"));
        }
        if let Some(after) = after {
            query = query.text("verified-in", after);
        }
    }
    query
}

/// Ends the deployment after the tests, and says that the release passed them, unless actions of the user's own are left out.
pub(crate) fn end(
    given: Given<'_>,
    environment: &PlannedEnvironment<'_>,
    run_order: usize,
    may_lack_own_actions: bool,
) -> Action {
    let query = of_environment(Query::default(), "end", environment)
        .parameter("releases", "Releases")
        .variable("release", &given.variable());
    let line = environment.target.settings.line;
    let mut query = with_execution(query);
    if may_lack_own_actions {
        query = query.parameter("verify", VERIFIES);
    }
    Action::of_function(RELEASE, "release".to_owned(), run_order, query, line)
}

fn of_environment(query: Query, key: &str, environment: &PlannedEnvironment<'_>) -> Query {
    match environment.member {
        None => query.text(key, environment.name()),
        Some(Member::OfExecution) => query
            .text(key, environment.name())
            .variable("instance", EXECUTION),
        Some(Member::Named) => query.add(key, &named(environment)),
    }
}

/// The name of a developer's environment.
pub(crate) fn named(environment: &PlannedEnvironment<'_>) -> [Piece; 2] {
    [
        Piece::text(&format!("{}-", environment.name())),
        Piece::Variable(NAME.to_owned()),
    ]
}
