//! A service that refuses every call: a real server on the loopback interface.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// It answers until it is dropped.
#[derive(Debug)]
pub(crate) struct Refusal {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Refusal {
    /// A service of the query protocol that answers every call with this error.
    pub(crate) async fn of(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>\
             </Error><RequestId>r-1</RequestId></ErrorResponse>"
        );
        let answer = format!(
            "HTTP/1.1 {status} Refused\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 64 * 1024];
                // The requests of the query protocol fit; what is refused need not be understood.
                let _read = stream.read(&mut request).await;
                let _written = stream.write_all(answer.as_bytes()).await;
                let _closed = stream.shutdown().await;
            }
        });
        Self { address, task }
    }

    /// Its endpoint.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Refusal {
    fn drop(&mut self) {
        self.task.abort();
    }
}
