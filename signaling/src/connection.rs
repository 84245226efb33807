//! What TCP, TLS and WebSocket connections have in common: ids, queues, and the caps on their number.

use crate::events::{Drop as Dropped, Events};
use crate::limits;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tandem_sip::switch::{Input, SendKey};
use tandem_sip::transport::{ConnectionId, Destination};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// One message to be written to a connection.
pub(crate) enum Frame {
    /// SIP.
    Sip {
        /// For [`Input::SendFailed`].
        destination: Destination,
        /// For [`Input::SendFailed`].
        key: SendKey,
        /// The message.
        bytes: Vec<u8>,
    },
    /// WCS.
    Text(String),
}

/// Gives each connection of the process an id of its own.
pub(crate) fn next_connection_id() -> ConnectionId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Tells the switch about each message that a closed connection will not carry any more.
pub(crate) async fn fail_queued(mut frames: mpsc::Receiver<Frame>, events: &Events) {
    frames.close();
    while let Some(frame) = frames.recv().await {
        fail(frame, events).await;
    }
}

/// Tells the switch that a message was not sent.
pub(crate) async fn fail(frame: Frame, events: &Events) {
    if let Frame::Sip { destination, key, .. } = frame {
        // The loop has ended if it takes no event; then nobody waits for this one.
        let _ = events.send(Input::SendFailed { destination, key }.into()).await;
    }
}

/// The caps on connections, in all and per source (attacks.md row 15).
#[derive(Clone)]
pub(crate) struct Admission {
    inner: Arc<AdmissionInner>,
}

struct AdmissionInner {
    limit: usize,
    limit_per_source: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    total: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// The right to have one connection; given back when dropped.
pub(crate) struct Permit {
    inner: Arc<AdmissionInner>,
    source: IpAddr,
}

impl Admission {
    pub(crate) fn new(limit: usize, limit_per_source: usize) -> Admission {
        Admission { inner: Arc::new(AdmissionInner { limit, limit_per_source, counts: Mutex::default() }) }
    }

    /// A permit, unless a cap is reached: that is counted.
    pub(crate) fn admit(&self, remote: IpAddr) -> Option<Permit> {
        let source = source_of(remote);
        let mut counts = self.inner.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.inner.limit {
            Dropped::TooManyConnections.count();
            return None;
        }
        let of_source = counts.by_source.entry(source).or_default();
        if *of_source >= self.inner.limit_per_source {
            Dropped::TooManyFromSource.count();
            return None;
        }
        *of_source += 1;
        counts.total += 1;
        Some(Permit { inner: self.inner.clone(), source })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.inner.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(of_source) = counts.by_source.get_mut(&self.source) {
            *of_source -= 1;
            if *of_source == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 network of 64 bits, which one host may use as it likes.
fn source_of(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        ip => ip,
    }
}

/// By when more must come on a stream of messages that was just read: a message that has begun has a deadline of its own,
/// which no later piece of it moves.
pub(crate) fn deadline_after_read(deadline: Instant, had_partial: bool, is_partial: bool) -> Instant {
    match (had_partial, is_partial) {
        (true, true) => deadline,
        (false, true) => Instant::now() + limits::MESSAGE_DEADLINE,
        (_, false) => Instant::now() + limits::STREAM_IDLE,
    }
}

/// Writes all of it within the deadline; the error says what to count.
pub(crate) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
) -> Result<(), Option<Dropped>> {
    let all = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    match timeout(limits::WRITE_DEADLINE, all).await {
        Ok(written) => written.map_err(|_| None),
        Err(_) => Err(Some(Dropped::SlowConsumer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cap_holds_and_permits_come_back() {
        let admission = Admission::new(3, 2);
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = admission.admit(a).unwrap();
        let _second = admission.admit(a).unwrap();
        assert!(admission.admit(a).is_none(), "the cap per source");
        let _third = admission.admit(b).unwrap();
        assert!(admission.admit(b).is_none(), "the cap in all");
        drop(first);
        assert!(admission.admit(a).is_some());
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let admission = Admission::new(9, 1);
        let _one = admission.admit("2001:db8::1".parse().unwrap()).unwrap();
        assert!(admission.admit("2001:db8::2".parse().unwrap()).is_none());
        assert!(admission.admit("2001:db8:0:1::1".parse().unwrap()).is_some());
    }

    #[test]
    fn the_table_of_sources_does_not_grow() {
        let admission = Admission::new(9, 9);
        drop(admission.admit("192.0.2.1".parse().unwrap()));
        assert!(admission.inner.counts.lock().unwrap().by_source.is_empty());
    }
}
