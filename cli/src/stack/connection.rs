//! The connection to the source repository, which a person completes once in the console.

use aws_sdk_codeconnections::Client;
use aws_sdk_codeconnections::types::ConnectionStatus;
use delivery_action::aws::CallError;

use super::console;
use crate::message::StackMessage;

/// The parameter that names the connection.
pub(crate) const PARAMETER: &str = "ConnectionArn";

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Its ARN.
    pub(crate) arn: String,
    /// Its name.
    pub(crate) name: String,
    /// The service's word for its status.
    pub(crate) status: String,
}

impl Connection {
    /// Whether a person has to complete the handshake.
    pub(crate) fn is_pending(&self) -> bool {
        self.status == ConnectionStatus::Pending.as_str()
    }

    /// The page that completes it.
    pub(crate) fn url(&self) -> String {
        let region = self.arn.split(':').nth(3).unwrap_or_default();
        console::connections_url(region)
    }

    /// The message for a pending connection.
    pub(crate) fn pending(&self) -> StackMessage {
        StackMessage::ConnectionPending {
            arn: self.arn.clone(),
            name: self.name.clone(),
            url: self.url(),
        }
    }
}

/// Looks at a connection.
pub(crate) async fn find(client: &Client, arn: &str) -> Result<Connection, CallError> {
    let output = client
        .get_connection()
        .connection_arn(arn)
        .send()
        .await
        .map_err(|error| CallError::new("codeconnections:GetConnection", arn, &error))?;
    let found = output.connection;
    let found = found.as_ref();
    let status = found.and_then(|one| one.connection_status.as_ref());
    Ok(Connection {
        arn: arn.to_owned(),
        name: found
            .and_then(|one| one.connection_name.clone())
            .unwrap_or_default(),
        status: status.map_or_else(String::new, |status| status.as_str().to_owned()),
    })
}
