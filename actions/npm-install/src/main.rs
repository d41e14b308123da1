//! Lambda entry point of the `npm-install` action.

use std::error::Error;

use npm_install::NpmInstall;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    delivery_action::action::serve(|config: &_| Ok(NpmInstall::new(config)))
}
