//! `UserParameters` as a query string, with parameters of the template and variables of the pipeline in its values.

use std::fmt::Write as _;

/// The most characters of a value of an action's configuration
/// (<https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionDeclaration.html>).
pub(crate) const LONGEST: usize = 1000;

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Itself.
    Text(String),
    /// A parameter of the template.
    Parameter(String),
    /// A variable of the pipeline: `SourceVariables.CommitId`.
    Variable(String),
}

impl Piece {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn parameter(name: &str) -> Self {
        Self::Parameter(name.to_owned())
    }
}

/// A query string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// For `!Sub`.
    text: String,
    longest: usize,
    parameters: Vec<String>,
}

impl Query {
    /// Adds a value of several pieces.
    pub(crate) fn add(mut self, key: &str, value: &[Piece]) -> Self {
        self.separate();
        self.push_encoded(key);
        self.push("=");
        for piece in value {
            match piece {
                Piece::Text(text) => self.push_encoded(text),
                Piece::Parameter(name) => self.push_parameter(name),
                Piece::Variable(name) => self.push(&format!("#{{{name}}}")),
            }
        }
        self
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.add(key, &[Piece::text(value)])
    }

    pub(crate) fn parameter(self, key: &str, name: &str) -> Self {
        self.add(key, &[Piece::parameter(name)])
    }

    pub(crate) fn variable(self, key: &str, name: &str) -> Self {
        self.add(key, &[Piece::Variable(name.to_owned())])
    }

    /// Adds whole pairs: the value of a parameter that is a query string itself.
    pub(crate) fn pairs_of(mut self, name: &str) -> Self {
        self.separate();
        self.push_parameter(name);
        self
    }

    /// For `!Sub`.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The most characters that it can have, with each parameter as long as it may be.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The template's parameters that it has.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(String::as_str)
    }

    fn separate(&mut self) {
        if !self.text.is_empty() {
            self.push("&");
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.longest += text.len();
    }

    fn push_parameter(&mut self, name: &str) {
        let _infallible = write!(self.text, "${{{name}}}");
        self.longest += longest_value(name);
        self.parameters.push(name.to_owned());
    }

    /// Encodes all that has a meaning in a query string, in `!Sub` (`${`), in CodePipeline (`#{`) or in YAML's quotes.
    fn push_encoded(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/:,*@".contains(&byte) {
                self.push(char::from(byte).encode_utf8(&mut [0; 4]));
            } else {
                self.push(&format!("%{byte:02X}"));
            }
        }
    }
}

/// The most characters of a parameter's value, by what the end of its name says that it is.
fn longest_value(name: &str) -> usize {
    /// `pipeline.yaml` says so itself of directories, of more parameters, of the pipeline's name and of the delay of
    /// metrics; the others are the lengths of names of functions, APIs, buckets and distributions, and of addresses and ARNs made of them.
    const LONGEST_VALUES: [(&str, usize); 14] = [
        ("ApplicationDirectory", 100),
        ("Parameters", 300),
        ("PipelineName", 100),
        ("MetricsDelay", 5),
        ("Function", 64),
        ("Api", 10),
        ("Site", 63),
        ("Packages", 63),
        ("Releases", 63),
        ("Distribution", 14),
        ("Url", 128),
        ("Role", 128),
        ("Boundary", 192),
        ("Verifies", 3),
    ];
    let known = LONGEST_VALUES.iter().find(|(end, _)| name.ends_with(end));
    known.expect("each parameter in a query has a length").1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_elsewhere_is_encoded() {
        let query = Query::default()
            .text("Config.a b", "x&y=${z}#{v}\"")
            .parameter("bucket", "WebsiteIntSite")
            .variable("url", "IntVariables.Url")
            .pairs_of("E2eParameters");
        let expected = "Config.a%20b=x%26y%3D%24%7Bz%7D%23%7Bv%7D%22&bucket=${WebsiteIntSite}&url=#{IntVariables.Url}\
                        &${E2eParameters}";
        assert_eq!(query.as_str(), expected);
        let names = "${WebsiteIntSite}${E2eParameters}".len();
        assert_eq!(query.longest(), expected.len() - names + 63 + 300);
        let parameters: Vec<_> = query.parameters().collect();
        assert_eq!(parameters, ["WebsiteIntSite", "E2eParameters"]);
    }
}
