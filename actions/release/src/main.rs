//! Lambda entry point of the `release` action.

use release::Release;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(Release::new)
}
