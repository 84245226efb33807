//! The media of one call: two legs and the dataplane's session that joins them.

mod config;
mod digits;
mod rules;

use super::join::Moved;
use crate::party::Cause;
use crate::sdp::{self, Description, Direction, FarSide, FarVideo, Kind, Leg, Random, SdpError};
use crate::settings::{CodecName, MediaProfile};
use std::net::IpAddr;
use std::sync::Arc;
use tandem_control::{LocalPorts, SessionId, Side, StreamPorts};

pub use digits::TakesInfo;
pub use rules::MediaRules;
pub(crate) use rules::{is_local, latch_for};

/// What is known of a party's media before it described any.
#[derive(Clone, Debug)]
pub struct PartyMedia {
    /// How it is offered media.
    pub kind: Kind,
    /// How its media is described and made.
    pub profile: Arc<MediaProfile>,
    /// Where its signaling comes from.
    pub source: Option<IpAddr>,
    /// Whether it can be sent offers in mid-call.
    pub takes_offers: bool,
    /// Whether it can be sent digits by INFO.
    pub info: TakesInfo,
}

impl PartyMedia {
    /// Whether its video is switched on.
    pub fn may_have_video(&self) -> bool {
        !self.profile.video.codecs.is_empty()
    }
}

/// Two legs in one session of the dataplane.
#[derive(Clone, Debug)]
pub struct Media {
    session: SessionId,
    rules: MediaRules,
    pub(super) parties: [PartyMedia; 2],
    legs: [Leg; 2],
    /// Whether each leg was refused ports for video.
    no_video: [bool; 2],
    /// Whether each side holds the other one without having described that.
    holds: [bool; 2],
}

impl Media {
    /// Both legs of a new session, before anything was described.
    pub fn new(
        session: SessionId,
        local: [LocalPorts; 2],
        rules: MediaRules,
        parties: [PartyMedia; 2],
        random: Random<'_>,
    ) -> Media {
        let mut leg = |party: &PartyMedia, local: LocalPorts| {
            let addresses = rules.advertise(local.rtp, local.rtcp);
            let profile = party.profile.clone();
            let mut leg = Leg::new(party.kind, profile, addresses, rules.fingerprint, &mut *random);
            if let Some(video) = local.video {
                leg.set_video_addresses(rules.advertise(video.rtp, video.rtcp));
            }
            leg
        };
        let [a, b] = [&parties[0], &parties[1]];
        let legs = [leg(a, local[0]), leg(b, local[1])];
        Media { session, rules, parties, legs, no_video: [false; 2], holds: [false; 2] }
    }

    /// The dataplane's session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// One leg.
    pub fn leg(&self, side: Side) -> &Leg {
        &self.legs[index(side)]
    }

    /// Whether the party on this side can be sent offers in mid-call.
    pub fn takes_offers(&self, side: Side) -> bool {
        self.parties[index(side)].takes_offers
    }

    /// The party on this side, its leg, and whether it holds the other one without having described that.
    pub(super) fn part(&self, side: Side) -> (PartyMedia, Leg, bool) {
        (self.parties[index(side)].clone(), self.legs[index(side)].clone(), self.holds[index(side)])
    }

    /// Puts a party with its leg on this side.
    pub(super) fn put(&mut self, side: Side, moved: &Moved) {
        self.parties[index(side)] = moved.party.clone();
        self.legs[index(side)] = moved.leg.clone();
        self.holds[index(side)] = moved.holds;
        self.no_video[index(side)] = false;
    }

    /// Whether this side was last told another direction than the other side has now.
    pub(super) fn is_outdated(&self, side: Side) -> bool {
        !self.leg(side).is_told(self.direction(side.other()))
    }

    /// Whether either party, or both, do not want to hear.
    pub fn is_on_hold(&self) -> bool {
        [Side::A, Side::B].iter().any(|side| self.direction(*side) != Direction::SendRecv)
    }

    /// Which way the audio of one side's party flows, as it sees that: by its description and by what it said beside it.
    pub fn direction(&self, side: Side) -> Direction {
        let open = self.open(side, self.leg(side).peer_direction());
        // In the place of who holds, music may be sent.
        let music = !open.receives() && self.parties[index(side)].profile.hold_music.is_some();
        Direction::new(open.sends() || music, open.receives())
    }

    /// The same for a stream that was described so.
    fn open(&self, side: Side, described: Direction) -> Direction {
        if self.holds[index(side)] { Direction::Inactive } else { described }
    }

    /// What the other side must be offered anew if it changes: which way audio flows, and video, where it is wanted.
    pub fn wish(&self, side: Side) -> (Direction, Option<Direction>) {
        let video = self.leg(side).video_direction();
        (self.direction(side), video.map(|direction| self.open(side, direction)))
    }

    /// Whether both parties have agreed to video.
    pub fn has_video(&self) -> bool {
        self.legs.iter().all(Leg::has_video)
    }

    /// The legs that must have ports of their own before video can be had as this side offers it.
    pub fn lacks_video_ports(&self, side: Side, offer: &[u8]) -> [bool; 2] {
        let is_wanted = Description::parse(offer).is_ok_and(|offer| offer.video.is_some());
        let may_have = self.legs.iter().all(Leg::may_have_video)
            && self.takes_offers(side.other())
            && !self.no_video.contains(&true);
        [Side::A, Side::B].map(|each| is_wanted && may_have && self.leg(each).needs_video_ports())
    }

    /// Whether a leg could not have ports for video.
    pub(super) fn was_refused_video(&self, side: Side) -> bool {
        self.no_video[index(side)]
    }

    /// A leg cannot have ports for video.
    pub fn refuse_video(&mut self, side: Side) {
        self.no_video[index(side)] = true;
    }

    /// RFC 3261 section 14.1: both descriptions are again as they were. What did not come by them stays.
    pub fn restore(&mut self, before: Media) {
        self.legs = before.legs;
    }

    /// A leg was given ports for video.
    pub fn add_video(&mut self, side: Side, ports: StreamPorts) {
        let addresses = self.rules.advertise(ports.rtp, ports.rtcp);
        self.legs[index(side)].set_video_addresses(addresses);
    }

    /// Whether one side's party has put the other one on hold.
    pub fn holds(&self, side: Side) -> bool {
        !self.direction(side).receives()
    }

    /// One side's party holds the other one, or takes it back, without a description. False: it was so before.
    pub fn set_hold(&mut self, side: Side, on: bool) -> bool {
        std::mem::replace(&mut self.holds[index(side)], on) != on
    }

    /// One side, as the other one has to know it.
    fn far_side(&self, side: Side) -> FarSide {
        let far = self.leg(side).far_side();
        let video = far.video.map(|video| FarVideo { direction: self.open(side, video.direction), ..video });
        FarSide { direction: self.direction(side), video, ..far }
    }

    /// Takes an offer from one side. The answer is written by [`Media::write_answer`].
    pub fn receive_offer(&mut self, side: Side, sdp: &[u8], random: Random<'_>) -> Result<(), SdpError> {
        let offer = Description::parse(sdp)?;
        self.check(side, &offer)?;
        self.legs[index(side)].receive_offer(&offer, random)
    }

    /// Takes the answer of one side to [`Media::write_offer`].
    pub fn receive_answer(&mut self, side: Side, sdp: &[u8]) -> Result<(), SdpError> {
        let answer = Description::parse(sdp)?;
        self.check(side, &answer)?;
        self.legs[index(side)].receive_answer(&answer)
    }

    fn check(&self, side: Side, description: &Description) -> Result<(), SdpError> {
        // With ICE nothing is sent to a described address, only to one that checks came from.
        if self.leg(side).kind() == Kind::WebRtc {
            return Ok(());
        }
        let audio = description.audio.as_ref().and_then(|audio| audio.transport.remote);
        let video = description.video.as_ref().and_then(|video| video.transport.remote);
        let party = &self.parties[index(side)];
        [audio, video].into_iter().flatten().try_for_each(|remote| {
            self.rules.check_target(Some(remote.rtp), party)?;
            self.rules.check_target(Some(remote.rtcp), party)
        })
    }

    /// Writes our offer to one side, from what the other side has. Where that said nothing yet, it offers all that is
    /// switched on.
    pub fn write_offer(&mut self, side: Side, random: Random<'_>) -> Vec<u8> {
        let far = self.far_side(side.other());
        self.offer(side, &far, random)
    }

    /// The same with video: where the other side has said nothing of it, with all that is switched on there.
    pub(super) fn write_video_offer(&mut self, side: Side, random: Random<'_>) -> Vec<u8> {
        let mut far = self.far_side(side.other());
        let usual = || FarVideo {
            direction: self.open(side.other(), Direction::SendRecv),
            formats: self.leg(side.other()).usual_video(),
            max_bitrate: 0,
            parameter_sets: Vec::new(),
        };
        far.video = far.video.or_else(|| Some(usual()));
        self.offer(side, &far, random)
    }

    fn offer(&mut self, side: Side, far: &FarSide, random: Random<'_>) -> Vec<u8> {
        let other = self.leg(side.other());
        let of_far = if other.codecs().is_empty() { other.allowed().to_vec() } else { other.codecs() };
        let leg = &mut self.legs[index(side)];
        let codecs = sdp::offer_codecs(&of_far, leg.allowed());
        leg.write_offer(&codecs, far, random)
    }

    /// Writes our answer to one side's last offer, from what the other side has.
    pub fn write_answer(&mut self, side: Side) -> Result<Vec<u8>, SdpError> {
        let (of_far, far) = (self.leg(side.other()).codecs(), self.far_side(side.other()));
        self.answer(side, &of_far, &far)
    }

    /// The same before the other side said anything: its codec may turn out to be another one.
    pub fn write_early_answer(&mut self, side: Side) -> Result<Vec<u8>, SdpError> {
        let of_far = self.leg(side.other()).allowed().to_vec();
        self.answer(side, &of_far, &FarSide::default())
    }

    fn answer(&mut self, side: Side, of_far: &[CodecName], far: &FarSide) -> Result<Vec<u8>, SdpError> {
        let leg = &mut self.legs[index(side)];
        let Some(codec) = sdp::answer_codec(&leg.codecs(), leg.allowed(), of_far) else {
            return Err(SdpError::NotAcceptable("no common codec".to_owned()));
        };
        leg.write_answer(codec, far)
    }
}

/// Where a side stands in arrays of both.
pub(super) fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

impl From<SdpError> for Cause {
    fn from(error: SdpError) -> Cause {
        Cause::new(error.status(), error.to_string())
    }
}
