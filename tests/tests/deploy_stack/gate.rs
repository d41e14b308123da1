//! What a custom resource waits for until a test lets it go on.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// More than the headers that `fetch` of Node.js sends.
const LARGEST_REQUEST_BYTES: usize = 4096;

/// A server that answers one request, and that only when it is opened.
pub(crate) struct Gate(TcpListener);

impl Gate {
    pub(crate) async fn closed() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Answers the request. Dropped instead, it refuses it.
    pub(crate) async fn open(self) {
        let (mut stream, _) = self.0.accept().await.unwrap();
        // Closed with a request that was not read, the connection would be reset and the answer lost.
        let mut request = [0; LARGEST_REQUEST_BYTES];
        let read = stream.read(&mut request).await.unwrap();
        assert_ne!(read, 0, "the connection ended without a request");
        let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}
