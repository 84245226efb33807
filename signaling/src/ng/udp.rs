//! NG over UDP: one message is one datagram.

use super::Door;
use crate::events::Drop;
use crate::limits;
use crate::sip::udp::Udp;
use std::sync::Arc;
use tandem_sip::ng::{Client, Framing, Input};
use tokio::sync::mpsc::error::TrySendError;

/// Reads datagrams until the event loop ends. It goes on reading, without a wait between, for as long as the kernel has
/// more, so that a burst costs one wake-up.
pub(super) async fn receive(id: u64, udp: Udp, door: Arc<Door>) {
    let mut buffer = vec![0; limits::DATAGRAM];
    loop {
        // An error belongs to something sent before (an ICMP message, say): the next datagram is unharmed.
        let Ok((length, source)) = udp.socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if !door.admits(source.ip()) {
            continue;
        }
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        let input = Input::Request { from: Client { id, source }, framing: Framing::Cookie, bytes };
        match door.events.try_send(input.into()) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => Drop::EventQueueFull.count(),
            Err(TrySendError::Closed(_)) => return,
        }
    }
}
