//! Finds what API Gateway would refuse in a document, before anything is imported.
//!
//! The service's own messages do not say where in the document a problem is, and some problems it reports only
//! when a request comes in. These checks need nothing but the document, and name the place.
//!
//! Sources: API Gateway Developer Guide ("Amazon API Gateway important notes", "x-amazon-apigateway-integration"),
//! and the service's messages, which are quoted where they say it well.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Most problems in one message; nobody would read more.
const MAX_REPORTED: usize = 10;

/// The operations of a path item.
const METHODS: [&str; 8] = [
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "x-amazon-apigateway-any-method",
];

const INTEGRATION: &str = "x-amazon-apigateway-integration";

/// Keys whose values API Gateway uses as they are: only stage variables are replaced in them.
const RESOLVED: [&str; 5] = [
    "uri",
    "credentials",
    "connectionId",
    "authorizerUri",
    "authorizerCredentials",
];

/// Keys below which anything is allowed: examples and values of the API's own.
const EXAMPLES: [&str; 5] = ["example", "examples", "default", "enum", "x-example"];

/// All problems, each with its place in the document.
pub(crate) fn problems(document: &Value) -> Vec<String> {
    let mut checker = Checker {
        document,
        problems: Vec::new(),
    };
    checker.walk(document, &mut Vec::new());
    checker.paths();
    checker.model_names();
    let more = checker.problems.len().saturating_sub(MAX_REPORTED);
    checker.problems.truncate(MAX_REPORTED);
    if more > 0 {
        checker.problems.push(format!("and {more} more"));
    }
    checker.problems
}

struct Checker<'a> {
    document: &'a Value,
    problems: Vec<String>,
}

impl<'a> Checker<'a> {
    /// Looks for CloudFormation functions, variables that nothing replaces, and references that lead nowhere.
    fn walk(&mut self, value: &'a Value, place: &mut Vec<&'a str>) {
        match value {
            Value::Object(entries) => {
                self.function(entries, place);
                self.reference(entries, place);
                for (key, value) in entries {
                    if EXAMPLES.contains(&key.as_str()) {
                        continue;
                    }
                    place.push(key);
                    if let Some(text) = value.as_str().filter(|_| RESOLVED.contains(&key.as_str()))
                    {
                        self.unknown_variable(text, place);
                    }
                    self.walk(value, place);
                    place.pop();
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.walk(item, place);
                }
            }
            _ => {}
        }
    }

    fn function(&mut self, entries: &'a Map<String, Value>, place: &[&str]) {
        let mut keys = entries.iter();
        let (Some((key, value)), None) = (keys.next(), keys.next()) else {
            return;
        };
        if key.starts_with("Fn::") || (key == "Ref" && value.is_string()) {
            self.problems.push(format!(
                "{} is the CloudFormation function `{key}`, which is not resolved here: use `${{AWS::Region}}`, \
                 `${{AWS::AccountId}}` and stage variables",
                shown(place)
            ));
        }
    }

    fn unknown_variable(&mut self, text: &str, place: &[&str]) {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            if !name.starts_with("stageVariables.") {
                self.problems.push(format!(
                    "nothing replaces `${{{name}}}` in {}: use a stage variable, `${{stageVariables.NAME}}`",
                    shown(place)
                ));
            }
            rest = after;
        }
    }

    fn reference(&mut self, entries: &'a Map<String, Value>, place: &[&str]) {
        let Some(reference) = entries.get("$ref").and_then(Value::as_str) else {
            return;
        };
        match reference.strip_prefix('#') {
            Some(pointer) if self.document.pointer(&decoded(pointer)).is_some() => {}
            Some(_) => self.problems.push(format!(
                "`{reference}` in {} is not in the document",
                shown(place)
            )),
            // A link to a model of the API itself.
            None if reference.starts_with("https://apigateway.amazonaws.com/restapis/") => {}
            None => self.problems.push(format!(
                "`{reference}` in {} points outside the document, which API Gateway does not follow",
                shown(place)
            )),
        }
    }

    fn paths(&mut self) {
        let Some(paths) = self.document.get("paths").and_then(Value::as_object) else {
            self.problems.push("it has no `paths`".to_owned());
            return;
        };
        let mut methods: usize = 0;
        // Paths share resources: what follows the same parts is one resource, which has one variable name.
        let mut variables: BTreeMap<Vec<&str>, (&str, &str)> = BTreeMap::new();
        for (path, item) in paths {
            if path.starts_with("x-") {
                continue;
            }
            self.path(path, &mut variables);
            let operations = item.as_object().into_iter().flatten();
            for (method, operation) in operations.filter(|(key, _)| METHODS.contains(&key.as_str()))
            {
                methods = methods.saturating_add(1);
                if operation.get(INTEGRATION).is_none() {
                    let place = shown(&["paths", path, method]);
                    self.problems
                        .push(format!("{place} has no `{INTEGRATION}`"));
                }
            }
        }
        if methods == 0 {
            self.problems.push("its `paths` have no methods".to_owned());
        }
    }

    fn path(&mut self, path: &'a str, variables: &mut BTreeMap<Vec<&'a str>, (&'a str, &'a str)>) {
        let Some(below) = path.strip_prefix('/') else {
            self.problems
                .push(format!("the path `{path}` does not begin with `/`"));
            return;
        };
        let parts: Vec<&str> = below.split('/').collect();
        for (index, part) in parts.iter().enumerate() {
            let Some(name) = variable(part) else {
                if part.contains(['{', '}']) {
                    self.problems.push(format!(
                        "`{part}` in the path `{path}` is neither a name nor one variable (`{{name}}`)"
                    ));
                }
                continue;
            };
            if name.ends_with('+') && index + 1 < parts.len() {
                self.problems.push(format!(
                    "`{part}` in the path `{path}` matches everything that follows, so it has to be the last part"
                ));
            }
            let before = parts.get(..index).unwrap_or_default().to_vec();
            let (first, other) = *variables.entry(before).or_insert((part, path));
            if first != *part {
                self.problems.push(format!(
                    "the paths `{other}` and `{path}` have the variables `{first}` and `{part}` at the same \
                     place, where API Gateway allows only one name"
                ));
            }
        }
    }

    fn model_names(&mut self) {
        let swagger = self.document.get("definitions");
        let openapi = self.document.pointer("/components/schemas");
        for (models, place) in [(swagger, "definitions"), (openapi, "components.schemas")] {
            let names = models.and_then(Value::as_object).into_iter().flatten();
            for (name, _) in names {
                if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
                    self.problems.push(format!(
                        "`{name}` in {place} is not a valid model name: only letters and digits are allowed"
                    ));
                }
            }
        }
    }
}

/// The name in a part of a path that is one variable.
fn variable(part: &str) -> Option<&str> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    let bare = name.strip_suffix('+').unwrap_or(name);
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    (!bare.is_empty() && bare.chars().all(known)).then_some(name)
}

/// A place as people write it: `paths./a.get`.
fn shown(place: &[&str]) -> String {
    if place.is_empty() {
        return "the document".to_owned();
    }
    format!("`{}`", place.join("."))
}

/// The JSON pointer of a reference, with percent escapes decoded as in URLs.
fn decoded(pointer: &str) -> String {
    if !pointer.contains('%') {
        return pointer.to_owned();
    }
    let mut bytes = Vec::with_capacity(pointer.len());
    let mut rest = pointer.bytes();
    while let Some(byte) = rest.next() {
        let digits: Vec<u8> = rest.clone().take(2).collect();
        let code = std::str::from_utf8(&digits).ok();
        let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) if byte == b'%' && digits.len() == 2 => {
                bytes.push(code);
                rest.nth(1);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    /// A document with this path, whose method has this integration.
    fn with(path: &str, integration: &Value) -> Value {
        json!({"openapi": "3.0.1", "paths": {path: {"get": {"responses": {}, INTEGRATION: integration}}}})
    }

    #[test_case(&with("/a", &json!({"uri": {"Fn::Sub": "arn"}})), "`paths./a.get.x-amazon-apigateway-integration.uri` is the CloudFormation function `Fn::Sub`, which is not resolved here: use `${AWS::Region}`, `${AWS::AccountId}` and stage variables"; "fn sub")]
    #[test_case(&with("/a", &json!({"uri": {"Ref": "Url"}})), "`paths./a.get.x-amazon-apigateway-integration.uri` is the CloudFormation function `Ref`, which is not resolved here: use `${AWS::Region}`, `${AWS::AccountId}` and stage variables"; "reference of a stack")]
    #[test_case(&with("/a", &json!({"uri": "arn:${F.Arn}/invocations"})), "nothing replaces `${F.Arn}` in `paths./a.get.x-amazon-apigateway-integration.uri`: use a stage variable, `${stageVariables.NAME}`"; "what a tag of yaml leaves")]
    #[test_case(&with("a", &json!({})), "the path `a` does not begin with `/`"; "relative path")]
    #[test_case(&with("/a{b}", &json!({})), "`a{b}` in the path `/a{b}` is neither a name nor one variable (`{name}`)"; "part of a part")]
    #[test_case(&with("/{a+}/b", &json!({})), "`{a+}` in the path `/{a+}/b` matches everything that follows, so it has to be the last part"; "greedy variable")]
    #[test_case(&json!({"openapi": "3.0.1", "paths": {"/a": {"get": {"responses": {}}}}}), "`paths./a.get` has no `x-amazon-apigateway-integration`"; "no integration")]
    #[test_case(&json!({"openapi": "3.0.1", "paths": {}}), "its `paths` have no methods"; "no methods")]
    #[test_case(&json!({"openapi": "3.0.1"}), "it has no `paths`"; "no paths")]
    #[test_case(&with("/a", &json!({"x": {"$ref": "#/definitions/B"}})), "`#/definitions/B` in `paths./a.get.x-amazon-apigateway-integration.x` is not in the document"; "reference")]
    #[test_case(&with("/a", &json!({"x": {"$ref": "other.json#/B"}})), "`other.json#/B` in `paths./a.get.x-amazon-apigateway-integration.x` points outside the document, which API Gateway does not follow"; "reference to a file")]
    fn what_is_refused_is_named_with_its_place(document: &Value, problem: &str) {
        assert_eq!(problems(document), [problem]);
    }

    #[test]
    fn variables_at_one_place_have_one_name() {
        let method = json!({"get": {"responses": {}, INTEGRATION: {}}});
        let document = json!({"paths": {"/user/{a}/x": method, "/user/{b}/y": method, "/user/{a}": method, "/other/{b}": method}});
        assert_eq!(
            problems(&document),
            [
                "the paths `/user/{a}/x` and `/user/{b}/y` have the variables `{a}` and `{b}` at the same place, \
                 where API Gateway allows only one name"
            ]
        );
    }

    #[test]
    fn models_have_plain_names() {
        let mut document = with("/a", &json!({}));
        document["components"] = json!({"schemas": {"Good1": {}, "Not_good": {}}});
        assert_eq!(
            problems(&document),
            [
                "`Not_good` in components.schemas is not a valid model name: only letters and digits are allowed"
            ]
        );
    }

    #[test]
    fn what_is_fine_is_not_touched() {
        let uri = "arn:aws:apigateway:eu-west-1:lambda:path/functions/${stageVariables.function}/invocations";
        let integration =
            json!({"uri": uri, "requestTemplates": {"application/json": "${input.body} $ref"}});
        let mut document = with("/a/{b}/{c+}", &integration);
        document["definitions"] = json!({
            "A": {"example": {"Fn::Sub": "x"}, "properties": {"Ref": {"type": "string"}}},
            "B": {"$ref": "#/definitions/A"},
            "C": {"$ref": "#/paths/~1a~1%7Bb%7D~1%7Bc+%7D"},
        });
        assert_eq!(problems(&document), [""; 0]);
    }

    #[test]
    fn no_more_are_told_than_are_read() {
        let paths: Map<String, Value> = (0..30)
            .map(|number| (format!("/{number}"), json!({"get": {}})))
            .collect();
        let printed = problems(&json!({"paths": paths}));
        assert_eq!((printed.len(), printed[10].as_str()), (11, "and 20 more"));
    }
}
