//! Functions of the user's own: each is launched by a template of its own, as on AWS.
//!
//! They come before the pipeline's stack, so that a pipeline finds the function that its action names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_sdk_s3::primitives::ByteStream;
use delivery_stack::yaml;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::clients::Clients;
use super::{ARCHITECTURE, Error, Request, stack, upload};

/// A function of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomFunction {
    /// Its name, by which an action of the pipeline invokes it.
    pub name: String,
    /// The built binary, or its package (`*.zip`).
    pub program: PathBuf,
    /// The template that makes it.
    pub template: PathBuf,
    /// Parameters of the template, besides those that every template gets that declares them.
    pub parameters: BTreeMap<String, String>,
}

/// The name of the function's stack.
pub(super) fn stack_name(request: &Request, function: &CustomFunction) -> String {
    format!("{}-{}", request.stack_name, function.name)
}

/// Launches the function's stack, or updates it.
pub(super) async fn launch(
    clients: &Clients,
    request: &Request,
    stack: &str,
    bucket: &str,
    function: &CustomFunction,
) -> Result<(), Error> {
    let name = &function.name;
    let program = BTreeMap::from([(name.clone(), function.program.clone())]);
    let digests = upload::digests(&program).await?;
    let code_key = format!("functions/{}/{name}.zip", &digests[name][..upload::DIGITS]);
    if !upload::exists(clients, bucket, &code_key).await {
        let program = upload::Program {
            function: name,
            binary: &function.program,
            digest: &digests[name],
            kept: request.packages.as_deref(),
        };
        upload::put_package(clients, bucket, &code_key, program).await?;
    }
    let text = std::fs::read_to_string(&function.template).map_err(|source| Error::File {
        path: function.template.clone(),
        source,
    })?;
    let digest = upload::hexadecimal(&Sha256::digest(&text));
    let template_key = format!("functions/{}/{name}.yaml", &digest[..upload::DIGITS]);
    let parameters = parameters(function, &text, bucket, &code_key)?;
    upload::put(
        clients,
        bucket,
        &template_key,
        ByteStream::from(text.into_bytes()),
    )
    .await?;
    let url = format!(
        "https://{bucket}.s3.{}.amazonaws.com/{template_key}",
        request.region
    );
    stack::change(clients, stack, &url, &parameters).await?;
    let found = stack::functions(clients, stack).await?;
    if found.contains(name) {
        return Ok(());
    }
    // The pipeline's action would find no function of this name, minutes later.
    Err(Error::OtherFunction {
        function: name.clone(),
        template: function.template.clone(),
        found,
    })
}

/// The caller's parameters, and of the product's own those that the template declares.
fn parameters(
    function: &CustomFunction,
    template: &str,
    bucket: &str,
    code_key: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let template = yaml::parse(template).map_err(|source| Error::Template {
        path: function.template.clone(),
        source,
    })?;
    let declared = template.get("Parameters").and_then(Value::as_object);
    let mut parameters: BTreeMap<String, String> = [
        ("Architecture", ARCHITECTURE),
        ("CodeBucket", bucket),
        ("CodeKey", code_key),
        ("FunctionName", &function.name),
    ]
    .into_iter()
    .filter(|(name, _)| declared.is_some_and(|declared| declared.contains_key(*name)))
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    parameters.extend(function.parameters.clone());
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_gets_what_it_declares_and_what_the_user_gives() {
        let function = CustomFunction {
            name: "notify-webhook".to_owned(),
            program: "bootstrap".into(),
            template: "template.yaml".into(),
            parameters: [("WebhookUrl".to_owned(), "http://127.0.0.1".to_owned())].into(),
        };
        let template = "Parameters:\n  CodeBucket: { Type: String }\n  CodeKey: { Type: String }\n  WebhookUrl: { Type: String }\n";
        let found = parameters(&function, template, "bucket", "key").unwrap();
        let expected = [
            ("CodeBucket", "bucket"),
            ("CodeKey", "key"),
            ("WebhookUrl", "http://127.0.0.1"),
        ];
        assert_eq!(
            found,
            expected
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into()
        );
    }
}
