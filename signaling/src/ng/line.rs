//! A connection's way to the event loop and back.

use super::replies::next_connection_id;
use crate::events::{Event, Events};
use crate::limits;
use std::net::SocketAddr;
use tandem_sip::ng::{Client, Framing, Input};
use tokio::sync::mpsc;

/// One connection, as the event loop knows it. It must be closed with [`Line::close`].
pub(super) struct Line {
    client: Client,
    events: Events,
    replies: mpsc::Receiver<Vec<u8>>,
}

impl Line {
    /// Tells the event loop; `None`: it has ended.
    pub(super) async fn open(source: SocketAddr, events: &Events) -> Option<Line> {
        let client = Client { id: next_connection_id(), source };
        let (sender, replies) = mpsc::channel(limits::FRAMES_PER_CONNECTION);
        events.send(Event::NgOpened { id: client.id, replies: sender }).await.ok()?;
        Some(Line { client, events: events.clone(), replies })
    }

    /// Hands over a request; `None`: the event loop has ended.
    pub(super) async fn request(&self, framing: Framing, bytes: Vec<u8>) -> Option<()> {
        self.events.send(Input::Request { from: self.client, framing, bytes }.into()).await.ok()
    }

    /// The next reply; `None`: the event loop wants the connection closed. Safe to be cancelled.
    pub(super) async fn reply(&mut self) -> Option<Vec<u8>> {
        self.replies.recv().await
    }

    /// Tells the event loop that the connection is no more.
    pub(super) async fn close(self) {
        // The loop has ended if it takes no event; then nothing is left to close.
        let _ = self.events.send(Event::NgClosed { id: self.client.id }).await;
    }
}
