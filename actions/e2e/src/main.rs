//! Lambda entry point of the `e2e` action.

use std::error::Error;

use e2e::EndToEnd;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    delivery_action::action::serve(|config: &_| Ok(EndToEnd::new(config)))
}
