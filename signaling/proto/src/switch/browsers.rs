//! Browsers on the WCS protocol: their logins and their calls.

use super::authentication::LoginError;
use super::calls::{Callee, Endpoint, Plan, Target};
use super::{Output, Switch};
use crate::call::{PartyMedia, TakesInfo};
use crate::party::{Cause, DigitFormat, Signal};
use crate::registrar::AddressOfRecord;
use crate::sdp::Kind;
use crate::settings::Settings;
use crate::sip::auth::{Credentials, Secret};
use crate::sip::user_agent::{Register, RegistrationHandle};
use crate::sip::{Host, NameAddr, SipUri, Uri};
use crate::transport::ConnectionId;
use crate::wcs::{self, ClientMessage, DtmfMethod, FrameError, Login, NewCall, ServerMessage};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

/// One browser's connection.
#[derive(Debug)]
pub(super) struct Browser {
    remote: SocketAddr,
    wire: wcs::Connection,
    account: Option<Account>,
    visible_name: Option<String>,
    /// Whether it answers offers in mid-call.
    takes_offers: bool,
    calls: HashMap<String, BrowserCall>,
}

/// Who logged in on it.
#[derive(Clone, Debug)]
enum Account {
    /// A user of a local domain.
    Local(AddressOfRecord),
    /// A user of a provider's.
    Provider(Box<ProviderAccount>),
}

#[derive(Clone, Debug)]
struct ProviderAccount {
    uri: SipUri,
    /// The outbound proxy, or the domain at a port of its own.
    route: Option<Uri>,
    credentials: Credentials,
    /// The user part of our Contact: unique, so that the provider's calls find the browser, and unguessable.
    contact_user: String,
    registration: Option<RegistrationHandle>,
    is_registered: bool,
}

#[derive(Debug)]
struct BrowserCall {
    info: wcs::Call,
    is_answered: bool,
    /// The browser has our answer to its offer.
    is_described: bool,
}

impl Browser {
    #[cfg(test)]
    pub(super) fn has_no_calls(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn is_local_user(&self, aor: &AddressOfRecord) -> bool {
        matches!(&self.account, Some(Account::Local(user)) if user == aor)
    }

    /// What is known of its media.
    pub(super) fn media(&self, settings: &Settings) -> PartyMedia {
        PartyMedia {
            kind: Kind::WebRtc,
            profile: settings.browser_media.clone(),
            source: Some(self.remote.ip()),
            takes_offers: self.takes_offers,
            info: TakesInfo::Never,
        }
    }

    /// The domain that it is logged in to.
    pub(super) fn home(&self) -> Option<Host> {
        match self.account.as_ref()? {
            Account::Local(aor) => aor.domain.parse().ok(),
            Account::Provider(account) => Some(account.uri.host.clone()),
        }
    }

    /// The name under which its calls are counted.
    pub(super) fn user_name(&self) -> String {
        match &self.account {
            Some(Account::Local(aor)) => aor.to_string(),
            Some(Account::Provider(account)) => account.uri.to_string(),
            None => String::new(),
        }
    }
}

impl Switch {
    pub(super) fn browser_opened(&mut self, connection: ConnectionId, remote: SocketAddr) {
        let wire = wcs::Connection::new();
        let browser = Browser {
            remote,
            wire,
            account: None,
            visible_name: None,
            takes_offers: false,
            calls: HashMap::new(),
        };
        self.browsers.insert(connection, browser);
    }

    /// Closing is the log-off: calls are hung up, the provider's binding is removed.
    pub(super) fn browser_closed(&mut self, now: Instant, connection: ConnectionId) {
        let Some(browser) = self.browsers.get(&connection) else { return };
        let calls: Vec<String> = browser.calls.keys().cloned().collect();
        for call_id in calls {
            let gone = Cause::new(480, "The browser's connection closed");
            self.endpoint_signal(now, &Endpoint::Browser(connection, call_id), Signal::Hangup(gone));
        }
        let browser = self.browsers.remove(&connection);
        if let Some(Account::Provider(account)) = browser.and_then(|browser| browser.account) {
            self.browser_by_contact.remove(&account.contact_user);
            if let Some(registration) = account.registration {
                self.browser_by_registration.remove(&registration);
                self.user_agent.unregister(now, registration);
            }
        }
    }

    pub(super) fn browser_said(&mut self, now: Instant, connection: ConnectionId, text: &str) {
        let Some(browser) = self.browsers.get_mut(&connection) else { return };
        let message = match browser.wire.receive(text) {
            Ok(message) => message,
            Err(error) => {
                self.counters.malformed_frames += 1;
                if error == FrameError::NotConnected {
                    self.outputs.push_back(Output::Close { connection });
                }
                return;
            }
        };
        let endpoint = |call_id| Endpoint::Browser(connection, call_id);
        match message {
            ClientMessage::Connect(login) => self.log_in(now, connection, &login),
            ClientMessage::Call(call) => self.browser_calls(now, connection, call),
            ClientMessage::Answer { call_id, sdp } => self.browser_answers(now, connection, call_id, sdp),
            ClientMessage::Offer { call_id, sdp } => {
                let offer = Signal::Offer { sdp: Some(sdp.into_bytes()), update: false };
                self.endpoint_signal(now, &endpoint(call_id), offer);
            }
            ClientMessage::Hangup { call_id, sip_status } => {
                self.browser_hangs_up(now, connection, call_id, sip_status);
            }
            ClientMessage::Dtmf { call_id, digits, method } => {
                let endpoint = endpoint(call_id);
                let by_message = match method {
                    DtmfMethod::Rfc2833 => None,
                    DtmfMethod::Info => Some(DigitFormat::Plain),
                    DtmfMethod::InfoRelay => Some(DigitFormat::Relay),
                };
                for digit in digits.chars() {
                    self.endpoint_digit(now, &endpoint, digit, by_message);
                }
            }
            ClientMessage::Ping => self.say(connection, &ServerMessage::Pong),
            ClientMessage::Pong | ClientMessage::Ignored => {}
            ClientMessage::Unsupported(message) => self.say(connection, &ServerMessage::Refuse(&message)),
        }
    }

    pub(super) fn say(&mut self, connection: ConnectionId, message: &ServerMessage<'_>) {
        let Some(browser) = self.browsers.get(&connection) else { return };
        for text in browser.wire.send(message) {
            self.outputs.push_back(Output::Wcs { connection, text });
        }
    }

    fn log_in(&mut self, now: Instant, connection: ConnectionId, login: &Login) {
        let version = self.settings.product.clone();
        self.say(connection, &ServerMessage::UserData { login, account: None, version: &version });
        if let Some(browser) = self.browsers.get_mut(&connection) {
            browser.visible_name.clone_from(&login.visible_name);
            browser.takes_offers = login.takes_offers;
        }
        let result = match &login.account {
            Some(account) => self.open_account(now, connection, account),
            None => Err(Cause::new(403, "Logging in with a token is not available")),
        };
        match result {
            Ok(true) => self.say(connection, &ServerMessage::Registered),
            Ok(false) => {}
            Err(cause) => self.say(connection, &ServerMessage::RegisterFailed(&cause)),
        }
    }

    /// True: the browser is logged in; false: the provider will tell.
    fn open_account(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        account: &wcs::Account,
    ) -> Result<bool, Cause> {
        let unknown = || Cause::new(478, "The domain is malformed");
        let domain = match (account.domain.as_str(), self.settings.domains.first()) {
            ("", Some(first)) => first.name.clone(),
            (domain, _) => domain.to_owned(),
        };
        let Ok(Uri::Sip(domain)) = format!("sip:{domain}").parse::<Uri>() else { return Err(unknown()) };
        // An address of ours at another port than ours is a provider beside us.
        let port = domain.port.or(account.port);
        let is_our_port = |port| self.settings.sip.iter().any(|(_, address)| address.port() == port);
        let is_elsewhere = domain.host.ip().is_some() && port.is_some_and(|port| !is_our_port(port));
        match self.local_domain(&domain.host).filter(|_| !is_elsewhere) {
            Some(local) => self.open_local(now, connection, account, local),
            None => self.open_provider(now, connection, account, domain),
        }
    }

    fn open_local(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        account: &wcs::Account,
        domain: String,
    ) -> Result<bool, Cause> {
        let aor = AddressOfRecord { user: account.login.clone(), domain };
        let Some(browser) = self.browsers.get(&connection) else { return Ok(false) };
        let source = browser.remote.ip();
        match self.check_password(now, &aor, &account.password, source) {
            Ok(()) => {}
            Err(LoginError::Locked) => return Err(Cause::new(403, "Too many wrong passwords; wait")),
            Err(LoginError::Wrong) => return Err(Cause::new(403, "Wrong user name or password")),
        }
        let others = self.browsers.values().filter(|browser| browser.is_local_user(&aor)).count();
        if others >= self.settings.limits.contacts_per_user {
            return Err(Cause::new(403, "Logged in too many times"));
        }
        if let Some(browser) = self.browsers.get_mut(&connection) {
            browser.account = Some(Account::Local(aor));
        }
        Ok(true)
    }

    fn open_provider(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        account: &wcs::Account,
        domain: SipUri,
    ) -> Result<bool, Cause> {
        let allowed = &self.settings.providers.allowed;
        let name = domain.host.to_string();
        if !allowed.is_empty() && !allowed.iter().any(|each| each.eq_ignore_ascii_case(&name)) {
            return Err(Cause::new(403, format!("The domain {name} is not allowed here")));
        }
        let route = provider_route(account, &domain)?;
        let next_hop = route.as_ref().and_then(Uri::as_sip).unwrap_or(&domain);
        if next_hop.host.ip().is_some_and(|address| self.is_forbidden(address)) {
            return Err(Cause::new(403, "Providers on private addresses are not allowed here"));
        }
        let uri = SipUri::new(Some(&account.login), domain.host, None);
        let credentials = Credentials {
            username: account.authentication_name.clone(),
            secret: Secret::Password(account.password.clone()),
            realm: None,
        };
        let contact_user = self.token();
        let registration = account.register.then(|| {
            let register = Register {
                aor: Uri::Sip(uri.clone()),
                route: route.clone(),
                contact_user: contact_user.clone(),
                port: None,
                expires: self.settings.providers.register_expires,
                keep_alive: self.settings.providers.keep_alive,
                credentials: credentials.clone(),
            };
            self.user_agent.register(now, register)
        });
        self.browser_by_contact.insert(contact_user.clone(), connection);
        self.browser_by_registration.extend(registration.map(|handle| (handle, connection)));
        let account =
            ProviderAccount { uri, route, credentials, contact_user, registration, is_registered: false };
        if let Some(browser) = self.browsers.get_mut(&connection) {
            browser.account = Some(Account::Provider(Box::new(account)));
        }
        Ok(registration.is_none())
    }

    pub(super) fn registered(&mut self, handle: RegistrationHandle) {
        let Some(connection) = self.browser_by_registration.get(&handle).copied() else { return };
        let Some(browser) = self.browsers.get_mut(&connection) else { return };
        // A refresh is no news to the browser.
        if let Some(Account::Provider(account)) = &mut browser.account
            && !std::mem::replace(&mut account.is_registered, true)
        {
            self.say(connection, &ServerMessage::Registered);
        }
    }

    pub(super) fn registration_failed(
        &mut self,
        handle: RegistrationHandle,
        cause: &Cause,
        will_retry: bool,
    ) {
        let Some(connection) = self.browser_by_registration.get(&handle).copied() else { return };
        if !will_retry {
            self.browser_by_registration.remove(&handle);
        }
        let Some(browser) = self.browsers.get_mut(&connection) else { return };
        if let Some(Account::Provider(account)) = &mut browser.account {
            account.is_registered = false;
            account.registration = account.registration.filter(|_| will_retry);
        }
        self.say(connection, &ServerMessage::RegisterFailed(cause));
    }

    fn browser_calls(&mut self, now: Instant, connection: ConnectionId, new: NewCall) {
        let call_id = new.call_id.clone().unwrap_or_else(|| self.token());
        let Some(browser) = self.browsers.get(&connection) else { return };
        let caller = browser.account.as_ref().map_or(String::new(), |account| match account {
            Account::Local(aor) => aor.user.clone(),
            Account::Provider(account) => account.uri.user_name().unwrap_or_default(),
        });
        let info = wcs::Call {
            id: call_id.clone(),
            incoming: false,
            caller,
            callee: new.callee.clone().unwrap_or_default(),
            visible_name: String::new(),
        };
        if browser.calls.contains_key(&call_id) {
            let cause = Cause::new(400, "There is a call with this identifier already");
            return self.say(connection, &ServerMessage::Failed { call: &info, cause: &cause });
        }
        let endpoint = Endpoint::Browser(connection, call_id.clone());
        let result = self.browser_plan(now, connection, new).and_then(|plan| {
            self.say(connection, &ServerMessage::Trying(&info));
            let call = BrowserCall { info: info.clone(), is_answered: false, is_described: false };
            if let Some(browser) = self.browsers.get_mut(&connection) {
                browser.calls.insert(call_id.clone(), call);
            }
            self.start_call(now, endpoint, plan)
        });
        if let Err(cause) = result {
            self.tell_browser(connection, &call_id, Signal::Reject(cause.clone()));
            if !self.forget_browser_call(connection, &call_id) {
                self.say(connection, &failure(&info, &cause));
            }
        }
    }

    fn browser_plan(&self, now: Instant, connection: ConnectionId, new: NewCall) -> Result<Plan, Cause> {
        let logged_out = || Cause::new(403, "Log in first");
        let browser = self.browsers.get(&connection).ok_or_else(logged_out)?;
        let account = browser.account.as_ref().ok_or_else(logged_out)?;
        let callee = new.callee.as_deref().unwrap_or_default();
        let (host, from, contact_user) = match account {
            Account::Local(aor) => {
                let uri = aor.uri().ok_or_else(logged_out)?;
                (uri.host.clone(), uri, aor.user.clone())
            }
            Account::Provider(account) => {
                (account.uri.host.clone(), account.uri.clone(), account.contact_user.clone())
            }
        };
        let uri = wcs::callee_uri(callee, host, None)
            .map_err(|error| Cause::new(484, format!("Nobody can be called so: {error}")))?;
        let name = browser.user_name();
        let (callees, to, counted) = match account {
            Account::Local(_) => self.callees(now, &uri, &name)?,
            Account::Provider(account) => {
                self.admit(&name, None)?;
                (vec![self.provider_target(account, &uri)], NameAddr::new(uri), None)
            }
        };
        let configured = match account {
            Account::Local(aor) => self.users.get(aor).and_then(|user| user.display_name.clone()),
            Account::Provider(_) => None,
        };
        let display_name = new.visible_name.or(browser.visible_name.clone()).or(configured);
        Ok(Plan {
            caller_media: browser.media(&self.settings),
            offer: Some(new.sdp.into_bytes()),
            callees,
            from: NameAddr { display_name, ..NameAddr::new(from) },
            contact_user,
            to,
            max_forwards: 70,
            users: [Some(name), counted],
        })
    }

    fn provider_target(&self, account: &ProviderAccount, uri: &Uri) -> Callee {
        let elsewhere = uri.as_sip().is_none_or(|uri| uri.host != account.uri.host);
        let home = || {
            let mut home = SipUri::new(None, account.uri.host.clone(), None);
            home.params.set("lr", None);
            Uri::Sip(home)
        };
        let route = account.route.clone().or_else(|| elsewhere.then(home));
        let credentials = Box::new(account.credentials.clone());
        Callee {
            target: Target::Provider { uri: uri.clone(), route, port: None, credentials },
            media: self.provider_media(&account.uri.host),
        }
    }

    /// Shows a call to a browser; the identifier that it has there. `None`: it is gone.
    pub(super) fn ring_browser(
        &mut self,
        connection: ConnectionId,
        from: &NameAddr,
        to: &NameAddr,
        sdp: &[u8],
    ) -> Option<String> {
        let id = self.token();
        let host = self.browsers.get(&connection).and_then(Browser::home)?;
        let info = wcs::Call {
            id: id.clone(),
            incoming: true,
            caller: short_name(&from.uri, &host),
            callee: short_name(&to.uri, &host),
            visible_name: from.display_name.clone().unwrap_or_default(),
        };
        let text = std::str::from_utf8(sdp).ok();
        self.say(connection, &ServerMessage::Incoming { call: &info, sdp: text });
        let call = BrowserCall { info, is_answered: false, is_described: true };
        self.browsers.get_mut(&connection)?.calls.insert(id.clone(), call);
        Some(id)
    }

    fn browser_answers(&mut self, now: Instant, connection: ConnectionId, call_id: String, sdp: String) {
        let sdp = sdp.into_bytes();
        let call = self.browsers.get_mut(&connection).and_then(|browser| browser.calls.get_mut(&call_id));
        let Some(call) = call else { return };
        let is_first = call.info.incoming && !std::mem::replace(&mut call.is_answered, true);
        let info = call.info.clone();
        let endpoint = Endpoint::Browser(connection, call_id.clone());
        if !is_first {
            return self.endpoint_signal(now, &endpoint, Signal::OfferAnswer { sdp });
        }
        self.endpoint_signal(now, &endpoint, Signal::Answer { sdp: Some(sdp) });
        let goes_on = self.browsers.get(&connection).is_some_and(|each| each.calls.contains_key(&call_id));
        if goes_on {
            self.say(connection, &ServerMessage::Talk(&info));
        }
    }

    fn browser_hangs_up(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        call_id: String,
        status: Option<u16>,
    ) {
        let call = self.browsers.get(&connection).and_then(|browser| browser.calls.get(&call_id));
        let Some(call) = call else { return };
        let info = call.info.clone();
        let signal = if info.incoming && !call.is_answered {
            let status = status.unwrap_or(603);
            Signal::Reject(Cause::new(status, crate::sip::default_reason(status)))
        } else {
            Signal::Hangup(Cause::normal())
        };
        self.endpoint_signal(now, &Endpoint::Browser(connection, call_id.clone()), signal);
        self.forget_browser_call(connection, &call_id);
        // The npm client ends a call only when the server says so.
        self.say(connection, &ServerMessage::Finish { call: &info, cause: &Cause::normal() });
    }

    /// Tells a browser what happened to one of its calls.
    pub(super) fn tell_browser(&mut self, connection: ConnectionId, call_id: &str, signal: Signal) {
        let call = self.browsers.get_mut(&connection).and_then(|browser| browser.calls.get_mut(call_id));
        let Some(call) = call else { return };
        let info = call.info.clone();
        let answer = |call: &mut BrowserCall, sdp: Option<Vec<u8>>| {
            let sdp = sdp.and_then(|sdp| String::from_utf8(sdp).ok());
            sdp.filter(|_| !std::mem::replace(&mut call.is_described, true))
        };
        match signal {
            Signal::Progress { sdp, .. } => {
                let is_heard = sdp.is_some();
                let sdp = answer(call, sdp);
                self.say_answer(connection, &info, sdp);
                let message =
                    if is_heard { ServerMessage::SessionProgress(&info) } else { ServerMessage::Ring(&info) };
                self.say(connection, &message);
            }
            Signal::Answer { sdp } => {
                call.is_answered = true;
                let sdp = answer(call, sdp);
                self.say_answer(connection, &info, sdp);
                self.say(connection, &ServerMessage::Talk(&info));
            }
            Signal::OfferAnswer { sdp } => {
                self.say_answer(connection, &info, String::from_utf8(sdp).ok());
            }
            Signal::Reject(cause) => self.say(connection, &failure(&info, &cause)),
            Signal::Hangup(cause) if cause.status == 200 => {
                self.say(connection, &ServerMessage::Finish { call: &info, cause: &cause });
            }
            // A call that rang and was answered elsewhere, or given up, is no failure either.
            Signal::Hangup(cause) if !call.is_answered => {
                self.say(connection, &ServerMessage::Finish { call: &info, cause: &cause });
            }
            Signal::Hangup(cause) => {
                self.say(connection, &ServerMessage::Failed { call: &info, cause: &cause });
            }
            Signal::Offer { sdp, .. } => {
                if let Some(sdp) = sdp.and_then(|sdp| String::from_utf8(sdp).ok()) {
                    let sdp = &sdp;
                    self.say(connection, &ServerMessage::RemoteSdp { call: &info, sdp, is_answer: false });
                }
            }
            // Its messages have no place for digits and for refused offers.
            Signal::LateAnswer { .. }
            | Signal::OfferReject(_)
            | Signal::Hold { .. }
            | Signal::Digit { .. }
            | Signal::Info { .. }
            | Signal::Transfer(_) => {}
        }
    }

    fn say_answer(&mut self, connection: ConnectionId, call: &wcs::Call, sdp: Option<String>) {
        if let Some(sdp) = sdp {
            self.say(connection, &ServerMessage::RemoteSdp { call, sdp: &sdp, is_answer: true });
        }
    }

    /// Forgets a call of a browser; false if there was none.
    pub(super) fn forget_browser_call(&mut self, connection: ConnectionId, call_id: &str) -> bool {
        let browser = self.browsers.get_mut(&connection);
        browser.is_some_and(|browser| browser.calls.remove(call_id).is_some())
    }
}

/// How a call that did not come about is told.
fn failure<'a>(call: &'a wcs::Call, cause: &'a Cause) -> ServerMessage<'a> {
    match cause.status {
        486 | 600 => ServerMessage::Busy { call, cause },
        _ => ServerMessage::Failed { call, cause },
    }
}

/// A user's name alone where it is of the browser's own domain, its address elsewhere.
fn short_name(uri: &Uri, home: &Host) -> String {
    match uri {
        Uri::Sip(uri) if uri.host == *home => uri.user_name().unwrap_or_default(),
        Uri::Sip(uri) => format!("{}@{}", uri.user_name().unwrap_or_default(), uri.host),
        Uri::Tel(uri) => uri.digits(),
        Uri::Other(text) => text.clone(),
    }
}

/// Where a provider's requests go first: the outbound proxy, or the domain where it has a port.
fn provider_route(account: &wcs::Account, domain: &SipUri) -> Result<Option<Uri>, Cause> {
    let mut hop = match &account.outbound_proxy {
        Some(proxy) => {
            let has_scheme = proxy.starts_with("sip:") || proxy.starts_with("sips:");
            let text = if has_scheme { proxy.clone() } else { format!("sip:{proxy}") };
            match text.parse() {
                Ok(Uri::Sip(uri)) => uri,
                _ => return Err(Cause::new(478, "The outbound proxy is malformed")),
            }
        }
        None => domain.clone(),
    };
    hop.port = hop.port.or(account.port);
    if account.outbound_proxy.is_none() && hop.port.is_none_or(|port| port == 5060) {
        return Ok(None);
    }
    hop.params.set("lr", None);
    Ok(Some(Uri::Sip(hop)))
}
