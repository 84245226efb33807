//! Session timers (RFC 4028): a call whose peer is gone ends by itself.

use super::call::{Stage, set_sdp};
use super::offer::glare_delay;
use super::outgoing::{Outcome, Purpose};
use super::{CallHandle, UserAgent};
use crate::party::Cause;
use crate::sip::transaction::earliest;
use crate::sip::{HeaderName, Headers, Method, Refresher, Request, Response, SessionExpires};
use std::time::{Duration, Instant};

/// Before expiry the session is given up so early (section 10), or a third of the interval if that is less.
const GIVE_UP_BEFORE: Duration = Duration::from_secs(32);
/// A refresh that could not be made is tried again after so long.
const RETRY: Duration = Duration::from_secs(5);

/// The timer of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SessionTimer {
    /// `None`: the session does not expire.
    interval: Option<Duration>,
    we_refresh: bool,
    refresh_at: Option<Instant>,
    expire_at: Option<Instant>,
    /// A re-INVITE of ours that refreshes is on its way.
    reinviting: bool,
}

impl SessionTimer {
    fn start(&mut self, now: Instant, interval: Duration, we_refresh: bool) {
        self.interval = Some(interval);
        self.we_refresh = we_refresh;
        self.refresh_at = we_refresh.then(|| now + interval / 2);
        self.expire_at = Some(now + interval - GIVE_UP_BEFORE.min(interval / 3));
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        earliest(self.refresh_at, self.expire_at)
    }

    pub(super) fn is_refreshing(&self) -> bool {
        self.reinviting
    }

    /// Takes the Min-SE of a 422. False: there is nothing to be changed.
    pub(super) fn lengthen(&mut self, headers: &Headers) -> bool {
        let Ok(Some(minimum)) = headers.min_se() else { return false };
        let minimum = Duration::from_secs(u64::from(minimum));
        match &mut self.interval {
            Some(interval) if *interval < minimum => {
                *interval = minimum;
                true
            }
            _ => false,
        }
    }
}

impl UserAgent {
    /// What a 2xx to a request of the client's says; `we_are_client`: it was ours.
    pub(super) fn note_session(
        &mut self,
        now: Instant,
        call: CallHandle,
        headers: &Headers,
        we_are_client: bool,
    ) {
        let Some(each) = self.calls.get_mut(&call) else { return };
        match headers.session_expires() {
            Ok(Some(interval)) => {
                let client_refreshes = interval.refresher != Some(Refresher::Uas);
                // A peer that answers with less than any peer may ask for (section 5) is not followed.
                let seconds = u64::from(interval.seconds).max(90);
                each.session.start(now, Duration::from_secs(seconds), client_refreshes == we_are_client);
            }
            _ => each.session = SessionTimer::default(),
        }
    }

    /// The server's side: puts Session-Expires into a 2xx (section 9).
    pub(super) fn grant_session(&mut self, now: Instant, call: CallHandle, id: u64, response: &mut Response) {
        let Some(headers) = self.incoming.get(&id).map(|incoming| &incoming.request.headers) else { return };
        let (asked, client_supports) = (headers.session_expires().ok().flatten(), headers.supports("timer"));
        let minimum = headers.min_se().ok().flatten().unwrap_or(0);
        let own = u32::try_from(self.settings.session_expires.as_secs()).unwrap_or(u32::MAX);
        let own_minimum = u32::try_from(self.settings.min_session_expires.as_secs()).unwrap_or(u32::MAX);
        let (seconds, refresher) = match asked {
            // Table 2: a client that does not know the extension does not refresh.
            Some(_) if !client_supports => (asked.map_or(own, |each| each.seconds), Refresher::Uas),
            Some(asked) => (asked.seconds, asked.refresher.unwrap_or(Refresher::Uac)),
            None if client_supports => (own, Refresher::Uas),
            None => return,
        };
        let seconds = seconds.max(minimum).max(own_minimum);
        response
            .headers
            .push(HeaderName::SessionExpires, SessionExpires { seconds, refresher: Some(refresher) });
        if refresher == Refresher::Uac {
            response.headers.push(HeaderName::Require, "timer");
        }
        let headers = response.headers.clone();
        self.note_session(now, call, &headers, false);
    }

    /// The client's side, inside a dialog: keeps the interval and the roles (section 7.4).
    pub(super) fn ask_session(&self, call: CallHandle, request: &mut Request) {
        let Some(session) = self.calls.get(&call).map(|each| each.session) else { return };
        if let Some(interval) = session.interval {
            let refresher = Some(if session.we_refresh { Refresher::Uac } else { Refresher::Uas });
            let seconds = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
            request.headers.push(HeaderName::SessionExpires, SessionExpires { seconds, refresher });
            request.headers.push(HeaderName::MinSe, self.settings.min_session_expires.as_secs());
        }
    }

    pub(super) fn session_timeout(&mut self, now: Instant, call: CallHandle) {
        let Some(each) = self.calls.get_mut(&call).filter(|each| each.is_ended.is_none()) else { return };
        if each.session.expire_at.is_some_and(|at| now >= at) {
            return self.drop_call(now, call, Cause::new(408, "Session expired"));
        }
        if each.session.refresh_at.is_none_or(|at| now < at) {
            return;
        }
        let is_busy = each.stage != Stage::Established
            || !each.offers.is_idle()
            || each.ack_waits.is_some()
            || each.unacknowledged.is_some();
        each.session.refresh_at = is_busy.then(|| now + RETRY);
        if !is_busy {
            self.send_refresh(now, call);
        }
    }

    /// By UPDATE, which needs no description, or by a re-INVITE with the same one (section 7.4).
    fn send_refresh(&mut self, now: Instant, call: CallHandle) {
        let Some(each) = self.calls.get_mut(&call) else { return };
        let by_update = each.peer.allows_update;
        let sdp = each.local_sdp.clone().filter(|_| !by_update);
        each.session.reinviting = !by_update;
        let method = if by_update { Method::Update } else { Method::Invite };
        let Some(mut draft) = self.draft(call, method, Purpose::Refresh(call)) else { return };
        self.ask_session(call, &mut draft.request);
        if let Some(sdp) = sdp {
            set_sdp(&mut draft.request.headers, &mut draft.request.body, sdp);
        }
        self.send_request(now, draft);
    }

    pub(super) fn refresh_outcome(&mut self, now: Instant, id: u64, call: CallHandle, outcome: Outcome) {
        if let Outcome::Response(response) = &outcome {
            if response.is_provisional() {
                return;
            }
            if response.is_success() {
                if self.acknowledge_reinvite(now, id, call, response) {
                    self.refreshed(now, call, response);
                }
                return self.schedule_call(call);
            }
        }
        let cause = outcome.cause();
        let Some(each) = self.calls.get_mut(&call) else { return };
        let by_update = !std::mem::take(&mut each.session.reinviting);
        let mut retry = RETRY;
        match cause.status {
            408 | 481 => return self.drop_call(now, call, cause),
            491 => retry = glare_delay(&mut self.dice, each.is_caller),
            // A re-INVITE takes over at once.
            405 | 501 if by_update => {
                each.peer.allows_update = false;
                retry = Duration::ZERO;
            }
            422 => {
                if let Outcome::Response(response) = &outcome {
                    each.session.lengthen(&response.headers);
                }
            }
            _ => {}
        }
        // Any other refusal leaves the session as it is until it expires (section 7.4).
        each.session.refresh_at = Some(now + retry);
        self.schedule_call(call);
    }

    fn refreshed(&mut self, now: Instant, call: CallHandle, response: &Response) {
        if let Some(each) = self.calls.get_mut(&call) {
            each.session.reinviting = false;
            if let Some(dialog) = each.dialog_mut() {
                dialog.refresh_target(&response.headers);
            }
        }
        self.note_session(now, call, &response.headers, true);
    }
}
