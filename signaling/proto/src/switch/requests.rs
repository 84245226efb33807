//! SIP requests outside dialogs.

use super::Switch;
use super::browsers::BrowserId;
use super::calls::{Callee, Endpoint, Plan, Target};
use super::identity::wants_privacy;
use crate::call::{PartyMedia, TakesInfo};
use crate::party::{Cause, Signal};
use crate::presence::Package;
use crate::registrar::AddressOfRecord;
use crate::sdp::Kind;
use crate::sip::auth::Challenger;
use crate::sip::user_agent::{ACCEPT, Replaces, RequestHandle, SUPPORTED};
use crate::sip::{HeaderName, Host, Method, NameAddr, Params, Request, default_reason, reply};
use crate::transport::{Flow, Transport};
use std::net::IpAddr;
use std::time::Instant;

/// The methods that are understood.
pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REGISTER, MESSAGE, SUBSCRIBE, REFER";
/// Max-Forwards where a client of RFC 2543 sent none.
const USUAL_MAX_FORWARDS: u8 = 70;

impl Switch {
    pub(super) fn request(&mut self, now: Instant, handle: RequestHandle, flow: Flow, request: &Request) {
        match request.method {
            Method::Register => self.register(now, handle, flow, request),
            Method::Invite => self.invite(now, handle, flow, request),
            Method::Options => self.options(now, handle, request),
            Method::Message => self.message(now, handle, flow, request),
            Method::Subscribe => self.subscribe(now, handle, flow, request),
            _ => self.other(now, handle, &flow, request),
        }
    }

    fn register(&mut self, now: Instant, handle: RequestHandle, flow: Flow, request: &Request) {
        let domain = request.uri.as_sip().and_then(|uri| self.local_domain(&uri.host));
        let aor = request.headers.to().ok().and_then(|to| self.local_user(&to.uri));
        let (Some(domain), Some(aor)) = (domain, aor) else {
            return self.refuse(now, handle, request, 404, "This domain is not served here");
        };
        let user = self.authenticate(now, handle, &flow, request, Challenger::Server, &domain);
        let Some(user) = user else { return };
        if user != aor {
            return self.refuse(now, handle, request, 403, "Not your address");
        }
        let response = self.registrar.register(now, &aor, flow, request);
        let is_success = response.is_success();
        self.user_agent.respond(now, handle, response);
        if is_success {
            self.watchers.note_registration(&aor);
            self.deliver_waiting(now, &aor);
        }
    }

    /// RFC 3261 section 11.2: what an INVITE would find here. It tells nothing of the users.
    fn options(&mut self, now: Instant, handle: RequestHandle, request: &Request) {
        let mut response = reply(request, 200, default_reason(200));
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Accept, ACCEPT);
        response.headers.push(HeaderName::Supported, SUPPORTED);
        response.headers.push(HeaderName::AllowEvents, Package::ALLOW_EVENTS);
        self.user_agent.respond(now, handle, response);
        let called = request.uri.as_sip().and_then(|uri| uri.user_name());
        if let Some(browser) = called.and_then(|user| self.browser_by_contact.get(&user).copied()) {
            self.tell_options(browser);
        }
    }

    /// Methods that are not served: authenticated first, so that strangers learn nothing (attacks.md row 12).
    fn other(&mut self, now: Instant, handle: RequestHandle, flow: &Flow, request: &Request) {
        let domain = self.domain_of_sender(request);
        if self.authenticate(now, handle, flow, request, Challenger::Proxy, &domain).is_some() {
            self.refuse(now, handle, request, 405, "");
        }
    }

    /// The local domain whose user a request is from; the first one challenges whoever is from nowhere here.
    pub(super) fn domain_of_sender(&self, request: &Request) -> String {
        let from = request.headers.from().ok().and_then(|from| self.local_user(&from.uri));
        let first = || self.settings.domains.first().map(|domain| domain.name.to_ascii_lowercase());
        from.map(|from| from.domain).or_else(first).unwrap_or_default()
    }

    fn invite(&mut self, now: Instant, handle: RequestHandle, flow: Flow, request: &Request) {
        let called = request.uri.as_sip().and_then(|uri| uri.user_name());
        let browser = called.as_ref().and_then(|user| self.browser_by_contact.get(user).copied());
        if let Some(browser) = browser {
            return self.invite_from_provider(now, handle, flow, request, browser);
        }
        if let Some(line) = called.and_then(|user| self.lines.by_contact(&user)) {
            return self.invite_for_line(now, handle, &flow, request, line);
        }
        let domain = self.domain_of_sender(request);
        let user = self.authenticate(now, handle, &flow, request, Challenger::Proxy, &domain);
        let Some(user) = user else { return };
        let from = request.headers.from().ok();
        if from.as_ref().and_then(|from| self.local_user(&from.uri)).as_ref() != Some(&user) {
            return self.refuse(now, handle, request, 403, "From is not your address");
        }
        let Some(mut caller) = user.uri().map(NameAddr::new) else {
            return self.refuse(now, handle, request, 403, "From is not your address");
        };
        let configured = self.users.get(&user).and_then(|user| user.display_name.clone());
        caller.display_name = from.and_then(|from| from.display_name).or(configured);
        let name = user.to_string();
        let media = self.sip_media(&flow, Some(&user));
        match Replaces::of(&request.headers) {
            Ok(None) => {}
            Ok(Some(replaces)) => {
                let plan = Plan {
                    users: [Some(name), None],
                    contact_user: user.user.clone(),
                    from: caller,
                    ..plan_of(request, media, Vec::new())
                };
                return self.invite_replaces(now, handle, request, plan, &replaces);
            }
            Err(_) => return self.refuse(now, handle, request, 400, "Replaces is malformed"),
        }
        let plan = self.callees(now, &request.uri, &name, Some(&name)).map(|(callees, to, callee)| {
            let users = [Some(name.clone()), callee];
            let contact_user = user.user.clone();
            let plan = plan_of(request, media, callees);
            let mut plan = Plan { users, contact_user, from: caller, to, ..plan };
            self.believe(&mut plan, request, flow.remote.ip(), None);
            plan
        });
        self.accept(now, handle, request, plan);
    }

    /// An INVITE to the Contact that we registered for a browser: only the provider knows that address.
    fn invite_from_provider(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        flow: Flow,
        request: &Request,
        browser: BrowserId,
    ) {
        let plan = self.provider_callee(browser).map(|(callee, name, home)| {
            self.plan_from_provider(request, flow.remote.ip(), &home, vec![callee], name)
        });
        self.accept_from_provider(now, handle, request, plan);
    }

    /// What a provider of this domain wants of a user who has an account there.
    pub(super) fn plan_from_provider(
        &self,
        request: &Request,
        source: IpAddr,
        home: &Host,
        callees: Vec<Callee>,
        user: String,
    ) -> Plan {
        let media = PartyMedia { source: Some(source), ..self.provider_media(home) };
        let mut plan = Plan { users: [None, Some(user)], ..plan_of(request, media, callees) };
        self.believe(&mut plan, request, source, Some(&home.to_string()));
        plan.remotes = [self.remote(home, &plan.from), None];
        plan
    }

    /// A call from a provider to one of its accounts; it may take the place of one that there is.
    pub(super) fn accept_from_provider(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        request: &Request,
        plan: Result<Plan, Cause>,
    ) {
        match (Replaces::of(&request.headers), plan) {
            (Ok(Some(replaces)), Ok(plan)) => self.invite_replaces(now, handle, request, plan, &replaces),
            (Ok(_), plan) => self.accept(now, handle, request, plan),
            (Err(_), _) => self.refuse(now, handle, request, 400, "Replaces is malformed"),
        }
    }

    pub(super) fn accept(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        request: &Request,
        plan: Result<Plan, Cause>,
    ) {
        let mut plan = match plan {
            Ok(plan) => plan,
            Err(cause) => return self.refuse(now, handle, request, cause.status, &cause.text),
        };
        let contact_user = request.uri.as_sip().and_then(|uri| uri.user_name()).unwrap_or_default();
        // What is refused by the user agent itself is answered by it.
        let Ok(call) = self.user_agent.accept_invite(now, handle, &contact_user) else { return };
        if self.user_agent.allows_info(call) {
            plan.caller_media.info = TakesInfo::Allowed;
        }
        if let Err(cause) = self.start_call(now, Endpoint::Sip(call), plan) {
            // A call that was accepted a moment ago can be rejected.
            let _ = self.user_agent.signal(now, call, Signal::Reject(cause));
        }
    }

    /// What is known of the media of a party that speaks SIP.
    pub(super) fn sip_media(&self, flow: &Flow, user: Option<&AddressOfRecord>) -> PartyMedia {
        let is_browser = matches!(flow.transport, Transport::Ws | Transport::Wss);
        let security = user.and_then(|user| self.users.get(user)).map(|user| user.offer_security);
        let (kind, profile) = match is_browser {
            true => (Kind::WebRtc, &self.settings.browser_media),
            false => (Kind::of_security(security.unwrap_or_default()), &self.settings.sip_media),
        };
        PartyMedia {
            kind,
            profile: profile.clone(),
            source: Some(flow.remote.ip()),
            takes_offers: true,
            info: TakesInfo::Unsaid,
        }
    }

    /// What is known of the media of whoever is behind the provider of this domain.
    pub(super) fn provider_media(&self, home: &Host) -> PartyMedia {
        let of_provider = self.settings.providers.media.get(&home.to_string().to_ascii_lowercase());
        PartyMedia {
            kind: Kind::of_security(self.settings.providers.offer_security),
            profile: of_provider.unwrap_or(&self.settings.sip_media).clone(),
            source: None,
            takes_offers: true,
            info: TakesInfo::Unsaid,
        }
    }

    /// The browser that a provider calls, its user's name, and the provider's domain.
    fn provider_callee(&self, id: BrowserId) -> Result<(Callee, String, Host), Cause> {
        let browser = self.browsers.get(&id).ok_or_else(|| Cause::new(480, "Not logged in"))?;
        let home = browser.home().ok_or_else(|| Cause::new(480, "Not logged in"))?;
        let name = browser.user_name();
        // The caller is at the provider: only the callee's calls are ours to limit.
        self.admit(None, Some(&name))?;
        let media = browser.media(&self.settings);
        Ok((Callee { target: Target::Browser(id), media }, name, home))
    }
}

fn without_tag(mut address: NameAddr) -> NameAddr {
    address.params = Params::new();
    address
}

/// What of a plan the request itself says.
pub(super) fn plan_of(request: &Request, caller_media: PartyMedia, callees: Vec<Callee>) -> Plan {
    let address = |address: Result<NameAddr, _>| {
        address.map_or_else(|_| NameAddr::new(request.uri.clone()), without_tag)
    };
    Plan {
        caller_media,
        offer: Some(request.body.clone()).filter(|body| !body.is_empty()),
        callees,
        from: address(request.headers.from()),
        is_private: [wants_privacy(&request.headers), false],
        contact_user: String::new(),
        to: address(request.headers.to()),
        max_forwards: request
            .headers
            .max_forwards()
            .ok()
            .flatten()
            .unwrap_or(USUAL_MAX_FORWARDS)
            .saturating_sub(1),
        users: [None, None],
        remotes: [None, None],
        payers: Vec::new(),
        headers: Vec::new(),
    }
}
