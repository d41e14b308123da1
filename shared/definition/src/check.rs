//! What the keys say together: names, references, order.

mod build;
mod environments;
mod names;
mod pipelines;
mod rollouts;
mod services;

use std::collections::BTreeSet;

use crate::file::File;
use crate::map::Map;
use crate::names::ONLY_SERVICE;
use crate::nearest::advice;
use crate::order::Order;
use crate::reader::Reader;

/// Reports all that is wrong with a file whose values have the right form each.
pub(crate) fn check(file: &File, reader: &mut Reader) {
    let known = Known::of(file);
    names::check(file, &known, reader);
    services::check(file, &known, reader);
    environments::check(file, &known, reader);
    pipelines::check(file, &known, reader);
}

/// The names that can be referred to.
struct Known<'a> {
    services: Vec<&'a str>,
    environments: Vec<&'a str>,
}

impl<'a> Known<'a> {
    fn of(file: &'a File) -> Self {
        fn names<T>(map: &Map<T>) -> Vec<&str> {
            map.names().collect()
        }
        let services = file
            .services
            .as_ref()
            .map(|services| names(&services.value));
        let environments = file.environments.as_ref();
        Self {
            services: services.unwrap_or_else(|| vec![ONLY_SERVICE]),
            environments: environments
                .map(|all| names(&all.value))
                .unwrap_or_default(),
        }
    }

    /// Whether there is such a service; if not, that is noted.
    fn service(&self, name: &str, line: usize, place: &str, reader: &mut Reader) -> bool {
        let known = self.services.contains(&name);
        if !known {
            let next = advice(name, self.services.iter().copied(), "services");
            reader.absent("service", name, line, place, next);
        }
        known
    }

    /// Whether there is such an environment; if not, that is noted.
    fn environment(&self, name: &str, line: usize, place: &str, reader: &mut Reader) -> bool {
        let known = self.environments.contains(&name);
        if !known {
            let next = advice(name, self.environments.iter().copied(), "environments");
            reader.absent("environment", name, line, place, next);
        }
        known
    }
}

/// What one of several things needs, and the line that says so.
struct Need<'a> {
    name: &'a str,
    line: usize,
}

/// Reports each circle of things that need each other.
fn report_cycles(
    what: &str,
    verb: &str,
    next: &str,
    names: &[&str],
    needs: &[Vec<Need<'_>>],
    reader: &mut Reader,
) {
    let position = |need: &Need<'_>| names.iter().position(|name| *name == need.name);
    let edges: Vec<BTreeSet<_>> = needs
        .iter()
        .enumerate()
        // What needs itself is reported where it is read.
        .map(|(own, needs)| {
            needs
                .iter()
                .filter_map(position)
                .filter(|other| *other != own)
                .collect()
        })
        .collect();
    for cycle in Order::of(&edges).cycles {
        let following = cycle.iter().cycle().skip(1);
        let links: Vec<_> = cycle
            .iter()
            .zip(following)
            .map(|(own, other)| {
                let line = needs[*own].iter().find(|need| need.name == names[*other]);
                let line = line.map_or(1, |need| need.line);
                (
                    line,
                    format!("`{}` {verb} `{}` (line {line})", names[*own], names[*other]),
                )
            })
            .collect();
        let line = links.iter().map(|(line, _)| *line).min().unwrap_or(1);
        let links: Vec<_> = links.into_iter().map(|(_, link)| link).collect();
        reader.report(
            line,
            format!("{what} in a circle: {}", links.join(", ")),
            next,
        );
    }
}
