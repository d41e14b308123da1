//! Pages of HTML, made of what others wrote. Every text passes one function on its way into a page, [`write`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Value;
use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, escape_formatter,
};
use sha2::{Digest as _, Sha256};

use super::foreign;

/// Fills in a template.
pub(crate) fn render(template: &str, context: Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(write);
    environment.render_str(template, context)
}

/// Writes a value into a page: a text without control characters and characters that change the direction of text, and with
/// everything escaped that HTML knows.
fn write(output: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() => {
            escape_formatter(output, state, &Value::from(foreign::text(text)))
        }
        _ => escape_formatter(output, state, value),
    }
}

/// What a policy calls a style or a script that is in the page itself
/// (<https://www.w3.org/TR/CSP3/#grammardef-hash-source>).
pub(crate) fn hash_source(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
