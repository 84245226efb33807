//! One leg: from a datagram to authentic RTP or RTCP, and back.
//!
//! The order of the checks is the defence (attacks.md rows 1 to 6, 23): the source's address, the SRTP tag, and only
//! then anything that the packet says. No packet can end a handshake or a call.

mod validating;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tandem_control::{DtlsRole, EventKind, LegConfig, Refusal, Security, Side};

use crate::bucket::Bucket;
use crate::drops::DropReason;
use crate::dtls::{DtlsError, Identity};
use crate::events::Events;
use crate::ice::{CONSENT, IceLite};
use crate::limits::MAX_DATAGRAM;
use crate::packet::Packet;
use crate::protection::Protection;
use crate::rtp::Parsed;
use crate::session::{Component, Outbox};
use crate::source::SourceGuard;
use crate::srtp::{DueTag, Inbound, Outbound, SrtpError};
use crate::{rtcp, rtp, stun};
use validating::validate;

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// STUN or DTLS; it was dealt with.
    Handled,
    /// Authentic RTP, in the clear now.
    Rtp(Parsed),
    /// Authentic RTCP, in the clear now.
    Rtcp,
}

/// Where a leg sends and tells.
pub(crate) struct Io<'a> {
    pub(crate) out: &'a mut dyn Outbox,
    pub(crate) events: &'a mut Events,
}

/// One leg: its two ports. Those of video are such a leg beside it, and are called [`Component::Rtp`] and
/// [`Component::Rtcp`] there too.
pub(crate) struct Leg {
    side: Side,
    identity: Arc<Identity>,
    config: LegConfig,
    guard: SourceGuard,
    bucket: Bucket,
    ice: Option<IceLite>,
    consent_lost: bool,
    /// When authentic media last came from where media goes to, on a leg with ICE.
    authentic_at: Option<Instant>,
    /// Of RTP, and of RTCP too where they share a port or the keys.
    rtp: Protection,
    /// Of RTCP with DTLS on a port of its own.
    rtcp: Protection,
    connected: bool,
}

/// What a configuration needs, made before anything is changed.
pub(crate) struct Prepared {
    keys: Keys,
}

enum Keys {
    /// As they are.
    Keep,
    /// New contexts; the inner `None` keeps that one, or leaves none where a key is missing.
    Sdes { inbound: Replace<Box<Inbound>>, outbound: Replace<Box<Outbound>> },
    /// None now; DTLS brings them if the leg has it.
    Clear,
}

enum Replace<T> {
    Keep,
    With(Option<T>),
}

impl<T> Replace<T> {
    fn apply(self, to: &mut Option<T>) {
        if let Replace::With(new) = self {
            *to = new;
        }
    }
}

impl Leg {
    pub(crate) fn new(now: Instant, side: Side, identity: Arc<Identity>) -> Leg {
        Leg {
            side,
            identity,
            config: LegConfig::idle(),
            guard: SourceGuard::new(now),
            bucket: Bucket::new(now),
            ice: None,
            consent_lost: false,
            authentic_at: None,
            rtp: Protection::default(),
            rtcp: Protection::default(),
            connected: false,
        }
    }

    /// An idle leg with the same place and identity, for ports beside those of this one.
    pub(crate) fn beside(&self, now: Instant) -> Leg {
        Leg::new(now, self.side, self.identity.clone())
    }

    /// Takes that place in a session.
    pub(crate) fn sit_on(&mut self, side: Side) {
        self.side = side;
    }

    pub(crate) fn config(&self) -> &LegConfig {
        &self.config
    }

    /// Checks a configuration and makes what it needs.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] says what is wrong with it.
    pub(crate) fn prepare(&self, config: &LegConfig) -> Result<Prepared, Refusal> {
        validate(config)?;
        let bad_key = |_| Refusal::Invalid("an SRTP key has not the length of its suite".into());
        let keys = match (&self.config.security, &config.security) {
            (before, after) if before == after => Keys::Keep,
            (before, Security::Sdes { send, receive }) => {
                let (old_send, old_receive) = match before {
                    Security::Sdes { send, receive } => (Some(send), receive.as_ref()),
                    _ => (None, None),
                };
                let outbound = if old_send == Some(send) {
                    Replace::Keep
                } else {
                    Replace::With(Some(Box::new(Outbound::new(send).map_err(bad_key)?)))
                };
                let inbound = if old_receive.is_some() && old_receive == receive.as_ref() {
                    Replace::Keep
                } else {
                    let inbound = receive.as_ref().map(Inbound::new).transpose().map_err(bad_key)?;
                    Replace::With(inbound.map(Box::new))
                };
                Keys::Sdes { inbound, outbound }
            }
            _ => Keys::Clear,
        };
        Ok(Prepared { keys })
    }

    /// Becomes what `config` says. What did not change goes on undisturbed.
    pub(crate) fn configure(
        &mut self,
        now: Instant,
        config: &LegConfig,
        prepared: Prepared,
        io: &mut Io<'_>,
    ) {
        match prepared.keys {
            Keys::Keep => {}
            Keys::Sdes { inbound, outbound } => {
                inbound.apply(&mut self.rtp.inbound);
                outbound.apply(&mut self.rtp.outbound);
                self.rtp.end_dtls();
                self.rtcp = Protection::default();
            }
            Keys::Clear => {
                self.rtp = Protection::default();
                self.rtcp = Protection::default();
                self.connected = false;
            }
        }
        self.ice = match (self.ice.take(), &config.ice) {
            (Some(mut ice), Some(config)) => {
                ice.update(now, config);
                Some(ice)
            }
            (None, Some(config)) => Some(IceLite::new(now, config)),
            (_, None) => None,
        };
        if self.config.remote != config.remote {
            self.rtp.forget_peer();
            self.rtcp.forget_peer();
        }
        self.guard.configure(now, config.remote, config.latch, config.asymmetric);
        self.bucket.with_video(config.video.as_ref().is_some_and(|video| video.transport.is_none()));
        self.config = config.clone();
        self.drive_dtls(now, io);
    }

    /// Takes one datagram.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        component: Component,
        source: SocketAddr,
        packet: &mut Packet<'_>,
        io: &mut Io<'_>,
    ) -> Result<Arrival, DropReason> {
        if packet.len() > MAX_DATAGRAM {
            return Err(DropReason::BadLength);
        }
        // RFC 7983 section 7: the first byte tells the protocol.
        match packet.bytes().first() {
            None => Err(DropReason::BadLength),
            Some(0..=3) => self.stun(now, component, source, packet.bytes(), io),
            Some(20..=63) => self.dtls(now, component, source, packet.bytes(), io),
            Some(128..=191) => self.media(now, component, source, packet, io),
            Some(_) => Err(DropReason::UnknownProtocol),
        }
    }

    fn stun(
        &mut self,
        now: Instant,
        component: Component,
        source: SocketAddr,
        packet: &[u8],
        io: &mut Io<'_>,
    ) -> Result<Arrival, DropReason> {
        let ice =
            self.ice.as_mut().filter(|_| component == Component::Rtp).ok_or(DropReason::UnexpectedStun)?;
        let before = ice.destination();
        let mut reply = [0; stun::MAX_REPLY];
        let outcome = ice.receive(now, source, packet, &mut reply).map_err(|_| DropReason::BadStun)?;
        if let Some(reply) = reply.get(..outcome.reply_len) {
            io.out.send(self.side, Component::Rtp, source, reply);
        }
        if outcome.rejected.is_some() {
            return Err(DropReason::BadStun);
        }
        let destination = ice.destination();
        self.consent_lost &= ice.consent_expires().is_none_or(|expires| expires <= now);
        if let Some(remote) = destination.filter(|_| self.connected && destination != before) {
            io.events.push(EventKind::Moved { side: self.side, remote });
        }
        self.drive_dtls(now, io);
        Ok(Arrival::Handled)
    }

    fn dtls(
        &mut self,
        now: Instant,
        component: Component,
        source: SocketAddr,
        packet: &[u8],
        io: &mut Io<'_>,
    ) -> Result<Arrival, DropReason> {
        let is_multiplexed = component == Component::Rtcp && self.config.rtcp_mux;
        if !matches!(self.config.security, Security::Dtls { .. }) || is_multiplexed {
            return Err(DropReason::UnexpectedDtls);
        }
        self.check_source(now, component, component == Component::Rtcp, source)?;
        let described = self
            .config
            .remote
            .map(|remote| if component == Component::Rtp { remote.rtp } else { remote.rtcp });
        if self.ice.is_none() && !self.protection(component).admits(source, described) {
            return Err(DropReason::StrangerSource);
        }
        self.start_dtls(now, component, io);
        let result = self.protection(component).receive(now, source, packet).ok_or(DropReason::NotReady)?;
        self.finish_dtls(now, component, result, io);
        result.map(|()| Arrival::Handled).map_err(|_| DropReason::BadDtls)
    }

    /// The components that have a port of their own.
    fn components(&self) -> &'static [Component] {
        if self.config.rtcp_mux { &[Component::Rtp] } else { &[Component::Rtp, Component::Rtcp] }
    }

    /// What protects that component.
    fn protection(&mut self, component: Component) -> &mut Protection {
        let is_apart = matches!(self.config.security, Security::Dtls { .. }) && !self.config.rtcp_mux;
        if is_apart && component == Component::Rtcp { &mut self.rtcp } else { &mut self.rtp }
    }

    fn media(
        &mut self,
        now: Instant,
        component: Component,
        source: SocketAddr,
        packet: &mut Packet<'_>,
        io: &mut Io<'_>,
    ) -> Result<Arrival, DropReason> {
        let is_rtcp = rtcp::is_rtcp(packet.bytes());
        if is_rtcp != (component == Component::Rtcp) && !(is_rtcp && self.config.rtcp_mux)
            || component == Component::Rtcp && self.config.rtcp_mux
        {
            return Err(DropReason::WrongComponent);
        }
        self.check_source(now, component, is_rtcp, source)?;
        let is_secure = !matches!(self.config.security, Security::None);
        if is_secure {
            let inbound = self.protection(component).inbound.as_mut().ok_or(DropReason::NotReady)?;
            let computed = packet.computed_tag();
            let bytes = packet.bytes_mut();
            let len =
                if is_rtcp { inbound.unprotect_rtcp(bytes) } else { inbound.unprotect_with(bytes, computed) };
            packet.set_len(len.map_err(unprotect_failure)?);
        }
        let arrival = if is_rtcp { Arrival::Rtcp } else { Arrival::Rtp(rtp::parse(packet.bytes())?) };
        if self.ice.is_none() {
            self.settle(now, component, source, arrival, is_secure, io)?;
        } else if is_secure && self.destination(Component::Rtp) == Some(source) {
            self.authentic_at = Some(now);
        }
        if !self.bucket.take(now, packet.len()) {
            return Err(DropReason::RateLimit);
        }
        Ok(arrival)
    }

    fn check_source(
        &self,
        now: Instant,
        component: Component,
        is_rtcp: bool,
        source: SocketAddr,
    ) -> Result<(), DropReason> {
        match &self.ice {
            Some(ice) if ice.is_validated(source) => Ok(()),
            Some(_) => Err(DropReason::UnvalidatedSource),
            None => self.guard.admits(now, component, is_rtcp, source),
        }
    }

    /// Latches to the source of an authentic packet.
    fn settle(
        &mut self,
        now: Instant,
        component: Component,
        source: SocketAddr,
        arrival: Arrival,
        is_secure: bool,
        io: &mut Io<'_>,
    ) -> Result<(), DropReason> {
        match (component, arrival) {
            (Component::Rtp, Arrival::Rtp(parsed)) => {
                if let Some(remote) = self.guard.settle(now, source, &parsed.header, is_secure)? {
                    io.events.push(EventKind::Moved { side: self.side, remote });
                }
            }
            (Component::Rtcp, _) => self.guard.settle_rtcp(source),
            _ => {}
        }
        Ok(())
    }

    /// Where that component's packets go; `None` while there is no address, or no consent (RFC 7675 section 5.1).
    pub(crate) fn destination(&self, component: Component) -> Option<SocketAddr> {
        match &self.ice {
            Some(ice) => ice.destination().filter(|_| !self.consent_lost),
            None => self.guard.destination(component),
        }
    }

    /// The only address that RTP is exchanged with; none on a leg with ICE, whose peer may move at any time.
    pub(crate) fn exclusive_peer(&self) -> Option<SocketAddr> {
        if self.ice.is_some() { None } else { self.guard.exclusive() }
    }

    /// Whether no packet of media can change where the next one goes.
    pub(crate) fn is_latched(&self) -> bool {
        self.ice.is_some() || self.guard.is_latched()
    }

    /// From which port RTCP goes.
    pub(crate) fn rtcp_component(&self) -> Component {
        if self.config.rtcp_mux { Component::Rtp } else { Component::Rtcp }
    }

    /// Whether the keys for sending that component are there, if it needs any.
    pub(crate) fn has_keys(&mut self, component: Component) -> bool {
        matches!(self.config.security, Security::None) || self.protection(component).outbound.is_some()
    }

    /// Protects `buffer[..len]`, RTP, in place; returns the new length.
    pub(crate) fn protect(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, DropReason> {
        if matches!(self.config.security, Security::None) {
            return Ok(len);
        }
        let outbound = self.rtp.outbound.as_mut().ok_or(DropReason::NoDestination)?;
        outbound.protect(buffer, len).map_err(|_| DropReason::SrtpProtect)
    }

    /// As [`Leg::protect`], for a packet that was protected before and is the same to the bit.
    pub(crate) fn protect_again(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, DropReason> {
        if matches!(self.config.security, Security::None) {
            return Ok(len);
        }
        let outbound = self.rtp.outbound.as_mut().ok_or(DropReason::NoDestination)?;
        outbound.protect_again(buffer, len).map_err(|_| DropReason::SrtpProtect)
    }

    /// Protects an RTP packet in place; in a batch its tag may be left due.
    pub(crate) fn protect_packet(&mut self, packet: &mut Packet<'_>) -> Result<(), DropReason> {
        let len = packet.len();
        if !packet.is_in_batch() || matches!(self.config.security, Security::None) {
            let len = self.protect(packet.with_tailroom(), len)?;
            packet.set_len(len);
            return Ok(());
        }
        let outbound = self.rtp.outbound.as_mut().ok_or(DropReason::NoDestination)?;
        let protected = outbound.protect_but_tag(packet.with_tailroom(), len);
        let (len, due) = protected.map_err(|_| DropReason::SrtpProtect)?;
        packet.set_len(len);
        packet.set_due_tag(due);
        Ok(())
    }

    /// The tag that [`Leg::receive`] will need for a datagram on the RTP port, as far as can be told now.
    pub(crate) fn due_tag(&self, now: Instant, source: SocketAddr, packet: &[u8]) -> Option<DueTag> {
        if !matches!(packet.first(), Some(128..=191)) || rtcp::is_rtcp(packet) {
            return None;
        }
        let inbound = self.rtp.inbound.as_ref()?;
        self.check_source(now, Component::Rtp, false, source).ok()?;
        inbound.due_tag(packet)
    }

    /// Protects `buffer[..len]`, RTCP, in place; returns the new length.
    pub(crate) fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, DropReason> {
        if matches!(self.config.security, Security::None) {
            return Ok(len);
        }
        let component = self.rtcp_component();
        let outbound = self.protection(component).outbound.as_mut().ok_or(DropReason::NoDestination)?;
        outbound.protect_rtcp(buffer, len).map_err(|_| DropReason::SrtpProtect)
    }

    /// Whether ICE has validated that address.
    pub(crate) fn is_validated(&self, source: SocketAddr) -> bool {
        self.ice.as_ref().is_some_and(|ice| ice.is_validated(source))
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, io: &mut Io<'_>) {
        let expired = self.consent_expires().is_some_and(|expires| expires <= now);
        if expired {
            self.consent_lost = true;
            io.events.push(EventKind::ConsentLost { side: self.side });
        }
        for &component in self.components() {
            let result = self.protection(component).handle_timeout(now);
            self.finish_dtls(now, component, result, io);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let timeouts = [self.rtp.next_timeout(), self.rtcp.next_timeout(), self.consent_expires()];
        timeouts.into_iter().flatten().min()
    }

    /// RFC 7675 section 5.1 takes only STUN for consent. Full agents that are no browsers (baresip) keep a pair
    /// alive by indications alone, and a lite agent sends no checks: so authentic SRTP from the pair counts too.
    fn consent_expires(&self) -> Option<Instant> {
        let checked = self.ice.as_ref().filter(|_| !self.consent_lost).and_then(IceLite::consent_expires)?;
        Some(self.authentic_at.map_or(checked, |at| checked.max(at + CONSENT)))
    }

    /// Starts the handshakes as a client once there is somewhere to send to; tells when media can flow.
    fn drive_dtls(&mut self, now: Instant, io: &mut Io<'_>) {
        let is_client = matches!(self.config.security, Security::Dtls { role: DtlsRole::Client, .. });
        for &component in self.components() {
            if is_client && self.destination(component).is_some() {
                self.start_dtls(now, component, io);
            }
            self.finish_dtls(now, component, Ok(()), io);
        }
    }

    fn start_dtls(&mut self, now: Instant, component: Component, io: &mut Io<'_>) {
        let Security::Dtls { role, fingerprints } = &self.config.security else { return };
        let is_apart = component == Component::Rtcp && !self.config.rtcp_mux;
        let protection = if is_apart { &mut self.rtcp } else { &mut self.rtp };
        if let Err(error) = protection.start(now, &self.identity, *role, fingerprints) {
            self.finish_dtls(now, component, Err(error), io);
        }
    }

    /// After anything that may have moved DTLS on: its packets, its keys, its failure.
    fn finish_dtls(
        &mut self,
        now: Instant,
        component: Component,
        result: Result<(), DtlsError>,
        io: &mut Io<'_>,
    ) {
        let (side, destination) = (self.side, self.destination(component));
        let has_ice = self.ice.is_some();
        let protection = self.protection(component);
        let peer = protection.peer().filter(|_| !has_ice);
        protection.send(side, component, peer.or(destination), io.out);
        protection.take_keys();
        // Without its RTCP a call goes on.
        if result.is_err_and(DtlsError::is_final) && protection.fail() && component == Component::Rtp {
            io.events.push(EventKind::DtlsFailed { side });
        }
        let has_inbound = matches!(self.config.security, Security::None) || self.rtp.inbound.is_some();
        let is_ready =
            has_inbound && self.has_keys(Component::Rtp) && self.destination(Component::Rtp).is_some();
        if is_ready && !self.connected {
            self.connected = true;
            // The first packets of a peer behind NAT may come much later than its description.
            let LegConfig { remote, latch, asymmetric, .. } = self.config;
            self.guard.configure(now, remote, latch, asymmetric);
            // Whoever configured a leg with neither knows already; such calls come and go by the thousand.
            if has_ice || matches!(self.config.security, Security::Dtls { .. }) {
                io.events.push(EventKind::Connected { side });
            }
        }
    }
}

fn unprotect_failure(error: SrtpError) -> DropReason {
    match error {
        SrtpError::Authentication => DropReason::SrtpAuthentication,
        SrtpError::Replayed | SrtpError::TooOld => DropReason::SrtpReplay,
        _ => DropReason::SrtpRefused,
    }
}
