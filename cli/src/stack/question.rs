//! Questions to the person at the terminal.

use dialoguer::{Confirm, Input};

use crate::output::teller::can_ask;

/// What somebody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Go on.
    Yes,
    /// Do not.
    No,
    /// There is nobody to ask.
    Nobody,
}

/// Asks whether to go on; no is the default.
pub(crate) fn confirm(question: &str) -> Answer {
    if !can_ask() {
        return Answer::Nobody;
    }
    let answered = Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact();
    match answered {
        Ok(true) => Answer::Yes,
        Ok(false) | Err(_) => Answer::No,
    }
}

/// Asks to type a word: what cannot be undone is not answered by a single key.
pub(crate) fn type_out(question: &str, word: &str) -> Answer {
    if !can_ask() {
        return Answer::Nobody;
    }
    let typed: Result<String, _> = Input::new()
        .with_prompt(question)
        .allow_empty(true)
        .interact_text();
    match typed {
        Ok(typed) if typed.trim() == word => Answer::Yes,
        Ok(_) | Err(_) => Answer::No,
    }
}
