//! Keeping the way from a provider to us open: a NAT or a firewall in between forgets who is silent.

use super::api::KeepAliveMethod;
use super::outgoing::{Draft, Hop, Outcome, Outgoing, Purpose};
use super::uac::loose;
use super::{RegistrationHandle, UserAgent, transport_of};
use crate::sip::{HeaderName, Method, NameAddr, Request, Response};
use crate::transport::{ConnectionId, Destination, Flow, Transport};
use std::time::{Duration, Instant};

/// The longest interval over UDP, where bindings are short (RFC 5626 section 4.4.2).
const UDP_INTERVAL: Duration = Duration::from_secs(29);
/// Over connections (RFC 5626 section 4.4.1).
const CONNECTION_INTERVAL: Duration = Duration::from_secs(120);
/// An interval lies between so much of the longest and all of it (RFC 5626 section 4.4), so that not all come at once.
const SHORTEST: f64 = 0.8;
/// RFC 5626 section 4.4.1: "a double CRLF sequence". Over UDP peers ignore it (RFC 3261 section 7.5).
const PING: &[u8] = b"\r\n\r\n";
/// The shortest interval that a registrar's Flow-Timer gets.
const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// The way over which a registration was made.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// Where requests to the registrar go.
    destination: Destination,
    tls_name: Option<String>,
    /// The path that its response came on.
    flow: Flow,
    /// What of us the registrar sees (`received` and `rport` of our Via).
    seen: (Option<String>, Option<String>),
    /// RFC 5626 section 4.4: the seconds of silence after which the registrar takes the path for dead.
    flow_timer: Option<Duration>,
    pub(super) since: Instant,
    pub(super) keep_alive_at: Option<Instant>,
}

impl Path {
    /// The path of a REGISTER that was accepted.
    pub(super) fn of(now: Instant, outgoing: &Outgoing, response: &Response) -> Option<Path> {
        let sent = outgoing.sent.as_ref()?;
        let seconds = response.headers.get(HeaderName::FlowTimer).and_then(|value| value.trim().parse().ok());
        Some(Path {
            destination: sent.destination,
            tls_name: sent.tls_name.clone(),
            flow: outgoing.answered_on?,
            seen: seen(response),
            flow_timer: seconds.map(Duration::from_secs),
            since: now,
            keep_alive_at: None,
        })
    }

    pub(super) fn is_on(&self, connection: ConnectionId) -> bool {
        self.flow.connection == Some(connection)
    }
}

fn seen(response: &Response) -> (Option<String>, Option<String>) {
    let via = response.headers.via().ok();
    let param = |name| via.as_ref().and_then(|via| via.params.get(name).map(str::to_owned));
    (param("received"), param("rport"))
}

impl UserAgent {
    /// Sets when the next keep-alive goes.
    pub(super) fn schedule_keep_alive(&mut self, now: Instant, handle: RegistrationHandle) {
        let roll = SHORTEST + (1.0 - SHORTEST) * self.dice.f64();
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        let setting = each.register.keep_alive;
        let Some(path) = each.path.as_mut().filter(|_| setting.method != KeepAliveMethod::Off) else {
            return;
        };
        let usual = match transport_of(&path.destination) {
            Transport::Udp => setting.interval.unwrap_or(UDP_INTERVAL),
            _ => CONNECTION_INTERVAL,
        };
        let longest = path.flow_timer.map_or(usual, |asked| asked.max(MIN_INTERVAL).min(usual));
        path.keep_alive_at = Some(now + longest.mul_f64(roll));
    }

    /// Sends a keep-alive, if it is due.
    pub(super) fn keep_alive(&mut self, now: Instant, handle: RegistrationHandle) {
        let Some(each) = self.registrations.get(&handle) else { return };
        let due = each.path.as_ref().filter(|path| path.keep_alive_at.is_some_and(|at| now >= at));
        let Some(path) = due.cloned() else { return };
        self.schedule_keep_alive(now, handle);
        match self.registrations.get(&handle).map(|each| each.register.keep_alive.method) {
            Some(KeepAliveMethod::Lines) => {
                // Along the very connection: another one would keep nothing open.
                let is_connected = path.flow.connection.is_some();
                let destination = if is_connected { Destination::Flow(path.flow) } else { path.destination };
                self.send_bytes(destination, PING.to_vec());
            }
            Some(KeepAliveMethod::Options) => self.send_options(now, handle, &path),
            Some(KeepAliveMethod::Off) | None => {}
        }
    }

    fn send_options(&mut self, now: Instant, handle: RegistrationHandle, path: &Path) {
        let (call_id, tag) = (self.token(), self.token());
        let branch = format!("z9hG4bK{}", self.token());
        let Some(each) = self.registrations.get_mut(&handle) else { return };
        let register = &each.register;
        let Some(home) = register.aor.as_sip().map(|uri| uri.host.clone()) else { return };
        let home = crate::sip::Uri::Sip(crate::sip::SipUri::new(None, home, None));
        let mut request = Request::new(Method::Options, home.clone());
        if let Some(route) = &register.route {
            request.headers.push(HeaderName::Route, loose(route));
        }
        request.headers.push(HeaderName::MaxForwards, 70);
        let mut from = NameAddr::new(register.aor.clone());
        from.set_tag(&tag);
        request.headers.push(HeaderName::From, from);
        request.headers.push(HeaderName::To, NameAddr::new(home));
        request.headers.push(HeaderName::CallId, call_id);
        request.headers.push(HeaderName::CSeq, "1 OPTIONS");
        let (destination, tls_name) = (path.destination, path.tls_name.clone());
        let contact_user = Some(register.contact_user.clone());
        let hop = Hop::Same { destination, tls_name, branch };
        let purpose = Purpose::KeepAlive(handle);
        self.send_request(now, Draft { purpose, request, hop, contact_user, guard: None });
    }

    /// Any response shows that the way is open; none, or one to another address of ours, that it is not any more.
    pub(super) fn keep_alive_outcome(&mut self, now: Instant, handle: RegistrationHandle, outcome: &Outcome) {
        let Some(path) = self.registrations.get(&handle).and_then(|each| each.path.as_ref()) else { return };
        let is_open = match outcome {
            Outcome::Response(response) if response.is_provisional() => return,
            Outcome::Response(response) => seen(response) == path.seen,
            Outcome::Failed(_) => false,
        };
        if !is_open {
            self.path_lost(now, handle);
        }
    }
}
