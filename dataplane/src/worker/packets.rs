//! The packet path and the timers of sessions.

use super::batch::{Arrival, Departure, Departures};
use super::sessions::{Entry, LegPorts, SIDES, index};
use super::{PACKET_BUDGET, Worker};
use crate::buffers::Buffer;
use crate::counters::Counters;
use crate::demux::Ufrag;
use crate::driver::{Driver, Received};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Instant;
use tandem_control::{Event, Side};
use tandem_media::Now;
use tandem_media::drops::DropReason;
use tandem_media::packet::Packet;
use tandem_media::session::{Component, Medium, Outbox, Verdict};
use tandem_media::srtp::DueTag;
use tandem_media::stun;

/// Sends what a session makes itself.
pub(super) struct WorkerOutbox<'a, D: Driver> {
    driver: &'a mut D,
    departures: &'a mut Departures,
    counters: &'a mut Counters,
    legs: &'a [LegPorts; 2],
    /// What those who watch are to have.
    copied: Option<Copied>,
}

/// A copy of a packet, for those who watch who sent it.
pub(super) struct Copied {
    pub(super) medium: Medium,
    pub(super) buffer: Buffer,
    /// From the buffer's begin.
    pub(super) len: usize,
}

impl Copied {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

impl<'a, D: Driver> WorkerOutbox<'a, D> {
    /// For the session with these legs.
    pub(super) fn new(
        driver: &'a mut D,
        departures: &'a mut Departures,
        counters: &'a mut Counters,
        legs: &'a [LegPorts; 2],
    ) -> WorkerOutbox<'a, D> {
        WorkerOutbox { driver, departures, counters, legs, copied: None }
    }

    /// A buffer that begins with these bytes. That none is left is counted.
    pub(super) fn buffer_with(&mut self, bytes: &[u8]) -> Option<Buffer> {
        let Some(mut buffer) = self.driver.take_buffer() else {
            self.counters.no_buffer += 1;
            return None;
        };
        let Some(place) = buffer.get_mut(..bytes.len()) else {
            self.driver.release(buffer);
            self.counters.drops.count(DropReason::BadLength);
            return None;
        };
        place.copy_from_slice(bytes);
        Some(buffer)
    }

    /// Does with a packet what its session says. Returns the copy of it that is to be handed out.
    pub(super) fn finish(
        self,
        outcome: Result<Verdict, DropReason>,
        buffer: Buffer,
        datagram: Range<usize>,
        due: Option<DueTag>,
    ) -> Option<Copied> {
        let WorkerOutbox { driver, departures, counters, legs, copied } = self;
        match outcome {
            Ok(Verdict::Forward { to, component, destination }) => {
                let out = &legs[index(to)];
                let socket = out.socket(component);
                if let Some(socket) = socket.filter(|_| may_be_sent_to(destination, out.local.rtp.ip())) {
                    counters.packets_sent += 1;
                    counters.bytes_sent += datagram.len() as u64;
                    departures.push(driver, Departure { socket, buffer, datagram, destination, due });
                } else {
                    counters.destination_refused += 1;
                    driver.release(buffer);
                }
            }
            Ok(Verdict::Consumed) => driver.release(buffer),
            Err(reason) => {
                counters.drops.count(reason);
                driver.release(buffer);
            }
        }
        copied
    }
}

impl<D: Driver> Outbox for WorkerOutbox<'_, D> {
    fn send(&mut self, from: Side, component: Component, destination: SocketAddr, bytes: &[u8]) {
        let leg = &self.legs[index(from)];
        let Some(socket) = leg.socket(component) else {
            return self.counters.drops.count(DropReason::NoDestination);
        };
        if !may_be_sent_to(destination, leg.local.rtp.ip()) {
            self.counters.destination_refused += 1;
            return;
        }
        let Some(buffer) = self.buffer_with(bytes) else { return };
        self.counters.packets_sent += 1;
        self.counters.bytes_sent += bytes.len() as u64;
        let datagram = 0..bytes.len();
        self.departures.push(self.driver, Departure { socket, buffer, datagram, destination, due: None });
    }

    fn copy(&mut self, medium: Medium, packet: &[u8]) {
        let copied = self.buffer_with(packet).map(|buffer| Copied { medium, buffer, len: packet.len() });
        self.copied = copied;
    }

    fn clock(&self) -> Option<Instant> {
        Some(Instant::now())
    }

    fn dropped(&mut self, reason: DropReason) {
        self.counters.drops.count(reason);
    }
}

impl<D: Driver> Worker<D> {
    /// Says whether packets may be left.
    pub(super) fn handle_packets(&mut self, now: Now) -> bool {
        let mut handled = 0;
        while handled < PACKET_BUDGET {
            let is_full = self.gather(now);
            let mut arrivals = std::mem::take(&mut self.arrivals);
            handled += arrivals.drain(..).map(|arrival| 1 + self.handle_packet(now, arrival)).sum::<usize>();
            self.arrivals = arrivals;
            self.departures.flush(&mut self.driver);
            if !is_full {
                return false;
            }
        }
        true
    }

    /// One datagram from its socket to where it goes: every one ends here as sent, consumed, or counted as dropped.
    /// Returns to how many it was handed that watch who sent it.
    fn handle_packet(&mut self, now: Now, Arrival { received, computed, .. }: Arrival) -> usize {
        let Received { socket, source, mut buffer, datagram } = received;
        self.counters.packets_received += 1;
        self.counters.bytes_received += datagram.len() as u64;
        let shared = !self.demux.is_own(socket);
        let ufrag = if shared { local_ufrag(buffer.get(datagram.clone()).unwrap_or_default()) } else { None };
        let routed = self.demux.route(socket, source, ufrag);
        let Some((leg, component)) = routed else {
            self.drop_packet(buffer, DropReason::NoSession);
            return 0;
        };
        let Some(entry) = self.sessions.get_mut(leg.session) else {
            self.drop_packet(buffer, DropReason::NoSession);
            return 0;
        };
        let Some(mut packet) = Packet::in_batch(&mut buffer, datagram.clone(), computed) else {
            self.drop_packet(buffer, DropReason::BadLength);
            return 0;
        };
        let Entry { session, legs, .. } = entry;
        let mut outbox = WorkerOutbox::new(&mut self.driver, &mut self.departures, &mut self.counters, legs);
        let outcome = session.receive(now, leg.side, component, source, &mut packet, &mut outbox);
        let (datagram, due) = (packet.range(), packet.take_due_tag());
        let copied = outbox.finish(outcome, buffer, datagram, due);
        if ufrag.is_some() && outcome == Ok(Verdict::Consumed) && session.is_validated(leg.side, source) {
            self.demux.bind(source, leg, &mut legs[index(leg.side)].shared);
        }
        if session.take_news() {
            self.settle_session(leg.session);
        }
        copied.map_or(0, |copied| self.hand_out(now, leg, copied))
    }

    fn drop_packet(&mut self, buffer: Buffer, reason: DropReason) {
        self.counters.drops.count(reason);
        self.driver.release(buffer);
    }

    /// The timer of a session has fired.
    pub(super) fn handle_timeout(&mut self, now: Now, session_index: usize) {
        let Some(entry) = self.sessions.get_mut(session_index) else { return };
        let mut outbox =
            WorkerOutbox::new(&mut self.driver, &mut self.departures, &mut self.counters, &entry.legs);
        entry.session.handle_timeout(now, &mut outbox);
        self.settle_session(session_index);
        self.pass_on_wishes(now, session_index);
    }

    /// Passes on what a session has to tell, arms its timer anew, and connects its sockets to peers that have become
    /// the only ones, or lets them go.
    pub(super) fn settle_session(&mut self, session_index: usize) {
        let Some(Entry { id, session, legs, .. }) = self.sessions.get_mut(session_index) else { return };
        while let Some(kind) = session.poll_event() {
            if !self.queues.tell(Event { session: *id, kind }) {
                self.counters.events_lost += 1;
            }
        }
        self.timers.arm(session_index, session.next_timeout());
        for (side, leg) in SIDES.into_iter().zip(legs).filter(|(_, leg)| leg.pair.is_some()) {
            let local = leg.local.rtp.ip();
            let peer = session.exclusive_peer(side).filter(|&peer| may_be_sent_to(peer, local));
            if leg.connected != peer {
                leg.connected = peer;
                self.driver.connect(leg.rtp, peer);
            }
        }
    }
}

/// Our half of the user name, if the datagram is a STUN request that has one.
fn local_ufrag(datagram: &[u8]) -> Option<Ufrag> {
    if !stun::is_stun(datagram) {
        return None;
    }
    let (local, _) = stun::binding_username(datagram)?;
    Ufrag::new(local)
}

/// Whether media may go to an address at all (attacks.md row 7): to loopback and link-local addresses only from
/// such an address, never to groups or to nobody.
fn may_be_sent_to(destination: SocketAddr, local: IpAddr) -> bool {
    let ip = destination.ip();
    let scope_fits = match (ip, local) {
        (IpAddr::V4(to), IpAddr::V4(from)) => {
            !to.is_broadcast()
                && (!to.is_loopback() || from.is_loopback())
                && (!to.is_link_local() || from.is_link_local())
        }
        (IpAddr::V6(to), IpAddr::V6(from)) => {
            (!to.is_loopback() || from.is_loopback())
                && (!to.is_unicast_link_local() || from.is_unicast_link_local())
                && to.to_ipv4_mapped().is_none()
        }
        _ => false,
    };
    scope_fits && destination.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(destination: &str, local: &str) -> bool {
        may_be_sent_to(destination.parse().unwrap(), local.parse().unwrap())
    }

    #[test]
    fn media_goes_to_hosts_only() {
        assert!(may("198.51.100.1:4000", "192.0.2.1"));
        assert!(may("[2001:db8::2]:4000", "2001:db8::1"));
        assert!(may("127.0.0.1:4000", "127.0.0.1"));
        for refused in ["127.0.0.1:9", "0.0.0.0:9", "224.0.0.1:9", "255.255.255.255:9", "169.254.0.1:9"] {
            assert!(!may(refused, "192.0.2.1"), "{refused}");
        }
        for refused in
            ["[::1]:9", "[::]:9", "[ff02::1]:9", "[fe80::1]:9", "[::ffff:10.0.0.1]:9", "192.0.2.1:9"]
        {
            assert!(!may(refused, "2001:db8::1"), "{refused}");
        }
        assert!(!may("198.51.100.1:0", "192.0.2.1"));
    }
}
