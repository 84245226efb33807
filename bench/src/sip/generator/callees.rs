//! What callees do: ring, answer, and follow the caller.

use super::{End, Event, Generator, key_of, sdp};
use std::cmp::Reverse;
use std::time::{Duration, Instant};

impl Generator {
    pub(super) fn on_callee_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Incoming { call, sdp, .. } => self.on_incoming(now, call, sdp.as_deref()),
            Event::Offered { call, sdp } => self.on_offer(now, End::Callee, call, sdp.as_deref()),
            Event::Message { .. } => self.report.messages += 1,
            Event::Ended { call, .. } => self.forget(key_of(End::Callee, call)),
            _ => {}
        }
    }

    fn on_incoming(&mut self, now: Instant, call: u32, offer: Option<&str>) {
        let key = key_of(End::Callee, call);
        self.report.incoming += 1;
        let is_open = self.open_leg(now, key).is_some();
        // RFC 3261 section 21.4.26: 488 says that the description cannot be used.
        let refusal = match (is_open, self.aim(key, offer)) {
            (false, _) => Some(503),
            (true, None) => Some(488),
            (true, Some(_)) => None,
        };
        let Some(side) = &mut self.callees else { return };
        if let Some(status) = refusal {
            side.agent.refuse(now, call, status);
            return;
        }
        self.media.mute(key, true);
        if self.options.ring == 0 {
            return self.pick_up(now, key);
        }
        side.agent.ring(now, call);
        self.timers.push(Reverse((now + Duration::from_millis(self.options.ring), key)));
    }

    /// Answers a call.
    pub(super) fn pick_up(&mut self, now: Instant, key: u64) {
        let Some(answer) = self.describe(key, sdp::Direction::SendReceive) else { return };
        self.media.mute(key, false);
        if let Some(side) = &mut self.callees {
            side.agent.answer(now, key as u32, &answer);
        }
    }

    /// Answers an offer in a call.
    pub(super) fn on_offer(&mut self, now: Instant, end: End, call: u32, offer: Option<&str>) {
        let key = key_of(end, call);
        // An INVITE without an offer wants ours (RFC 3261 section 13.2.1).
        let direction = self.aim(key, offer).map_or(sdp::Direction::SendReceive, sdp::Direction::answer);
        let Some(answer) = self.describe(key, direction) else { return };
        if let Some(side) = self.side(end) {
            side.agent.answer(now, call, &answer);
        }
    }
}
