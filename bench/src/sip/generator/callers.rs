//! What callers do: the scenarios.

use super::{Cause, End, Event, Generator, key_of, sdp};
use crate::sip::options::{Role, Scenario, Sound};
use sdp::Direction;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

impl Generator {
    /// Begins the calls that are due.
    pub(super) fn place_due(&mut self, now: Instant) {
        while self.begun < self.options.calls
            && self.report.open() < self.options.limit as u64
            && self.pace.take(now).is_some()
        {
            let index = self.begun as usize;
            self.begun += 1;
            self.report.start(now);
            if self.options.scenario == Scenario::Message {
                self.send_message(now, index);
            } else {
                self.place(now, index);
            }
        }
    }

    /// Whom the caller of call number `index` calls.
    fn target(&self, index: usize) -> String {
        let default = || format!("callee{}", index % self.options.users.max(1));
        self.options.target.clone().unwrap_or_else(default)
    }

    fn send_message(&mut self, now: Instant, index: usize) {
        let target = self.target(index);
        let user = index % self.options.users.max(1);
        self.sent_messages.insert(user, now);
        if let Some(side) = &mut self.callers {
            side.agent.message(now, user, &target, "The quick brown fox jumps over the lazy dog.");
        }
    }

    fn place(&mut self, now: Instant, index: usize) {
        let target = self.target(index);
        let user = index % self.options.users.max(1);
        // The agent gives the number, but the socket must be there before: it is opened under the next number.
        let Some(call) = self.callers.as_ref().map(|side| side.agent.upcoming_call()) else { return };
        let key = key_of(End::Caller, call);
        if self.open_leg(now, key).is_none() {
            return self.report.finish("call", Cause::Full);
        }
        let Some(offer) = self.describe(key, Direction::SendReceive) else { return };
        let Some(side) = &mut self.callers else { return };
        if let Err(cause) = side.agent.call(now, user, &target, &offer) {
            self.forget(key);
            return self.report.finish("call", cause);
        }
        if self.options.scenario == Scenario::Cancel {
            // About when the callee answers: some CANCELs come before the 200, some cross it.
            let after = Duration::from_millis(fastrand::u64(..=2 * self.options.ring.max(2)));
            self.timers.push(Reverse((now + after, key)));
        }
    }

    /// The next step of a call's scenario.
    pub(super) fn caller_step(&mut self, now: Instant, key: u64) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        leg.step += 1;
        let (step, hold) = (leg.step, self.options.hold());
        let call = key as u32;
        match (self.options.scenario, step) {
            (Scenario::Cancel, 1) if !leg.answered => {
                if let Some(side) = &mut self.callers {
                    side.agent.cancel(now, call);
                }
            }
            (Scenario::Reinvite, 1) => self.reinvite(now, key, Direction::SendReceive, hold / 2),
            (Scenario::Hold, 1) => self.reinvite(now, key, Direction::SendOnly, hold / 3),
            (Scenario::Hold, 2) => self.reinvite(now, key, Direction::SendReceive, hold / 3),
            (Scenario::Transfer, 1) => {
                let target = self.target(call as usize);
                if let Some(side) = &mut self.callers {
                    side.agent.refer(now, call, &target);
                }
                self.timers.push(Reverse((now + hold / 2, key)));
            }
            _ => {
                if let Some(side) = &mut self.callers {
                    side.agent.bye(now, call);
                }
            }
        }
    }

    fn reinvite(&mut self, now: Instant, key: u64, direction: Direction, next: Duration) {
        let Some(offer) = self.describe(key, direction) else { return };
        if let Some(side) = &mut self.callers {
            side.agent.reinvite(now, key as u32, &offer);
        }
        self.timers.push(Reverse((now + next, key)));
    }

    pub(super) fn on_caller_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Progress { call, sdp } => {
                let key = key_of(End::Caller, call);
                if let Some(leg) = self.legs.get_mut(&key).filter(|leg| !leg.rang) {
                    leg.rang = true;
                    self.report.ringing.record(now - leg.started);
                }
                // Early media.
                self.aim(key, sdp.as_deref());
            }
            Event::Answered { call, sdp } => self.on_answered(now, key_of(End::Caller, call), sdp.as_deref()),
            Event::Reanswered { call, sdp } => {
                let key = key_of(End::Caller, call);
                self.report.reanswered += 1;
                if self.aim(key, sdp.as_deref()).is_none() {
                    self.fault(key, "re-INVITE", Cause::Description);
                }
            }
            Event::Offered { call, sdp } => self.on_offer(now, End::Caller, call, sdp.as_deref()),
            Event::Refused { call, cause } => {
                let what = if self.options.scenario == Scenario::Transfer { "transfer" } else { "re-INVITE" };
                self.fault(key_of(End::Caller, call), what, cause);
            }
            Event::Referred { .. } => self.report.referred += 1,
            Event::Delivered { user } => {
                let sent = self.sent_messages.get(&user);
                sent.into_iter().for_each(|sent| self.report.answered.record(now - *sent));
                self.report.finish("message", Cause::LocalBye);
            }
            Event::NotDelivered { cause, .. } => self.report.finish("message", cause),
            Event::Ended { call, cause } => self.on_caller_ended(key_of(End::Caller, call), cause),
            _ => {}
        }
    }

    fn on_answered(&mut self, now: Instant, key: u64, sdp: Option<&str>) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        leg.answered = true;
        self.report.answered.record(now - leg.started);
        if self.aim(key, sdp).is_none() {
            self.fault(key, "call", Cause::Description);
        }
        let hold = self.options.hold();
        let first = match self.options.scenario {
            Scenario::Basic | Scenario::Message => hold,
            Scenario::Reinvite | Scenario::Transfer => hold / 2,
            Scenario::Hold => hold / 3,
            Scenario::Cancel => return,
        };
        self.timers.push(Reverse((now + first, key)));
    }

    fn on_caller_ended(&mut self, key: u64, cause: Cause) {
        let Some(leg) = self.legs.remove(&key) else { return };
        let heard = self.media.close(key);
        // A cancelled call may have been answered for too short a time.
        let expects_media =
            leg.answered && self.options.scenario != Scenario::Cancel && self.options.media != Sound::None;
        // Echo needs somebody who speaks: alone, the callers' own packets are what must come back.
        let expects_media =
            expects_media && !(self.options.media == Sound::Echo && self.options.role == Role::Both);
        match leg.fault {
            Some((what, fault)) => self.report.finish(what, fault),
            None if cause.is_success() && expects_media && heard != Some(true) => {
                self.report.finish("call", Cause::NoMedia);
            }
            None if cause == Cause::RemoteBye && self.options.scenario == Scenario::Basic => {
                self.report.finish("hung up by the peer", Cause::RemoteBye);
            }
            None => self.report.finish("call", cause),
        }
    }

    fn fault(&mut self, key: u64, what: &'static str, cause: Cause) {
        if let Some(leg) = self.legs.get_mut(&key) {
            leg.fault.get_or_insert((what, cause));
        }
    }
}
