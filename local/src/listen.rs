//! Serving HTTP on a loopback port: every connection has to send its header in time, and ends with the
//! server.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long a request's header may take to arrive, counted from the end of the request before it.
///
/// Longer than clients keep an idle connection that they would still use (the gateway: 20 s), so that
/// none is closed under a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause after a connection that could not be accepted. The usual reason is that the process has no free
/// file descriptor, and that passes only as other connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is dropped; its connections end with it.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    serve_within(listener, router, HEADER_TIMEOUT).await;
}

async fn serve_within(listener: TcpListener, router: Router, header_timeout: Duration) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), header_timeout));
                }
                Err(error) => pause(&error).await,
            },
            // Ended connections are taken out as they end, or the set would grow for ever.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

async fn connection(stream: TcpStream, router: Router, header_timeout: Duration) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY not set");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    async fn server() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "whole" }));
        tokio::spawn(serve_within(listener, router, SHORT));
        address
    }

    async fn send(address: std::net::SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// All that comes until the server closes the connection.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        let read = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut text));
        // A reset is a close, too.
        drop(read.await.expect("the connection is closed"));
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn three_hundred_incomplete_requests_are_closed_while_complete_ones_are_answered() {
        let address = server().await;
        let mut halves = Vec::new();
        for _ in 0..300 {
            halves.push(send(address, "GET / HTTP/1.1\r\nHost: local").await);
        }
        let whole = send(
            address,
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        let answer = rest(whole.await).await;
        assert!(answer.ends_with("whole"), "{answer}");
        for half in halves {
            let answer = rest(half).await;
            assert!(!answer.contains("200 OK"), "{answer}");
        }
    }
}
