//! HTTP requests of ours: one GET to a server that the configuration names.
//!
//! Redirections are not followed, so that no other server is ever asked. Whoever asks bounds the time.

use crate::config::HttpUrl;
use axum::body::Body;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Get<'a> {
    /// The server.
    pub(crate) url: &'a HttpUrl,
    /// Path and query.
    pub(crate) target: String,
    /// The types of an answer that is understood.
    pub(crate) accept: &'static str,
    /// One more header field.
    pub(crate) header: Option<(&'static str, String)>,
    /// The most bytes of an answer.
    pub(crate) most: usize,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum GetError {
    #[error("the server's name is malformed")]
    Name,
    #[error("no connection: {0}")]
    Connection(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("the request is malformed")]
    Request(#[from] hyper::http::Error),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the answer is too long, or broke off")]
    Body(#[from] axum::Error),
}

/// The body of a 200.
///
/// # Errors
/// There is no server, it answered something else, or too much.
pub(crate) async fn get(tls: &TlsConnector, get: Get<'_>) -> Result<Vec<u8>, GetError> {
    let stream = TcpStream::connect((get.url.host.as_str(), get.url.port)).await?;
    if !get.url.is_secure {
        return request(stream, get).await;
    }
    let name = ServerName::try_from(get.url.host.clone()).map_err(|_| GetError::Name)?;
    request(tls.connect(name, stream).await?, get).await
}

async fn request<S>(stream: S, get: Get<'_>) -> Result<Vec<u8>, GetError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let running = tokio::spawn(connection);
    let mut request = Request::get(get.target)
        .header(header::HOST, &get.url.authority)
        .header(header::ACCEPT, get.accept)
        .header(header::CONNECTION, "close");
    if let Some((name, value)) = get.header {
        request = request.header(name, value);
    }
    let result = async {
        let response = sender.send_request(request.body(Body::empty())?).await?;
        if response.status() != StatusCode::OK {
            return Err(GetError::Status(response.status()));
        }
        let body = axum::body::to_bytes(Body::new(response.into_body()), get.most).await?;
        Ok(body.to_vec())
    }
    .await;
    // Ends the connection, whatever the server still had to say.
    running.abort();
    result
}
