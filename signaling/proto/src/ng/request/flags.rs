//! Flags that are there or not.

use super::tokens::same;

/// One flag of the `flags` list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flag {
    /// Every direction and party (`all`).
    All,
    /// An answer may number its codecs differently from the offer.
    AllowAsymmetricCodecs,
    /// Codecs that the other side rejected stay accepted here, by transcoding.
    AlwaysTranscode,
    /// The peer sends from elsewhere than it receives: its address is that of its SDP, never learned.
    Asymmetric,
    /// Telephone events are blocked from the start.
    BlockDtmf,
    /// DTMF tones are looked for in the audio of whoever sent the SDP.
    DetectDtmf,
    /// The from-tag selects a party.
    Directional,
    /// An unknown call is an error.
    Fatal,
    /// A delete's reply has no figures.
    Fast,
    /// The SDP is a fragment with ICE candidates (RFC 8840).
    Fragment,
    /// Transcoding even where both sides have a codec in common.
    ForceTranscoding,
    /// `a=rtcp` carries the address also (RFC 3605).
    FullRtcpAttribute,
    /// `a=mid` is added where there is none.
    GenerateMid,
    /// Digits may be played into the call: they always may.
    InjectDtmf,
    /// An SDP that was rewritten here already is left alone.
    LoopProtect,
    /// A peer may move to another address at any time.
    MediaHandover,
    /// Nothing is sent before something came.
    NatWait,
    /// A changed remote port changes ours also.
    NoPortLatching,
    /// `a=rtcp` is left out.
    NoRtcpAttribute,
    /// The direction attributes stay as they are.
    OriginalSendrecv,
    /// Something is sent at once, to open a NAT's binding.
    PierceNat,
    /// Ports stay whatever the remote does.
    PortLatching,
    /// The answer is one to a provisional response, whatever its code.
    Provisional,
    /// A recording is paused, not stopped.
    Pause,
    /// SRTP is decrypted and encrypted even between equal keys.
    Recrypt,
    /// ICE that is offered is refused.
    RejectIce,
    /// What was learned of the endpoints is forgotten.
    Reset,
    /// Codecs that were agreed stay preferred.
    ReuseCodecs,
    /// An answer keeps its first codec only.
    SingleCodec,
    /// Addresses in the SDP are ignored for the one that the SIP message came from.
    SipSourceAddress,
    /// A re-offer does not change the codecs towards the other side.
    StaticCodecs,
    /// Packets from elsewhere than the learned address are dropped.
    StrictSource,
    /// Header extensions are left out of the SDP.
    StripExtmap,
    /// The peer's address is learned from its packets: the default.
    Symmetric,
    /// A delete honours its to-tag.
    ToTag,
    /// Trickle ICE is offered (RFC 8840).
    TrickleIce,
    /// Addresses in the SDP are believed: the default.
    TrustAddress,
    /// One-way media is relayed by the fast path also.
    Unidirectional,
}

/// The flags' names; where one has several, all of them.
const NAMES: [(&str, Flag); 45] = [
    ("all", Flag::All),
    ("allow-asymmetric-codecs", Flag::AllowAsymmetricCodecs),
    ("allow-asymmetric-codec", Flag::AllowAsymmetricCodecs),
    ("always-transcode", Flag::AlwaysTranscode),
    ("asymmetric", Flag::Asymmetric),
    ("block-dtmf", Flag::BlockDtmf),
    ("detect-dtmf", Flag::DetectDtmf),
    ("directional", Flag::Directional),
    ("fatal", Flag::Fatal),
    ("fast", Flag::Fast),
    ("force-transcoding", Flag::ForceTranscoding),
    ("fragment", Flag::Fragment),
    ("full-rtcp-attribute", Flag::FullRtcpAttribute),
    ("full-rtcp-attr", Flag::FullRtcpAttribute),
    ("generate-mid", Flag::GenerateMid),
    ("inject-dtmf", Flag::InjectDtmf),
    ("loop-protect", Flag::LoopProtect),
    ("media-handover", Flag::MediaHandover),
    ("nat-wait", Flag::NatWait),
    ("no-codec-renegotiation", Flag::ReuseCodecs),
    ("no-port-latching", Flag::NoPortLatching),
    ("no-rtcp-attribute", Flag::NoRtcpAttribute),
    ("no-rtcp-attr", Flag::NoRtcpAttribute),
    ("original-sendrecv", Flag::OriginalSendrecv),
    ("pause", Flag::Pause),
    ("pierce-nat", Flag::PierceNat),
    ("port-latching", Flag::PortLatching),
    ("provisional", Flag::Provisional),
    ("recrypt", Flag::Recrypt),
    ("reject-ice", Flag::RejectIce),
    ("reset", Flag::Reset),
    ("reuse-codec", Flag::ReuseCodecs),
    ("reuse-codecs", Flag::ReuseCodecs),
    ("single-codec", Flag::SingleCodec),
    ("sip-source-address", Flag::SipSourceAddress),
    ("static-codec", Flag::StaticCodecs),
    ("static-codecs", Flag::StaticCodecs),
    ("strict-source", Flag::StrictSource),
    ("strip-extmap", Flag::StripExtmap),
    ("symmetric", Flag::Symmetric),
    ("to-tag", Flag::ToTag),
    ("trickle-ice", Flag::TrickleIce),
    ("trickle", Flag::TrickleIce),
    ("trust-address", Flag::TrustAddress),
    ("unidirectional", Flag::Unidirectional),
];

/// A set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u64);

impl Flags {
    /// Whether this one is there.
    pub fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// Adds one.
    pub fn insert(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u8;
    }
}

const _: () = assert!((Flag::Unidirectional as u8) < u64::BITS as u8);

/// The flag with this name.
pub(super) fn find(word: &str) -> Option<Flag> {
    NAMES.iter().find(|(name, _)| same(name, word)).map(|(_, flag)| *flag)
}
