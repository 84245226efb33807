//! The user agent's part in registrations: see [`crate::sip::registration`].

use super::api::Register;
use super::challenge::Guard;
use super::outgoing::{Draft, Hop, Outcome, Purpose};
use super::timer_queue::TimerOwner;
use super::uac::loose;
use super::{RegistrationHandle, UaEvent, UserAgent};
use crate::party::Cause;
use crate::sip::registration::{granted_lifetime, refresh_delay, retry_delay};
use crate::sip::{HeaderName, Method, NameAddr, Request, Response, SipUri, Uri, limits};
use std::time::{Duration, Instant};

/// One registration at a provider.
#[derive(Debug)]
pub(super) struct Registration {
    register: Register,
    call_id: String,
    tag: String,
    cseq: u32,
    guard: Guard,
    /// The REGISTER on its way.
    outgoing: Option<u64>,
    /// What the registrar wants at least (423).
    lifetime: Duration,
    /// Since the last success.
    failures: u32,
    /// The next REGISTER.
    at: Option<Instant>,
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
            guard: Guard::new(register.credentials.clone(), next_hop),
            outgoing: None,
            lifetime: register.expires,
            failures: 0,
            at: None,
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

    fn send_register(&mut self, now: Instant, handle: RegistrationHandle) {
        let cnonce = self.token();
        self.timers.set(TimerOwner::Registration(handle.0), None);
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        each.at = None;
        let number = each.next_cseq();
        let register = &each.register;
        let mut request = Request::new(Method::Register, registrar(&register.aor));
        if let Some(route) = &register.route {
            request.headers.push(HeaderName::Route, loose(route));
        }
        request.headers.push(HeaderName::MaxForwards, 70);
        let mut from = NameAddr::new(register.aor.clone());
        from.set_tag(&each.tag);
        request.headers.push(HeaderName::From, from);
        request.headers.push(HeaderName::To, NameAddr::new(register.aor.clone()));
        request.headers.push(HeaderName::CallId, &each.call_id);
        request.headers.push(HeaderName::CSeq, format_args!("{number} REGISTER"));
        request.headers.push(HeaderName::Expires, each.lifetime.as_secs());
        each.guard.authorize(&mut request, &cnonce);
        let next_hop = register.route.clone().unwrap_or_else(|| registrar(&register.aor));
        let draft = Draft {
            purpose: Purpose::Register(handle),
            request,
            hop: Hop::to(next_hop, register.port),
            contact_user: Some(register.contact_user.clone()),
            guard: Some(each.guard.clone()),
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

    pub(super) fn register_outcome(&mut self, now: Instant, handle: RegistrationHandle, outcome: Outcome) {
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        match outcome {
            Outcome::Response(response) if response.is_provisional() => {}
            _ if each.removing => {
                self.timers.set(TimerOwner::Registration(handle.0), None);
                self.registrations.remove(&handle);
            }
            Outcome::Response(response) if response.is_success() => self.registered(now, handle, &response),
            Outcome::Response(response)
                if response.status == 423
                    && each.failures < limits::REGISTRATION_RAISES
                    && raise(&mut each.lifetime, &response) =>
            {
                each.failures += 1;
                self.send_register(now, handle);
            }
            outcome => self.registration_failed(now, handle, &outcome),
        }
    }

    fn registered(&mut self, now: Instant, handle: RegistrationHandle, response: &Response) {
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        each.failures = 0;
        let granted = granted_lifetime(response, &each.register.contact_user, each.lifetime);
        let Some(granted) = granted else {
            let outcome = Outcome::Failed(Cause::new(500, "The registrar keeps no binding"));
            return self.registration_failed(now, handle, &outcome);
        };
        let at = now + refresh_delay(granted);
        each.at = Some(at);
        self.timers.set(TimerOwner::Registration(handle.0), Some(at));
        self.events.push_back(UaEvent::Registered { handle, expires: granted });
    }

    fn registration_failed(&mut self, now: Instant, handle: RegistrationHandle, outcome: &Outcome) {
        let cause = outcome.cause();
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        // The same again would only be refused again, and count as a guess at the password.
        let will_retry = matches!(cause.status, 408 | 480 | 500..=599);
        each.failures = each.failures.saturating_add(1);
        if will_retry {
            let asked = match outcome {
                Outcome::Response(response) => response.headers.retry_after().ok().flatten(),
                Outcome::Failed(_) => None,
            };
            let asked = Duration::from_secs(u64::from(asked.unwrap_or(0)));
            let at = now + retry_delay(each.failures, self.dice.f64()).max(asked);
            each.at = Some(at);
            self.timers.set(TimerOwner::Registration(handle.0), Some(at));
        } else {
            self.timers.set(TimerOwner::Registration(handle.0), None);
            self.registrations.remove(&handle);
        }
        self.events.push_back(UaEvent::RegistrationFailed { handle, cause, will_retry });
    }

    pub(super) fn registration_timeout(&mut self, now: Instant, handle: RegistrationHandle) {
        if self.registrations.get(&handle).and_then(|each| each.at).is_some_and(|at| now >= at) {
            self.send_register(now, handle);
        }
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
