//! Each mutating call x each mishap x each second delivery, with the real binary.

use std::collections::BTreeMap;
use std::path::Path;

use delivery_testing::events::JobEvent;
use delivery_testing::matrix::{Scenario, run_all};
use delivery_testing::world::World;
use delivery_testing::world::cloudformation::Deployed;
use serde_json::Value;

use crate::harness::{self, STORE};

/// A deployment to a stack that is there, or to none.
struct Deployment {
    exists: bool,
}

fn release(key: &str, id: &str, execution: &str) -> Value {
    let more = format!("&revision={key}&pipeline=shop&execution={execution}");
    let event: JobEvent = harness::event(key, &more);
    event.id(id).build()
}

impl Scenario for Deployment {
    /// The stacks. A package without a stack that uses it is harmless: its name is its content.
    type State = BTreeMap<String, Deployed>;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_deploy-stack"))
    }

    fn event(&self) -> Value {
        release(
            "r1",
            "11111111-abcd-1111-abcd-111111abcdef",
            "0a1b2c3d-1111",
        )
    }

    fn other_release(&self) -> Option<Value> {
        let id = "22222222-abcd-1111-abcd-111111abcdef";
        Some(release("r2", id, "0a1b2c3d-2222"))
    }

    async fn seed(&self, world: &World) {
        harness::seed(world).await;
        if self.exists {
            world
                .cloud_formation()
                .add_stack("shop", "an older template");
        }
        world.cloud_formation().take_polls(1);
    }

    async fn snapshot(&self, world: &World) -> Self::State {
        world.cloud_formation().snapshot()
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    /// Each release has at most one effect, whatever happened.
    fn check(&self, world: &World) -> Result<(), String> {
        let stacks = world.cloud_formation();
        if stacks.effects().len() <= 1 {
            return Ok(());
        }
        Err(format!("more than one effect: {:?}", stacks.effects()))
    }

    async fn check_other(&self, world: &World) -> Result<(), String> {
        let artifact = world.bucket(STORE).get("r2").await;
        if artifact.is_none() {
            return Err("the other release's artifact is gone".to_owned());
        }
        let stacks = world.cloud_formation();
        let last = stacks.effects().last().cloned();
        let shop = stacks.snapshot().remove("shop").unwrap_or_default();
        let is_other = last.is_some_and(|(_, template)| template == shop.template);
        let effects = stacks.effects().len();
        if is_other && effects <= 2 {
            return Ok(());
        }
        Err(format!("{effects} effects, and the stack is {shop:?}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mishap_ends_in_the_state_before_or_the_fault_free_one() {
    let scenarios =
        [true, false].map(|exists| (format!("stack exists {exists}"), Deployment { exists }));
    assert_eq!(run_all("deploy-stack", scenarios).await, 280);
}
