//! The application, and names that become too long.

use super::Known;
use crate::file::File;
use crate::map::Map;
use crate::names::{APPLICATION_CHARACTERS, Family, NameOf, dashed, longest_environment};
use crate::reader::Reader;

pub(super) fn check(file: &File, known: &Known<'_>, reader: &mut Reader) {
    let Some(application) = &file.application else {
        required(file, reader);
        return;
    };
    let name = application.value.as_str();
    if let Err(why) = dashed(name) {
        reader.report(
            application.line,
            format!("`application` cannot be `{name}`: {why}"),
            "for example: application = \"workshop\"",
        );
    } else if name.len() > APPLICATION_CHARACTERS {
        reader.report(
            application.line,
            format!(
                "`application` has {} characters; the limit is {APPLICATION_CHARACTERS}",
                name.len()
            ),
            format!(
                "shorten it: the bucket `{name}-releases-ACCOUNT-REGION` can have {} characters ({})",
                NameOf::Bucket.limit(),
                NameOf::Bucket.source()
            ),
        );
    } else {
        stacks(file, name, known, reader);
    }
}

/// With these keys there are stacks that are named after the application.
fn required(file: &File, reader: &mut Reader) {
    let lines = [
        ("services", file.services.as_ref().map(|key| key.line)),
        (
            "environments",
            file.environments.as_ref().map(|key| key.line),
        ),
        ("previews", file.previews.as_ref().map(|key| key.line)),
        ("pipelines", file.pipelines.as_ref().map(|key| key.line)),
    ];
    let first = lines
        .iter()
        .filter_map(|(key, line)| line.map(|line| (line, key)))
        .min();
    if let Some((line, key)) = first {
        reader.report(
            line,
            format!("`{key}` needs the key `application`: names of stacks begin with it"),
            "add it at the top of the file, for example: application = \"workshop\"",
        );
    }
}

/// Reports the services whose stacks would have names that are too long.
fn stacks(file: &File, application: &str, known: &Known<'_>, reader: &mut Reader) {
    let Some(services) = &file.services else {
        return;
    };
    let previews = file.previews.as_ref().map(|_| Family::PullRequest.word());
    let longest = longest_environment(known.environments.iter().copied().chain(previews));
    for service in &services.value {
        if let Err(error) = NameOf::Stack.join(&[application, &longest, &service.name]) {
            reader.report(
                service.line,
                format!(
                    "the service `{}` has a name that is too long: {error}",
                    service.name
                ),
                "shorten the name of the service",
            );
        }
    }
}

/// Reports names in a table that do not have the form of a name.
pub(super) fn report_bad_names<T>(of: &str, map: &Map<T>, reader: &mut Reader) {
    for entry in map {
        if let Err(why) = dashed(&entry.name) {
            let lower = entry.name.to_ascii_lowercase();
            let next = match dashed(&lower) {
                Ok(()) => format!("write it as `{lower}`"),
                Err(_) => "for example: `restapi`, `rest-api`".to_owned(),
            };
            reader.report(
                entry.line,
                format!("a {of} cannot be called `{}`: {why}", entry.name),
                next,
            );
        }
    }
}
