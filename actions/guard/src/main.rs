//! Lambda entry point of the `guard` function.

use guard::Guard;

fn main() -> Result<(), delivery_action::event::RuntimeError> {
    delivery_action::event::serve(Guard::of_function)
}
