//! The webhook: one POST over HTTP or HTTPS.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::NotifyWebhookError;

/// The longest answer that is read, in bytes: only its first line is shown.
const MAX_ANSWER_BYTES: usize = 4096;

/// Where messages are posted to.
pub(crate) struct Webhook {
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl fmt::Debug for Webhook {
    /// Not its address, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

impl Webhook {
    pub(crate) fn new(url: &str) -> Result<Self, NotifyWebhookError> {
        let url: Uri = url.parse().map_err(|_| NotifyWebhookError::BadUrl)?;
        if url.host().is_none() {
            return Err(NotifyWebhookError::BadUrl);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(NotifyWebhookError::NoCertificates)?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { url, client })
    }

    /// Posts a message; `id` is the same for two deliveries of one job.
    pub(crate) async fn post(
        &self,
        id: &str,
        message: &str,
        patience: Duration,
    ) -> Result<StatusCode, NotifyWebhookError> {
        match tokio::time::timeout(patience, self.exchange(id, message)).await {
            Ok(answered) => answered,
            Err(_) => Err(NotifyWebhookError::Slow { patience }),
        }
    }

    async fn exchange(&self, id: &str, message: &str) -> Result<StatusCode, NotifyWebhookError> {
        let body = json!({"text": message}).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", id)
            .body(Full::from(body))
            .map_err(|_| NotifyWebhookError::BadUrl)?;
        let answer = self.client.request(request).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(status);
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await;
        let body = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        Err(NotifyWebhookError::Refused {
            status,
            answer: String::from_utf8_lossy(&body)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        })
    }
}
