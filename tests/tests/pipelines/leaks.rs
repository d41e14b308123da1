//! Looks for credentials where none may be.

use std::path::Path;

/// What a text holds that no log may hold: the local AWS's job credentials have these forms, and the
/// event is the only thing that holds such a key.
pub(crate) fn leaks(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| is_leak(line))
        .map(str::to_owned)
        .collect()
}

fn is_leak(line: &str) -> bool {
    ["local-secret-", "local-session-", "artifactCredentials"]
        .iter()
        .any(|form| line.contains(form))
        || holds_key_id(line)
}

/// Whether an access key id of the form that AWS gives is in a line.
fn holds_key_id(line: &str) -> bool {
    const PREFIXES: [&str; 2] = ["ASIA", "AKIA"];
    const REST: usize = 16;
    PREFIXES
        .iter()
        .flat_map(|prefix| line.match_indices(prefix))
        .any(|(at, prefix)| {
            let rest = line[at + prefix.len()..].chars().take(REST);
            rest.filter(|character| character.is_ascii_uppercase() || character.is_ascii_digit())
                .count()
                == REST
        })
}

/// The text of every file below a folder that is written during a run: its name and its content.
pub(crate) fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_symlink() || path.ends_with("lib") {
            continue; // the installed packages of the local AWS are no logs
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((
                path.display().to_string(),
                String::from_utf8_lossy(&bytes).into_owned(),
            ));
        }
    }
    found
}

#[test]
fn credentials_are_found_by_their_form() {
    assert_eq!(leaks("a\nkey ASIA0123456789ABCDEF\nb").len(), 1);
    assert_eq!(leaks("x local-secret-1\ny local-session-2 \n").len(), 2);
    assert_eq!(leaks(r#"{"artifactCredentials":{}}"#).len(), 1);
    assert_eq!(leaks("EURASIA and ASIA0123 are fine").len(), 0);
}
