//! What packets of one batch share: their HMACs, computed together. Everything else is done packet by packet, in order.

use super::Worker;
use crate::buffers::Buffer;
use crate::demux::Leg;
use crate::driver::{Driver, Received, SocketId};
use std::net::SocketAddr;
use std::ops::Range;
use tandem_media::Now;
use tandem_media::session::Component;
use tandem_media::srtp::{ComputedTag, DueTag, MAX_BATCH, TagBatch};

/// A received datagram that waits for the rest of its batch.
pub(super) struct Arrival {
    pub(super) received: Received,
    due: Option<DueTag>,
    /// What was computed of it.
    pub(super) computed: Option<ComputedTag>,
}

/// A datagram to be sent.
pub(super) struct Departure {
    pub(super) socket: SocketId,
    pub(super) buffer: Buffer,
    pub(super) datagram: Range<usize>,
    pub(super) destination: SocketAddr,
    /// The tag that it needs first.
    pub(super) due: Option<DueTag>,
}

/// Datagrams that wait for their tags, and behind them all others, so that none overtakes another.
pub(super) struct Departures {
    waiting: Vec<Departure>,
}

impl Departures {
    /// Takes its memory.
    pub(super) fn new() -> Departures {
        Departures { waiting: Vec::with_capacity(MAX_BATCH) }
    }

    /// Sends a datagram, at once if it waits for nothing.
    pub(super) fn push(&mut self, driver: &mut impl Driver, departure: Departure) {
        if self.waiting.is_empty() && departure.due.is_none() {
            let Departure { socket, buffer, datagram, destination, .. } = departure;
            return driver.send(socket, buffer, datagram, destination);
        }
        self.waiting.push(departure);
        if self.waiting.len() == MAX_BATCH {
            self.flush(driver);
        }
    }

    /// Computes the tags that are due, and sends everything.
    pub(super) fn flush(&mut self, driver: &mut impl Driver) {
        if self.waiting.is_empty() {
            return;
        }
        let mut batch = TagBatch::new();
        for Departure { due, buffer, datagram, .. } in &self.waiting {
            if let Some(due) = due {
                batch.push(due, buffer.get(datagram.clone()).unwrap_or_default());
            }
        }
        let mut tags = batch.compute();
        for Departure { socket, mut buffer, datagram, destination, due } in self.waiting.drain(..) {
            if let Some(tag) = due.and_then(|_| tags.next()) {
                tag.write(buffer.get_mut(datagram.clone()).unwrap_or_default());
            }
            driver.send(socket, buffer, datagram, destination);
        }
    }
}

impl<D: Driver> Worker<D> {
    /// Takes up to a batch of received datagrams and computes the tags that checking them will need. Says whether
    /// more may have come.
    pub(super) fn gather(&mut self, now: Now) -> bool {
        while self.arrivals.len() < MAX_BATCH {
            let Some(received) = self.driver.receive() else { break };
            self.arrivals.push(Arrival { received, due: None, computed: None });
        }
        let mut arrivals = std::mem::take(&mut self.arrivals);
        // Alone a packet gains nothing.
        if arrivals.len() > 1 {
            self.compute_tags(now, &mut arrivals);
        }
        let is_full = arrivals.len() == MAX_BATCH;
        self.arrivals = arrivals;
        is_full
    }

    fn compute_tags(&self, now: Now, arrivals: &mut [Arrival]) {
        for Arrival { received, due, .. } in &mut *arrivals {
            *due = self.due_tag(now, received);
        }
        let mut batch = TagBatch::new();
        for Arrival { received, due, .. } in &*arrivals {
            if let Some(due) = due {
                batch.push(due, received.bytes());
            }
        }
        let mut tags = batch.compute();
        for arrival in arrivals.iter_mut().filter(|arrival| arrival.due.is_some()) {
            arrival.computed = tags.next();
            arrival.due = None;
        }
    }

    /// The tag that a datagram's session will ask for, as far as can be told before its turn.
    fn due_tag(&self, now: Now, received: &Received) -> Option<DueTag> {
        let (Leg { session, side }, component) = self.demux.route(received.socket, received.source, None)?;
        if component != Component::Rtp {
            return None;
        }
        let entry = self.sessions.get(session)?;
        entry.session.due_tag(now, side, received.source, received.bytes())
    }
}
