//! What would keep a template from being packaged, without packaging it.

use std::collections::BTreeSet;
use std::fs;

use super::files::DiskError;
use super::locations::{Content, find};
use super::{Folder, PackageError, parse, target};

/// What is wrong with a template of a folder, with those nested in it, and with the paths in them.
#[must_use]
pub fn mistakes(folder: &Folder, file: &str) -> Vec<PackageError> {
    let mut mistakes = Vec::new();
    let mut known = BTreeSet::from([file.to_owned()]);
    let mut open = vec![file.to_owned()];
    while let Some(file) = open.pop() {
        let path = folder.root().join(&file);
        let template = fs::read_to_string(&path)
            .map_err(|source| PackageError::Files(Box::new(DiskError { path, source })))
            .and_then(|text| parse(&file, &text));
        let template = match template {
            Ok(template) => template,
            Err(error) => {
                mistakes.push(error);
                continue;
            }
        };
        for location in find(template.value()) {
            match target(folder, &file, &location) {
                Ok(Some((path, Content::Template, _))) if known.insert(path.clone()) => {
                    open.push(path);
                }
                Ok(_) => {}
                Err(error) => mistakes.push(error),
            }
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_leads_nowhere_is_named_also_in_nested_templates() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "api/template.yaml",
            "Resources:
  There: { Type: 'AWS::Serverless::Function', Properties: { CodeUri: there/ } }
  Typo: { Type: 'AWS::Serverless::Function', Properties: { CodeUri: their/ } }
  Above: { Type: 'AWS::Serverless::Function', Properties: { CodeUri: ../../../etc } }
  InS3: { Type: 'AWS::Serverless::Function', Properties: { CodeUri: 's3://bucket/key' } }
  Nested: { Type: 'AWS::CloudFormation::Stack', Properties: { TemplateURL: nested.yaml } }
",
        );
        write("api/there/index.js", "");
        write(
            "api/nested.yaml",
            "Resources:
  Self: { Type: 'AWS::CloudFormation::Stack', Properties: { TemplateURL: nested.yaml } }
  Broken: { Type: 'AWS::CloudFormation::Stack', Properties: { TemplateURL: broken.yaml } }
",
        );
        write("api/broken.yaml", "Resources: [");
        let folder = Folder::new(root.path());
        let found = mistakes(&folder, "api/template.yaml");
        let mut found: Vec<_> = found.iter().map(ToString::to_string).collect();
        found.sort();
        insta::assert_snapshot!(found.join("\n"), @r"
        `../../../etc`, which `CodeUri` of `Above` names in `api/template.yaml`, is outside of the files that are deployed
        `their/`, which `CodeUri` of `Typo` names in `api/template.yaml`, is not there
        cannot read the template `api/broken.yaml`
        ");
        write("none.yaml", "Outputs: {}");
        let none = mistakes(&folder, "none.yaml");
        assert_eq!(
            none[0].to_string(),
            "`none.yaml` is not a template: it has no `Resources`"
        );
    }
}
