//! Pages of a list. A list is cut before anything of it is rendered, so that a page costs a page, and a
//! token names the last item that was shown, not its position: what is added between two pages shows
//! nothing twice and hides nothing.

use serde_json::Value;

use crate::engine::message::Refusal;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut<'t> {
    pub(crate) size: usize,
    /// The token of the page before it.
    pub(crate) after: Option<&'t str>,
}

/// A page, and the token of the next where there is one.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) items: Vec<Value>,
    pub(crate) next: Option<String>,
}

impl<'t> Cut<'t> {
    /// The item that the page before it ended with. Tokens of another kind of list are refused.
    pub(super) fn after(self, kind: &str) -> Result<Option<&'t str>, Refusal> {
        let last = |token: &'t str| token.strip_prefix(kind)?.strip_prefix(':');
        self.after
            .map(|token| last(token).ok_or(Refusal::InvalidNextToken))
            .transpose()
    }

    /// The page of items that begin after the page before it.
    pub(super) fn page<T>(
        self,
        kind: &str,
        items: impl Iterator<Item = T>,
        name: impl Fn(&T) -> &str,
        render: impl Fn(T) -> Value,
    ) -> Listed {
        let mut items = items.peekable();
        let shown: Vec<T> = items.by_ref().take(self.size).collect();
        let more = items.peek().is_some();
        let last = shown.last().filter(|_| more);
        let next = last.map(|last| format!("{kind}:{}", name(last)));
        let rendered = shown.into_iter().map(|item| {
            #[cfg(test)]
            tests::RENDERED.set(tests::RENDERED.get() + 1);
            render(item)
        });
        Listed {
            items: rendered.collect(),
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::{BTreeMap, BTreeSet};

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::engine::durations::Durations;
    use crate::engine::execution::{Trigger, TriggerType};
    use crate::engine::identity::{ExecutionId, Stamp};
    use crate::engine::message::{Effect, Event, Reply, SourceOutput, Start, SuccessReport};
    use crate::engine::read::ActionFilter;
    use crate::engine::state::State;

    thread_local! {
        /// Items that this thread has rendered.
        pub(super) static RENDERED: Cell<usize> = const { Cell::new(0) };
    }

    struct World {
        state: State,
        seed: u128,
    }

    impl World {
        fn new() -> Self {
            let mut world = Self {
                state: State::new("us-east-1", "000000000000", Durations::aws()),
                seed: 0,
            };
            let declaration = serde_json::from_value(json!({
                "name": "p", "roleArn": "r",
                "artifactStore": {"type": "S3", "location": "store"},
                "stages": [
                    {"name": "Source", "actions": [{"name": "Checkout",
                        "actionTypeId": {"category": "Source", "owner": "AWS",
                            "provider": "CodeStarSourceConnection", "version": "1"},
                        "configuration": {"ConnectionArn": "c", "FullRepositoryId": "o/r",
                            "BranchName": "main"},
                        "outputArtifacts": [{"name": "SourceOutput"}]}]},
                    {"name": "Commit", "actions": [{"name": "a",
                        "actionTypeId": {"category": "Invoke", "owner": "AWS",
                            "provider": "Lambda", "version": "1"},
                        "configuration": {"FunctionName": "a"}}]},
                ],
            }));
            world.run(Event::CreatePipeline {
                declaration: Box::new(declaration.unwrap()),
                tags: Vec::new(),
            });
            world
        }

        /// Takes an event, and all that follows from it until the execution has ended.
        fn run(&mut self, event: Event) -> Reply {
            self.seed += 1;
            let stamp = Stamp {
                now: Timestamp::UNIX_EPOCH,
                seed: self.seed,
            };
            let applied = self.state.apply(stamp, event).unwrap();
            for effect in applied.effects {
                match effect {
                    Effect::FetchSource(request) => drop(self.run(Event::SourceFinished {
                        action: request.action,
                        result: Ok(SourceOutput {
                            revision: "abc".to_owned(),
                            summary: None,
                            variables: BTreeMap::new(),
                        }),
                    })),
                    Effect::Invoke(request) => drop(self.run(Event::JobSucceeded {
                        job: request.job,
                        report: Box::new(SuccessReport::default()),
                    })),
                    _ => {}
                }
            }
            applied.reply
        }

        fn start(&mut self) -> ExecutionId {
            let start = Event::Start(Start {
                pipeline: "p".to_owned(),
                trigger: Trigger {
                    trigger_type: TriggerType::StartPipelineExecution,
                    trigger_detail: String::new(),
                },
                variables: BTreeMap::new(),
                request_token: None,
                overrides: Vec::new(),
            });
            match self.run(start) {
                Reply::Execution(id) => id,
                other => panic!("{other:?}"),
            }
        }

        fn actions(&self, size: usize, after: Option<&str>) -> Listed {
            let cut = Cut { size, after };
            let filter = ActionFilter::Pipeline;
            self.state.read_actions("p", &filter, cut).unwrap()
        }
    }

    fn rendered(list: impl FnOnce() -> Listed) -> (usize, Listed) {
        RENDERED.set(0);
        let page = list();
        (RENDERED.get(), page)
    }

    #[test]
    fn a_page_of_four_thousand_actions_renders_a_page() {
        let mut world = World::new();
        while world.state.actions.len() < 4_000 {
            world.start();
        }
        let (count, first) = rendered(|| world.actions(100, None));
        assert_eq!((count, first.items.len()), (100, 100));
        let (count, second) = rendered(|| world.actions(100, first.next.as_deref()));
        assert_eq!((count, second.items.len()), (100, 100));
        let cut = Cut {
            size: 7,
            after: None,
        };
        let list = || {
            world
                .state
                .read_executions("p", Some("Commit"), cut)
                .unwrap()
        };
        let (count, executions) = rendered(list);
        assert_eq!((count, executions.items.len()), (7, 7));
    }

    #[test]
    fn what_starts_between_two_pages_shows_nothing_twice_and_hides_nothing() {
        let mut world = World::new();
        let before: Vec<_> = (0..9).map(|_| world.start()).collect();
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let page = world.actions(3, token.as_deref());
            seen.extend(page.items);
            world.start();
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        let ids = seen
            .iter()
            .map(|it| it["actionExecutionId"].as_str().unwrap());
        assert_eq!(ids.collect::<BTreeSet<_>>().len(), seen.len());
        let shown = |id: &ExecutionId| {
            seen.iter()
                .any(|it| it["pipelineExecutionId"] == id.as_str())
        };
        assert_eq!(
            seen.len(),
            20,
            "the first execution and nine more, of two actions each"
        );
        assert!(before.iter().all(shown));
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let world = World::new();
        let executions = |token| {
            let after = Some(token);
            world
                .state
                .read_executions("p", None, Cut { size: 1, after })
                .unwrap_err()
        };
        let action = &world.state.pipelines["p"].actions[0];
        for token in ["x", "7", "execution:x", format!("action:{action}").as_str()] {
            assert_eq!(executions(token), Refusal::InvalidNextToken, "{token}");
        }
    }
}
