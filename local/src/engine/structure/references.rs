//! Whether the variables that configurations refer to can exist. The service says so when a pipeline is
//! created, not when the action runs.

use std::collections::BTreeSet;

use crate::engine::declaration::{ActionDeclaration, PipelineDeclaration, StageDeclaration};
use crate::engine::message::Refusal;
use crate::engine::variables::{
    EXECUTION_ID_KEY, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE, references,
};

/// What is wrong with a reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Format,
    Namespace,
    Key,
    Later,
}

impl Fault {
    /// The service's words for a namespace that does not exist (aws-cdk issue 17272), and the like for
    /// what it says nothing about.
    fn text(self) -> &'static str {
        match self {
            Self::Format => "The following pipeline execution variables have another format.",
            Self::Namespace => {
                "The following pipeline execution variables are referencing a namespace that does \
                 not exist."
            }
            Self::Key => {
                "The following pipeline execution variables are referencing a key that their \
                 namespace does not have."
            }
            Self::Later => {
                "The following pipeline execution variables are referencing a namespace whose \
                 action has not run by then."
            }
        }
    }
}

/// Checks the references of all actions.
pub(super) fn check(declaration: &PipelineDeclaration) -> Result<(), Refusal> {
    let all = declaration.stages.iter().flat_map(|stage| &stage.actions);
    let mut scope = Scope {
        declaration,
        all: all
            .filter_map(|action| action.namespace.as_deref())
            .collect(),
        earlier: BTreeSet::new(),
    };
    let mut faults = Vec::new();
    for stage in &declaration.stages {
        for group in super::in_run_order(stage) {
            for action in &group {
                scope.check(stage, action, &mut faults);
            }
            let made = group
                .iter()
                .filter_map(|action| action.namespace.as_deref());
            scope.earlier.extend(made);
        }
    }
    let Some(first) = faults.iter().map(|(fault, _)| *fault).min() else {
        return Ok(());
    };
    let same = faults.iter().filter(|(fault, _)| *fault == first);
    let places: Vec<_> = same.map(|(_, place)| &**place).collect();
    Err(Refusal::InvalidAction(format!(
        "Valid format for a pipeline execution variable reference is a namespace and a key separated \
         by a period (.). {} {}",
        first.text(),
        places.join("; ")
    )))
}

struct Scope<'d> {
    declaration: &'d PipelineDeclaration,
    all: BTreeSet<&'d str>,
    /// Those of actions that have run before.
    earlier: BTreeSet<&'d str>,
}

impl Scope<'_> {
    fn check(
        &self,
        stage: &StageDeclaration,
        action: &ActionDeclaration,
        faults: &mut Vec<(Fault, String)>,
    ) {
        let configured = action.configuration.iter();
        let configured = configured.map(|(key, value)| (&**key, value));
        let commands = action.commands.iter().map(|it| ("commands", it));
        let variables = action.environment_variables.iter();
        let variables = variables.map(|it| ("environmentVariables", &it.value));
        for (key, value) in configured.chain(commands).chain(variables) {
            for reference in references(value) {
                if let Some(fault) = self.fault(reference) {
                    let place = format!(
                        "StageName=[{}], ActionName=[{}], ActionConfigurationKey=[{key}], \
                         VariableReferenceText=[{reference}]",
                        stage.name, action.name
                    );
                    faults.push((fault, place));
                }
            }
        }
    }

    fn fault(&self, reference: &str) -> Option<Fault> {
        let Some((namespace, key)) = reference.split_once('.') else {
            return Some(Fault::Format);
        };
        let mut variables = self.declaration.variables.iter();
        match namespace {
            EXECUTION_NAMESPACE => (key != EXECUTION_ID_KEY).then_some(Fault::Key),
            PIPELINE_NAMESPACE => {
                let declared = variables.any(|variable| variable.name == key);
                (!declared).then_some(Fault::Key)
            }
            _ if self.earlier.contains(namespace) => None,
            _ if self.all.contains(namespace) => Some(Fault::Later),
            _ => Some(Fault::Namespace),
        }
    }
}
