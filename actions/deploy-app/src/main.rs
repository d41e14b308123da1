//! Lambda entry point of the `deploy-app` action.

use deploy_app::DeployApp;

fn main() -> Result<(), shared::action::RuntimeError> {
    shared::action::serve(DeployApp::new)
}
