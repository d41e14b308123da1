//! Pipelines: each service is in exactly one.

use super::names::report_bad_names;
use super::services::needs;
use super::{Known, Need, report_cycles};
use crate::file::File;
use crate::reader::Reader;

/// The longest name of a pipeline in the file: of CodePipeline's 100 characters (`API_PipelineDeclaration`) the stack's name, 40 unless
/// it was given another, and the `-` after it take their part.
const PIPELINE_CHARACTERS: usize = 100 - 40 - 1;

pub(super) fn check(file: &File, known: &Known<'_>, reader: &mut Reader) {
    let Some(pipelines) = &file.pipelines else {
        return;
    };
    report_bad_names("pipeline", &pipelines.value, reader);
    let mut placed: Vec<(&str, &str)> = Vec::new();
    for pipeline in &pipelines.value {
        let place = format!("`pipelines.{}`", pipeline.name);
        let characters = pipeline.name.len();
        if characters > PIPELINE_CHARACTERS {
            reader.report(
                pipeline.line,
                format!("{place} has a name of {characters} characters; the limit is {PIPELINE_CHARACTERS}"),
                "shorten it: in CodePipeline the stack's name comes before it",
            );
        }
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
    report_circles(file, &placed, reader);
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

/// Reports pipelines whose services need each other, although the services themselves have an order: none of the
/// pipelines could deliver first. `placed` are the services, each with its pipeline.
fn report_circles(file: &File, placed: &[(&str, &str)], reader: &mut Reader) {
    let names: Vec<&str> = file
        .pipelines
        .iter()
        .flat_map(|key| key.value.names())
        .collect();
    let environments = file.environments.as_ref().map(|key| &key.value);
    let pipeline_of = |service: &str| {
        let found = placed.iter().find(|(placed, _)| *placed == service);
        found.map(|(_, pipeline)| *pipeline)
    };
    let services = file.services.iter().flat_map(|key| &key.value);
    let all: Vec<_> = services
        .filter_map(|service| Some((pipeline_of(&service.name)?, needs(service, environments))))
        .collect();
    let needs: Vec<Vec<Need<'_>>> = names
        .iter()
        .map(|own| {
            let needs = all.iter().filter(|(pipeline, _)| pipeline == own);
            let needs = needs.flat_map(|(_, needs)| needs);
            let other = |need: &Need<'_>| pipeline_of(need.name).filter(|other| other != own);
            needs
                .filter_map(|need| {
                    Some(Need {
                        name: other(need)?,
                        line: need.line,
                    })
                })
                .collect()
        })
        .collect();
    report_cycles(
        "pipelines need each other",
        "needs",
        "move services between them, or put them into one pipeline: they have to deliver one after the other",
        &names,
        &needs,
        reader,
    );
}
