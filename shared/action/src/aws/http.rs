//! The HTTP client of all AWS clients, which prepares nothing that is not used.

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// The HTTP client that all clients of a configuration share, with its connections and root certificates, which are
/// read when the first TLS connection is made.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    SharedHttpClient::new(ByScheme {
        http: client(TrustStore::empty()),
        https: client(TrustStore::default()),
    })
}

fn client(roots: TrustStore) -> SharedHttpClient {
    let context = TlsContext::builder().with_trust_store(roots).build();
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context.expect("only certificates that are added can be wrong"))
        .build_https()
}

/// A client for each scheme, neither of which is initialised before its first request.
///
/// The SDK's client validates itself whenever a service client is constructed: it builds a TLS connector, parses all
/// root certificates, and discards both. A job constructs several service clients. This wrapper does not forward the
/// validation. And where endpoints are `http`, as those of the local AWS are, the root certificates would be most of
/// the work of a short command. The client for `http` is the same type without certificates: another type would be
/// linked into each function a second time.
#[derive(Debug)]
struct ByScheme {
    http: SharedHttpClient,
    https: SharedHttpClient,
}

impl HttpClient for ByScheme {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            http: self.http.clone(),
            https: self.https.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.https.connector_metadata()
    }
}

/// Chooses when it gets a request: only that says its scheme. The clients keep their own connectors.
#[derive(Debug)]
struct Connector {
    http: SharedHttpClient,
    https: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = if request.uri().starts_with("http://") {
            &self.http
        } else {
            &self.https
        };
        client
            .http_connector(&self.settings, &self.components)
            .call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_config::retry::RetryConfig;
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_codepipeline::config::{Credentials, SharedCredentialsProvider};
    use aws_smithy_runtime_api::client::http::http_client_fn;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    /// Connects to nothing.
    #[derive(Debug)]
    struct Silent;

    impl HttpConnector for Silent {
        fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
            HttpConnectorFuture::ready(Err(ConnectorError::user("silent".into())))
        }
    }

    /// A client that notes when it has to make its connector.
    fn noting(name: &'static str, made: &Arc<Mutex<Vec<&'static str>>>) -> SharedHttpClient {
        let made = Arc::clone(made);
        http_client_fn(move |_, _| {
            made.lock().unwrap().push(name);
            SharedHttpConnector::new(Silent)
        })
    }

    #[tokio::test]
    async fn certificates_are_read_for_https_only() {
        let made = Arc::default();
        let client = SharedHttpClient::new(ByScheme {
            http: noting("http", &made),
            https: noting("https", &made),
        });
        for endpoint in ["http://127.0.0.1:1", "https://127.0.0.1:1"] {
            let credentials = Credentials::new("key", "secret", None, None, "test");
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .http_client(client.clone())
                .region(Region::new("us-east-1"))
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .retry_config(RetryConfig::disabled())
                .endpoint_url(endpoint)
                .build();
            let asked = aws_sdk_codepipeline::Client::new(&config).list_pipelines();
            asked.send().await.unwrap_err();
        }
        assert_eq!(*made.lock().unwrap(), ["http", "https"]);
    }
}
