//! Text of the file as the value of an action's parameter: what other services have as outputs, the pipeline knows as
//! parameters of its template or as variables of the actions that deploy them.

use delivery_definition::{Kind, Located, Mistake, Part, Reference, Text};

use crate::SITE_URL;
use crate::plan::{Member, Plan, PlannedEnvironment, PlannedService};
use crate::query::Piece;
use crate::release;

/// The outputs of an app.
const APP_OUTPUTS: [&str; 2] = ["ApiUrl", "SiteUrl"];

/// The output of a site.
const SITE_OUTPUT: &str = "Url";

/// The namespace of the variables of the action that deploys a stack.
pub(crate) fn stack_namespace(
    service: &PlannedService<'_>,
    environment: &PlannedEnvironment<'_>,
) -> String {
    format!("{}StackVariables", service.in_environment(environment))
}

/// The pieces of a value in an environment. What is wrong is reported, and left out.
pub(crate) fn pieces(
    plan: &Plan<'_>,
    environment: &PlannedEnvironment<'_>,
    text: &Located<Text>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in &text.value.parts {
        match part {
            Part::Literal(literal) => pieces.push(Piece::text(literal)),
            Part::EnvironmentName => pieces.extend(name(plan, environment, &text.value)),
            Part::Output(reference) => match output(plan, environment, reference) {
                Ok(piece) => pieces.push(piece),
                Err((what, next)) => mistakes.push(Mistake::new(text.line, &what, &next)),
            },
        }
    }
    pieces
}

/// The environment's name. That of an execution only deploy-stack knows, and has as a variable.
fn name(plan: &Plan<'_>, environment: &PlannedEnvironment<'_>, text: &Text) -> Vec<Piece> {
    match environment.member {
        None => vec![Piece::text(environment.name())],
        Some(Member::Named) => release::named(environment).into(),
        Some(Member::OfExecution) => {
            // What the text refers to was deployed before.
            let referred = text.references().map(|one| one.service.as_str());
            let own = plan.services.iter().map(|one| one.service.name.as_str());
            let mut deployed = referred.chain(own).filter_map(|name| plan.service(name));
            let service = deployed.find(|one| environment.target.deploys(one.service));
            let known = service.map(|one| output_of_stack(one, environment, "Environment"));
            known.into_iter().collect()
        }
    }
}

/// A variable of the action that deploys a stack; in a family of environments a site has one, too.
pub(crate) fn output_of_stack(
    service: &PlannedService<'_>,
    environment: &PlannedEnvironment<'_>,
    output: &str,
) -> Piece {
    let namespace = stack_namespace(service, environment);
    Piece::Variable(format!("{namespace}.{output}"))
}

/// What a value is that no stack has as its output under this name; `None` where one has.
pub(crate) fn address(
    plan: &Plan<'_>,
    environment: &PlannedEnvironment<'_>,
    reference: &Reference,
) -> Option<Result<Piece, (String, String)>> {
    let mut services = plan.all_services();
    let service = services.find(|service| service.service.name == reference.service)?;
    (service.kind != Kind::Stack).then(|| output(plan, environment, reference))
}

/// Whether a value has outputs that no stack has, so that deploy-stack cannot look them up.
pub(crate) fn needs_pipeline(plan: &Plan<'_>, text: &Text) -> bool {
    text.references()
        .filter_map(|reference| {
            plan.all_services()
                .find(|service| service.service.name == reference.service)
        })
        .any(|service| service.kind != Kind::Stack)
}

fn output(
    plan: &Plan<'_>,
    environment: &PlannedEnvironment<'_>,
    reference: &Reference,
) -> Result<Piece, (String, String)> {
    let Reference {
        service: name,
        output,
    } = reference;
    let mut services = plan.all_services();
    let Some(service) = services.find(|service| service.service.name == *name) else {
        // Reported where the file is checked.
        return Ok(Piece::text(""));
    };
    if let Some(other) = environment.target.settings.share.get(name) {
        let here = environment.name();
        let what = format!(
            "in `{here}`, `${{{name}.{output}}}` would be an output of `{name}` in `{}`, since `{here}` deploys none of its own",
            other.value.value
        );
        let next = "only parameters of stacks can have it: deploy the service there too, or write the value itself";
        return Err((what, next.to_owned()));
    }
    let outputs: &[&str] = match service.kind {
        // Variables belong to one pipeline, and of the actions only deploy-stack reads outputs from stacks themselves.
        Kind::Stack if plan.service(name).is_none() => return Err(in_another_pipeline(reference)),
        Kind::Stack => return Ok(output_of_stack(service, environment, output)),
        Kind::App if APP_OUTPUTS.contains(&output.as_str()) => {
            return Ok(Piece::Parameter(format!(
                "{}{output}",
                service.in_environment(environment)
            )));
        }
        Kind::Site if output == SITE_OUTPUT && environment.member.is_some() => {
            return Ok(output_of_stack(service, environment, SITE_URL));
        }
        Kind::Site if output == SITE_OUTPUT => {
            return Ok(Piece::Parameter(format!(
                "{}SiteUrl",
                service.in_environment(environment)
            )));
        }
        Kind::App => &APP_OUTPUTS,
        Kind::Site => &[SITE_OUTPUT],
        Kind::Terraform | Kind::Serverless => return Ok(Piece::text("")),
    };
    let outputs: Vec<_> = outputs.iter().map(|output| format!("`{output}`")).collect();
    let what = format!(
        "`{name}` is of the kind `{}`, which has no output `{output}`",
        service.kind
    );
    Err((what, format!("it has {}", outputs.join(" and "))))
}

fn in_another_pipeline(reference: &Reference) -> (String, String) {
    let Reference { service, output } = reference;
    let what = format!(
        "`${{{service}.{output}}}` is an output of a stack in another pipeline, which a site, a test, or a value with the address of a site or an API \
         cannot get"
    );
    let next = format!("put `{service}` and this service into one of the `pipelines`");
    (what, next)
}
