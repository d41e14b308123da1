//! Lambda entry point of the `test-and-package` action.

use std::error::Error;

use test_and_package::TestAndPackage;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    delivery_action::action::serve(|config: &_| Ok(TestAndPackage::new(config)))
}
