//! The parameters of a service in an environment.

use std::collections::BTreeMap;

use crate::definition::{Service, Target};
use crate::form::Located;
use crate::map::Map;
use crate::value::text::Text;

/// The parameter that gets the environment's name where a template declares it.
const ENVIRONMENT: &str = "Environment";

/// Where a parameter's value is from; what comes later goes before what comes earlier, and before the template's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The template declares `Environment`, and nothing else sets it.
    EnvironmentName,
    /// The service.
    Service,
    /// The environment, for all services.
    Environment,
    /// The environment, for this service.
    EnvironmentAndService,
}

/// A parameter of a service in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its value; references to outputs are left.
    pub value: Text,
    /// Where the value is from.
    pub source: Source,
    /// The line of the value; none of the environment's name.
    pub line: Option<usize>,
}

impl Target<'_> {
    /// The parameters of a service here.
    ///
    /// `declares` says whether the service's template has a parameter: an environment's parameters are for each service
    /// that declares them. Those that name the service are there whether or not it declares them, so that the caller
    /// can refuse them.
    #[must_use]
    pub fn parameters(
        &self,
        service: &Service,
        declares: impl Fn(&str) -> bool,
    ) -> BTreeMap<String, Parameter> {
        let name = self.name.as_str();
        let has_name = declares(ENVIRONMENT);
        let mut parameters = self.parameters_as_written(service, declares);
        for parameter in parameters.values_mut() {
            parameter.value = parameter.value.in_environment(name);
        }
        if has_name {
            parameters
                .entry(ENVIRONMENT.to_owned())
                .or_insert_with(|| Parameter {
                    value: Text::literal(name),
                    source: Source::EnvironmentName,
                    line: None,
                });
        }
        parameters
    }

    /// The parameters that the file sets, with `${env}` as it is: of a family, whose members are made later.
    #[must_use]
    pub fn parameters_as_written(
        &self,
        service: &Service,
        declares: impl Fn(&str) -> bool,
    ) -> BTreeMap<String, Parameter> {
        let mut parameters = BTreeMap::new();
        let mut set =
            |values: &Map<Located<Text>>, source: Source, applies: &dyn Fn(&str) -> bool| {
                for text in values.iter().filter(|text| applies(&text.name)) {
                    let parameter = Parameter {
                        value: text.value.value.clone(),
                        source,
                        line: Some(text.value.line),
                    };
                    parameters.insert(text.name.clone(), parameter);
                }
            };
        set(&service.parameters, Source::Service, &|_| true);
        set(&self.settings.parameters, Source::Environment, &declares);
        if let Some(own) = self.settings.services.get(&service.name) {
            set(own, Source::EnvironmentAndService, &|_| true);
        }
        parameters
    }
}
