//! Who one is, what one may do, and whether a connection is there.

use aws_sdk_codeconnections::types::ConnectionStatus;

use crate::world::{run, said};

#[test]
fn whoever_signs_in_may_do_everything() {
    run(async |world| {
        let sts = aws_sdk_sts::Client::new(&world.config);
        let identity = sts.get_caller_identity().send().await.unwrap();
        let iam = aws_sdk_iam::Client::new(&world.config);
        let simulate = iam
            .simulate_principal_policy()
            .policy_source_arn(identity.arn().unwrap())
            .action_names("cloudformation:CreateChangeSet")
            .action_names("iam:CreateRole");
        let simulated = simulate.send().await.unwrap();
        let decisions: Vec<&str> = simulated
            .evaluation_results()
            .iter()
            .map(|result| result.eval_decision().as_str())
            .collect();
        assert_eq!(decisions, ["allowed", "allowed"]);
    });
}

#[test]
fn one_connection_is_available_and_one_waits_for_its_handshake() {
    run(async |world| {
        let connections = aws_sdk_codeconnections::Client::new(&world.config);
        let get = |last: u8| {
            connections.get_connection().connection_arn(format!(
                "arn:aws:codeconnections:us-east-1:000000000000:connection/00000000-0000-0000-0000-00000000000{last}"
            ))
        };
        for (last, expected) in [
            (0, ConnectionStatus::Available),
            (1, ConnectionStatus::Pending),
        ] {
            let connection = get(last).send().await.unwrap().connection.unwrap();
            assert_eq!(connection.connection_status, Some(expected));
        }
        let missing = said(&get(2).send().await.unwrap_err());
        assert!(
            missing.starts_with("ResourceNotFoundException: "),
            "{missing}"
        );
    });
}
