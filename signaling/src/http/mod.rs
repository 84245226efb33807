//! The HTTP server: the page, WebSockets, figures and health.

mod metrics;
mod pages;

pub(crate) use metrics::Figures;

use crate::connection::{Admission, Permit};
use crate::events::{Drop, Events};
use crate::limits;
use crate::sip::listener::accept;
use crate::websocket::{self, Ends};
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// What every request may need.
pub(crate) struct Server {
    pub(crate) events: Events,
    pub(crate) admission: Admission,
    pub(crate) figures: Figures,
    /// The source addresses that may read `/metrics`.
    pub(crate) metrics: Vec<IpAddr>,
}

/// Serves a listener until the process ends; with an acceptor it speaks TLS.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, server: Arc<Server>) {
    let router = Router::new().fallback(answer).with_state(server.clone());
    loop {
        let (stream, remote, permit) = accept(&listener, &server.admission).await;
        let Ok(local) = stream.local_addr() else { continue };
        let ends = Ends { local, remote, secure: tls.is_some() };
        let router = router.clone().layer(Extension(ends)).layer(Extension(Arc::new(permit)));
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                None => serve_connection(stream, router).await,
                Some(tls) => match timeout(limits::CONNECT_DEADLINE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve_connection(stream, router).await,
                    Ok(Err(_)) | Err(_) => Drop::TlsHandshake.count(),
                },
            }
        });
    }
}

/// Ends when the connection does, or when it becomes a WebSocket.
pub(crate) async fn serve_connection<S>(stream: S, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HTTP_HEAD_DEADLINE)
        .max_buf_size(limits::HTTP_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    if timeout(limits::HTTP_CONNECTION, connection).await.is_err() {
        Drop::Deadline.count();
    }
}

/// Answers one request: a WebSocket at any path, or one of the few resources.
async fn answer(
    State(server): State<Arc<Server>>,
    Extension(ends): Extension<Ends>,
    Extension(permit): Extension<Arc<Permit>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if headers.contains_key(header::UPGRADE) {
        return match upgrade {
            Ok(upgrade) => {
                let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
                open_websocket(upgrade, ends, origin.map(str::to_owned), permit, server.events.clone())
            }
            Err(rejection) => rejection.into_response(),
        };
    }
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    match uri.path() {
        "/health" => server.figures.health(),
        "/metrics" if server.metrics.contains(&ends.remote.ip().to_canonical()) => {
            server.figures.render().await
        }
        "/metrics" => StatusCode::FORBIDDEN.into_response(),
        path => pages::get(path, &headers),
    }
}

fn open_websocket(
    upgrade: WebSocketUpgrade,
    ends: Ends,
    origin: Option<String>,
    permit: Arc<Permit>,
    events: Events,
) -> Response {
    upgrade
        .protocols(["sip"])
        .max_message_size(limits::MESSAGE)
        .max_frame_size(limits::MESSAGE)
        // Messages are small: buffers of the default size would cost each browser a quarter of a megabyte.
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * limits::MESSAGE)
        .on_upgrade(move |socket| async move {
            websocket::run(socket, ends, origin, events).await;
            drop(permit);
        })
}

/// Of each WebSocket, in bytes; it grows up to a message.
const READ_BUFFER: usize = 8 * 1024;
