//! A leg as the dataplane shall have it.

use super::rules::latch_for;
use super::{Media, index};
use std::net::SocketAddr;
use tandem_control::{Audio, Latch, LegConfig, Side, Video};

impl Media {
    /// One leg, as the dataplane shall have it.
    pub fn config(&self, side: Side) -> LegConfig {
        let leg = self.leg(side).config(self.latch(side, self.leg(side).peer_address()));
        let is_open = !self.holds[index(side)];
        let audio = Audio {
            may_receive: leg.audio.may_receive && is_open,
            may_send: leg.audio.may_send && is_open,
            digits: self.digits(side),
            detect_tones: self.detects_tones(side),
            always_transcode: self.leg(side).repacks_for(self.leg(side.other())),
            ..leg.audio
        };
        let video = leg.video.map(|video| self.video_config(side, video, is_open));
        // While nothing flows a NAT may forget the way to the peer. Named anew, its address is where it is looked for anew
        // (attacks.md row 1: no latch moves without signaling).
        let flows = audio.may_receive || audio.may_send;
        LegConfig { remote: leg.remote.filter(|_| flows), audio, video, ..leg }
    }

    fn video_config(&self, side: Side, mut video: Box<Video>, is_open: bool) -> Box<Video> {
        video.may_receive &= is_open;
        video.may_send &= is_open;
        let flows = video.may_receive || video.may_send;
        if let Some(transport) = &mut video.transport {
            transport.remote = transport.remote.filter(|_| flows);
            transport.latch = self.latch(side, self.leg(side).video_peer_address());
        }
        video
    }

    fn latch(&self, side: Side, described: Option<SocketAddr>) -> Latch {
        latch_for(described.map(|address| address.ip()), self.parties[index(side)].source)
    }
}
