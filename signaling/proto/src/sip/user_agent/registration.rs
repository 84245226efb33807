//! The user agent's part in registrations: see [`crate::sip::registration`].

use super::api::Register;
use super::challenge::Guard;
use super::keep_alive::Path;
use super::outgoing::{Draft, Hop, Outcome, Purpose};
use super::redirect::contacts;
use super::timer_queue::TimerOwner;
use super::uac::loose;
use super::{RegistrationHandle, UaEvent, UserAgent};
use crate::party::Cause;
use crate::sip::registration::{granted_lifetime, refresh_delay, retry_delay};
use crate::sip::transaction::earliest;
use crate::sip::{HeaderName, Method, NameAddr, Request, Response, SipUri, Uri, limits};
use crate::transport::ConnectionId;
use std::time::{Duration, Instant};

/// A connection that lived so long was sound: its end is no failure of the registrar's.
const SOUND_AFTER: Duration = Duration::from_secs(120);

/// One registration at a provider.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) register: Register,
    call_id: String,
    tag: String,
    cseq: u32,
    guard: Guard,
    /// The REGISTER on its way.
    outgoing: Option<u64>,
    /// What the registrar wants at least (423).
    lifetime: Duration,
    /// In a row.
    failures: u32,
    /// How often the lifetime was raised since the last success.
    raises: u32,
    /// Where registrars sent us since the last success or failure, the last of them in use.
    redirects: Vec<Uri>,
    /// The next REGISTER.
    at: Option<Instant>,
    /// The way that is registered.
    pub(super) path: Option<Path>,
    removing: bool,
}

impl Registration {
    pub(super) fn next_cseq(&mut self) -> u32 {
        self.cseq += 1;
        self.cseq
    }

    /// A challenge was answered.
    pub(super) fn sent_again(&mut self, outgoing: u64, guard: Guard) {
        self.outgoing = Some(outgoing);
        self.guard = guard;
    }

    /// What the Request-URI names: the domain, or where it sent us.
    fn registrar(&self) -> Uri {
        self.redirects.last().cloned().unwrap_or_else(|| registrar(&self.register.aor))
    }

    /// The REGISTER, without what proves the user.
    fn request(&mut self) -> Request {
        let number = self.next_cseq();
        let register = &self.register;
        let mut request = Request::new(Method::Register, self.registrar());
        if let Some(route) = &register.route {
            request.headers.push(HeaderName::Route, loose(route));
        }
        request.headers.push(HeaderName::MaxForwards, 70);
        let mut from = NameAddr::new(register.aor.clone());
        from.set_tag(&self.tag);
        request.headers.push(HeaderName::From, from);
        request.headers.push(HeaderName::To, NameAddr::new(register.aor.clone()));
        request.headers.push(HeaderName::CallId, &self.call_id);
        request.headers.push(HeaderName::CSeq, format_args!("{number} REGISTER"));
        request.headers.push(HeaderName::Expires, self.lifetime.as_secs());
        request
    }
}

impl UserAgent {
    /// Registers, and keeps the binding until [`UserAgent::unregister`] (RFC 3261 section 10.2).
    pub fn register(&mut self, now: Instant, register: Register) -> RegistrationHandle {
        let handle = RegistrationHandle(self.next_id());
        let next_hop = register.route.as_ref().unwrap_or(&register.aor);
        let registration = Registration {
            call_id: self.token(),
            tag: self.token(),
            cseq: 0,
            guard: Guard::new(register.credentials.clone(), next_hop).of_account(&register.aor),
            outgoing: None,
            lifetime: register.expires,
            failures: 0,
            raises: 0,
            redirects: Vec::new(),
            at: None,
            path: None,
            removing: false,
            register,
        };
        self.registrations.insert(handle, registration);
        self.send_register(now, handle);
        handle
    }

    /// Removes the binding at the registrar. No more is heard of the handle.
    pub fn unregister(&mut self, now: Instant, handle: RegistrationHandle) {
        let Some(registration) = self.registrations.get_mut(&handle) else { return };
        registration.removing = true;
        registration.lifetime = Duration::ZERO;
        self.send_register(now, handle);
    }

    /// Removes all bindings at registrars.
    pub fn unregister_all(&mut self, now: Instant) {
        let kept = self.registrations.iter().filter(|(_, each)| !each.removing).map(|(handle, _)| *handle);
        let mut kept: Vec<RegistrationHandle> = kept.collect();
        kept.sort_unstable();
        for handle in kept {
            self.unregister(now, handle);
        }
    }

    /// How many registrations are kept or being removed.
    pub fn registrations(&self) -> usize {
        self.registrations.len()
    }

    fn send_register(&mut self, now: Instant, handle: RegistrationHandle) {
        let cnonce = self.token();
        self.timers.set(TimerOwner::Registration(handle.0), None);
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        (each.at, each.path) = (None, None);
        let mut request = each.request();
        let registrar = each.registrar();
        // A registrar elsewhere gets no proof of a password that it could guess at.
        let guard = each.redirects.is_empty() || each.guard.follows_registrar(&registrar);
        if guard {
            each.guard.authorize(&mut request, &cnonce);
        }
        let next_hop = each.register.route.clone().unwrap_or(registrar);
        let draft = Draft {
            purpose: Purpose::Register(handle),
            request,
            hop: Hop::to(next_hop, each.register.port),
            contact_user: Some(each.register.contact_user.clone()),
            guard: guard.then(|| each.guard.clone()),
        };
        // One at a time (section 10.2): the older REGISTER's outcome does not count any more.
        if let Some(before) = each.outgoing.take() {
            self.remove_outgoing(before);
        }
        let outgoing = self.send_request(now, draft);
        if let Some(each) = self.registrations.get_mut(&handle) {
            each.outgoing = Some(outgoing);
        }
    }

    pub(super) fn register_outcome(
        &mut self,
        now: Instant,
        id: u64,
        handle: RegistrationHandle,
        outcome: Outcome,
    ) {
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        match outcome {
            Outcome::Response(response) if response.is_provisional() => {}
            _ if each.removing => {
                self.timers.set(TimerOwner::Registration(handle.0), None);
                self.registrations.remove(&handle);
            }
            Outcome::Response(response) if response.is_success() => {
                self.registered(now, id, handle, &response);
            }
            Outcome::Response(response)
                if response.status == 423
                    && each.raises < limits::REGISTRATION_RAISES
                    && raise(&mut each.lifetime, &response) =>
            {
                each.raises += 1;
                self.send_register(now, handle);
            }
            Outcome::Response(response)
                if matches!(response.status, 300..=302) && follow(each, &response) =>
            {
                self.send_register(now, handle);
            }
            outcome => self.registration_failed(now, handle, &outcome),
        }
    }

    fn registered(&mut self, now: Instant, id: u64, handle: RegistrationHandle, response: &Response) {
        let path = self.outgoing.get(&id).and_then(|outgoing| Path::of(now, outgoing, response));
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        (each.failures, each.raises) = (0, 0);
        // The registrar that it ended at is asked again; the way there is forgotten.
        each.redirects = each.redirects.pop().into_iter().collect();
        let granted = granted_lifetime(response, &each.register.contact_user, each.lifetime);
        let Some(granted) = granted else {
            let outcome = Outcome::Failed(Cause::new(500, "The registrar keeps no binding"));
            return self.registration_failed(now, handle, &outcome);
        };
        each.at = Some(now + refresh_delay(granted));
        each.path = path;
        self.schedule_keep_alive(now, handle);
        self.schedule_registration(handle);
        self.events.push_back(UaEvent::Registered {
            handle,
            expires: granted,
            headers: response.headers.clone(),
        });
    }

    fn registration_failed(&mut self, now: Instant, handle: RegistrationHandle, outcome: &Outcome) {
        let cause = outcome.cause();
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        // The same again would only be refused again, and count as a guess at the password.
        let will_retry = matches!(cause.status, 408 | 480 | 500..=599);
        each.failures = each.failures.saturating_add(1);
        each.redirects.clear();
        if will_retry {
            let asked = match outcome {
                Outcome::Response(response) => response.headers.retry_after().ok().flatten(),
                Outcome::Failed(_) => None,
            };
            let asked = Duration::from_secs(u64::from(asked.unwrap_or(0)));
            each.at = Some(now + retry_delay(each.failures, self.dice.f64()).max(asked));
            self.schedule_registration(handle);
        } else {
            self.timers.set(TimerOwner::Registration(handle.0), None);
            self.registrations.remove(&handle);
        }
        self.events.push_back(UaEvent::RegistrationFailed { handle, cause, will_retry });
    }

    /// Sets the timer to what is due first.
    pub(super) fn schedule_registration(&mut self, handle: RegistrationHandle) {
        let Some(each) = self.registrations.get(&handle) else { return };
        let at = earliest(each.at, each.path.as_ref().and_then(|path| path.keep_alive_at));
        self.timers.set(TimerOwner::Registration(handle.0), at);
    }

    pub(super) fn registration_timeout(&mut self, now: Instant, handle: RegistrationHandle) {
        let Some(each) = self.registrations.get(&handle) else { return };
        if each.at.is_some_and(|at| now >= at) {
            return self.send_register(now, handle);
        }
        self.keep_alive(now, handle);
        self.schedule_registration(handle);
    }

    /// A connection closed: the registrations that it carried are made anew, or the providers' calls would not reach us.
    pub(super) fn registrations_lost_connection(&mut self, now: Instant, connection: ConnectionId) {
        let is_on = |each: &Registration| each.path.as_ref().is_some_and(|path| path.is_on(connection));
        let lost = self.registrations.iter().filter(|(_, each)| is_on(each)).map(|(handle, _)| *handle);
        let mut lost: Vec<RegistrationHandle> = lost.collect();
        lost.sort_unstable();
        for handle in lost {
            self.path_lost(now, handle);
        }
    }

    /// RFC 5626 section 4.5: the first attempt to recover a path goes at once, later ones wait.
    pub(super) fn path_lost(&mut self, now: Instant, handle: RegistrationHandle) {
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        let Some(path) = each.path.take() else { return };
        if now.saturating_duration_since(path.since) >= SOUND_AFTER {
            return self.send_register(now, handle);
        }
        each.failures = each.failures.saturating_add(1);
        each.at = Some(now + retry_delay(each.failures, self.dice.f64()));
        self.schedule_registration(handle);
    }
}

/// Takes the next registrar of a redirection. False: there is none, or we were sent around for long enough.
fn follow(registration: &mut Registration, response: &Response) -> bool {
    let current = registration.registrar();
    let secure = current.as_sip().is_some_and(|uri| uri.secure);
    let named = contacts(response, secure).into_iter().map(|contact| registrar(&contact));
    let is_new = |uri: &Uri| {
        *uri != current
            && *uri != registrar(&registration.register.aor)
            && !registration.redirects.contains(uri)
    };
    let next = named.into_iter().find(is_new);
    match next {
        Some(next) if registration.redirects.len() < limits::REDIRECTS => {
            registration.redirects.push(next);
            true
        }
        _ => false,
    }
}

/// Section 10.2: the Request-URI names the domain, without a user.
fn registrar(aor: &Uri) -> Uri {
    match aor {
        Uri::Sip(uri) => {
            let mut registrar = SipUri::new(None, uri.host.clone(), uri.port);
            registrar.secure = uri.secure;
            if let Some(transport) = uri.params.get("transport") {
                registrar.params.set("transport", Some(transport));
            }
            Uri::Sip(registrar)
        }
        other => other.clone(),
    }
}

/// Takes the Min-Expires of a 423 (section 10.2.8), if it is longer.
fn raise(lifetime: &mut Duration, response: &Response) -> bool {
    let Ok(Some(minimum)) = response.headers.min_expires() else { return false };
    let minimum = Duration::from_secs(u64::from(minimum));
    let higher = minimum > *lifetime;
    *lifetime = minimum.max(*lifetime);
    higher
}
