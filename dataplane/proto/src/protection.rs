//! How one component of a leg is protected: its SRTP contexts, and the DTLS association that brings them.

use std::net::SocketAddr;
use std::time::Instant;

use tandem_control::{DtlsRole, Fingerprint, Side};

use crate::dtls::{DtlsError, DtlsSession, Identity, MTU, SrtpKeys};
use crate::session::{Component, Outbox};
use crate::srtp::{Inbound, Outbound};

/// The protection of one component. RFC 5764 section 3: RTP and RTCP on ports of their own have a DTLS association
/// each.
#[derive(Default)]
pub(crate) struct Protection {
    dtls: Option<Box<DtlsSession>>,
    /// Where DTLS comes from on a leg without ICE.
    peer: Option<SocketAddr>,
    failed: bool,
    /// The contexts stand each in one piece of memory of its own, which a leg in the clear does without.
    pub(crate) inbound: Option<Box<Inbound>>,
    pub(crate) outbound: Option<Box<Outbound>>,
}

impl Protection {
    /// Forgets the DTLS association; the contexts stay.
    pub(crate) fn end_dtls(&mut self) {
        self.dtls = None;
        self.peer = None;
        self.failed = false;
    }

    /// The peer may be somewhere else now.
    pub(crate) fn forget_peer(&mut self) {
        self.peer = None;
    }

    /// Whether DTLS from that source goes on. The first source keeps the handshake (attacks.md row 4), unless it is
    /// not the `described` one: that takes it over, as long as it is not complete.
    pub(crate) fn admits(&mut self, source: SocketAddr, described: Option<SocketAddr>) -> bool {
        if self.peer.is_none_or(|peer| peer == source) {
            return true;
        }
        let takes_over = described == Some(source) && self.outbound.is_none();
        if takes_over {
            self.end_dtls();
        }
        takes_over
    }

    /// Starts the association if there is none and it has not failed.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        identity: &Identity,
        role: DtlsRole,
        fingerprints: &[Fingerprint],
    ) -> Result<(), DtlsError> {
        if self.dtls.is_none() && !self.failed && !fingerprints.is_empty() {
            self.dtls = Some(Box::new(DtlsSession::new(now, identity, role, fingerprints)?));
        }
        Ok(())
    }

    /// Takes a datagram; `None` if there is no association.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        source: SocketAddr,
        packet: &[u8],
    ) -> Option<Result<(), DtlsError>> {
        let result = self.dtls.as_mut()?.receive(now, packet);
        if result.is_ok() {
            self.peer = Some(source);
        }
        Some(result)
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        match &mut self.dtls {
            Some(dtls) if dtls.next_timeout().is_some_and(|timeout| timeout <= now) => {
                dtls.handle_timeout(now)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.dtls.as_ref().and_then(|dtls| dtls.next_timeout())
    }

    /// Sends what DTLS has to send: to its peer, or else to `destination`.
    pub(crate) fn send(
        &mut self,
        from: Side,
        component: Component,
        destination: Option<SocketAddr>,
        out: &mut dyn Outbox,
    ) {
        let (Some(dtls), Some(destination)) = (&mut self.dtls, destination) else { return };
        let mut buffer = [0; MTU];
        while let Some(packet) = dtls.poll_packet(&mut buffer) {
            out.send(from, component, destination, packet);
        }
    }

    /// The address that speaks DTLS.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Takes the keys over once they are there.
    pub(crate) fn take_keys(&mut self) {
        if let Some(SrtpKeys { send, receive }) = self.dtls.as_mut().and_then(|dtls| dtls.take_keys()) {
            self.inbound = Inbound::new(&receive).ok().map(Box::new);
            self.outbound = Outbound::new(&send).ok().map(Box::new);
        }
    }

    /// Notes a final failure; returns whether it is the first.
    pub(crate) fn fail(&mut self) -> bool {
        !std::mem::replace(&mut self.failed, true)
    }
}
