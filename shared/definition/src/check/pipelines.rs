//! Pipelines: each service is in exactly one.

use super::Known;
use super::names::report_bad_names;
use crate::file::File;
use crate::reader::Reader;

pub(super) fn check(file: &File, known: &Known<'_>, reader: &mut Reader) {
    let Some(pipelines) = &file.pipelines else {
        return;
    };
    report_bad_names("pipeline", &pipelines.value, reader);
    let mut placed: Vec<(&str, &str)> = Vec::new();
    for pipeline in &pipelines.value {
        let place = format!("`pipelines.{}`", pipeline.name);
        let services = &pipeline.value;
        if services.value.is_empty() {
            let next = "add its services, or remove it";
            reader.report(pipeline.line, format!("{place} has no services"), next);
        }
        for service in &services.value {
            let name = service.value.as_str();
            if !known.service(name, service.line, &place, reader) {
                continue;
            }
            if let Some((_, first)) = placed.iter().find(|(placed, _)| *placed == name) {
                let what = format!(
                    "{place} has the service `{name}`, which is in `pipelines.{first}` already"
                );
                reader.report(service.line, what, "remove one of the two");
            }
            placed.push((name, &pipeline.name));
        }
    }
    // A list that could not be read has no line; it was reported.
    if pipelines
        .value
        .iter()
        .any(|pipeline| pipeline.value.line == 0)
    {
        return;
    }
    for service in &known.services {
        if !placed.iter().any(|(name, _)| name == service) {
            reader.report(
                pipelines.line,
                format!("the service `{service}` is in none of the `pipelines`, so that nothing would deliver it"),
                "add it to one of them",
            );
        }
    }
}
