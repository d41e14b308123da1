//! Lambda entry point of the `deploy-api` action.

use deploy_api::DeployApi;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(DeployApi::new)
}
