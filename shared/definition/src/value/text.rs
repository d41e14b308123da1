//! Text with references: `${env}` and `${service.Output}`.
//!
//! Dynamic references of `CloudFormation` (`{{resolve:...}}`) are text here: nothing here reads a secret.

use crate::form::{Form, Shape, scalar};
use crate::reader::{Reader, Value};

/// An output of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The service.
    pub service: String,
    /// Its output.
    pub output: String,
}

/// A piece of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Itself.
    Literal(String),
    /// `${env}`: the environment's name.
    EnvironmentName,
    /// `${service.Output}`: what the service has as that output, in the same environment.
    Output(Reference),
}

/// Text whose references are found; empty text has no parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its pieces in order; no two literals follow each other.
    pub parts: Vec<Part>,
}

impl Text {
    /// Text without references.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut whole = Self::default();
        whole.push(text);
        whole
    }

    /// The outputs that it refers to, in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            Part::Output(reference) => Some(reference),
            Part::Literal(_) | Part::EnvironmentName => None,
        })
    }

    /// Whether it has no references.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.parts
            .iter()
            .all(|part| matches!(part, Part::Literal(_)))
    }

    /// The same with the environment's name in place of `${env}`.
    #[must_use]
    pub fn in_environment(&self, name: &str) -> Self {
        let mut whole = Self::default();
        for part in &self.parts {
            match part {
                Part::Literal(text) => whole.push(text),
                Part::EnvironmentName => whole.push(name),
                Part::Output(_) => whole.parts.push(part.clone()),
            }
        }
        whole
    }

    /// The text in an environment, with what `output` has for the references.
    ///
    /// # Errors
    ///
    /// The first reference that `output` has nothing for.
    pub fn resolve<'a>(
        &self,
        environment: &str,
        mut output: impl FnMut(&Reference) -> Option<&'a str>,
    ) -> Result<String, Reference> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::EnvironmentName => text.push_str(environment),
                Part::Output(reference) => {
                    text.push_str(output(reference).ok_or_else(|| reference.clone())?);
                }
            }
        }
        Ok(text)
    }

    fn push(&mut self, text: &str) {
        if let Some(Part::Literal(before)) = self.parts.last_mut() {
            before.push_str(text);
        } else if !text.is_empty() {
            self.parts.push(Part::Literal(text.to_owned()));
        }
    }

    /// The error says what is wrong with a reference.
    fn parse(text: &str) -> Result<Self, String> {
        let mut whole = Self::default();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once("${") {
            whole.push(before);
            let (name, after) = reference
                .split_once('}')
                .ok_or("`${` has no `}`; `${!` is a `${` that stays as it is")?;
            rest = after;
            match (name, name.split_once('.')) {
                // As in `Fn::Sub`.
                (literal, _) if literal.starts_with('!') => {
                    whole.push(&format!("${{{}}}", &literal[1..]));
                }
                ("env", _) => whole.parts.push(Part::EnvironmentName),
                (_, Some((service, output))) if is_name(service) && is_name(output) => {
                    whole.parts.push(Part::Output(Reference {
                        service: service.to_owned(),
                        output: output.to_owned(),
                    }));
                }
                _ => {
                    return Err(format!(
                        "`${{{name}}}` must be `${{env}}` or `${{service.Output}}`; \
                         `${{!{name}}}` is that text itself"
                    ));
                }
            }
        }
        whole.push(rest);
        Ok(whole)
    }
}

/// Names of services and outputs; those of outputs are `CloudFormation`'s or Terraform's.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl Form for Text {
    fn shape() -> Shape {
        Shape::Scalar
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let text = scalar(value, reader)?;
        // The text may be a secret by mistake, so only the reference is shown.
        Self::parse(&text)
            .map_err(|why| {
                let what = format!(
                    "`{}` has a reference that cannot be read: {why}",
                    reader.path()
                );
                let next = "for example: parameters = { TableName = \"${database.TableName}\" }";
                reader.report(reader.line(&value.span()), what, next);
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    fn output(service: &str, output: &str) -> Part {
        Part::Output(Reference {
            service: service.to_owned(),
            output: output.to_owned(),
        })
    }

    fn literal(text: &str) -> Part {
        Part::Literal(text.to_owned())
    }

    #[test_case("", &[]; "empty")]
    #[test_case("plain $ {text}", &[literal("plain $ {text}")])]
    #[test_case("${database.TableName}", &[output("database", "TableName")])]
    #[test_case("${env}-${a.B}/x", &[Part::EnvironmentName, literal("-"), output("a", "B"), literal("/x")])]
    #[test_case("${!AWS::Region}-x", &[literal("${AWS::Region}-x")])]
    #[test_case("{{resolve:ssm:/x/${env}/y}}", &[literal("{{resolve:ssm:/x/"), Part::EnvironmentName, literal("/y}}")])]
    fn references_are_found(text: &str, parts: &[Part]) {
        assert_eq!(Text::parse(text).unwrap().parts, parts);
    }

    #[test_case("${database", "`${` has no `}`; `${!` is a `${` that stays as it is")]
    #[test_case(
        "${TableName}",
        "`${TableName}` must be `${env}` or `${service.Output}`; `${!TableName}` is that text itself"
    )]
    #[test_case(
        "${a.}",
        "`${a.}` must be `${env}` or `${service.Output}`; `${!a.}` is that text itself"
    )]
    fn other_references_are_refused(text: &str, why: &str) {
        assert_eq!(Text::parse(text), Err(why.to_owned()));
    }

    #[test]
    fn outputs_are_filled_in() {
        let text = Text::parse("https://${api.Host}/${env}").unwrap();
        let known = |reference: &Reference| (reference.output == "Host").then_some("h");
        assert_eq!(text.resolve("int", known), Ok("https://h/int".to_owned()));
        let missing = Reference {
            service: "api".to_owned(),
            output: "Host".to_owned(),
        };
        assert_eq!(text.resolve("int", |_| None), Err(missing));
    }
}
