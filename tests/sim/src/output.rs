//! The streams that the dataplane sends.

use crate::call::Call;
use crate::peer::is_rtcp;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use tandem_control::SessionId;

#[derive(Default)]
struct Stream {
    /// The newest sequence number, counted on beyond 16 bits.
    newest: Option<u64>,
    seen: HashSet<u64>,
}

/// By session, port and SSRC.
#[derive(Default)]
pub(crate) struct Outputs(HashMap<(Option<SessionId>, SocketAddr, u32), Stream>);

impl Outputs {
    /// Checks a packet before the network has touched it; whether it was RTP. The header is in the clear in SRTP
    /// too.
    pub(crate) fn check(&mut self, call: &Call, side: usize, packet: &[u8]) -> bool {
        if is_rtcp(packet) {
            return false;
        }
        let [_, _, s0, s1, _, _, _, _, r0, r1, r2, r3, ..] = *packet else { panic!("not RTP: {packet:?}") };
        let sequence = u16::from_be_bytes([s0, s1]);
        let ssrc = u32::from_be_bytes([r0, r1, r2, r3]);
        let key = (call.session, call.local[side].rtp, ssrc);
        let stream = self.0.entry(key).or_default();
        let newest = stream.newest.unwrap_or(1 << 32 | u64::from(sequence));
        let ahead = sequence.wrapping_sub(newest as u16) as i16;
        let index = newest.wrapping_add_signed(i64::from(ahead));
        assert!(stream.seen.insert(index), "{key:?} sent {sequence} twice in a {:?}", call.kind);
        let in_order = stream.newest.is_none() || ahead > 0;
        assert!(in_order || !call.kind.transcoded, "{key:?} went back to {sequence} in a {:?}", call.kind);
        stream.newest = Some(newest.max(index));
        true
    }
}
