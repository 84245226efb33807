//! NG over WebSocket: one message is one text or binary message, and so is its reply.

use super::Door;
use super::line::Line;
use crate::connection::Permit;
use crate::events::Drop;
use crate::limits;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use tandem_sip::ng::{Framing, frame};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Opens a WebSocket that offers one of the sub-protocols.
pub(super) fn open(
    upgrade: WebSocketUpgrade,
    remote: SocketAddr,
    permit: Arc<Permit>,
    door: Arc<Door>,
) -> Response {
    let upgrade = upgrade
        .protocols([frame::WEBSOCKET_PROTOCOL, frame::WEBSOCKET_PROTOCOL_PLAIN])
        .max_message_size(limits::NG_MESSAGE)
        .max_frame_size(limits::NG_MESSAGE)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * limits::NG_MESSAGE);
    let framing = match upgrade.selected_protocol().and_then(|protocol| protocol.to_str().ok()) {
        Some(frame::WEBSOCKET_PROTOCOL) => Framing::Cookie,
        Some(frame::WEBSOCKET_PROTOCOL_PLAIN) => Framing::Plain,
        _ => {
            let text = format!("the sub-protocol must be {}\n", frame::WEBSOCKET_PROTOCOL);
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    upgrade.on_upgrade(move |mut socket| async move {
        let Some(mut line) = Line::open(remote, &door.events).await else { return };
        if let Some(reason) = exchange(&mut socket, framing, &mut line).await {
            reason.count();
            tracing::debug!(%remote, ?reason, "NG WebSocket dropped");
        }
        // Returns the closing handshake (RFC 6455 section 7.1.2), or begins it; the peer may be gone.
        let _ = timeout(limits::WRITE_DEADLINE, socket.send(Message::Close(None))).await;
        line.close().await;
        drop(permit);
    })
}

/// Returns why the WebSocket was dropped; `None`: closed in order, or broken by the peer.
async fn exchange(socket: &mut WebSocket, framing: Framing, line: &mut Line) -> Option<Drop> {
    let mut ping = interval(limits::PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let mut heard = Instant::now();
    // Replies are of the kind that the client last sent: JSON libraries expect text.
    let mut text = false;
    loop {
        let outgoing = tokio::select! {
            received = socket.recv() => {
                let Ok(message) = received? else { return Some(Drop::WebSocket) };
                heard = Instant::now();
                let bytes = match message {
                    Message::Text(content) => {
                        text = true;
                        content.as_str().as_bytes().to_vec()
                    }
                    Message::Binary(content) => {
                        text = false;
                        content.to_vec()
                    }
                    Message::Ping(_) | Message::Pong(_) => continue,
                    Message::Close(_) => return None,
                };
                line.request(framing, bytes).await?;
                continue;
            }
            reply = line.reply() => message_of(reply?, text),
            _ = ping.tick() => {
                if heard.elapsed() > limits::WEBSOCKET_IDLE {
                    return Some(Drop::Deadline);
                }
                Message::Ping(Bytes::new())
            }
        };
        match timeout(limits::WRITE_DEADLINE, socket.send(outgoing)).await {
            Ok(sent) => sent.ok()?,
            Err(_) => return Some(Drop::SlowConsumer),
        }
    }
}

fn message_of(reply: Vec<u8>, text: bool) -> Message {
    match String::from_utf8(reply) {
        Ok(reply) if text => Message::text(reply),
        Ok(reply) => Message::binary(reply.into_bytes()),
        Err(reply) => Message::binary(reply.into_bytes()),
    }
}
