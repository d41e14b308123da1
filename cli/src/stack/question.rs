//! Questions to the person at the terminal.

use dialoguer::{Confirm, Input};

use crate::exit::Exit;
use crate::output::reporter::can_ask;

/// What somebody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Go on.
    Yes,
    /// Do not.
    No,
    /// Ctrl-C.
    Interrupted,
    /// This is not a terminal, so nobody can be asked.
    Nobody,
}

impl Answer {
    /// What the shell is told where this is not a yes.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Interrupted => Exit::Interrupted,
            Self::Yes | Self::No | Self::Nobody => Exit::Failed,
        }
    }

    /// What to do where the question could not be asked.
    pub(crate) fn hint(self) -> Option<String> {
        let text = "cannot ask: not a terminal; to answer yes, run it again with `--yes`";
        (self == Self::Nobody).then(|| text.to_owned())
    }
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
        Ok(false) => Answer::No,
        Err(error) => without_answer(&error),
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
        Ok(_) => Answer::No,
        Err(error) => without_answer(&error),
    }
}

/// What a question that was not answered means: Ctrl-C is no "no", a script has to be able to tell.
fn without_answer(error: &dialoguer::Error) -> Answer {
    let dialoguer::Error::IO(error) = error;
    if error.kind() == std::io::ErrorKind::Interrupted {
        Answer::Interrupted
    } else {
        Answer::No
    }
}
