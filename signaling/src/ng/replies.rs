//! Where replies go. Owned by the event loop: nothing here waits.

use crate::events::Drop;
use crate::sip::udp::Udp;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use tandem_sip::ng::Client;
use tokio::sync::mpsc;

/// Ids of clients from here on are of connections; those below are of UDP sockets, by their number.
const FIRST_CONNECTION: u64 = 1 << 32;

/// The id of whoever sends to that UDP socket.
pub(super) fn socket_id(number: usize) -> u64 {
    number as u64
}

/// An id of its own for each connection.
pub(super) fn next_connection_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(FIRST_CONNECTION);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The ways back to clients.
pub(crate) struct Replies {
    udp: Vec<Udp>,
    open: HashMap<u64, mpsc::Sender<Vec<u8>>>,
}

impl Replies {
    pub(crate) fn new(udp: Vec<Udp>) -> Replies {
        Replies { udp, open: HashMap::new() }
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.open.len()
    }

    /// Takes over a connection.
    pub(crate) fn opened(&mut self, id: u64, replies: mpsc::Sender<Vec<u8>>) {
        self.open.insert(id, replies);
    }

    /// Forgets a connection: what is queued is still written, then it is closed.
    pub(crate) fn closed(&mut self, id: u64) {
        self.open.remove(&id);
    }

    /// Sends one reply. A client that does not get it asks again, with the same cookie.
    pub(crate) fn send(&mut self, to: Client, bytes: &[u8]) {
        if to.id >= FIRST_CONNECTION {
            return self.queue(to.id, bytes.to_vec());
        }
        let Some(udp) = usize::try_from(to.id).ok().and_then(|number| self.udp.get(number)) else { return };
        match udp.send(bytes, to.source) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Drop::UdpSendBufferFull.count(),
            Err(error) => tracing::debug!(to = %to.source, %error, "an NG reply could not be sent"),
        }
    }

    fn queue(&mut self, id: u64, bytes: Vec<u8>) {
        // A client that is gone wants no reply.
        let Some(replies) = self.open.get(&id) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = replies.try_send(bytes) {
            Drop::SlowConsumer.count();
            self.closed(id);
        }
    }
}
