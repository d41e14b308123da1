//! Lambda entry point of the `notify-webhook` action.

use notify_webhook::NotifyWebhook;

fn main() -> Result<(), delivery_action::action::RuntimeError> {
    delivery_action::action::serve(NotifyWebhook::new)
}
