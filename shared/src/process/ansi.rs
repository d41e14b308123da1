//! Terminal codes, which are of no use in a log or a failure message.

/// The line without escape sequences and other control characters; of a line that was written over
/// by carriage returns (a progress bar), what stood last.
pub(super) fn plain(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_sequence(&mut characters),
            '\t' => text.push('\t'),
            control if control.is_control() => {}
            other => text.push(other),
        }
    }
    text
}

/// Skips what follows an ESC (ECMA-48: control sequences end with `@` to `~`, strings with BEL or ESC
/// and one more character; others are one character long after intermediate ones).
fn skip_sequence(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        Some('[') => {
            let _end = characters.find(|character| ('@'..='~').contains(character));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let end = characters.find(|end| matches!(end, '\u{7}' | '\u{1b}' | '\u{9c}'));
            let _backslash = end
                .filter(|&end| end == '\u{1b}')
                .and_then(|_| characters.next());
        }
        Some(' '..='/') => {
            let _end = characters.find(|character| ('0'..='~').contains(character));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::plain;

    #[test_case("\u{1b}[31;1mred\u{1b}[0m text", "red text"; "colours")]
    #[test_case("\u{1b}]8;;https://x\u{7}link\u{1b}]8;;\u{1b}\\ end", "link end"; "links")]
    #[test_case("\u{1b}(Bplain", "plain"; "character set")]
    #[test_case("10%\r50%\r100%\r", "100%"; "progress")]
    #[test_case("a\tb\u{8}\u{0}c", "a\tbc"; "control characters")]
    #[test_case("end \u{1b}[", "end "; "cut sequence")]
    #[test_case("✓ grüße", "✓ grüße"; "text")]
    fn a_line_is_what_a_person_would_have_read(line: &str, expected: &str) {
        assert_eq!(plain(line), expected);
    }
}
