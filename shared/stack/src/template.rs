//! The parts of a template that are read here, and not by CloudFormation alone.

use serde_json::{Map, Value};

use crate::yaml::{self, Error};

/// A template.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its text.
    pub text: String,
    value: Value,
}

/// A parameter as a template declares it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// The value where none is given; `None` where one has to be given.
    pub default: Option<String>,
    /// Whether it is a number.
    pub is_number: bool,
    /// The values that it takes; all, where there are none here.
    pub allowed_values: Vec<String>,
    /// The pattern that the whole value has to match.
    pub allowed_pattern: Option<String>,
    /// The least number.
    pub least: Option<f64>,
    /// The greatest number.
    pub greatest: Option<f64>,
    /// What the template says where a value does not fit.
    pub constraint: Option<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// It is neither JSON nor YAML as CloudFormation takes it.
    pub fn read(text: &str) -> Result<Self, Error> {
        // JSON may be indented by tabs, which YAML does not allow.
        let is_json = text.trim_start().starts_with('{');
        let json = is_json.then(|| serde_json::from_str(text).ok()).flatten();
        Ok(Self {
            value: json.map_or_else(|| yaml::parse(text), Ok)?,
            text: text.to_owned(),
        })
    }

    /// The whole template.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// A section, such as `Resources`; empty where it is not there.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        let section = self.value.get(name).and_then(Value::as_object);
        section.into_iter().flat_map(Map::iter)
    }

    /// The names of its transforms, in their order.
    #[must_use]
    pub fn transforms(&self) -> Vec<String> {
        let name_of = |one: &Value| {
            one.as_str()
                .or_else(|| one.get("Name")?.as_str())
                .map(str::to_owned)
        };
        match self.value.get("Transform") {
            Some(Value::Array(all)) => all.iter().filter_map(name_of).collect(),
            Some(one) => name_of(one).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A resource.
    #[must_use]
    pub fn resource(&self, logical: &str) -> Option<&Value> {
        self.value.get("Resources")?.get(logical)
    }

    /// Its parameters, in their order.
    #[must_use]
    pub fn parameters(&self) -> Vec<Declared> {
        self.section("Parameters")
            .map(|(name, value)| Declared::read(name, value))
            .collect()
    }
}

impl Declared {
    fn read(name: &str, value: &Value) -> Self {
        let text_of = |key: &str| value.get(key).map(text);
        let number = |key: &str| text_of(key).and_then(|text| text.parse().ok());
        let values = value.get("AllowedValues").and_then(Value::as_array);
        Self {
            name: name.to_owned(),
            description: text_of("Description"),
            default: text_of("Default"),
            is_number: text_of("Type").as_deref() == Some("Number"),
            allowed_values: values.into_iter().flatten().map(text).collect(),
            allowed_pattern: text_of("AllowedPattern"),
            least: number("MinValue"),
            greatest: number("MaxValue"),
            constraint: text_of("ConstraintDescription"),
        }
    }

    /// Why it does not take a value; `None` where it does.
    #[must_use]
    pub fn refusal(&self, value: &str) -> Option<String> {
        let said = |otherwise: String| Some(self.constraint.clone().unwrap_or(otherwise));
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|one| one == value) {
            return said(format!("must be one of {}", self.allowed_values.join(", ")));
        }
        if let Some(pattern) = &self.allowed_pattern
            // CloudFormation's patterns are Java's: one that this library does not know is left to it.
            && let Ok(pattern) = regex_lite::Regex::new(&format!("^(?:{pattern})$"))
            && !pattern.is_match(value)
        {
            return said(format!(
                "must match {}",
                self.allowed_pattern.as_deref().unwrap_or_default()
            ));
        }
        if !self.is_number {
            return None;
        }
        let Ok(number) = value.parse::<f64>() else {
            return said("must be a number".to_owned());
        };
        if self.least.is_some_and(|least| number < least) {
            return said(format!(
                "must be at least {}",
                self.least.unwrap_or_default()
            ));
        }
        if self.greatest.is_some_and(|greatest| number > greatest) {
            return said(format!(
                "must be at most {}",
                self.greatest.unwrap_or_default()
            ));
        }
        None
    }
}

/// A value as CloudFormation takes it: all of them are texts.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The name that is meant by one that is none, where one is near.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// How alike two names have to be: what clap takes for its own suggestions.
    const ALIKE: f64 = 0.7;
    known
        .map(|one| {
            let alike = strsim::jaro(&one.to_ascii_lowercase(), &name.to_ascii_lowercase());
            (alike, one)
        })
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_fit_is_refused_in_the_templates_words() {
        let template = Template::read(
            "Parameters:\n  Id:\n    Type: String\n    AllowedPattern: '^[a-z]+$'\n    ConstraintDescription: must be lower case\n  Memory:\n    Type: Number\n    MinValue: 128\n    MaxValue: 10240\n  Days:\n    Type: Number\n    Default: 30\n    AllowedValues: [7, 30]\n",
        )
        .unwrap();
        let declared = template.parameters();
        let refusals: Vec<Option<String>> = [
            ("Id", "A1"),
            ("Id", "a"),
            ("Memory", "1"),
            ("Memory", "much"),
            ("Memory", "20000"),
            ("Memory", "512"),
            ("Days", "8"),
            ("Days", "30"),
        ]
        .iter()
        .map(|(name, value)| {
            let one = declared.iter().find(|one| one.name == *name).unwrap();
            one.refusal(value)
        })
        .collect();
        insta::assert_debug_snapshot!(refusals);
        assert_eq!(declared[2].default.as_deref(), Some("30"));
    }

    #[test]
    fn transforms_are_named_in_each_form() {
        let transforms = |text: &str| Template::read(text).unwrap().transforms();
        let sam = "AWS::Serverless-2016-10-31";
        assert_eq!(transforms(&format!("Transform: {sam}\n")), [sam]);
        let include = "{ Name: AWS::Include, Parameters: { Location: s3://b/k } }";
        let several = format!("Transform: [{sam}, {include}]\n");
        assert_eq!(transforms(&several), [sam, "AWS::Include"]);
        assert_eq!(transforms("Resources: {}\n"), [""; 0]);
    }

    #[test]
    fn a_typing_error_is_recognised() {
        let known = ["ConnectionArn", "BranchName"];
        assert_eq!(nearest("Branchname", known.into_iter()), Some("BranchName"));
        assert_eq!(nearest("Zone", known.into_iter()), None);
    }
}
