//! Lambda entry point of the `undeploy` action, which takes events, too.

use undeploy::Undeploy;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve_with_events(Undeploy::of_function)
}
