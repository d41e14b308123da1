//! The log of an action's commands, in CloudWatch Logs of the local AWS.

use std::collections::VecDeque;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupError;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use delivery_action::aws::CallError;
use delivery_action::clock::timestamp;
use tokio::sync::mpsc;

use crate::engine::aws::port_error;
use crate::engine::ports::PortError;

/// Lines of one request: 120 of 8 KiB with 26 bytes each are below 1,048,576 bytes (`API_PutLogEvents`).
const MAX_LINES_PER_REQUEST: usize = 120;

/// Lines that wait for CloudWatch Logs before the commands have to wait.
pub(super) const MAX_WAITING_LINES: usize = 1_000;

/// Lines that a failure's message can show; it has room for about 60.
const MAX_LAST_LINES: usize = 100;

/// A line, and when it was written.
pub(super) struct Line {
    milliseconds: i64,
    text: String,
}

impl Line {
    pub(super) fn now(text: &str) -> Self {
        Self {
            milliseconds: timestamp().as_millisecond(),
            text: text.to_owned(),
        }
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// A log stream.
pub(super) struct Log {
    client: Client,
    group: String,
    stream: String,
}

impl Log {
    /// Creates the stream, and its group where it is the pipeline's first.
    pub(super) async fn create(
        client: Client,
        group: String,
        stream: String,
    ) -> Result<Self, PortError> {
        let created = client
            .create_log_group()
            .log_group_name(&group)
            .send()
            .await;
        if let Err(error) = created
            && !error
                .as_service_error()
                .is_some_and(CreateLogGroupError::is_resource_already_exists_exception)
        {
            let error = CallError::new("logs:CreateLogGroup", &group, &error);
            return Err(port_error(&error));
        }
        let create = client.create_log_stream().log_group_name(&group);
        let created = create.log_stream_name(&stream).send().await;
        created.map_err(|error| {
            port_error(&CallError::new("logs:CreateLogStream", &stream, &error))
        })?;
        Ok(Self {
            client,
            group,
            stream,
        })
    }

    /// Puts lines into the stream until there are no more; returns the last ones.
    pub(super) async fn follow(self, mut lines: mpsc::Receiver<Line>) -> String {
        let mut last = VecDeque::new();
        let mut batch = Vec::with_capacity(MAX_LINES_PER_REQUEST);
        while lines.recv_many(&mut batch, MAX_LINES_PER_REQUEST).await > 0 {
            self.put(&batch).await;
            last.extend(batch.drain(..).map(|line| line.text));
            last.drain(..last.len().saturating_sub(MAX_LAST_LINES));
        }
        last.make_contiguous().join("\n")
    }

    pub(super) async fn put(&self, lines: &[Line]) {
        let events = lines.iter().filter_map(|line| {
            // An event has at least one character.
            let text = if line.text.is_empty() {
                " "
            } else {
                &line.text
            };
            let event = InputLogEvent::builder().timestamp(line.milliseconds);
            event.message(text).build().ok()
        });
        let put = self.client.put_log_events().log_group_name(&self.group);
        let put = put.log_stream_name(&self.stream);
        if let Err(error) = put.set_log_events(Some(events.collect())).send().await {
            let error = CallError::new("logs:PutLogEvents", &self.group, &error);
            tracing::warn!(%error, lines = lines.len(), "cannot log the output of commands");
        }
    }
}
