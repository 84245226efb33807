//! What clients say.

use super::stream::StreamRequest;
use serde_json::Value;
use zeroize::Zeroizing;

/// One message of a client.
#[derive(Clone, Debug)]
pub enum ClientMessage {
    /// `connect` or `connection`: log in. Answered by `getUserData` at once, `registered` or `fail` later.
    Connect(Box<Login>),
    /// `call`.
    Call(NewCall),
    /// `answer`: the answer to an incoming call's offer, to a later remote offer, or, where the call came without one,
    /// an offer.
    Answer {
        /// The call.
        call_id: String,
        /// The description.
        sdp: String,
    },
    /// `changeMediaRequest`: a new offer inside a call.
    Offer {
        /// The call.
        call_id: String,
        /// The offer.
        sdp: String,
    },
    /// `updateCallToVideo`: video is wanted, without an offer. The client is sent one ([`super::ServerMessage::RemoteSdp`])
    /// if the far end takes video.
    UpdateCallToVideo {
        /// The call.
        call_id: String,
    },
    /// `hold` and `unhold`.
    Hold {
        /// The call.
        call_id: String,
        /// Whether it shall be on hold.
        on: bool,
    },
    /// `transfer`: connect the far end with somebody else, and leave.
    Transfer {
        /// The call.
        call_id: String,
        /// Whom, as typed.
        target: Option<String>,
        /// Or the far end of this other call of the client (an attended transfer).
        replaces: Option<String>,
    },
    /// `hangup`: give up, decline or end a call.
    Hangup {
        /// The call.
        call_id: String,
        /// Why an incoming call is declined, 400 to 699, where the client says so (Tandem's own page does).
        sip_status: Option<u16>,
    },
    /// `sendDtmf`.
    Dtmf {
        /// The call.
        call_id: String,
        /// One or more of `0` to `9`, `*`, `#`, `A` to `D`.
        digits: String,
        /// How they shall be sent.
        method: DtmfMethod,
    },
    /// `sendInfo`: a SIP INFO request with this body.
    SendInfo {
        /// The call.
        call_id: String,
        /// The type of the body.
        content_type: String,
        /// Up to [`super::MAX_BODY`] bytes.
        body: String,
    },
    /// `sendInstantMessage`.
    Message(OutgoingMessage),
    /// `notificationResult`: the client took, or could not take, what `notifyMessage` brought.
    NotificationResult {
        /// The identifier in [`super::IncomingMessage`].
        id: String,
        /// Whether it took it.
        is_ok: bool,
    },
    /// `subscribe`.
    Subscribe(Subscribe),
    /// `sendXcapRequest`: get a document of the provider's.
    Xcap {
        /// Its address.
        url: String,
    },
    /// `sendData`: something for the operator's application. Answered by [`super::ServerMessage::DataStatus`].
    Data {
        /// The client's identifier of it.
        operation: String,
        /// Whatever client and application have agreed on.
        payload: Value,
    },
    /// `publishStream`, `playStream` and what goes with them.
    Stream(StreamRequest),
    /// `setUseProxy`: whether the outbound proxy of the login shall be used.
    UseProxy(bool),
    /// `connection` with a resume token: take up the login and the calls of a connection that was lost. Answered by
    /// [`super::ServerMessage::Resumed`] or [`super::ServerMessage::ResumeFailed`].
    Resume {
        /// What [`super::ServerMessage::UserData`] brought.
        token: Zeroizing<String>,
        /// How many frames the client has had since it logged in, without those of the handshake and pings; those after
        /// it are sent again. `None`: it does not count.
        received: Option<u64>,
    },
    /// `bye`: the connection will be closed for good.
    Bye,
    /// `ping`: answer by [`super::ServerMessage::Pong`].
    Ping,
    /// `pong`: the answer to [`super::ServerMessage::Ping`].
    Pong,
    /// Says nothing that needs an answer: logs, bug reports.
    Ignored,
    /// Anything else: answer by [`super::ServerMessage::Refuse`].
    Unsupported(Unsupported),
}

/// Who logs in.
#[derive(Clone, Debug)]
pub struct Login {
    /// A SIP account; `None` where the page holds a token only.
    pub account: Option<Account>,
    /// A click-to-call token.
    pub token: Option<String>,
    /// The page that the token is used on, as the client says.
    pub page_url: Option<String>,
    /// `appKey` of WCS 5, to be told back.
    pub app_key: Option<String>,
    /// The user's name for people.
    pub visible_name: Option<String>,
    /// Whether the client answers offers in mid-call: each of WCS 3 does; of WCS 5 those that say so in `remoteOffers`,
    /// as the npm client takes such an offer and never answers it.
    pub takes_offers: bool,
    /// Whether the client comes back after a lost connection (`resume`); otherwise its end is the log-off.
    pub resume: bool,
}

/// A SIP account. The password is absent from debug output.
#[derive(Clone)]
pub struct Account {
    /// The user part of its address.
    pub login: String,
    /// Its password.
    pub password: Zeroizing<String>,
    /// The user name in the digest; the login where the client gave none.
    pub authentication_name: String,
    /// Its domain; empty: the server's local one.
    pub domain: String,
    /// Where its requests go first; a host, a `host:port` or a SIP URI.
    pub outbound_proxy: Option<String>,
    /// The port of the domain or of the proxy.
    pub port: Option<u16>,
    /// Whether the client wants to be registered, so as to be called.
    pub register: bool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("login", &self.login)
            .field("domain", &self.domain)
            .field("outbound_proxy", &self.outbound_proxy)
            .field("port", &self.port)
            .field("register", &self.register)
            .finish_non_exhaustive()
    }
}

/// An outgoing call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCall {
    /// The client's identifier (WCS 5); `None`: the server makes one (WCS 3).
    pub call_id: Option<String>,
    /// Whom, as typed; `None` in a click to call, where the token says it.
    pub callee: Option<String>,
    /// The caller's name for people.
    pub visible_name: Option<String>,
    /// Whether the client wants video.
    pub has_video: bool,
    /// The offer; `None`: the server makes one, and the client answers it when the call is answered.
    pub sdp: Option<String>,
    /// A click-to-call token (WCS 3 sends it again here).
    pub token: Option<String>,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The client's identifier, which comes back with each [`super::MessageState`].
    pub id: String,
    /// Whom, as typed; empty where there are only recipients.
    pub to: String,
    /// Its text, up to [`super::MAX_BODY`] bytes.
    pub body: String,
    /// The type of the text.
    pub content_type: String,
    /// Whether the client wants to be told of the delivery (RFC 5438).
    pub delivery_notification: bool,
    /// More of whom: up to [`super::MAX_RECIPIENTS`].
    pub recipients: Vec<String>,
}

/// A subscription that is asked for, or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The event package: `reg`, `dialog`.
    pub event: String,
    /// Seconds; 0 ends it.
    pub expires: u32,
    /// Whose state, as typed; `None`: the client's own.
    pub to: Option<String>,
}

/// How digits go to the far end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtmfMethod {
    /// In the media stream (RFC 4733).
    #[default]
    Rfc2833,
    /// By SIP INFO.
    Info,
    /// By SIP INFO with `application/dtmf-relay`.
    InfoRelay,
}

/// A message that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Its name, or `unknown` where it is none of the protocol's.
    pub name: &'static str,
}

/// A text frame that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME`].
    #[error("the frame is too large")]
    TooLarge,
    /// No JSON object of the protocol's form.
    #[error("the frame is no message object")]
    NoMessage,
    /// A field is missing or not of its kind.
    #[error("{0}")]
    Malformed(&'static str),
    /// The first message was neither `connect` nor `connection`.
    #[error("the client did not connect first")]
    NotConnected,
}
