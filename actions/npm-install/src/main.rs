//! Lambda entry point of the `npm-install` action.

use npm_install::NpmInstall;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(NpmInstall::new)
}
