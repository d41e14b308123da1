//! One job of an action in this process, from event to result.

use delivery_action::action::{Action, Constructor, Host};

use super::World;
use super::codepipeline::Reported;
use crate::events::{JobEvent, invocation};

impl World {
    /// Hands an event's job to an action and gives back the result that CodePipeline accepted.
    ///
    /// The constructor is what `main` gives to `delivery_action::action::serve`.
    ///
    /// # Panics
    ///
    /// If no result was reported, or CodePipeline refused it.
    pub async fn run<A: Action>(
        &self,
        constructor: impl Constructor<A>,
        event: JobEvent,
    ) -> Reported {
        let event = event.build();
        self.code_pipeline().add_job(&event);
        let before = self.code_pipeline().reports().len();
        Host::new(constructor, self.config())
            .invoke(event, invocation())
            .await
            .expect("the result is reported");
        let pipeline = self.code_pipeline();
        match &pipeline.reports()[before..] {
            [report] if report.accepted => report.result.clone(),
            reports => panic!("not one accepted result: {reports:?}"),
        }
    }
}
