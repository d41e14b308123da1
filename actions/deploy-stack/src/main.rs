//! Lambda entry point of the `deploy-stack` action.

use deploy_stack::DeployStack;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(DeployStack::new)
}
