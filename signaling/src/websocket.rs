//! One WebSocket: SIP (RFC 7118) with the sub-protocol `sip`, WCS without it.

use crate::connection::{Frame, fail, fail_queued, next_connection_id};
use crate::events::{Drop, Event, Events, Wcs};
use crate::limits;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use std::net::SocketAddr;
use tandem_sip::switch::Input;
use tandem_sip::transport::{Flow, Transport};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Where a WebSocket stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) secure: bool,
}

/// Runs a WebSocket until either side closes it, then tells the switch.
/// `origin` is the `Origin` of its request.
pub(crate) async fn run(mut socket: WebSocket, ends: Ends, origin: Option<String>, events: Events) {
    let wcs = socket.protocol().is_none();
    let connection = next_connection_id();
    let transport = if ends.secure { Transport::Wss } else { Transport::Ws };
    let flow = Flow { transport, local: ends.local, remote: ends.remote, connection: Some(connection) };
    let (sender, mut frames) = mpsc::channel(limits::FRAMES_PER_CONNECTION);
    if events
        .send(Event::Opened { connection, flow, wcs: wcs.then_some(Wcs { origin }), frames: sender })
        .await
        .is_err()
    {
        return;
    }
    if let Some(reason) = exchange(&mut socket, flow, wcs, &mut frames, &events).await {
        reason.count();
        tracing::debug!(remote = %ends.remote, ?reason, "WebSocket dropped");
    }
    // Returns the closing handshake (RFC 6455 section 7.1.2), or begins it; the peer may be gone.
    let _ = timeout(limits::WRITE_DEADLINE, socket.send(Message::Close(None))).await;
    fail_queued(frames, &events).await;
    let closed = if wcs { Input::WcsClosed { connection } } else { Input::Closed { connection } };
    let _ = events.send(closed.into()).await;
}

/// Returns why the WebSocket was dropped; `None`: closed in order, or broken by the peer.
async fn exchange(
    socket: &mut WebSocket,
    flow: Flow,
    wcs: bool,
    frames: &mut mpsc::Receiver<Frame>,
    events: &Events,
) -> Option<Drop> {
    let connection = flow.connection?;
    let mut ping = interval(limits::PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            received = socket.recv() => {
                let Ok(message) = received? else { return Some(Drop::WebSocket) };
                heard = Instant::now();
                let input = match (message, wcs) {
                    (Message::Text(text), true) => Input::Wcs { connection, text: text.as_str().to_owned() },
                    // RFC 7118 section 5: text or binary, one SIP message each.
                    (Message::Text(text), false) => Input::Sip { flow, bytes: text.as_str().as_bytes().to_vec() },
                    (Message::Binary(bytes), false) => Input::Sip { flow, bytes: bytes.to_vec() },
                    (Message::Binary(_), true) => return Some(Drop::WebSocket),
                    (Message::Ping(_) | Message::Pong(_), _) => continue,
                    (Message::Close(_), _) => return None,
                };
                events.send(input.into()).await.ok()?;
            }
            frame = frames.recv() => {
                let frame = frame?;
                if let Err(reason) = write(socket, message_of(&frame)).await {
                    fail(frame, events).await;
                    return reason;
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() > limits::WEBSOCKET_IDLE {
                    return Some(Drop::Deadline);
                }
                if let Err(reason) = write(socket, Message::Ping(Bytes::new())).await {
                    return reason;
                }
            }
        }
    }
}

fn message_of(frame: &Frame) -> Message {
    match frame {
        Frame::Text(text) => Message::text(text.as_str()),
        // Browsers' SIP libraries expect text; what is not UTF-8 goes as binary.
        Frame::Sip { bytes, .. } => match std::str::from_utf8(bytes) {
            Ok(text) => Message::text(text),
            Err(_) => Message::binary(bytes.clone()),
        },
    }
}

/// Writes one message within the deadline; the error says what to count.
async fn write(socket: &mut WebSocket, message: Message) -> Result<(), Option<Drop>> {
    match timeout(limits::WRITE_DEADLINE, socket.send(message)).await {
        Ok(written) => written.map_err(|_| None),
        Err(_) => Err(Some(Drop::SlowConsumer)),
    }
}
