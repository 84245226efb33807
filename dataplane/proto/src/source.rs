//! Which addresses a leg without ICE takes media from, and where it sends (attacks.md rows 1 and 2).

use std::net::SocketAddr;
use std::time::Instant;

use tandem_control::{Latch, Remote};

use crate::drops::DropReason;
use crate::limits::{HANDOVER_SILENCE, LATCH_PROBATION, LATCH_WINDOW};
use crate::rtp::Header;
use crate::session::Component;

/// The guard of one leg.
#[derive(Debug)]
pub(crate) struct SourceGuard {
    remote: Option<Remote>,
    latch: Latch,
    /// Whether media goes to the described address, whatever the source.
    asymmetric: bool,
    /// When the latched source was last heard.
    heard_at: Instant,
    /// Until when [`Latch::Any`] takes an unknown source.
    window_until: Instant,
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
    probation: Option<Probation>,
}

/// An unknown source that sends in the clear.
#[derive(Debug)]
struct Probation {
    source: SocketAddr,
    ssrc: u32,
    next: u16,
    seen: u8,
}

impl SourceGuard {
    pub(crate) fn new(now: Instant) -> SourceGuard {
        SourceGuard {
            remote: None,
            latch: Latch::Exact,
            asymmetric: false,
            heard_at: now,
            window_until: now,
            rtp: None,
            rtcp: None,
            probation: None,
        }
    }

    /// Another remote opens the latch again; the same one leaves it as it is.
    pub(crate) fn configure(&mut self, now: Instant, remote: Option<Remote>, latch: Latch, asymmetric: bool) {
        if remote != self.remote {
            self.rtp = None;
            self.rtcp = None;
            self.probation = None;
        }
        if self.rtp.is_none() {
            self.window_until = now + LATCH_WINDOW;
        }
        self.remote = remote;
        self.latch = latch;
        self.asymmetric = asymmetric;
    }

    /// Whether a packet from that source may be looked at; says nothing of its authenticity.
    pub(crate) fn admits(
        &self,
        now: Instant,
        component: Component,
        is_rtcp: bool,
        source: SocketAddr,
    ) -> Result<(), DropReason> {
        if let Some(latched) = self.latched(component) {
            let takes_over = !is_rtcp && self.may_hand_over(now);
            return if latched == source || takes_over { Ok(()) } else { Err(DropReason::StrangerSource) };
        }
        let remote = self.remote.ok_or(DropReason::NotReady)?;
        let described = described(remote, component);
        let address = match self.latch {
            // RTCP comes from the host that the RTP comes from.
            _ if is_rtcp && self.rtp.is_some() => self.rtp.map(|rtp| rtp.ip()),
            Latch::Exact => None,
            Latch::SameAddress => Some(described.ip()),
            Latch::Either(other) if other == source.ip() => Some(other),
            Latch::Either(_) => Some(described.ip()),
            Latch::Any if !is_rtcp && now < self.window_until => Some(source.ip()),
            Latch::Handover if !is_rtcp => Some(source.ip()),
            Latch::Any | Latch::Handover => Some(described.ip()),
        };
        let near = self.latch != Latch::Exact && address == Some(source.ip());
        if source == described || near { Ok(()) } else { Err(DropReason::StrangerSource) }
    }

    /// Whether another source may take the place of the latched one.
    fn may_hand_over(&self, now: Instant) -> bool {
        self.latch == Latch::Handover && now.saturating_duration_since(self.heard_at) >= HANDOVER_SILENCE
    }

    /// Latches to the source of an admitted packet of RTP; returns the address if it is new: not the one before, or
    /// else not the described one. What is not authenticated and not from the described host has to prove itself
    /// first, and so has every source that takes the place of another.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        source: SocketAddr,
        header: &Header,
        is_authentic: bool,
    ) -> Result<Option<SocketAddr>, DropReason> {
        if self.rtp == Some(source) {
            self.heard_at = now;
            return Ok(None);
        }
        let is_described_host = self.remote.is_some_and(|remote| remote.rtp.ip() == source.ip());
        if !is_authentic && (self.rtp.is_some() || !is_described_host) {
            self.prove(source, header)?;
        }
        let before = self.rtp.replace(source).or(self.remote.map(|remote| remote.rtp));
        // RTCP comes from the new host then.
        self.rtcp.take_if(|rtcp| rtcp.ip() != source.ip());
        self.heard_at = now;
        self.probation = None;
        Ok((before != Some(source)).then_some(source))
    }

    /// Latches to the source of an admitted packet that came to the RTCP port.
    pub(crate) fn settle_rtcp(&mut self, source: SocketAddr) {
        self.rtcp.get_or_insert(source);
    }

    /// Where to send.
    pub(crate) fn destination(&self, component: Component) -> Option<SocketAddr> {
        let latched = self.latched(component).filter(|_| !self.asymmetric);
        let address = latched.or_else(|| self.remote.map(|remote| described(remote, component)))?;
        // An unspecified address is how old peers say "hold" (RFC 2543 appendix B.5).
        let is_usable = !address.ip().is_unspecified() && !address.ip().is_multicast() && address.port() != 0;
        is_usable.then_some(address)
    }

    /// Whether RTP has latched to a source.
    pub(crate) fn is_latched(&self) -> bool {
        self.rtp.is_some()
    }

    /// The only address that RTP is exchanged with, until another configuration comes.
    pub(crate) fn exclusive(&self) -> Option<SocketAddr> {
        let latched = self.rtp.filter(|_| self.latch != Latch::Handover)?;
        self.destination(Component::Rtp).filter(|&destination| destination == latched)
    }

    fn latched(&self, component: Component) -> Option<SocketAddr> {
        if component == Component::Rtp { self.rtp } else { self.rtcp }
    }

    /// Consecutive packets of one SSRC from one source end the probation.
    fn prove(&mut self, source: SocketAddr, header: &Header) -> Result<(), DropReason> {
        let before = self.probation.take().filter(|probation| {
            (probation.source, probation.ssrc, probation.next) == (source, header.ssrc, header.sequence)
        });
        let seen = before.map_or(0, |probation| probation.seen) + 1;
        if seen >= LATCH_PROBATION {
            return Ok(());
        }
        let next = header.sequence.wrapping_add(1);
        self.probation = Some(Probation { source, ssrc: header.ssrc, next, seen });
        Err(DropReason::Probation)
    }
}

fn described(remote: Remote, component: Component) -> SocketAddr {
    if component == Component::Rtp { remote.rtp } else { remote.rtcp }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn address(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, host], port))
    }

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc }
    }

    fn guard(now: Instant, latch: Latch) -> SourceGuard {
        let mut guard = SourceGuard::new(now);
        guard.configure(now, Some(Remote { rtp: address(1, 4000), rtcp: address(1, 4001) }), latch, false);
        guard
    }

    fn admits(guard: &SourceGuard, now: Instant, source: SocketAddr) -> bool {
        guard.admits(now, Component::Rtp, false, source).is_ok()
    }

    #[test]
    fn each_rule_admits_what_it_says() {
        let now = Instant::now();
        let (described, near, far) = (address(1, 4000), address(1, 5000), address(2, 4000));
        for (latch, expected) in [
            (Latch::Exact, [true, false, false]),
            (Latch::SameAddress, [true, true, false]),
            (Latch::Either(address(2, 0).ip()), [true, true, true]),
            (Latch::Either(address(3, 0).ip()), [true, true, false]),
            (Latch::Any, [true, true, true]),
            (Latch::Handover, [true, true, true]),
        ] {
            let guard = guard(now, latch);
            assert_eq!(
                [described, near, far].map(|source| admits(&guard, now, source)),
                expected,
                "{latch:?}"
            );
        }
        let late = now + LATCH_WINDOW;
        assert!(!admits(&guard(now, Latch::Any), late, far));
        assert!(!admits(&SourceGuard::new(now), now, described));
    }

    #[test]
    fn once_latched_every_other_source_is_a_stranger_until_signaling_says_otherwise() {
        let now = Instant::now();
        let mut guard = guard(now, Latch::SameAddress);
        assert_eq!(guard.settle(now, address(1, 5000), &header(1, 1), true), Ok(Some(address(1, 5000))));
        assert_eq!(guard.destination(Component::Rtp), Some(address(1, 5000)));
        assert!(!admits(&guard, now, address(1, 4000)));
        guard.configure(
            now,
            Some(Remote { rtp: address(1, 4000), rtcp: address(1, 4001) }),
            Latch::SameAddress,
            false,
        );
        assert!(!admits(&guard, now, address(1, 4000)), "the same remote changes nothing");
        guard.configure(
            now,
            Some(Remote { rtp: address(3, 4000), rtcp: address(3, 4001) }),
            Latch::SameAddress,
            false,
        );
        assert!(admits(&guard, now, address(3, 4000)));
        assert_eq!(guard.destination(Component::Rtp), Some(address(3, 4000)));
    }

    #[test]
    fn one_packet_in_the_clear_from_an_unknown_source_is_not_enough() {
        let now = Instant::now();
        let mut guard = guard(now, Latch::Any);
        let (attacker, peer) = (address(9, 9), address(2, 2));
        assert_eq!(guard.settle(now, attacker, &header(7, 1), false), Err(DropReason::Probation));
        assert_eq!(guard.settle(now, attacker, &header(7, 3), false), Err(DropReason::Probation));
        assert_eq!(guard.settle(now, peer, &header(8, 100), false), Err(DropReason::Probation));
        assert_eq!(guard.settle(now, peer, &header(8, 101), false), Ok(Some(peer)));
        assert!(!admits(&guard, now + Duration::from_millis(1), attacker));
    }

    #[test]
    fn a_source_takes_over_only_where_that_is_wanted_and_the_other_is_silent() {
        let start = Instant::now();
        let (first, second) = (address(2, 2), address(3, 3));
        for latch in [Latch::Any, Latch::Handover] {
            let mut guard = guard(start, latch);
            guard.settle(start, first, &header(1, 1), true).unwrap();
            let soon = start + HANDOVER_SILENCE / 2;
            guard.settle(soon, first, &header(1, 2), true).unwrap();
            guard.settle_rtcp(address(2, 3));
            assert!(!admits(&guard, start + HANDOVER_SILENCE, second), "the first was heard since");
            let late = soon + HANDOVER_SILENCE;
            assert_eq!(admits(&guard, late, second), latch == Latch::Handover, "{latch:?}");
        }
        let mut guard = guard(start, Latch::Handover);
        guard.settle(start, first, &header(1, 1), true).unwrap();
        guard.settle_rtcp(address(2, 3));
        let late = start + HANDOVER_SILENCE;
        assert_eq!(guard.settle(late, second, &header(9, 7), false), Err(DropReason::Probation));
        assert_eq!(guard.destination(Component::Rtp), Some(first));
        assert_eq!(guard.settle(late, second, &header(9, 8), false), Ok(Some(second)));
        assert_eq!(guard.destination(Component::Rtp), Some(second));
        assert_eq!(guard.destination(Component::Rtcp), Some(address(1, 4001)), "the old one's is forgotten");
        assert!(!admits(&guard, late, first), "it comes back only when the new one is silent");
        assert!(admits(&guard, late + HANDOVER_SILENCE, first));
    }

    #[test]
    fn an_asymmetric_peer_is_sent_to_where_it_said_and_no_second_source_is_taken() {
        let now = Instant::now();
        let mut guard = SourceGuard::new(now);
        let remote = Remote { rtp: address(1, 4000), rtcp: address(1, 4001) };
        guard.configure(now, Some(remote), Latch::Any, true);
        guard.settle(now, address(2, 2), &header(1, 1), true).unwrap();
        guard.settle_rtcp(address(2, 3));
        assert_eq!(guard.destination(Component::Rtp), Some(remote.rtp));
        assert_eq!(guard.destination(Component::Rtcp), Some(remote.rtcp));
        assert!(!admits(&guard, now, address(3, 3)));
    }

    #[test]
    fn rtcp_comes_from_the_host_of_the_rtp() {
        let now = Instant::now();
        let mut guard = guard(now, Latch::Any);
        let rtcp = |guard: &SourceGuard, source| guard.admits(now, Component::Rtcp, true, source).is_ok();
        assert!(!rtcp(&guard, address(2, 7)));
        guard.settle(now, address(2, 6), &header(1, 1), true).unwrap();
        assert!(rtcp(&guard, address(2, 7)));
        guard.settle_rtcp(address(2, 7));
        assert!(!rtcp(&guard, address(1, 4001)));
        assert_eq!(guard.destination(Component::Rtcp), Some(address(2, 7)));
    }

    #[test]
    fn nothing_is_sent_to_an_unspecified_address() {
        let now = Instant::now();
        let mut guard = SourceGuard::new(now);
        let held = SocketAddr::from(([0, 0, 0, 0], 4000));
        guard.configure(now, Some(Remote { rtp: held, rtcp: held }), Latch::Exact, false);
        assert_eq!(guard.destination(Component::Rtp), None);
    }
}
