//! The switch: what the signaling process drives. One state machine; everything that happens goes in as an
//! [`Input`], everything it wants comes out as an [`Output`].

mod authentication;
mod browsers;
mod calls;
mod counters;
mod data;
mod dataplane;
mod identity;
mod leaving;
mod lines;
mod lockout;
mod messages;
mod ports;
mod queries;
mod requests;
mod routing;
mod streams;
mod subscriptions;
#[cfg(test)]
mod tests;
mod tokens;
mod transfer;
mod xcap;

use crate::messaging::{KeptMessage, MessageId};
use crate::party::Cause;
use crate::registrar::{AddressOfRecord, Registrar, RegistrarLimits};
use crate::settings::{Grant, Settings, User};
use crate::sip::auth::{Authenticator, Realm};
use crate::sip::user_agent::{RegistrationHandle, UaEvent, UaSettings, UserAgent};
use crate::transport::{ConnectionId, Destination, Flow, Target};
use browsers::{Browser, BrowserId};
use calls::{CallId, Calls};
use counters::Counters;
use dataplane::Dataplane;
use lines::Lines;
use lockout::Lockout;
use messages::Messages;
use queries::Queries;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use streams::Streams;
use subscriptions::Watchers;
use tokens::TokenTable;
use transfer::Transfer;
use zeroize::Zeroizing;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// One SIP message: a datagram, a WebSocket frame, or cut out of a stream.
    Sip {
        /// The path it came on.
        flow: Flow,
        /// Its bytes, as received.
        bytes: Vec<u8>,
    },
    /// A message could not be sent, or its connection could not be opened (RFC 3261 section 8.1.3.1: as a 503).
    SendFailed {
        /// Where it was to go.
        destination: Destination,
        /// The [`Output::Sip`]'s key.
        key: SendKey,
    },
    /// A connection that carried SIP closed.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
    /// The answer to [`Output::Resolve`]; no targets: the name has no address.
    Resolved {
        /// Its id.
        query: u64,
        /// In the order to be tried.
        targets: Vec<Target>,
    },
    /// A browser opened a WebSocket without the sub-protocol `sip`.
    WcsOpened {
        /// The connection.
        connection: ConnectionId,
        /// Its address.
        remote: SocketAddr,
        /// The `Origin` header field of its request: the page that opened it, as the browser says.
        origin: Option<String>,
    },
    /// One text frame on it.
    Wcs {
        /// The connection.
        connection: ConnectionId,
        /// The text.
        text: String,
    },
    /// It closed.
    WcsClosed {
        /// The connection.
        connection: ConnectionId,
    },
    /// The answer to [`Output::AskToken`].
    TokenAnswered {
        /// Its id.
        query: u64,
        /// What the token allows; `None`: nothing, or nobody could tell.
        grant: Option<Arc<Grant>>,
    },
    /// The answer to [`Output::GetXcap`].
    XcapAnswered {
        /// Its id.
        query: u64,
        /// The document, or why there is none.
        document: Result<String, Cause>,
    },
    /// The answer to [`Output::PostData`].
    DataAnswered {
        /// Its id.
        query: u64,
        /// What the application says in return, as JSON, empty where it says nothing; or why it did not take it.
        answer: Result<Vec<u8>, Cause>,
    },
    /// The dataplane is there (again).
    DataplaneUp(tandem_control::Hello),
    /// The answer to [`Output::OpenPort`].
    PortOpened {
        /// Which.
        port: u16,
        /// Whether it is bound at every address; another program may have it.
        is_open: bool,
    },
    /// The connection to the dataplane is lost.
    DataplaneDown,
    /// The dataplane said something.
    Dataplane(tandem_control::Message),
    /// What became of an [`Output::KeepMessage`].
    MessageKept {
        /// The message.
        id: MessageId,
        /// Whether it is on disk, safe from a crash.
        is_kept: bool,
    },
    /// The process is about to end; [`Switch::has_left`] says when it can.
    Leave,
    /// [`crate::switch`]'s timeout has passed.
    Timeout,
}

/// Names one outgoing message, so that a failure to send it finds its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SendKey(pub u64);

/// Something to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send one SIP message.
    Sip {
        /// Where to.
        destination: Destination,
        /// The name a TLS server's certificate must show, where we open the connection.
        tls_name: Option<String>,
        /// For [`Input::SendFailed`].
        key: SendKey,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Find the servers of a SIP URI (RFC 3263); answered by [`Input::Resolved`].
    Resolve {
        /// Its id.
        query: u64,
        /// The URI's or the route's host.
        host: String,
        /// Its port, where it has one.
        port: Option<u16>,
        /// Its transport parameter, where it has one.
        transport: Option<crate::transport::Transport>,
        /// `sips:`.
        secure: bool,
    },
    /// Send one text frame to a browser.
    Wcs {
        /// The connection.
        connection: ConnectionId,
        /// The text.
        text: String,
    },
    /// Close a browser's connection (or a SIP connection) after what was sent.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Bind a UDP port for the signalling of one account; answered by [`Input::PortOpened`].
    OpenPort {
        /// One of [`Settings::user_ports`].
        port: u16,
    },
    /// Close it.
    ClosePort {
        /// Which.
        port: u16,
    },
    /// Ask the operator's server what a click-to-call token allows; answered by [`Input::TokenAnswered`], within a time
    /// that is the process's to bound.
    AskToken {
        /// Its id.
        query: u64,
        /// The token.
        token: String,
        /// The page that it is used on, as the client says.
        page_url: Option<String>,
        /// As the browser says.
        origin: Option<String>,
    },
    /// Get a document from a domain's XCAP server; answered by [`Input::XcapAnswered`], within a time and up to a size
    /// that are the process's to bound.
    GetXcap {
        /// Its id.
        query: u64,
        /// That of one of [`Settings::xcap`].
        domain: String,
        /// What follows the server's root, with its slash.
        selector: String,
        /// The URI of the user who asks, proven to us.
        user: String,
    },
    /// Post to the operator's application what a browser says to it; answered by [`Input::DataAnswered`], within a time
    /// and up to a size that are the process's to bound.
    PostData {
        /// Its id.
        query: u64,
        /// An object with `user` (the URI of the user, proven to us), `operationId` and `payload`.
        json: String,
    },
    /// Write a message to disk; answered by [`Input::MessageKept`].
    KeepMessage(Box<KeptMessage>),
    /// Remove it from the disk. It comes after its [`Output::KeepMessage`], and is to be carried out after it.
    DropMessage(MessageId),
    /// Send a request to the dataplane.
    Dataplane(tandem_control::RequestFrame),
}

/// How long a nonce of ours may be used.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);
/// Documents, and answers of the application, that one browser may wait for at once.
const MAX_QUERIES_OF_BROWSER: usize = 2;
/// Addresses of authenticated clients that are remembered.
const MAX_CLIENT_ADDRESSES: usize = 65_536;
/// How often browsers are asked whether they are there: clients of WCS 5 may give a silent server up.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How often what has lapsed is taken away.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);

/// Where the switch gets its random bytes: the operating system in production, something fixed in tests.
pub type RandomSource = Box<dyn FnMut(&mut [u8]) + Send>;

/// What is due at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A call has something to do: it rang for long enough, or a digit waited.
    Call(CallId),
    /// Sessions that nobody knows have had their grace.
    Orphans,
    /// A session is deleted for which the dataplane was too busy.
    DeleteAgain(tandem_control::SessionId),
    /// An account of the configuration is opened.
    Line(usize),
    /// A port that an account had for itself, or that another program has, has rested.
    Port { port: u16, is_open: bool },
    /// A browser that lost its connection may come back no longer.
    BrowserAway(BrowserId),
    /// A browser is waited for no longer to answer an offer.
    BrowserOffer(BrowserId),
    /// A message has waited for an answer for long enough.
    Message(MessageId),
    /// Browsers are asked whether they are there.
    Ping,
    /// Bindings and lock-outs that have lapsed, and memory that is needed no more.
    Tidy,
}

/// See the module.
pub struct Switch {
    settings: Settings,
    random: RandomSource,
    user_agent: UserAgent,
    authenticator: Authenticator,
    /// By the domain's name in lower case.
    realms: HashMap<String, Realm>,
    users: HashMap<AddressOfRecord, User>,
    registrar: Registrar,
    lockout: Lockout,
    calls: Calls,
    /// By the call that somebody is transferred from.
    transfers: HashMap<CallId, Transfer>,
    last_browser: u64,
    browsers: HashMap<BrowserId, Browser>,
    browser_by_connection: HashMap<ConnectionId, BrowserId>,
    /// Browsers by the user part of their Contact at a provider.
    browser_by_contact: HashMap<String, BrowserId>,
    browser_by_registration: HashMap<RegistrationHandle, BrowserId>,
    /// Browsers by what they show to come back after a lost connection.
    browser_by_return: HashMap<String, BrowserId>,
    tokens: TokenTable,
    xcap: Queries<()>,
    /// What is said to the application, with the client's identifier of it.
    data: Queries<String>,
    lines: Lines,
    dataplane: Dataplane,
    messages: Messages,
    streams: Streams,
    watchers: Watchers,
    /// Where clients of local domains are: requests may go there although it is a private address.
    client_addresses: HashSet<IpAddr>,
    timers: BTreeSet<(Instant, Timer)>,
    is_leaving: bool,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl Switch {
    /// A switch without calls. `random` fills buffers with random bytes: see [`RandomSource`].
    pub fn new<R>(now: Instant, settings: Settings, mut random: R) -> Switch
    where
        R: FnMut(&mut [u8]) + Clone + Send + 'static,
    {
        let mut secret = Zeroizing::new([0; 32]);
        random(secret.as_mut_slice());
        let (mut users, mut realms) = (HashMap::new(), HashMap::new());
        for domain in &settings.domains {
            let realm = Realm::for_telephones(domain.name.clone(), domain.users.iter().map(|user| &user.ha1));
            realms.insert(domain.name.to_ascii_lowercase(), realm);
            for user in &domain.users {
                let name = domain.name.to_ascii_lowercase();
                users.insert(AddressOfRecord { user: user.name.clone(), domain: name }, user.clone());
            }
        }
        let limits = RegistrarLimits {
            min: settings.timers.registration_min,
            max: settings.timers.registration_max,
            contacts: settings.limits.contacts_per_user,
        };
        let mut switch = Switch {
            user_agent: UserAgent::new(UaSettings::from_settings(&settings), Box::new(random.clone())),
            random: Box::new(random),
            authenticator: Authenticator::new(&secret, NONCE_LIFETIME, now),
            realms,
            users,
            registrar: Registrar::new(limits),
            lockout: Lockout::new(settings.limits.wrong_passwords, settings.limits.lockout),
            calls: Calls::default(),
            transfers: HashMap::new(),
            last_browser: 0,
            browsers: HashMap::new(),
            browser_by_connection: HashMap::new(),
            browser_by_contact: HashMap::new(),
            browser_by_registration: HashMap::new(),
            browser_by_return: HashMap::new(),
            tokens: TokenTable::new(&settings.tokens),
            xcap: Queries::new(MAX_QUERIES_OF_BROWSER),
            data: Queries::new(MAX_QUERIES_OF_BROWSER),
            lines: Lines::new(settings.user_ports),
            dataplane: dataplane::dataplane(),
            messages: Messages::default(),
            streams: Streams::default(),
            watchers: Watchers::default(),
            client_addresses: HashSet::new(),
            timers: BTreeSet::from([(now + EXPIRE_EVERY, Timer::Tidy), (now + PING_EVERY, Timer::Ping)]),
            is_leaving: false,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            settings,
        };
        switch.add_lines(now);
        switch
    }

    /// Something happened. Take every [`Switch::poll_output`] after it.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip { flow, bytes } => self.user_agent.receive_bytes(now, flow, &bytes),
            Input::SendFailed { key, .. } => self.user_agent.send_failed(now, key),
            Input::Closed { connection } => {
                self.registrar.closed(connection);
                self.watchers.note_registrations();
                self.user_agent.closed(now, connection);
            }
            Input::Resolved { query, targets } => self.user_agent.resolved(now, query, targets),
            Input::WcsOpened { connection, remote, origin } => {
                self.browser_opened(now, connection, remote, origin)
            }
            Input::Wcs { connection, text } => self.browser_said(now, connection, &text),
            Input::WcsClosed { connection } => self.browser_closed(now, connection),
            Input::PortOpened { port, is_open } => self.port_opened(now, port, is_open),
            Input::TokenAnswered { query, grant } => self.token_answered(now, query, grant),
            Input::XcapAnswered { query, document } => self.xcap_answered(query, document),
            Input::DataAnswered { query, answer } => self.data_answered(query, answer),
            Input::DataplaneUp(hello) => self.dataplane_up(now, hello),
            Input::DataplaneDown => self.dataplane_down(now),
            Input::Dataplane(message) => self.dataplane_said(now, message),
            Input::MessageKept { id, is_kept } => self.message_kept(now, id, is_kept),
            Input::Leave => self.leave(now),
            Input::Timeout => self.timeout(now),
        }
        self.settle(now);
        self.tell_watchers(now);
    }

    /// When [`Input::Timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        let ours = self.timers.first().map(|(at, _)| *at);
        [ours, self.dataplane.deadline(), self.user_agent.next_timeout()].into_iter().flatten().min()
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn timeout(&mut self, now: Instant) {
        self.expire_requests(now);
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Call(call) => self.call_timeout(now, call),
                Timer::Orphans => self.delete_orphans(now),
                Timer::DeleteAgain(session) => self.delete_session(now, session),
                Timer::Line(index) => self.open_line(now, index),
                Timer::Port { port, is_open } => self.port_rested(port, is_open),
                Timer::BrowserAway(browser) => self.browser_stayed_away(now, browser),
                Timer::BrowserOffer(browser) => self.browser_offer_timeout(now, browser),
                Timer::Message(id) => self.message_timeout(now, id),
                Timer::Ping => {
                    self.ping_browsers();
                    self.timers.insert((now + PING_EVERY, Timer::Ping));
                }
                Timer::Tidy => {
                    self.expire_messages(now);
                    self.registrar.expire(now);
                    self.watchers.note_registrations();
                    self.expire_subscriptions(now);
                    self.lockout.expire(now);
                    self.tokens.expire(now);
                    self.xcap.shrink();
                    self.data.shrink();
                    self.calls.shrink();
                    self.streams.shrink();
                    self.user_agent.shrink();
                    self.timers.insert((now + EXPIRE_EVERY, Timer::Tidy));
                }
            }
        }
        self.user_agent.handle_timeout(now);
    }

    /// Carries out what the user agent told, until it has nothing more to tell.
    fn settle(&mut self, now: Instant) {
        while let Some(event) = self.user_agent.poll_event() {
            match event {
                UaEvent::Request { handle, flow, request } => self.request(now, handle, flow, &request),
                // An INVITE is accepted or refused the moment it comes, so there is none that could go.
                UaEvent::RequestGone { .. } => {}
                UaEvent::Signal { call, signal } => self.sip_signal(now, call, signal),
                UaEvent::Refer { call, refer } => self.sip_refer(now, call, *refer),
                UaEvent::Ended { call } => self.sip_ended(now, call),
                UaEvent::Registered { handle, headers, .. } => {
                    if !self.line_registered(handle) {
                        self.registered(handle);
                        self.note_balance(handle, &headers);
                    }
                }
                UaEvent::MessageDone { handle, cause } => self.message_done(now, handle, &cause),
                UaEvent::StateWanted { subscriber } => self.state_wanted(now, subscriber),
                UaEvent::SubscriptionEnded { subscriber } => self.subscription_ended(subscriber),
                UaEvent::RegistrationFailed { handle, cause, will_retry } => {
                    self.counters.registrations_failed += 1;
                    if !self.line_failed(now, handle, will_retry) {
                        self.registration_failed(now, handle, &cause, will_retry);
                    }
                }
            }
        }
        while let Some(output) = self.user_agent.poll_output() {
            self.pass_on(now, output);
        }
    }

    /// attacks.md row 7: what a provider, or DNS for it, names must not lead requests to hosts beside us.
    fn pass_on(&mut self, now: Instant, output: Output) {
        if let Output::Sip { destination: Destination::Address { remote, .. }, key, bytes, .. } = &output {
            let is_request = !bytes.starts_with(b"SIP/2.0");
            if is_request && self.is_forbidden(remote.ip()) {
                self.counters.forbidden_targets += 1;
                self.user_agent.send_failed(now, *key);
                return self.settle(now);
            }
        }
        self.outputs.push_back(output);
    }

    fn is_forbidden(&self, address: IpAddr) -> bool {
        !self.settings.providers.allow_private
            && !routing::is_public(address)
            && !self.client_addresses.contains(&address)
    }

    /// A client proved who it is from here.
    fn note_client(&mut self, flow: &Flow) {
        if self.client_addresses.len() >= MAX_CLIENT_ADDRESSES {
            self.client_addresses.clear();
        }
        self.client_addresses.insert(flow.remote.ip());
    }

    /// Letters and digits that nobody can guess.
    fn token(&mut self) -> String {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
