//! NG over HTTP and WebSocket, and the relay's health and figures.
//!
//! A page in any browser can reach this port of its visitor's host: what names an `Origin` comes from a page, and is
//! refused (RFC 6454 section 7; RFC 6455 section 10.2).

use super::line::Line;
use super::{Door, websocket};
use crate::connection::{Admission, Permit};
use crate::events::Drop;
use crate::http::serve_connection;
use crate::limits;
use crate::sip::listener::accept;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use std::net::SocketAddr;
use std::sync::Arc;
use tandem_sip::ng::{Framing, frame};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Serves a listener until the process ends.
pub(super) async fn serve(listener: TcpListener, admission: Admission, door: Arc<Door>) {
    let router = Router::new().fallback(answer).with_state(door);
    loop {
        let (stream, remote, permit) = accept(&listener, &admission).await;
        let router = router.clone().layer(Extension(remote)).layer(Extension(Arc::new(permit)));
        tokio::spawn(serve_connection(stream, router));
    }
}

/// Answers one request: a WebSocket at any path, or one of the few resources.
async fn answer(
    State(door): State<Arc<Door>>,
    Extension(remote): Extension<SocketAddr>,
    Extension(permit): Extension<Arc<Permit>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let headers = request.headers();
    let is_websocket = headers.contains_key(header::UPGRADE);
    match (request.method().clone(), request.uri().path()) {
        (Method::GET | Method::HEAD, "/health") => return door.figures.health(),
        (Method::GET | Method::HEAD, "/metrics") => {
            return match door.metrics.contains(&remote.ip().to_canonical()) {
                true => door.figures.render().await,
                false => StatusCode::FORBIDDEN.into_response(),
            };
        }
        _ => {}
    }
    if headers.contains_key(header::ORIGIN) {
        Drop::NgOrigin.count();
        return (StatusCode::FORBIDDEN, "pages may not command the relay\n").into_response();
    }
    if !door.admits(remote.ip()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match (is_websocket, upgrade) {
        (true, Ok(upgrade)) => websocket::open(upgrade, remote, permit, door),
        (true, Err(rejection)) => rejection.into_response(),
        (false, _) => post(request, remote, &door).await,
    }
}

/// One message as the body of a POST; the reply has the request's type.
async fn post(request: Request, remote: SocketAddr, door: &Door) -> Response {
    let framing = match request.uri().path() {
        frame::HTTP_PATH => Framing::Cookie,
        frame::HTTP_PATH_PLAIN => Framing::Plain,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response();
    }
    let Some(content_type) = content_type(framing, request.headers()) else {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("send {}\n", frame::CONTENT_TYPE))
            .into_response();
    };
    let body = timeout(limits::MESSAGE_DEADLINE, to_bytes(request.into_body(), limits::NG_MESSAGE)).await;
    let body = match body {
        Ok(Ok(body)) => body.to_vec(),
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let Some(line) = Line::open(remote, &door.events).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    // A task of its own: it closes the line even where the client, and with it this future, goes before the reply.
    match tokio::spawn(exchange(line, framing, body)).await {
        Ok(Some(reply)) => ([(header::CONTENT_TYPE, content_type)], Body::from(reply)).into_response(),
        // No cookie, no reply (the relay counts it); or the relay was too slow.
        Ok(None) | Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The type that the message says it has, if it is one that is spoken here.
fn content_type(framing: Framing, headers: &HeaderMap) -> Option<&'static str> {
    let given = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = given.split(';').next().unwrap_or_default().trim();
    let known: &[&str] = match framing {
        Framing::Cookie => &[frame::CONTENT_TYPE],
        Framing::Plain => &[frame::CONTENT_TYPE, frame::CONTENT_TYPE_JSON],
    };
    known.iter().find(|known| known.eq_ignore_ascii_case(essence)).copied()
}

async fn exchange(mut line: Line, framing: Framing, body: Vec<u8>) -> Option<Vec<u8>> {
    let reply = async {
        line.request(framing, body).await?;
        line.reply().await
    };
    let reply = timeout(limits::NG_REPLY, reply).await.ok().flatten();
    line.close().await;
    reply
}
