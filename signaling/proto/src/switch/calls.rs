//! The calls that there are, and the way between them, the user agent, the browsers and the dataplane.

mod names;
mod plan;
mod table;

pub(super) use plan::{CallId, Callee, Endpoint, Party, Plan, Target};
pub(super) use table::Calls;

use super::browsers::BrowserId;
use super::dataplane::Purpose;
use super::{Switch, Timer};
use crate::call::{Action, Call, MediaRules, Moved, Setup, TakesInfo, Who};
use crate::party::{Cause, DigitFormat, Shortage, Signal};
use crate::sip::user_agent::{CallHandle, Invite};
use crate::sip::{HeaderName, Uri};
use std::time::Instant;
use table::Entry;
use tandem_control::{
    DigitSound, EventKind, LegConfig, LocalPorts, MAX_NOTE, Refusal, Request, SessionId, Side, Source,
    StreamPorts,
};

impl Switch {
    /// Whether one more call may begin, whoever makes it.
    pub(super) fn admit_more(&self) -> Result<(), Cause> {
        if self.dataplane.hello().is_none() {
            return Err(Cause::new(503, "The media server is not available"));
        }
        if self.calls.len() >= self.settings.limits.calls {
            return Err(Cause::short_of(Shortage::Calls, 503, "The limit of calls is reached"));
        }
        Ok(())
    }

    /// Whether a call of these users may begin, or the cause for which it may not. Whoever transfers a call gives one up
    /// for it, and is not named.
    pub(super) fn admit(&self, caller: Option<&str>, callee: Option<&str>) -> Result<(), Cause> {
        self.admit_more()?;
        let limits = &self.settings.limits;
        if caller.is_some_and(|caller| self.calls.of_user(caller) >= limits.calls_per_user) {
            return Err(Cause::short_of(Shortage::Calls, 403, "Your limit of calls is reached"));
        }
        if callee.is_some_and(|callee| self.calls.of_user(callee) >= limits.calls_per_user) {
            return Err(Cause::new(486, "Busy Here"));
        }
        Ok(())
    }

    /// What all media has in common; `None`: there is no dataplane.
    pub(super) fn media_rules(&self) -> Option<MediaRules> {
        let hello = self.dataplane.hello()?;
        Some(MediaRules {
            advertised: self.settings.advertised.clone(),
            local: hello.addresses.clone(),
            allow_local: self.settings.providers.allow_private,
            fingerprint: hello.fingerprint,
            tones: self.settings.tones,
        })
    }

    /// Begins a call.
    pub(super) fn start_call(&mut self, now: Instant, caller: Endpoint, plan: Plan) -> Result<(), Cause> {
        self.counters.calls_attempted += 1;
        let result = self.place_call(now, caller, plan, None);
        if let Err(cause) = &result {
            *self.counters.calls_failed.entry(cause.status).or_default() += 1;
        }
        result
    }

    /// Makes a call. A place in it may be `awaited`: somebody of another call takes it later.
    pub(super) fn place_call(
        &mut self,
        now: Instant,
        caller: Endpoint,
        mut plan: Plan,
        awaited: Option<(Who, Moved)>,
    ) -> Result<(), Cause> {
        let Some(rules) = self.media_rules() else {
            return Err(Cause::new(503, "The media server is not available"));
        };
        let call = Call::new(
            now,
            Setup {
                rules,
                caller: plan.caller_media.clone(),
                offer: plan.offer.clone(),
                callees: plan.callees.iter().map(|callee| callee.media.clone()).collect(),
                ring: self.settings.timers.ring,
                awaited,
            },
        )?;
        self.calls.last_id += 1;
        let id = CallId(self.calls.last_id);
        let [_, callee] = &mut plan.remotes;
        *callee = self.called_remote(&plan.callees, &plan.from, &plan.to);
        for user in plan.users.iter().flatten().chain(&plan.payers) {
            self.calls.by_user.insert(user, id);
        }
        for remote in plan.remotes.iter().flatten() {
            self.calls.by_remote.insert(remote, id);
        }
        if caller.is_somebody() {
            self.calls.by_endpoint.insert(caller.clone(), (id, Who::Caller));
        }
        let rung = plan.callees.iter().enumerate().filter_map(|(branch, callee)| match callee.target {
            Target::Awaited(from) => Some((branch, Endpoint::Awaited(from))),
            _ => None,
        });
        let rung = rung.collect();
        let timer = call.next_timeout();
        self.timers.extend(timer.map(|at| (at, Timer::Call(id))));
        self.calls.entries.insert(id, Entry { call, caller, plan, rung, page_dialog: None, timer });
        self.run(now, id);
        Ok(())
    }

    /// Tells a call something, and does what it wants then.
    pub(super) fn with_call(
        &mut self,
        now: Instant,
        id: CallId,
        tell: impl FnOnce(&mut Call, crate::sdp::Random<'_>),
    ) {
        if let Some(entry) = self.calls.entries.get_mut(&id) {
            tell(&mut entry.call, &mut *self.random);
            self.run(now, id);
        }
    }

    /// An endpoint signals.
    pub(super) fn endpoint_signal(&mut self, now: Instant, endpoint: &Endpoint, signal: Signal) {
        if let Some((id, who)) = self.calls.by_endpoint.get(endpoint).copied() {
            if matches!(signal, Signal::Hangup(_)) && self.transferor_leaves(now, id, who) {
                return;
            }
            let Some(signal) = self.unless_picked_up(id, who, signal) else { return };
            self.with_call(now, id, |call, random| call.signal(now, who, signal, random));
        }
    }

    /// An endpoint wants video, and makes no offer.
    pub(super) fn endpoint_wants_video(&mut self, now: Instant, endpoint: &Endpoint) -> Result<(), Cause> {
        let Some((id, who)) = self.calls.by_endpoint.get(endpoint).copied() else {
            return Err(Cause::new(481, "There is no such call"));
        };
        let mut result = Ok(());
        self.with_call(now, id, |call, random| result = call.want_video(who, random));
        result
    }

    /// Gives a digit of this endpoint to the other side, by a message if that is asked for.
    pub(super) fn endpoint_digit(
        &mut self,
        now: Instant,
        endpoint: &Endpoint,
        digit: char,
        by_message: Option<DigitFormat>,
    ) {
        if let Some((id, who)) = self.calls.by_endpoint.get(endpoint).copied() {
            self.with_call(now, id, |call, _| call.send_digit(who, digit, DIGIT_MS, by_message));
        }
    }

    pub(super) fn sip_signal(&mut self, now: Instant, call: CallHandle, signal: Signal) {
        let endpoint = Endpoint::Sip(call);
        if self.user_agent.allows_info(call)
            && let Some((id, who)) = self.calls.by_endpoint.get(&endpoint).copied()
            && let Some(entry) = self.calls.entries.get_mut(&id)
        {
            entry.call.note_info(who, TakesInfo::Allowed);
        }
        self.endpoint_signal(now, &endpoint, signal);
    }

    /// The user agent is done with a call: for the other party that is a hang-up, if nothing was said before.
    pub(super) fn sip_ended(&mut self, now: Instant, call: CallHandle) {
        let endpoint = Endpoint::Sip(call);
        self.endpoint_signal(now, &endpoint, Signal::Hangup(Cause::normal()));
        self.calls.by_endpoint.remove(&endpoint);
    }

    pub(super) fn session_created(
        &mut self,
        now: Instant,
        id: CallId,
        branch: usize,
        session: SessionId,
        local: [LocalPorts; 2],
    ) {
        if !self.calls.entries.contains_key(&id) {
            return self.delete_session(now, session);
        }
        self.calls.by_session.insert(session, id);
        self.with_call(now, id, |call, random| call.created(branch, session, local, random));
    }

    pub(super) fn session_refused(&mut self, now: Instant, id: CallId, branch: usize, refusal: &Refusal) {
        self.with_call(now, id, |call, _| call.refused(branch, refusal));
    }

    /// A leg was given ports for video, or not.
    pub(super) fn video_added(
        &mut self,
        now: Instant,
        session: SessionId,
        side: Side,
        ports: Option<StreamPorts>,
    ) {
        if let Some(id) = self.calls.by_session.get(&session).copied() {
            self.with_call(now, id, |call, random| call.video_added(now, session, side, ports, random));
        }
    }

    pub(super) fn configuration_refused(&mut self, now: Instant, session: SessionId, refusal: &Refusal) {
        if let Some(id) = self.calls.by_session.get(&session).copied() {
            self.with_call(now, id, |call, _| call.configuration_refused(session, refusal));
        }
    }

    /// The dataplane no longer has a session.
    pub(super) fn session_lost(&mut self, now: Instant, session: SessionId, cause: Cause) {
        if let Some(stream) = self.streams.by_session(session) {
            return self.stream_lost(now, stream);
        }
        if let Some(id) = self.calls.by_session.get(&session).copied() {
            self.with_call(now, id, |call, _| call.media_failed(session, cause));
        }
    }

    pub(super) fn media_event(&mut self, now: Instant, session: SessionId, kind: &EventKind) {
        if let Some(stream) = self.streams.by_session(session) {
            return self.stream_event(now, stream, kind);
        }
        let Some(id) = self.calls.by_session.get(&session).copied() else { return };
        // A browser whose connection is broken too may come back to its call.
        if let EventKind::ConsentLost { side } = kind
            && let Some((browser, _)) = self.browser_at(id, *side)
            && self.may_return(now, browser)
        {
            return;
        }
        match kind {
            EventKind::PictureSize { side, size } => self.tell_picture_size(id, session, *side, *size),
            kind => self.with_call(now, id, |call, _| call.media_event(now, session, kind)),
        }
    }

    /// The browser on one side of a call, and the identifier that the call has there.
    pub(super) fn browser_at(&self, id: CallId, side: Side) -> Option<(BrowserId, String)> {
        let entry = self.calls.entries.get(&id)?;
        let endpoint = match entry.call.who(side) {
            Who::Caller => Some(&entry.caller),
            Who::Callee(branch) => entry.rung.get(&branch),
        };
        match endpoint? {
            Endpoint::Browser(browser, call_id) => Some((*browser, call_id.clone())),
            _ => None,
        }
    }

    pub(super) fn call_timeout(&mut self, now: Instant, id: CallId) {
        self.with_call(now, id, |call, random| call.handle_timeout(now, random));
    }

    /// Does what a call wants, and forgets it when it is over.
    fn run(&mut self, now: Instant, id: CallId) {
        while let Some(action) = self.calls.entries.get_mut(&id).and_then(|entry| entry.call.poll_action()) {
            self.act(now, id, action);
        }
        let Some(entry) = self.calls.entries.get_mut(&id) else { return };
        for user in entry.plan.users.iter().flatten() {
            self.watchers.note_calls(user);
        }
        if let Some(cause) = entry.call.ended().cloned() {
            self.forget(id);
            return self.transfers_end(now, id, &cause);
        }
        let at = entry.call.next_timeout();
        let before = std::mem::replace(&mut entry.timer, at);
        if at != before {
            before.map(|at| self.timers.remove(&(at, Timer::Call(id))));
            self.timers.extend(at.map(|at| (at, Timer::Call(id))));
        }
        self.go_on_with_transfers(now, id);
    }

    fn act(&mut self, now: Instant, id: CallId, action: Action) {
        match action {
            Action::Invite { branch, sdp } => self.ring(now, id, branch, sdp),
            Action::Ready => {
                if let Some(Endpoint::Awaited(from)) = self.calls.endpoint(id, Who::Callee(0)).cloned() {
                    self.target_is_there(now, from);
                }
            }
            Action::Signal(who, signal) => self.deliver(now, id, who, signal),
            Action::Create { branch, ports } => {
                let note = self.note(id);
                let timeout = self.settings.timers.media.as_secs();
                let media_timeout_seconds = u32::try_from(timeout).unwrap_or(u32::MAX);
                let legs = Box::new([LegConfig::idle(), LegConfig::idle()]);
                let near = self.calls.near(id);
                let request = Request::Create { ports, legs, note, media_timeout_seconds, near };
                self.ask(now, request, Purpose::Create(id, branch));
            }
            Action::Configure { session, side, leg } => {
                self.tell_audio_codec(id, side, &leg);
                self.ask(now, Request::configure(session, side, *leg), Purpose::Configure(session));
            }
            Action::PlayDigit { session, side, event, duration_ms } => {
                let request =
                    Request::PlayDigit { session, side, event, duration_ms, sound: DigitSound::default() };
                self.ask(now, request, Purpose::Other);
            }
            Action::PlayTone { session, side, tones } => {
                let request = Request::Play { session, side, source: Source::Tone(tones), times: 0, id: 0 };
                self.ask(now, request, Purpose::Other);
            }
            Action::PlayMusic { session, side, path } => {
                let request = Request::Play { session, side, source: Source::File(path), times: 0, id: 0 };
                self.ask(now, request, Purpose::Other);
            }
            Action::AddVideo { session, side } => {
                self.ask(now, Request::AddVideo { session, side }, Purpose::AddVideo(session, side));
            }
            Action::StopTone { session, side } => {
                self.ask(now, Request::StopPlay { session, side }, Purpose::Other);
            }
            Action::Delete { session } => {
                self.calls.by_session.remove(&session);
                self.delete_session(now, session);
            }
        }
    }

    /// What a later signaling process finds in the session: which call it was, and whose.
    fn note(&self, id: CallId) -> Vec<u8> {
        let Some(entry) = self.calls.entries.get(&id) else { return Vec::new() };
        let note = serde_json::json!({
            "version": 1,
            "call": id.0,
            "caller": entry.plan.from.uri.to_string(),
            "callee": entry.plan.to.uri.to_string(),
        });
        Some(note.to_string().into_bytes()).filter(|note| note.len() <= MAX_NOTE).unwrap_or_default()
    }

    /// Rings the callee of a branch.
    fn ring(&mut self, now: Instant, id: CallId, branch: usize, sdp: Vec<u8>) {
        let Some(entry) = self.calls.entries.get(&id) else { return };
        let plan = &entry.plan;
        let Some(callee) = plan.callees.get(branch) else { return };
        let (mut from, mut contact_user) = (plan.from.clone(), plan.contact_user.clone());
        let is_private = plan.is_private(Who::Caller);
        let (target, route, via, port, credentials) = match &callee.target {
            Target::Contact { uri, flow } => (uri.clone(), None, Some(*flow), None, None),
            Target::Provider { uri, route, port, credentials, identity } => {
                if let Some(identity) = identity {
                    from.uri = Uri::Sip(identity.uri.clone());
                    contact_user.clone_from(&identity.contact_user);
                }
                (uri.clone(), route.clone(), None, *port, Some((**credentials).clone()))
            }
            // There is nobody to be rung.
            Target::Awaited(_) => return,
            Target::Browser(browser) => {
                let (browser, to) = (*browser, plan.to.clone());
                let (from, _) = self.told_caller(from, is_private, &callee.target);
                match self.ring_browser(browser, &from, &to, &sdp) {
                    Some(call_id) => self.rings(now, id, branch, Endpoint::Browser(browser, call_id)),
                    None => {
                        let gone = Signal::Reject(Cause::new(480, "The callee's browser is gone"));
                        let random = &mut *self.random;
                        if let Some(entry) = self.calls.entries.get_mut(&id) {
                            entry.call.signal(now, Who::Callee(branch), gone, random);
                        }
                    }
                }
                return;
            }
        };
        let (from, told) = self.told_caller(from, is_private, &callee.target);
        if is_private && matches!(callee.target, Target::Contact { .. }) {
            // RFC 3323 section 4.1.1.3: Contact would tell as well.
            "anonymous".clone_into(&mut contact_user);
        }
        let mut headers: Vec<(HeaderName, String)> = plan.headers.iter().cloned().chain(told).collect();
        if plan.party(Who::Callee(branch)).user.is_some_and(|user| self.calls.is_talking(&user)) {
            headers.push((HeaderName::AlertInfo, CALL_WAITING.to_owned()));
        }
        let invite = Invite {
            target,
            route,
            via,
            port,
            from,
            to: plan.to.clone(),
            contact_user,
            sdp: Some(sdp),
            credentials,
            headers,
            max_forwards: plan.max_forwards,
        };
        let handle = self.user_agent.invite(now, invite);
        self.rings(now, id, branch, Endpoint::Sip(handle));
    }

    fn rings(&mut self, now: Instant, id: CallId, branch: usize, endpoint: Endpoint) {
        self.name_ringing(id, branch, &endpoint);
        self.calls.by_endpoint.insert(endpoint.clone(), (id, Who::Callee(branch)));
        if let Some(entry) = self.calls.entries.get_mut(&id) {
            entry.rung.insert(branch, endpoint.clone());
            if matches!(endpoint, Endpoint::Browser(..)) {
                let ringing = Signal::Progress { status: 180, sdp: None };
                entry.call.signal(now, Who::Callee(branch), ringing, &mut *self.random);
            }
        }
    }

    /// Passes a signal of the call to a party.
    fn deliver(&mut self, now: Instant, id: CallId, who: Who, signal: Signal) {
        let Some(entry) = self.calls.entries.get_mut(&id) else { return };
        if matches!((who, &signal), (Who::Caller, Signal::Answer { .. })) {
            self.counters.calls_answered += 1;
        }
        if let (Who::Caller, Signal::Reject(cause)) = (who, &signal) {
            *self.counters.calls_failed.entry(cause.status).or_default() += 1;
        }
        let endpoint = match who {
            Who::Caller => Some(entry.caller.clone()),
            Who::Callee(branch) => entry.rung.get(&branch).cloned(),
        };
        match endpoint {
            Some(Endpoint::Sip(handle)) => {
                let refusal = match signal {
                    Signal::Offer { .. } => Some(Signal::OfferReject(Cause::new(491, "Request Pending"))),
                    Signal::Info { .. } => Some(Signal::InfoDone(Cause::new(480, "Not in a call yet"))),
                    _ => None,
                };
                if self.user_agent.signal(now, handle, signal).is_err()
                    && let Some(refusal) = refusal
                {
                    entry.call.signal(now, who, refusal, &mut *self.random);
                }
            }
            Some(Endpoint::Browser(browser, call_id)) => self.tell_browser(now, browser, &call_id, signal),
            Some(Endpoint::Awaited(_) | Endpoint::Nobody) if matches!(signal, Signal::Offer { .. }) => {
                let pending = Signal::OfferReject(Cause::new(491, "The call is being transferred"));
                entry.call.signal(now, who, pending, &mut *self.random);
            }
            Some(Endpoint::Awaited(from)) => self.awaited_is_told(now, from, signal),
            Some(Endpoint::Nobody) | None => {}
        }
    }

    fn forget(&mut self, id: CallId) {
        let Some(entry) = self.calls.entries.remove(&id) else { return };
        if let Some(at) = entry.timer {
            self.timers.remove(&(at, Timer::Call(id)));
        }
        if let Some((_, dialog)) = &entry.page_dialog {
            self.calls.by_page_dialog.remove(&dialog.call_id);
        }
        for endpoint in entry.rung.values().chain([&entry.caller]) {
            self.calls.by_endpoint.remove(endpoint);
            if let Endpoint::Browser(browser, call_id) = endpoint {
                self.forget_browser_call(*browser, call_id);
            }
        }
        for user in entry.plan.users.iter().flatten().chain(&entry.plan.payers) {
            self.calls.by_user.remove(user, id);
        }
        for remote in entry.plan.remotes.iter().flatten() {
            self.calls.by_remote.remove(remote, id);
        }
    }
}

/// RFC 7462 section 8.2.1: the callee talks already; a telephone rings more discreetly then.
const CALL_WAITING: &str = "<urn:alert:service:call-waiting>";
/// The length of a digit that comes without one, in milliseconds.
const DIGIT_MS: u16 = 160;
