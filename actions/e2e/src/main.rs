//! Lambda entry point of the `e2e` action.

use e2e::EndToEnd;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(EndToEnd::new)
}
