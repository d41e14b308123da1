//! From byte offsets to line numbers.

/// Where the lines of a text begin.
#[derive(Debug)]
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn of(text: &[u8]) -> Self {
        let after_breaks = text
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(offset, _)| offset + 1)
            // A parser that wants more points behind the last byte: that is not a line of its own.
            .filter(|start| *start < text.len());
        Self {
            starts: std::iter::once(0).chain(after_breaks).collect(),
        }
    }

    /// The line of a byte, from 1.
    pub(crate) fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("", 0, 1)]
    #[test_case("a\nb\n", 0, 1)]
    #[test_case("a\nb\n", 1, 1; "a line break belongs to its line")]
    #[test_case("a\nb\n", 2, 2)]
    #[test_case("a\nb\n", 4, 2; "the end of the text is on the last line")]
    #[test_case("a\r\nb", 3, 2)]
    fn offsets_have_lines(text: &str, offset: usize, line: usize) {
        assert_eq!(Lines::of(text.as_bytes()).at(offset), line);
    }
}
