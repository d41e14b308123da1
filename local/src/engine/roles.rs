//! Whether the roles of a pipeline can be assumed, by their trust policies. The conditions of these policies, and the
//! policies of the principal that assumes the role, are not checked.

use serde_json::Value;

use super::declaration::PipelineDeclaration;
use super::ports::{PortError, Roles};

/// Who assumes a pipeline's role.
const SERVICE: &str = "codepipeline.amazonaws.com";

/// Why roles are not in order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoleError {
    /// The service's words (terraform-provider-aws issue 13103, aws-cdk issue 22489).
    #[error("{0}")]
    NotAssumable(String),
    #[error("cannot ask IAM whether the role {role} can be assumed: {source}")]
    Unknown { role: String, source: PortError },
}

/// Checks the pipeline's role and those of its actions.
pub(crate) async fn check(
    pipeline: &PipelineDeclaration,
    account: &str,
    roles: &dyn Roles,
) -> Result<(), RoleError> {
    let own = &*pipeline.role_arn;
    if !is_of(own, account) || !trusts(own, roles, &trusts_service).await? {
        return Err(RoleError::NotAssumable(format!(
            "CodePipeline is not authorized to perform AssumeRole on role {own}"
        )));
    }
    let actions = pipeline.stages.iter().flat_map(|stage| &stage.actions);
    for role in actions.filter_map(|action| action.role_arn.as_deref()) {
        if !is_of(role, account) {
            // There is no IAM of another account here.
            tracing::warn!(
                role,
                "cannot check a role of another account; it is used as it is"
            );
            continue;
        }
        let trusts_own = |policy: &Value| trusts_role(policy, own, account);
        if !trusts(role, roles, &trusts_own).await? {
            return Err(RoleError::NotAssumable(format!(
                "{own} is not authorized to perform AssumeRole on role {role}"
            )));
        }
    }
    Ok(())
}

fn is_of(role: &str, account: &str) -> bool {
    role.split(':').nth(4) == Some(account)
}

async fn trusts(
    role: &str,
    roles: &dyn Roles,
    is_trusted: &(dyn Fn(&Value) -> bool + Sync),
) -> Result<bool, RoleError> {
    // The name is what follows the path.
    let name = role.rsplit('/').next().unwrap_or_default();
    let policy = roles.trust_policy(name).await;
    let policy = policy.map_err(|source| RoleError::Unknown {
        role: role.to_owned(),
        source,
    })?;
    Ok(policy.is_some_and(|policy| is_trusted(&policy)))
}

fn trusts_service(policy: &Value) -> bool {
    allows(policy, |principal| {
        texts(&principal["Service"]).any(|service| service == SERVICE)
    })
}

fn trusts_role(policy: &Value, role: &str, account: &str) -> bool {
    let root = format!("arn:aws:iam::{account}:root");
    allows(policy, |principal| {
        let mut trusted = texts(&principal["AWS"]);
        trusted.any(|it| it == role || it == root || it == account || it == "*")
    })
}

/// Whether a statement allows to assume the role to such a principal.
fn allows(policy: &Value, is_meant: impl Fn(&Value) -> bool) -> bool {
    let statements = &policy["Statement"];
    let one = std::slice::from_ref(statements);
    let mut statements = statements.as_array().map_or(one, Vec::as_slice).iter();
    statements.any(|statement| {
        let mut actions = texts(&statement["Action"]);
        let assume = actions.any(|action| {
            ["sts:assumerole", "sts:*", "*"].contains(&&*action.to_ascii_lowercase())
        });
        let principal = &statement["Principal"];
        statement["Effect"] == "Allow" && assume && (principal == "*" || is_meant(principal))
    })
}

/// A text, or a list of them.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let all = value.as_array().into_iter().flatten();
    value
        .as_str()
        .into_iter()
        .chain(all.filter_map(Value::as_str))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(principal: &Value) -> Value {
        json!({"Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": principal}]})
    }

    #[test]
    fn a_trust_policy_names_the_service_or_the_role() {
        let service = policy(&json!({"Service": ["codebuild.amazonaws.com", SERVICE]}));
        assert!(trusts_service(&service));
        assert!(!trusts_service(&policy(
            &json!({"Service": "lambda.amazonaws.com"})
        )));
        let (role, account) = ("arn:aws:iam::000000000000:role/p", "000000000000");
        assert!(trusts_role(&policy(&json!({"AWS": role})), role, account));
        let root = json!({"AWS": "arn:aws:iam::000000000000:root"});
        assert!(trusts_role(&policy(&root), role, account));
        assert!(trusts_role(&policy(&json!("*")), role, account));
        assert!(!trusts_role(&service, role, account));
        let denied = json!({"Statement": {"Effect": "Deny", "Action": "*", "Principal": "*"}});
        assert!(!trusts_service(&denied));
    }
}
