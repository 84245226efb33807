//! The media of one call: two legs and the dataplane's session that joins them.

use super::join::Moved;
use crate::party::Cause;
use crate::sdp::{
    self, Description, Direction, FarSide, FarVideo, Kind, Leg, LegAddresses, Random, SdpError,
};
use crate::settings::{CodecName, DtmfMethod, MediaProfile};
use crate::tones::Country;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tandem_control::{
    Audio, Digits, Latch, LegConfig, LocalPorts, PortKind, PortRequest, SessionId, Side, StreamPorts, Video,
};

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

/// Whether a party can be sent INFO requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesInfo {
    /// Its protocol has nothing like it.
    Never,
    /// It speaks SIP, and did not say so.
    Unsaid,
    /// Its Allow header field names INFO.
    Allowed,
}

/// What all calls have in common.
#[derive(Clone, Debug)]
pub struct MediaRules {
    /// Our addresses, as advertised; never empty.
    pub advertised: Vec<IpAddr>,
    /// The dataplane's addresses; those of the same family as an advertised one stand behind it.
    pub local: Vec<IpAddr>,
    /// Media may go to loopback and link-local addresses (attacks.md row 7).
    pub allow_local: bool,
    /// SHA-256 of the dataplane's certificate.
    pub fingerprint: [u8; 32],
    /// Whose tones callers hear.
    pub tones: Country,
}

impl MediaRules {
    /// Our address toward a peer: of the same family where there is one.
    pub fn address_toward(&self, peer: Option<IpAddr>) -> Option<IpAddr> {
        let same = |ours: &&IpAddr| peer.is_some_and(|peer| peer.is_ipv4() == ours.is_ipv4());
        self.advertised.iter().find(same).or(self.advertised.first()).copied()
    }

    /// Addresses of the dataplane, as advertised.
    fn advertise(&self, rtp: SocketAddr, rtcp: SocketAddr) -> LegAddresses {
        let address = self.address_toward(Some(rtp.ip())).unwrap_or(rtp.ip());
        LegAddresses {
            rtp: SocketAddr::new(address, rtp.port()),
            rtcp: SocketAddr::new(address, rtcp.port()),
        }
    }

    /// The ports that a leg toward a peer needs, with or without video.
    pub fn ports(&self, kind: Kind, peer: Option<IpAddr>, video: bool) -> PortRequest {
        let advertised = self.address_toward(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let behind = self.local.iter().find(|local| local.is_ipv4() == advertised.is_ipv4());
        // Without one the dataplane refuses, and says why.
        PortRequest {
            address: behind.copied().unwrap_or(advertised),
            kind: kind.ports(),
            video: video && kind.ports() == PortKind::Own,
        }
    }

    /// A place for somebody who brings a leg along: it costs no port.
    pub fn place(&self) -> PortRequest {
        self.ports(Kind::WebRtc, None, false)
    }

    /// Refuses media toward this host and its link, unless that is where the party itself is or what is configured.
    fn check_target(&self, target: Option<SocketAddr>, party: &PartyMedia) -> Result<(), SdpError> {
        let Some(target) = target.map(|address| address.ip().to_canonical()) else { return Ok(()) };
        let party_is_local = party.source.is_some_and(is_local);
        if is_local(target)
            && !party_is_local
            && !self.allow_local
            && !self.advertised.iter().any(|ip| is_local(*ip))
        {
            return Err(SdpError::NotAcceptable(format!("media may not be sent to {target}")));
        }
        Ok(())
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

    /// What is learned of a party from its messages.
    pub fn note_info(&mut self, side: Side, info: TakesInfo) {
        self.parties[index(side)].info = info;
    }

    /// How digits reach one side's peer.
    pub fn digits(&self, side: Side) -> Digits {
        let (leg, party) = (self.leg(side), &self.parties[index(side)]);
        match (party.profile.dtmf, party.info) {
            (DtmfMethod::Inband, _) => Digits::Tones,
            (DtmfMethod::Rfc4733, _) => Digits::Events,
            (DtmfMethod::Info, TakesInfo::Unsaid | TakesInfo::Allowed) => Digits::Told,
            (DtmfMethod::Auto, TakesInfo::Allowed) if !leg.has_events() => Digits::Told,
            (DtmfMethod::Auto | DtmfMethod::Info, _) => Digits::Events,
        }
    }

    /// Whether digits must be looked for in the audio of one side's peer, which is decoded for that: where they are
    /// configured to be there; or where the peer sends no events and the other side, a telephone or a server, takes
    /// something else than tones. A person at a browser hears the tones as they are.
    fn detects_tones(&self, side: Side) -> bool {
        let far = side.other();
        let far_takes_tones = match self.digits(far) {
            Digits::Tones => true,
            Digits::Events => !self.leg(far).has_events(),
            Digits::Told => false,
        };
        let may_have_them = match self.parties[index(side)].profile.dtmf {
            DtmfMethod::Inband => true,
            DtmfMethod::Info => false,
            DtmfMethod::Auto | DtmfMethod::Rfc4733 => {
                !self.leg(side).has_events() && self.leg(far).kind() != Kind::WebRtc
            }
        };
        may_have_them && !far_takes_tones
    }

    /// Whether one side's party can be sent messages with digits.
    pub fn takes_messages(&self, side: Side) -> bool {
        self.parties[index(side)].info != TakesInfo::Never
    }

    /// Whether a digit by a message may come a second time in the media of the same side.
    pub fn may_hear_digits(&self, side: Side) -> bool {
        self.leg(side).has_events() || self.detects_tones(side)
    }

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

/// attacks.md row 1: the described host, at any port, as a NAT may map it. Any source only where the described
/// address cannot be reached from here and the signaling's can, so that a NAT must be between. Between two private
/// networks a NAT is as likely as a media server beside the signaling: then it is one of these two hosts.
pub(crate) fn latch_for(described: Option<IpAddr>, source: Option<IpAddr>) -> Latch {
    match (described, source) {
        (Some(described), Some(source)) if is_private(described) && !is_private(source) => Latch::Any,
        (Some(described), Some(source)) if is_private(described) && described != source => {
            Latch::Either(source)
        }
        _ => Latch::SameAddress,
    }
}

/// Whether an address is this host's loopback or of its link.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // RFC 6598's shared address space is behind a NAT as well.
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (first == 100 && second & 0xC0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
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
