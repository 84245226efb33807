//! The calls' legs: what each sends and what comes back for it.

use crate::media::batch::Received;
use crate::media::figures::Direction;
use crate::media::incoming::{Incoming, Order};
use crate::media::marker::Marker;
use crate::media::outgoing::Outgoing;
use crate::media::protection::Protection;
use crate::media::sockets::SocketId;
use crate::speech::{Codec, Speech};
use rtp::header::Header;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::SocketAddrV4;
use std::ops::Range;
use std::time::Duration;
use webrtc_util::marshal::{MarshalSize, Unmarshal};

/// RTP's fixed header (RFC 3550 section 5.1). The crates panic on less than they expect.
const HEADER: usize = 12;

/// How often legs send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacing {
    /// Milliseconds from packet to packet; each holds 20 ms of speech.
    pub(crate) interval_ms: u32,
    /// What takes longer is late.
    pub(crate) late_after: Duration,
}

/// A leg: one end of a call.
pub(crate) struct Leg {
    /// Which of the generator's sockets it uses; those of a socket are all of one side.
    pub(crate) socket: SocketId,
    /// The relay's address for it.
    pub(crate) remote: SocketAddrV4,
    /// What it sends and receives.
    pub(crate) codec: Codec,
    /// The payload type of that codec, both ways.
    pub(crate) payload_type: u8,
    /// SRTP, or RTP in the clear.
    pub(crate) protection: Option<Protection>,
    /// Into which direction it sends, 0 or 1; it receives the other.
    pub(crate) side: usize,
}

/// A leg in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LegId(pub(super) usize);

struct State {
    leg: Leg,
    outgoing: Outgoing,
    incoming: Incoming,
    peer: Option<LegId>,
}

/// All legs, and what was counted of them.
pub(super) struct Calls {
    pacing: Pacing,
    speeches: HashMap<Codec, Speech>,
    legs: Vec<State>,
    by_source: HashMap<(SocketId, SocketAddrV4), LegId>,
    pub(super) directions: [Direction; 2],
    /// Packets sent outside of this time, since the Unix epoch, do not count.
    counted: Range<Duration>,
}

impl Calls {
    pub(super) fn new(pacing: Pacing) -> Calls {
        Calls {
            pacing,
            speeches: HashMap::new(),
            legs: Vec::new(),
            by_source: HashMap::new(),
            directions: Default::default(),
            counted: Duration::ZERO..Duration::MAX,
        }
    }

    pub(super) fn add(&mut self, leg: Leg) -> io::Result<LegId> {
        if let Entry::Vacant(vacant) = self.speeches.entry(leg.codec) {
            vacant.insert(Speech::load(leg.codec)?);
        }
        let id = LegId(self.legs.len());
        self.by_source.insert((leg.socket, leg.remote), id);
        let outgoing = Outgoing::new(leg.codec, leg.payload_type, self.pacing.interval_ms);
        self.legs.push(State { leg, outgoing, incoming: Incoming::default(), peer: None });
        Ok(id)
    }

    pub(super) fn connect(&mut self, a: LegId, b: LegId) {
        self.legs[a.0].peer = Some(b);
        self.legs[b.0].peer = Some(a);
    }

    pub(super) fn count_from(&mut self, now: Duration) {
        self.directions = Default::default();
        self.counted = now..Duration::MAX;
    }

    pub(super) fn count_until(&mut self, now: Duration) {
        self.counted.end = now;
    }

    /// What was counted, with the jitter of each stream.
    pub(super) fn totals(&self) -> [Direction; 2] {
        let mut directions = self.directions.clone();
        for state in &self.legs {
            if let Some(jitter) = state.incoming.jitter() {
                directions[1 - state.leg.side].jitter.record(jitter);
            }
        }
        directions
    }

    /// Builds the next packet of a leg and hands it to `send`.
    pub(super) fn send(
        &mut self,
        LegId(id): LegId,
        now: Duration,
        send: impl FnOnce(SocketId, &[u8], SocketAddrV4),
    ) -> io::Result<()> {
        let State { leg, outgoing, .. } = &mut self.legs[id];
        let Some(speech) = self.speeches.get(&leg.codec) else { return Ok(()) };
        let (socket, to) = (leg.socket, leg.remote);
        outgoing.packet(speech, now, leg.protection.as_mut(), |packet| send(socket, packet, to))?;
        self.directions[leg.side].sent += u64::from(self.counted.contains(&now));
        Ok(())
    }

    /// Takes a datagram that came over a socket.
    pub(super) fn deliver(&mut self, socket: SocketId, datagram: &Received<'_>) {
        // RFC 5761 section 4: packet types 64 to 95 (without the marker bit) are RTCP.
        if datagram.bytes.len() < HEADER || (192..=223).contains(&datagram.bytes[1]) {
            return;
        }
        let Some(&id) = self.by_source.get(&(socket, datagram.source)) else { return };
        let state = &mut self.legs[id.0];
        let direction = &mut self.directions[1 - state.leg.side];
        let mut bytes = datagram.bytes;
        let Ok(header) = Header::unmarshal(&mut bytes) else {
            direction.corrupt += 1;
            return;
        };
        let start = header.marshal_size();
        let decrypted = match &mut state.leg.protection {
            None => None,
            Some(protection) => match protection.unprotect(datagram.bytes, &header) {
                Some(decrypted) => Some(decrypted),
                None => {
                    direction.unauthentic += 1;
                    return;
                }
            },
        };
        let packet = decrypted.as_ref().map_or(datagram.bytes, AsRef::as_ref);
        let payload = packet.get(start..).unwrap_or_default();
        self.count(id, &header, payload, datagram.at);
    }

    fn count(&mut self, id: LegId, header: &Header, payload: &[u8], at: Duration) {
        let Some(state) = self.legs.get_mut(id.0) else { return };
        let ticks = state.leg.codec.ticks_per_ms();
        let order = state.incoming.take(header, at, f64::from(ticks) * 1000.0);
        let state = &self.legs[id.0];
        let peer = state.peer.map(|LegId(peer)| &self.legs[peer].outgoing);
        let forwarded = peer.is_some_and(|peer| peer.codec() == state.leg.codec);
        let mut intact = header.payload_type == state.leg.payload_type && !payload.is_empty();
        let sent = if forwarded && state.leg.codec.carries_marker() {
            let marker = Marker::read(payload);
            let speech = self.speeches.get(&state.leg.codec);
            intact &= marker
                .zip(speech)
                .is_some_and(|((marker, rest), speech)| speech.frame(marker.frame).starts_with(rest));
            marker.map(|(marker, _)| marker.sent)
        } else {
            let number = state.incoming.number(header, ticks * self.pacing.interval_ms);
            number.zip(peer).and_then(|(number, peer)| peer.sent_at(number))
        };
        let direction = &mut self.directions[1 - state.leg.side];
        if sent.is_some_and(|sent| !self.counted.contains(&sent)) {
            return;
        }
        match order {
            Order::Duplicate => {
                direction.duplicates += 1;
                return;
            }
            Order::Reordered => direction.reordered += 1,
            Order::Next => {}
        }
        direction.received += 1;
        direction.corrupt += u64::from(!intact);
        if let Some(sent) = sent {
            let latency = at.saturating_sub(sent);
            direction.latency.record(latency);
            direction.late += u64::from(latency > self.pacing.late_after);
        }
    }
}
