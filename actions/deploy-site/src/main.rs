//! Lambda entry point of the `deploy-site` action.

use deploy_site::DeploySite;

fn main() -> Result<(), shared::action::RuntimeError> {
    shared::action::serve(DeploySite::new)
}
