//! Lambda entry point of the `deploy-site` action.

use deploy_site::DeploySite;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(DeploySite::new)
}
