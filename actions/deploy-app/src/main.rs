//! Lambda entry point of the `deploy-app` action.

use deploy_app::DeployApp;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(DeployApp::new)
}
