//! What the switch says to the user agent and hears from it.

use crate::party::{Cause, Signal};
use crate::sip::auth::Credentials;
use crate::sip::transaction::BaseTimers;
use crate::sip::{Headers, NameAddr, Request, Uri};
use crate::transport::{Flow, Transport};
use std::net::SocketAddr;
use std::time::Duration;

/// What the user agent must know of the configuration.
#[derive(Clone, Debug)]
pub struct UaSettings {
    /// The advertised address of each transport that is listened on: for Via and Contact.
    pub sip: Vec<(Transport, SocketAddr)>,
    /// The range of the UDP ports that single accounts have for themselves.
    pub user_ports: Option<(u16, u16)>,
    /// Sent in User-Agent and Server.
    pub product: String,
    /// The timers of the transactions.
    pub timers: BaseTimers,
    /// How long a callee may ring after its last provisional response (timer C: above 3 minutes, RFC 3261 section 16.6).
    pub ring: Duration,
    /// Session-Expires that is asked for (RFC 4028).
    pub session_expires: Duration,
    /// The smallest that is accepted; at least 90 s (RFC 4028 section 5).
    pub min_session_expires: Duration,
    /// Transactions at once; above it requests get a stateless 503.
    pub transactions: usize,
    /// Requests a second from one source address; the burst above it is as large again.
    pub requests_per_source: u32,
    /// The longest that a subscription lives without a refresh.
    pub max_subscription: Duration,
}

impl UaSettings {
    /// The part of the switch's settings that the user agent needs.
    pub fn from_settings(settings: &crate::settings::Settings) -> UaSettings {
        UaSettings {
            sip: settings.sip.clone(),
            user_ports: settings.user_ports,
            product: settings.product.clone(),
            timers: BaseTimers::default(),
            ring: settings.timers.ring,
            session_expires: settings.timers.session_expires,
            min_session_expires: settings.timers.min_session_expires,
            transactions: settings.limits.transactions,
            requests_per_source: settings.limits.requests_per_source,
            max_subscription: settings.presence.max_expires,
        }
    }
}

/// Names a call of the user agent. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallHandle(pub u64);

/// Names a request that waits for [`super::UserAgent::respond`]. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestHandle(pub u64);

/// Names a message of ours on its way. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageHandle(pub u64);

/// Names a subscription of somebody else's. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionHandle(pub u64);

/// Names a registration at a provider. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistrationHandle(pub u64);

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The Request-URI.
    pub target: Uri,
    /// The outbound proxy, as a preloaded route (RFC 3261 section 8.1.2).
    pub route: Option<Uri>,
    /// Send along a client's own path, instead of finding the target (RFC 5626, RFC 7118, and telephones behind a NAT).
    pub via: Option<Flow>,
    /// The account's own UDP port, where it has one.
    pub port: Option<u16>,
    /// The caller; a tag is added.
    pub from: NameAddr,
    /// The callee.
    pub to: NameAddr,
    /// The user part of our Contact.
    pub contact_user: String,
    /// The offer; `None` asks the callee to make one.
    pub sdp: Option<Vec<u8>>,
    /// Answers the provider's challenges. Never given for calls to anyone else (attacks.md row 11).
    pub credentials: Option<Credentials>,
    /// More header fields.
    pub headers: Vec<(crate::sip::HeaderName, String)>,
    /// Max-Forwards: 70, or one less than in the request that caused this call.
    pub max_forwards: u8,
}

/// A registration to be made and kept (RFC 3261 section 10.2).
#[derive(Clone, Debug)]
pub struct Register {
    /// The address of record: `sip:user@domain`. Its domain is the registrar.
    pub aor: Uri,
    /// The outbound proxy.
    pub route: Option<Uri>,
    /// The user part of our Contact, by which incoming calls are known.
    pub contact_user: String,
    /// The account's own UDP port, where it has one.
    pub port: Option<u16>,
    /// The lifetime that is asked for.
    pub expires: Duration,
    /// How the path from the provider is kept open.
    pub keep_alive: KeepAlive,
    /// Answers the registrar's challenges.
    pub credentials: Credentials,
}

/// How the NAT bindings and connections between us and a registrar are kept open, so that its calls reach us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// What is sent.
    pub method: KeepAliveMethod,
    /// Over UDP, the longest time between two; `None`: RFC 5626's. Over connections RFC 5626's holds always.
    pub interval: Option<Duration>,
}

/// What keeps a path open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepAliveMethod {
    /// Empty lines: over connections as RFC 5626 section 4.4.1 says, over UDP as RFC 3261 section 7.5 lets peers ignore.
    #[default]
    Lines,
    /// OPTIONS requests, whose responses show that the provider is there.
    Options,
    /// Nothing.
    Off,
}

/// What the user agent tells the switch.
#[derive(Clone, Debug)]
pub enum UaEvent {
    /// A request outside any dialog (REGISTER, OPTIONS, MESSAGE, SUBSCRIBE, INVITE). The switch authenticates it and
    /// decides: [`super::UserAgent::respond`], for an INVITE [`super::UserAgent::accept_invite`], for a SUBSCRIBE
    /// [`super::UserAgent::accept_subscription`].
    Request {
        /// Answers it.
        handle: RequestHandle,
        /// The path back to who sent it.
        flow: Flow,
        /// The request, with `received` and `rport` in its topmost Via.
        request: Box<Request>,
    },
    /// A CANCEL or a time-out ended an INVITE of [`UaEvent::Request`] that was not accepted yet; it is answered.
    RequestGone {
        /// Which.
        handle: RequestHandle,
    },
    /// The far end of a call signals.
    Signal {
        /// The call.
        call: CallHandle,
        /// What.
        signal: Signal,
    },
    /// The far end of a call wants the other party to talk to somebody else. Answered by [`Signal::Transfer`].
    Refer {
        /// The call.
        call: CallHandle,
        /// Whom.
        refer: Box<super::Refer>,
    },
    /// Nothing more will come of this call. What is left (a BYE, an ACK) is the user agent's own affair.
    Ended {
        /// The call.
        call: CallHandle,
    },
    /// The final response to a message of ours, or what happened in its place.
    MessageDone {
        /// The message.
        handle: MessageHandle,
        /// 2xx: it was taken.
        cause: Cause,
    },
    /// A subscriber is to be told the state: [`super::UserAgent::notify`].
    StateWanted {
        /// Who.
        subscriber: SubscriptionHandle,
    },
    /// Nothing more is to be told a subscriber.
    SubscriptionEnded {
        /// Who.
        subscriber: SubscriptionHandle,
    },
    /// The registrar has, or has renewed, our binding.
    Registered {
        /// The registration.
        handle: RegistrationHandle,
        /// The lifetime it gave. It is renewed before.
        expires: Duration,
        /// The header fields of its answer.
        headers: Headers,
    },
    /// The registrar has no binding of ours, or will not have for long.
    RegistrationFailed {
        /// The registration.
        handle: RegistrationHandle,
        /// Why.
        cause: Cause,
        /// Tried again later (RFC 5626 section 4.5). Otherwise the handle is gone.
        will_retry: bool,
    },
}

/// Why the user agent would not do what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UaError {
    /// The handle names nothing (any more): a CANCEL or a BYE may have crossed.
    #[error("the call or request is over")]
    Over,
    /// The signal makes no sense now: an answer without an offer, say.
    #[error("the signal does not fit the state of the call")]
    OutOfState,
}

/// Why a message was dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drop {
    /// Not SIP, or so malformed that it cannot be answered.
    Malformed,
    /// A keep-alive (RFC 5626 section 4.4); nothing is wrong.
    KeepAlive,
    /// The source sends more requests than it may.
    RateLimited,
    /// A response to no request of ours.
    StrayResponse,
    /// An ACK to no response of ours.
    StrayAck,
    /// A retransmission, absorbed as the RFC wants.
    Retransmission,
}

/// How many messages were dropped, for each [`Drop`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    counts: [u64; 6],
}

impl Drops {
    /// Every reason, in the order of their counts.
    pub const REASONS: [Drop; 6] = [
        Drop::Malformed,
        Drop::KeepAlive,
        Drop::RateLimited,
        Drop::StrayResponse,
        Drop::StrayAck,
        Drop::Retransmission,
    ];

    /// How many for this reason.
    pub fn get(&self, reason: Drop) -> u64 {
        Self::REASONS.iter().zip(self.counts).find(|(each, _)| **each == reason).map_or(0, |(_, count)| count)
    }

    pub(super) fn count(&mut self, reason: Drop) {
        for (each, count) in Self::REASONS.iter().zip(&mut self.counts) {
            if *each == reason {
                *count += 1;
            }
        }
    }
}
