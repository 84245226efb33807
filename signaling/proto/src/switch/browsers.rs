//! Browsers on the WCS protocol: their logins and their calls.

mod calls;
mod click_to_call;
mod line;
mod login;
mod media;
mod messages;
mod offers;
mod requests;
mod resume;
mod telling;

use super::calls::Endpoint;
use super::{Output, Switch};
use crate::call::{PartyMedia, TakesInfo};
use crate::party::{Cause, Signal};
use crate::registrar::AddressOfRecord;
use crate::sdp::Kind;
use crate::settings::{CodecName, Grant, Settings};
use crate::sip::auth::Credentials;
use crate::sip::user_agent::RegistrationHandle;
use crate::sip::{Host, SipUri, Uri};
use crate::transport::ConnectionId;
use crate::wcs::{self, CallStatus, FrameError, Generation, ServerMessage};
use resume::Return;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Names a browser for as long as it is logged in, whatever connections it has meanwhile. Never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct BrowserId(u64);

/// One browser.
#[derive(Debug)]
pub(super) struct Browser {
    /// `None`: it is lost.
    connection: Option<ConnectionId>,
    /// When something came from it last.
    heard_at: Instant,
    /// How it may come back.
    back: Return,
    remote: SocketAddr,
    wire: wcs::Connection,
    /// The page that opened the connection, as the browser says, and as the client does.
    origin: Option<String>,
    page_url: Option<String>,
    account: Option<Account>,
    /// Where it has its account by a token: what that allows.
    grant: Option<Arc<Grant>>,
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
    /// Whether it is to be called.
    registers: bool,
    /// The UDP port that it has for itself.
    port: Option<u16>,
    registration: Option<RegistrationHandle>,
    is_registered: bool,
    /// What the provider last said that is left of the user's money.
    balance: Option<f64>,
}

#[derive(Debug)]
struct BrowserCall {
    info: wcs::Call,
    status: CallStatus,
    is_answered: bool,
    /// The browser has our answer to its offer.
    is_described: bool,
    /// The audio codec that the browser was told.
    codec: Option<CodecName>,
    /// What its next `answer` is.
    owes: Option<Owes>,
}

/// What a browser's `answer` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owes {
    /// It takes an incoming call.
    Answer,
    /// It made a call without an offer, and was given one with the answer.
    LateAnswer,
    /// It was sent an offer in mid-call.
    OfferAnswer {
        /// When it is waited for no longer.
        until: Instant,
    },
}

impl Browser {
    #[cfg(test)]
    pub(super) fn has_no_calls(&self) -> bool {
        self.calls.is_empty()
    }

    /// What is known of its media.
    pub(super) fn media(&self, settings: &Settings) -> PartyMedia {
        let mut profile = settings.browser_media.clone();
        if self.grant.as_ref().is_some_and(|grant| !grant.video) {
            Arc::make_mut(&mut profile).video.codecs.clear();
        }
        PartyMedia {
            kind: Kind::WebRtc,
            profile,
            source: Some(self.remote.ip()),
            takes_offers: self.takes_offers,
            info: TakesInfo::Never,
        }
    }

    pub(super) fn is_local_user(&self, aor: &AddressOfRecord) -> bool {
        // Who holds a token uses an account, and is not its user.
        self.grant.is_none() && matches!(&self.account, Some(Account::Local(user)) if user == aor)
    }

    /// The domain that it is logged in to.
    pub(super) fn home(&self) -> Option<Host> {
        match self.account.as_ref()? {
            Account::Local(aor) => aor.domain.parse().ok(),
            Account::Provider(account) => Some(account.uri.host.clone()),
        }
    }

    /// The address that its user has proven to have, here or at the domain of the provider that registered it. Who holds a token uses
    /// an account of somebody else's.
    pub(super) fn proven_address(&self) -> Option<SipUri> {
        match self.account.as_ref().filter(|_| self.grant.is_none())? {
            Account::Local(aor) => aor.uri(),
            Account::Provider(account) => {
                // A server that the page itself names, beside the domain, may say anything of that domain's users.
                let route = account.route.as_ref().and_then(Uri::as_sip);
                let is_of_domain = route.is_none_or(|hop| hop.host == account.uri.host);
                Some(account.uri.clone()).filter(|_| account.is_registered && is_of_domain)
            }
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
    pub(super) fn browser_opened(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        remote: SocketAddr,
        origin: Option<String>,
    ) {
        self.last_browser += 1;
        let id = BrowserId(self.last_browser);
        let browser = Browser {
            connection: Some(connection),
            heard_at: now,
            back: Return::default(),
            remote,
            wire: wcs::Connection::new(),
            origin,
            page_url: None,
            account: None,
            grant: None,
            visible_name: None,
            takes_offers: false,
            calls: HashMap::new(),
        };
        self.browsers.insert(id, browser);
        self.browser_by_connection.insert(connection, id);
    }

    /// Closing is the log-off, unless the browser said that it will come back.
    pub(super) fn browser_closed(&mut self, now: Instant, connection: ConnectionId) {
        if let Some(id) = self.browser_by_connection.remove(&connection)
            && !self.await_return(now, id)
        {
            self.log_off(now, id);
        }
    }

    /// Calls are hung up, the provider's binding is removed.
    fn log_off(&mut self, now: Instant, id: BrowserId) {
        let Some(browser) = self.browsers.get(&id) else { return };
        let calls: Vec<String> = browser.calls.keys().cloned().collect();
        if let Some(Account::Local(user)) = &browser.account {
            self.watchers.note_registration(user);
        }
        for call_id in calls {
            let gone = Cause::new(480, "The browser's connection closed");
            self.endpoint_signal(now, &Endpoint::Browser(id, call_id), Signal::Hangup(gone));
        }
        self.end_streams_of(now, id);
        self.close_browser_line(now, id);
        if let Some(browser) = self.browsers.remove(&id) {
            self.forget_return(browser.back);
        }
    }

    pub(super) fn browser_said(&mut self, now: Instant, connection: ConnectionId, text: &str) {
        let Some(id) = self.browser_by_connection.get(&connection).copied() else { return };
        let Some(browser) = self.browsers.get_mut(&id) else { return };
        browser.heard_at = now;
        match browser.wire.receive(text) {
            Ok(message) => self.browser_requests(now, id, message),
            Err(error) => {
                self.counters.malformed_frames += 1;
                if error == FrameError::NotConnected {
                    self.outputs.push_back(Output::Close { connection });
                }
            }
        }
    }

    /// Those of WCS 3.0 do not know the message.
    pub(super) fn ping_browsers(&mut self) {
        let is_asked = |browser: &Browser| browser.wire.generation() == Some(Generation::V5);
        let there = |(id, browser): (&BrowserId, &Browser)| is_asked(browser).then_some(*id);
        let browsers: Vec<BrowserId> = self.browsers.iter().filter_map(there).collect();
        for id in browsers {
            self.say(id, &ServerMessage::Ping);
        }
    }

    pub(super) fn say(&mut self, id: BrowserId, message: &ServerMessage<'_>) {
        let Some(browser) = self.browsers.get_mut(&id) else { return };
        for text in browser.wire.send(message) {
            browser.back.keep(message, &text);
            if let Some(connection) = browser.connection {
                self.outputs.push_back(Output::Wcs { connection, text });
            }
        }
    }
}
