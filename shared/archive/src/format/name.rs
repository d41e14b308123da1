//! The rules for entry names: one spelling per path, no path out of the directory, and no character that another
//! system would treat as a separator.

use crate::error::Problem;

/// Longest name in bytes. Linux refuses paths of more than 4,096 bytes, which include the directory that the archive
/// is extracted into.
const MAX_NAME_BYTES: usize = 1024;

/// Longest component in bytes (`NAME_MAX` of Linux's file systems).
const MAX_COMPONENT_BYTES: usize = 255;

/// Deepest path, in components. Extraction holds one open directory for each.
const MAX_DEPTH: usize = 64;

/// Whether a character controls a terminal, ends a line, or reorders what follows.
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Checks an entry's raw name and returns its path: without leading `./` (which `bsdtar` and
/// `tar | zip` write) and without the `/` that marks a directory. The root itself is the empty path.
pub(crate) fn check(raw: &[u8]) -> Result<&str, Problem> {
    if raw.is_empty() {
        return Err(Problem::NameEmpty);
    }
    if raw.len() > MAX_NAME_BYTES {
        return Err(Problem::NameTooLong {
            bytes: raw.len(),
            limit: MAX_NAME_BYTES,
        });
    }
    let name = std::str::from_utf8(raw).map_err(|_| Problem::NameNotUtf8)?;
    if let Some(character) = name.chars().find(|&character| is_deceptive(character)) {
        return Err(Problem::NameControl(u32::from(character)));
    }
    if let Some(character) = name
        .chars()
        .find(|character| matches!(character, '\\' | ':'))
    {
        return Err(Problem::NameSeparator(character));
    }
    if name.starts_with('/') {
        return Err(Problem::NameAbsolute);
    }
    let path = path(name);
    if !path.is_empty() {
        components(path)?;
    }
    Ok(path)
}

/// The path of a name that was checked.
pub(crate) fn path(name: &str) -> &str {
    let relative = name.strip_prefix("./").unwrap_or(name);
    relative.strip_suffix('/').unwrap_or(relative)
}

fn components(path: &str) -> Result<(), Problem> {
    let mut depth: usize = 0;
    for component in path.split('/') {
        depth = depth.saturating_add(1);
        match component {
            "" | "." => return Err(Problem::NameComponent),
            ".." => return Err(Problem::NameLeaves),
            _ if component.len() > MAX_COMPONENT_BYTES => {
                return Err(Problem::NameTooLong {
                    bytes: component.len(),
                    limit: MAX_COMPONENT_BYTES,
                });
            }
            _ => {}
        }
    }
    if depth > MAX_DEPTH {
        return Err(Problem::NameTooDeep {
            depth,
            limit: MAX_DEPTH,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("a/b.txt" => Ok("a/b.txt"); "a plain path")]
    #[test_case("a/b/" => Ok("a/b"); "a directory")]
    #[test_case("./a" => Ok("a"); "a dot prefix")]
    #[test_case("./" => Ok(""); "the root")]
    #[test_case("~" => Ok("~"); "a tilde is a name")]
    #[test_case("-rf" => Ok("-rf"); "a dash is a name")]
    #[test_case("..a" => Ok("..a"); "two dots and more are a name")]
    #[test_case("zażółć.txt" => Ok("zażółć.txt"); "letters of any language")]
    #[test_case("" => Err(Problem::NameEmpty); "nothing")]
    #[test_case("/" => Err(Problem::NameAbsolute); "the file system's root")]
    #[test_case("." => Err(Problem::NameComponent); "one dot")]
    #[test_case("././a" => Err(Problem::NameComponent); "two dot prefixes")]
    #[test_case("a//b" => Err(Problem::NameComponent); "an empty component")]
    #[test_case("a/" => Ok("a"); "one trailing slash")]
    #[test_case("a//" => Err(Problem::NameComponent); "two trailing slashes")]
    #[test_case("../a" => Err(Problem::NameLeaves); "up at the front")]
    #[test_case("a/../../b" => Err(Problem::NameLeaves); "up in the middle")]
    #[test_case("./../a" => Err(Problem::NameLeaves); "up behind a dot")]
    #[test_case("a\\b" => Err(Problem::NameSeparator('\\')); "a backslash")]
    #[test_case("C:a" => Err(Problem::NameSeparator(':')); "a drive letter")]
    #[test_case("a\0b" => Err(Problem::NameControl(0)); "a NUL")]
    #[test_case("a\u{202e}b" => Err(Problem::NameControl(0x202e)); "a right-to-left override")]
    fn names_are_checked(name: &str) -> Result<&str, Problem> {
        check(name.as_bytes())
    }

    #[test]
    fn overlong_utf8_is_refused() {
        assert_eq!(check(b"\xc0\xae\xc0\xae/a"), Err(Problem::NameNotUtf8));
    }

    #[test]
    fn the_limits_are_where_they_say() {
        let deep = |depth: usize| vec!["d"; depth].join("/");
        assert!(check(deep(MAX_DEPTH).as_bytes()).is_ok());
        assert!(check(deep(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(check("x".repeat(MAX_COMPONENT_BYTES).as_bytes()).is_ok());
        assert!(check("x".repeat(MAX_COMPONENT_BYTES + 1).as_bytes()).is_err());
        assert!(check("x/".repeat(60).as_bytes()).is_ok());
        assert!(check("xxxxxxxxxxxxxxxxxxxxxxxxxxxx/".repeat(60).as_bytes()).is_err());
    }
}
