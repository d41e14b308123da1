//! Makes untrusted text (commit messages, names of tests, output of programs, responses of services) safe to show in a
//! terminal, a log or a message.
//!
//! Raw text can contain escape sequences that move a terminal's cursor, erase and replace what is there, or characters
//! that reverse the direction of text. An approver could be shown something else than what is deployed. So all
//! untrusted text passes [`plain`] or [`one_line`] before it is shown.

use std::borrow::Cow;

pub use delivery_archive::is_deceptive;

/// Removes escape sequences, control characters, and characters that change the direction of text. Line breaks and tabs
/// stay; a carriage return becomes a line break, so that it cannot overwrite a line.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text
        .chars()
        .any(|character| is_deceptive(character) && !matches!(character, '\n' | '\t'))
    {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<String> = text.split('\n').map(plain_line).collect();
    Cow::Owned(lines.join("\n"))
}

/// [`plain`] text as one line: line breaks, and the space around them, become one space.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    let plain = plain(text);
    if !plain.contains('\n') {
        return plain;
    }
    let lines: Vec<&str> = plain
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    Cow::Owned(lines.join(" "))
}

/// Removes terminal codes from one line. An unfinished sequence extends to the end of the line, and no further.
pub(crate) fn plain_line(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_sequence(&mut characters),
            '\u{9b}' => skip_control_sequence(&mut characters),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut characters),
            '\t' => text.push('\t'),
            deceptive if is_deceptive(deceptive) => {}
            other => text.push(other),
        }
    }
    text
}

/// Skips what follows an ESC (ECMA-48: control sequences end with `@` to `~`, strings with BEL or ESC
/// and one more character; others are one character long after intermediate ones).
fn skip_sequence(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        Some('[') => skip_control_sequence(characters),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(characters),
        Some(' '..='/') => {
            let _end = characters.find(|character| ('0'..='~').contains(character));
        }
        _ => {}
    }
}

fn skip_control_sequence(characters: &mut std::str::Chars<'_>) {
    let _end = characters.find(|character| ('@'..='~').contains(character));
}

fn skip_string(characters: &mut std::str::Chars<'_>) {
    let end = characters.find(|end| matches!(end, '\u{7}' | '\u{1b}' | '\u{9c}'));
    let _backslash = end
        .filter(|&end| end == '\u{1b}')
        .and_then(|_| characters.next());
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::{one_line, plain};

    #[test_case("\u{1b}[31;1mred\u{1b}[0m text", "red text"; "colours")]
    #[test_case("\u{1b}]8;;https://x\u{7}link\u{1b}]8;;\u{1b}\\ end", "link end"; "links")]
    #[test_case("\u{1b}(Bplain", "plain"; "character set")]
    #[test_case("a\tb\u{8}\u{0}c", "a\tbc"; "control characters")]
    #[test_case("end \u{1b}[", "end "; "cut sequence")]
    #[test_case("✓ grüße", "✓ grüße"; "text")]
    #[test_case("a\u{9b}2Jb\u{9d}0;title\u{9c}c", "abc"; "eight-bit controls")]
    #[test_case("safe\u{202e}txt.exe\u{2066}x", "safetxt.exex"; "direction")]
    #[test_case("Harmless\u{1b}[2K\u{1b}[1G\u{1b}[1A\u{1b}[2K\u{1b}[1Gapprove?", "Harmlessapprove?"; "an approver's screen")]
    #[test_case("evil\rHarmless\r\nnext", "evil\nHarmless\nnext"; "carriage returns")]
    #[test_case("one\u{1b}]0;no end\ntwo", "one\ntwo"; "an unfinished sequence ends with its line")]
    fn foreign_text_is_text(foreign: &str, expected: &str) {
        assert_eq!(plain(foreign), expected);
    }

    #[test_case("Fix\n\n  a typo\r\n", "Fix a typo"; "line breaks")]
    #[test_case("a b", "a b"; "spaces stay")]
    fn one_line_is_one_line(foreign: &str, expected: &str) {
        assert_eq!(one_line(foreign), expected);
    }
}
