//! MiniStack and the CodePipeline engine, started and stopped together in this process.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use local::access::KeySuffix;
use local::aws::LocalAws;
use local::engine::{Clock, Credentials, Durations, Engine, EngineConfig, EngineHandle};
use local::launch::SECRET_ACCESS_KEY;
use local::ministack::ACCOUNT;
use local::source::Source;
use uuid::Uuid;

use crate::error::CliError;
use crate::local_aws::endpoints::Endpoints;
use crate::state_folder::EnvironmentSettings;

/// The region that the local AWS plays; one that every service exists in.
const REGION: &str = "us-east-1";

/// The default name of the repository in the templates, for which the application stands in.
pub(crate) const REPOSITORY: &str = "local/application";

/// What a job's secret begins with: it opens nothing, and is found wherever it should not be.
const SECRET_PREFIX: &str = "local-secret-";

/// What a job's session token begins with.
const SESSION_PREFIX: &str = "local-session-";

/// A running local AWS. Dropping it stops everything too, but does not wait for the end.
#[derive(Debug)]
pub(crate) struct LocalServices {
    endpoints: Endpoints,
    engine: EngineHandle,
    aws: LocalAws,
}

impl LocalServices {
    /// Starts everything and waits until it answers.
    pub(crate) async fn start(settings: &EnvironmentSettings) -> Result<Self, CliError> {
        let source = Source::open(&settings.application)
            .await
            .map_err(local_aws)?;
        let source = if settings.whole_repository {
            source.whole_repository()
        } else {
            source
        };
        let aws = LocalAws::start(settings.home.clone(), REGION)
            .await
            .map_err(local_aws)?;
        let engine = Engine::start(EngineConfig {
            region: REGION.to_owned(),
            account_id: ACCOUNT.to_owned(),
            aws_endpoint: aws.endpoint().to_owned(),
            credentials: job_credentials(aws.keys()),
            durations: Durations {
                continuation_delay: Duration::from_millis(settings.continuation_delay_ms),
                ..Durations::local()
            },
            clock: Clock::System,
            sources: BTreeMap::from([(settings.repository.clone(), source)]),
        })
        .await
        .map_err(local_aws)?;
        let address = engine
            .endpoint()
            .trim_start_matches("http://")
            .parse()
            .map_err(local_aws)?;
        aws.route_codepipeline(address);
        let endpoints = Endpoints {
            aws: aws.endpoint().to_owned(),
            codepipeline: engine.endpoint(),
            region: REGION.to_owned(),
            access_key_id: aws.access_key_id(),
            secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        };
        Ok(Self {
            endpoints,
            engine,
            aws,
        })
    }

    /// Where it answers.
    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Ends everything and waits until it is gone.
    pub(crate) async fn stop(self) -> Result<(), CliError> {
        self.engine.shutdown().await;
        self.aws.stop().await.map_err(local_aws)
    }

    /// Ends everything; processes that take their time end after this one.
    pub(crate) async fn leave(self) {
        self.engine.shutdown().await;
        self.aws.leave();
    }
}

fn local_aws(error: impl Error + Send + Sync + 'static) -> CliError {
    CliError::LocalAws {
        source: Box::new(error),
    }
}

/// What jobs are handed: of the form of real credentials, and new for each environment.
fn job_credentials(keys: &KeySuffix) -> Credentials {
    Credentials {
        access_key_id: keys.access_key_id("ASIA"),
        secret_access_key: format!("{SECRET_PREFIX}{}", Uuid::new_v4().simple()),
        session_token: format!("{SESSION_PREFIX}{}", Uuid::new_v4().simple()),
    }
}
