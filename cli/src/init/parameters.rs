//! Values of the parameters that templates leave open.

use std::collections::BTreeSet;

use super::file::template_of;
use super::find::FoundService;

/// Names of parameters that hold the environment's name; `Environment` gets it in any case.
const ENVIRONMENT: [&str; 5] = ["Env", "EnvName", "EnvironmentName", "Stage", "StageName"];

/// The one that deploy-stack fills in by itself.
const FILLED_IN: &str = "Environment";

/// Sets each parameter that has no default to the output of that name of another service, or to the environment's name.
/// Returns what is left, a sentence each.
pub(super) fn fill_in(services: &mut [FoundService]) -> Vec<String> {
    let mut missing = Vec::new();
    let mut edges: BTreeSet<(String, String)> = BTreeSet::new();
    for index in 0..services.len() {
        let Some(service) = services.get(index).cloned() else {
            continue;
        };
        for parameter in &service.required {
            let value = if ENVIRONMENT.contains(&parameter.as_str()) {
                Some("${env}".to_owned())
            } else {
                output(services, &service, parameter, &edges).map(|other| {
                    edges.insert((service.name.clone(), other.clone()));
                    format!("${{{other}.{parameter}}}")
                })
            };
            match value {
                Some(value) => {
                    if let Some(own) = services.get_mut(index) {
                        own.parameters.push((parameter.clone(), value));
                    }
                }
                None if parameter == FILLED_IN => {}
                None => missing.push(format!(
                    "the parameter `{parameter}` of `{}` has no default: set it in `[services.{}]`: parameters = {{ {parameter} = \"...\" }}",
                    template_of(&service),
                    service.name
                )),
            }
        }
    }
    missing
}

/// The only other service with this output that does not itself need this one.
fn output(
    services: &[FoundService],
    service: &FoundService,
    name: &str,
    edges: &BTreeSet<(String, String)>,
) -> Option<String> {
    let others = services.iter().filter(|other| other.name != service.name);
    let mut with = others.filter(|other| other.outputs.iter().any(|output| output == name));
    let (other, None) = (with.next()?, with.next()) else {
        return None;
    };
    (!needs(edges, &other.name, &service.name)).then(|| other.name.clone())
}

fn needs(edges: &BTreeSet<(String, String)>, from: &str, to: &str) -> bool {
    edges
        .iter()
        .filter(|(one, _)| one == from)
        .any(|(_, next)| next == to || needs(edges, next, to))
}
