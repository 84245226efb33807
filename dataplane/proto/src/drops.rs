//! Every reason for which a datagram is dropped, and its counter.

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)+) => {
        /// Why a datagram was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DropReason {
            $($(#[$doc])* $variant,)+
        }

        impl DropReason {
            /// All of them, in the order of the counters.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$variant,)+];

            /// Its name in metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(DropReason::$variant => $name,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// Empty, or longer than [`crate::limits::MAX_DATAGRAM`].
    BadLength => "bad_length",
    /// The first byte belongs to no protocol of RFC 7983.
    UnknownProtocol => "unknown_protocol",
    /// No session listens at that port, or none is known by that source or user name. Counted by the demultiplexer.
    NoSession => "no_session",
    /// The leg is not yet configured for what came.
    NotReady => "not_ready",
    /// STUN on a leg without ICE, or beside its RTP port.
    UnexpectedStun => "unexpected_stun",
    /// STUN that is malformed or fails its integrity check.
    BadStun => "bad_stun",
    /// DTLS on a leg that has none, or beside its RTP port.
    UnexpectedDtls => "unexpected_dtls",
    /// DTLS that the handshake refuses.
    BadDtls => "bad_dtls",
    /// From an address that may not send to this leg.
    StrangerSource => "stranger_source",
    /// From an address that ICE has not validated.
    UnvalidatedSource => "unvalidated_source",
    /// From a source that has not yet sent enough to be latched.
    Probation => "probation",
    /// Media on the port of the other component.
    WrongComponent => "wrong_component",
    /// More packets or bytes than a leg may send.
    RateLimit => "rate_limit",
    /// The SRTP or SRTCP tag is wrong; plaintext on a secure leg ends here too.
    SrtpAuthentication => "srtp_authentication",
    /// Replayed, or older than the replay window.
    SrtpReplay => "srtp_replay",
    /// Malformed before the SRTP tag could be checked, or beyond the limit of streams.
    SrtpRefused => "srtp_refused",
    /// SRTP could not protect what was to be sent.
    SrtpProtect => "srtp_protect",
    /// Not a valid RTP packet (RFC 3550 section 5.1).
    MalformedRtp => "malformed_rtp",
    /// Not a valid compound RTCP packet (RFC 3550 appendix A.2).
    MalformedRtcp => "malformed_rtcp",
    /// A telephone event that is too short (RFC 4733 section 2.3).
    MalformedEvent => "malformed_event",
    /// An RTP sequence number that was here before.
    Duplicate => "duplicate",
    /// Too late: its place in the output is gone.
    TooLate => "too_late",
    /// The first packet after a jump of the sequence number; the next one confirms the restart.
    SequenceJump => "sequence_jump",
    /// A payload type that the leg has not agreed to.
    UnknownPayloadType => "unknown_payload_type",
    /// A payload that the other side does not take and that cannot be transcoded for it.
    NotTaken => "not_taken",
    /// The leg may not send now: it is on hold.
    OnHold => "on_hold",
    /// The other side does not want to hear now.
    NotWanted => "not_wanted",
    /// The other leg has no address or no keys yet.
    NoDestination => "no_destination",
    /// Signaling wants the other side not to hear it.
    Blocked => "blocked",
    /// Audio in the place of which a digit is being played.
    ReplacedByDigit => "replaced_by_digit",
    /// Audio in the place of which something is being played.
    ReplacedByPlay => "replaced_by_play",
    /// The other side hears a room instead.
    HearsRoom => "hears_room",
    /// A payload that its codec cannot decode.
    Undecodable => "undecodable",
    /// A frame that could not be encoded.
    Unencodable => "unencodable",
}

/// One counter for each [`DropReason`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCounters([u64; DropReason::ALL.len()]);

impl Default for DropCounters {
    fn default() -> DropCounters {
        DropCounters([0; DropReason::ALL.len()])
    }
}

impl DropCounters {
    /// Counts one dropped datagram.
    pub fn count(&mut self, reason: DropReason) {
        if let Some(counter) = self.0.get_mut(reason as usize) {
            *counter += 1;
        }
    }

    /// How many were dropped for this reason.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().copied().zip(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_counters_apart() {
        let names: HashSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), DropReason::ALL.len());
        let mut counters = DropCounters::default();
        counters.count(DropReason::Duplicate);
        counters.count(DropReason::Duplicate);
        counters.count(DropReason::TooLate);
        assert_eq!(counters.get(DropReason::Duplicate), 2);
        assert_eq!(counters.iter().map(|(_, count)| count).sum::<u64>(), 3);
    }
}
