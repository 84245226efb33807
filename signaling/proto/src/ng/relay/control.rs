//! `block media` and its like.

use super::dataplane::Purpose;
use super::operation::Asker;
use super::play::NOBODY;
use super::{Relay, leg::Leg};
use crate::ng::Reply;
use crate::ng::request::{Action, Control, DtmfSecurity, Party};
use std::time::Instant;
use tandem_control::{DigitSound, Request, SessionId, Side, Source, ToneStep, Tones, Treatment};

/// Beside [`DtmfSecurity::Silence`].
const SILENCE_IS_DROP: &str =
    "NG: DTMF-security=silence is carried out as drop: nothing is sent while the key is pressed";
/// Nobody waits for the end of a tone.
const TONE_ID: u32 = u32::MAX;

impl Relay {
    /// Changes what is forwarded of a call.
    pub(super) fn control(&mut self, now: Instant, asker: Asker, control: &Control) {
        let key = self.by_id.get(control.names.call_id.as_str()).copied();
        let Some(key) = key else {
            return self.reply(&asker, &Relay::unknown_call(&control.names));
        };
        if control.action == Action::BlockDtmf(DtmfSecurity::Silence) {
            self.warn_once(SILENCE_IS_DROP);
        }
        let Some(call) = self.calls.get_mut(&key) else { return };
        let mut is_found = false;
        let mut requests = Vec::new();
        for dialogue in &mut call.dialogues {
            for side in [Side::A, Side::B] {
                if dialogue.is_meant(side, &control.party) {
                    is_found = true;
                    let media = dialogue.sections.iter_mut().flatten();
                    media.for_each(|media| media.change(side, |leg| apply(leg, control)));
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
            return self.reply(&asker, &Reply::Error(NOBODY.to_owned()));
        }
        self.carry_out_all(now, key, asker, requests);
    }

    /// A key was pressed by a party whose digits are blocked: what the other one hears in its place.
    pub(super) fn digit_pressed(
        &mut self,
        now: Instant,
        session: SessionId,
        side: Side,
        (event, duration_ms): (u8, u16),
    ) {
        let call = self.sessions.get(&session).and_then(|key| self.calls.get(key));
        let media = call.and_then(|call| {
            let sections = call.dialogues.iter().flat_map(|dialogue| dialogue.sections.iter().flatten());
            sections.into_iter().find(|media| media.session == Some(session))
        });
        let Some(security) = media.and_then(|media| media.leg(side).dtmf_security) else { return };
        let side = side.other();
        let sound = DigitSound::default();
        let digit = |event: u8| Request::PlayDigit { session, side, event, duration_ms, sound };
        let request = match security {
            DtmfSecurity::Digit(event) => digit(event),
            DtmfSecurity::Random => {
                let mut random = [0];
                (self.random)(&mut random);
                // Any but the one that was pressed.
                digit((event + 1 + random[0] % 15) % 16)
            }
            DtmfSecurity::Tone(frequency) => {
                let step = ToneStep { hertz: [frequency, 0], on_ms: duration_ms, off_ms: 0 };
                let source = Source::Tone(Tones { steps: vec![step] });
                Request::Play { session, side, source, times: 1, id: TONE_ID }
            }
            DtmfSecurity::Drop | DtmfSecurity::Silence | DtmfSecurity::Off => return,
        };
        self.ask(now, request, Purpose::Other);
    }
}

fn apply(leg: &mut Leg, control: &Control) {
    // What was done to one party alone is not undone for all, unless that is said.
    let is_alone = control.party != Party::All;
    let undoes = |was_alone: bool| is_alone || control.for_all || !was_alone;
    let mut treat = |treatment| (leg.speech, leg.is_treated_alone) = (treatment, is_alone);
    match control.action {
        Action::BlockMedia => treat(Treatment::Blocked),
        Action::SilenceMedia => treat(Treatment::Silenced),
        Action::UnblockMedia if leg.speech == Treatment::Blocked && undoes(leg.is_treated_alone) => {
            leg.speech = Treatment::Passed;
        }
        Action::UnsilenceMedia if leg.speech == Treatment::Silenced && undoes(leg.is_treated_alone) => {
            leg.speech = Treatment::Passed;
        }
        Action::UnblockMedia | Action::UnsilenceMedia => {}
        Action::BlockDtmf(security) => {
            leg.block_digits(security);
            leg.is_blocked_alone = is_alone;
        }
        Action::UnblockDtmf if undoes(leg.is_blocked_alone) => leg.dtmf_security = None,
        Action::UnblockDtmf => {}
    }
}
