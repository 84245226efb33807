//! HTTP requests of ours: one GET or POST to a server that the configuration names.
//!
//! Redirections are not followed, so that no other server is ever asked. Whoever asks bounds the time.

use crate::config::HttpUrl;
use axum::body::Body;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    /// The server.
    pub(crate) url: &'a HttpUrl,
    /// Path and query.
    pub(crate) target: String,
    /// The types of an answer that is understood.
    pub(crate) accept: &'static str,
    /// One more header field.
    pub(crate) header: Option<(&'static str, String)>,
    /// JSON that is posted; without it the request is a GET.
    pub(crate) json: Option<String>,
    /// The most bytes of an answer.
    pub(crate) most: usize,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum AskError {
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

/// The body of a 200, or the empty one of a 204.
///
/// # Errors
/// There is no server, it answered something else, or too much.
pub(crate) async fn ask(tls: &TlsConnector, ask: Ask<'_>) -> Result<Vec<u8>, AskError> {
    let stream = TcpStream::connect((ask.url.host.as_str(), ask.url.port)).await?;
    if !ask.url.is_secure {
        return request(stream, ask).await;
    }
    let name = ServerName::try_from(ask.url.host.clone()).map_err(|_| AskError::Name)?;
    request(tls.connect(name, stream).await?, ask).await
}

async fn request<S>(stream: S, ask: Ask<'_>) -> Result<Vec<u8>, AskError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let running = tokio::spawn(connection);
    let method = if ask.json.is_some() { Method::POST } else { Method::GET };
    let mut request = Request::builder()
        .method(method)
        .uri(ask.target)
        .header(header::HOST, &ask.url.authority)
        .header(header::ACCEPT, ask.accept)
        .header(header::CONNECTION, "close");
    if let Some((name, value)) = ask.header {
        request = request.header(name, value);
    }
    let body = match ask.json {
        Some(json) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(json)
        }
        None => Body::empty(),
    };
    let result = async {
        let response = sender.send_request(request.body(body)?).await?;
        match response.status() {
            StatusCode::OK => {
                Ok(axum::body::to_bytes(Body::new(response.into_body()), ask.most).await?.to_vec())
            }
            StatusCode::NO_CONTENT => Ok(Vec::new()),
            status => Err(AskError::Status(status)),
        }
    }
    .await;
    // Ends the connection, whatever the server still had to say.
    running.abort();
    result
}
