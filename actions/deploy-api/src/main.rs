//! Lambda entry point of the `deploy-api` action.

use deploy_api::DeployApi;

fn main() -> Result<(), shared::action::RuntimeError> {
    shared::action::serve(DeployApi::new)
}
