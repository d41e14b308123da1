//! Deployments of CodeDeploy, by which CloudFormation moves an alias (`CodeDeployLambdaAliasUpdate`).

/// What CloudFormation's reason says of a deployment that failed, in plain words; `None` where it says nothing of one.
///
/// The reason has CodeDeploy's own message, so nobody has to be asked:
/// `Resource handler returned message: "d-RGSWBD91L failed. ... Activated alarms: <errors>" (RequestToken: ...)`.
pub(crate) fn explained(reason: &str) -> Option<String> {
    let (_, rest) = reason.split_once("returned message: \"")?;
    let (message, _) = rest.rsplit_once("\" (RequestToken: ")?;
    let (id, cause) = message.split_once(" failed. ")?;
    if !id.starts_with("d-") {
        return None;
    }
    let alarms = cause.split_once("Activated alarms: ");
    let alarms = alarms.map(|(_, names)| named(names)).unwrap_or_default();
    Some(match alarms.as_slice() {
        [] => format!("the deployment `{id}` of CodeDeploy failed: {cause}"),
        [alarm] => {
            format!("the alarm {alarm} rang and stopped the deployment `{id}` of CodeDeploy")
        }
        alarms => format!(
            "the alarms {} rang and stopped the deployment `{id}` of CodeDeploy",
            alarms.join(", ")
        ),
    })
}

/// `<errors> <latency>`: names of alarms may have spaces.
fn named(alarms: &str) -> Vec<String> {
    let names = alarms.split('<').skip(1);
    let names = names.filter_map(|rest| rest.rsplit_once('>'));
    names.map(|(name, _)| format!("`{name}`")).collect()
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn of(message: &str) -> Option<String> {
        let reason = format!(
            "Resource handler returned message: \"{message}\" (RequestToken: 6f1c, HandlerErrorCode: InternalFailure)"
        );
        explained(&reason)
    }

    const ALARMS: &str = "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, \
                          and the affected deployments have been stopped. Activated alarms:";

    #[test_case("<shop-errors>", "the alarm `shop-errors` rang and stopped the deployment `d-RGSWBD91L` of CodeDeploy"; "one")]
    #[test_case(
        "<shop errors> <latency>",
        "the alarms `shop errors`, `latency` rang and stopped the deployment `d-RGSWBD91L` of CodeDeploy"; "two"
    )]
    fn the_alarms_are_named(names: &str, expected: &str) {
        let said = of(&format!("d-RGSWBD91L failed. {ALARMS} {names}"));
        assert_eq!(said.as_deref(), Some(expected));
    }

    #[test]
    fn what_else_codedeploy_says_stays() {
        let said = of("d-82EELWTXI failed. One of the validation functions failed.");
        let expected = "the deployment `d-82EELWTXI` of CodeDeploy failed: One of the validation functions failed.";
        assert_eq!(said.as_deref(), Some(expected));
    }

    #[test_case("the bucket failed. It is not empty"; "another resource")]
    #[test_case("d-82EELWTXI is busy"; "no failure")]
    fn other_reasons_are_left_alone(message: &str) {
        assert_eq!(of(message), None);
    }
}
