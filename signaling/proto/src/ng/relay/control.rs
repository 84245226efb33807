//! `block media` and its like.

use super::call::Dialogue;
use super::dataplane::Purpose;
use super::media::index;
use super::operation::{Asker, Task};
use super::{Relay, leg::Leg};
use crate::ng::Reply;
use crate::ng::request::{Action, Control, DtmfSecurity, Party};
use std::time::Instant;
use tandem_control::{Request, Side, Treatment};

impl Relay {
    /// Changes what is forwarded of a call.
    pub(super) fn control(&mut self, now: Instant, asker: Asker, control: &Control) {
        let key = self.by_id.get(control.names.call_id.as_str()).copied();
        let Some(key) = key else {
            return self.reply(&asker, &Relay::unknown_call(&control.names));
        };
        if let Action::BlockDtmf(security) = control.action
            && !matches!(security, DtmfSecurity::Drop | DtmfSecurity::Off)
        {
            self.warn_once("NG: blocked DTMF is dropped: nothing else takes its place yet");
        }
        let Some(call) = self.calls.get_mut(&key) else { return };
        let mut is_found = false;
        let mut requests = Vec::new();
        for dialogue in &mut call.dialogues {
            for side in [Side::A, Side::B] {
                if is_meant(dialogue, side, &control.party) {
                    is_found = true;
                    let media = dialogue.sections.iter_mut().flatten();
                    media.for_each(|media| media.change(side, |leg| apply(leg, control.action)));
                }
            }
            for media in dialogue.sections.iter().flatten() {
                let legs = Box::new(media.configs());
                let Some(session) = media.session.filter(|_| legs.iter().any(Option::is_some)) else {
                    continue;
                };
                requests.push(Request::Configure { session, legs, note: None });
            }
        }
        if !is_found {
            return self.reply(&asker, &Reply::Error("no party of the call is meant by this".to_owned()));
        }
        self.begin(key, asker, Task::Control, requests.len());
        if requests.is_empty() {
            return self.complete(now, key);
        }
        for request in requests {
            self.ask(now, request, Purpose::Step(key));
        }
    }
}

fn is_meant(dialogue: &Dialogue, side: Side, party: &Party) -> bool {
    match party {
        Party::All => true,
        Party::Tag(tag) => dialogue.side_of(tag) == Some(side),
        Party::Label(label) => dialogue.parties[index(side)].label.as_deref() == Some(label),
        Party::Address(ip) => dialogue
            .sections
            .iter()
            .flatten()
            .any(|media| media.leg(side).place.remote.is_some_and(|remote| remote.rtp.ip() == *ip)),
    }
}

fn apply(leg: &mut Leg, action: Action) {
    match action {
        Action::BlockMedia => leg.speech = Treatment::Blocked,
        Action::SilenceMedia => leg.speech = Treatment::Silenced,
        Action::UnblockMedia if leg.speech == Treatment::Blocked => leg.speech = Treatment::Passed,
        Action::UnsilenceMedia if leg.speech == Treatment::Silenced => leg.speech = Treatment::Passed,
        Action::UnblockMedia | Action::UnsilenceMedia => {}
        Action::BlockDtmf(security) => leg.events_blocked = security != DtmfSecurity::Off,
        Action::UnblockDtmf => leg.events_blocked = false,
    }
}
