//! Questions to the person at the terminal.

use console::{Key, Term};
use dialoguer::Input;

use crate::exit::Exit;
use crate::output::reporter::can_ask;

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Go on.
    Yes,
    /// Do not.
    No,
    /// Ctrl-C.
    Interrupted,
    /// Not asked: this is not a terminal.
    NotATerminal,
}

impl Answer {
    /// The exit code for any answer but yes.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Interrupted => Exit::Interrupted,
            Self::Yes | Self::No | Self::NotATerminal => Exit::Failed,
        }
    }

    /// What to do if the question could not be asked.
    pub(crate) fn hint(self) -> Option<String> {
        let text = "cannot ask: not a terminal; to answer yes, run it again with `--yes`";
        (self == Self::NotATerminal).then(|| text.to_owned())
    }
}

/// Asks whether to go on; no is the default.
pub(crate) fn confirm(question: &str) -> Answer {
    confirm_or(question, false)
}

/// Asks whether to go on; yes is the default, for what takes nothing away.
pub(crate) fn confirm_by_default(question: &str) -> Answer {
    confirm_or(question, true)
}

/// Asks for a text; only what passes the check is taken.
pub(crate) fn ask(
    question: &str,
    default: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<String, Answer> {
    if !can_ask() {
        return Err(Answer::NotATerminal);
    }
    let typed = Input::new()
        .with_prompt(question)
        .default(default.to_owned())
        .validate_with(|text: &String| check(text.trim()))
        .interact_text();
    typed
        .map(|text: String| text.trim().to_owned())
        .map_err(|error| without_answer(&error))
}

fn confirm_or(question: &str, default: bool) -> Answer {
    if !can_ask() {
        return Answer::NotATerminal;
    }
    yes_or_no(&Term::stderr(), question, default).unwrap_or(Answer::No)
}

/// Waits for the key that answers. `dialoguer::Confirm` would hide the cursor, and end the process by SIGINT at Ctrl-C, before
/// the cursor is shown again.
fn yes_or_no(terminal: &Term, question: &str, default: bool) -> std::io::Result<Answer> {
    let (choices, by_default) = if default {
        ("[Y/n]", Answer::Yes)
    } else {
        ("[y/N]", Answer::No)
    };
    terminal.write_str(&format!("{question} {choices} "))?;
    let answer = loop {
        match terminal.read_key_raw()? {
            Key::Char('y' | 'Y') => break Answer::Yes,
            Key::Char('n' | 'N') => break Answer::No,
            Key::Enter => break by_default,
            Key::CtrlC => break Answer::Interrupted,
            _ => {}
        }
    };
    let word = match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::Interrupted | Answer::NotATerminal => "",
    };
    terminal.clear_line()?;
    terminal.write_line(format!("{question} {word}").trim_end())?;
    Ok(answer)
}

/// Asks to type a word: a single key is not enough for what cannot be undone.
pub(crate) fn type_out(question: &str, word: &str) -> Answer {
    if !can_ask() {
        return Answer::NotATerminal;
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

/// The meaning of an interrupted question. Ctrl-C is not a "no": scripts tell the two apart by the exit code.
fn without_answer(error: &dialoguer::Error) -> Answer {
    let dialoguer::Error::IO(error) = error;
    if error.kind() == std::io::ErrorKind::Interrupted {
        Answer::Interrupted
    } else {
        Answer::No
    }
}
