//! By which way digits reach a party, and by which its own come.

use super::{Media, index};
use crate::sdp::Kind;
use crate::settings::DtmfMethod;
use tandem_control::{Digits, Side};

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

impl Media {
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
    pub(super) fn detects_tones(&self, side: Side) -> bool {
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
}
