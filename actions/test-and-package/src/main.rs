//! Lambda entry point of the `test-and-package` action.

use test_and_package::TestAndPackage;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(TestAndPackage::new)
}
