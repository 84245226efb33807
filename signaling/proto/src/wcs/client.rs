//! What clients say.

use super::{Generation, MAX_DIGITS, MAX_FRAME, MAX_NAME, MAX_SDP};
use serde::Deserialize;
use serde_json::{Map, Value};
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
    /// Whether the client answers offers in mid-call. Clients of WCS 3 do; of those of WCS 5 only who say so by
    /// `remoteOffers: true` (Tandem's own page): the npm client takes such an offer, and never answers it.
    pub takes_offers: bool,
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
    /// The offer.
    pub sdp: String,
    /// A click-to-call token (WCS 3 sends it again here).
    pub token: Option<String>,
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
    /// What the client's answer must carry: a stream's or an operation's identifier.
    pub(super) reference: Option<String>,
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

/// Messages of the protocol that this server does not carry out.
const UNSUPPORTED: [&str; 18] = [
    "hold",
    "unhold",
    "transfer",
    "sendInstantMessage",
    "notificationResult",
    "subscribe",
    "sendXcapRequest",
    "updateCallToVideo",
    "sendInfo",
    "sendData",
    "publishStream",
    "playStream",
    "unPublishStream",
    "stopStream",
    "snapshot",
    "sendStreamEvent",
    "availableStream",
    "sessionDebug",
];

#[derive(Deserialize)]
struct Frame {
    message: String,
    data: Option<Vec<Value>>,
}

/// Reads a frame; the generation where the message tells it.
pub(super) fn parse(text: &str) -> Result<(ClientMessage, Option<Generation>), FrameError> {
    if text.len() > MAX_FRAME {
        return Err(FrameError::TooLarge);
    }
    // serde_json bounds the nesting.
    let frame: Frame = serde_json::from_str(text).map_err(|_| FrameError::NoMessage)?;
    let argument = frame.data.unwrap_or_default().into_iter().next().unwrap_or(Value::Null);
    let mut fields = Fields::new(argument);
    let message = match frame.message.as_str() {
        "connect" => return Ok((connect(&mut fields, "")?, Some(Generation::V3))),
        "connection" => return Ok((connect(&mut fields, "sip")?, Some(Generation::V5))),
        "call" => call(&mut fields)?,
        "answer" => ClientMessage::Answer { call_id: fields.call_id()?, sdp: fields.sdp()? },
        "changeMediaRequest" => ClientMessage::Offer { call_id: fields.call_id()?, sdp: fields.sdp()? },
        "hangup" => hangup(&mut fields)?,
        "sendDtmf" => dtmf(&mut fields)?,
        "ping" | "keepAlive" => ClientMessage::Ping,
        "pong" => ClientMessage::Pong,
        "submitBugReport" | "pushLogs" | "setUseProxy" => ClientMessage::Ignored,
        name => ClientMessage::Unsupported(Unsupported {
            name: UNSUPPORTED.into_iter().find(|known| *known == name).unwrap_or("unknown"),
            reference: ["mediaSessionId", "operationId"]
                .iter()
                .find_map(|key| fields.text(key).ok().flatten()),
        }),
    };
    Ok((message, None))
}

/// WCS 5 has the same fields as WCS 3 with `sip` before each name.
fn connect(fields: &mut Fields, prefix: &str) -> Result<ClientMessage, FrameError> {
    let key = |name: &str| match (prefix, name.split_at_checked(1)) {
        ("", _) | (_, None) => name.to_owned(),
        (prefix, Some((first, rest))) => format!("{prefix}{}{rest}", first.to_ascii_uppercase()),
    };
    let account = match fields.text(&key("login"))? {
        None => None,
        Some(login) => Some(Account {
            password: Zeroizing::new(fields.text(&key("password"))?.unwrap_or_default()),
            authentication_name: fields.text(&key("authenticationName"))?.unwrap_or_else(|| login.clone()),
            domain: fields.text(&key("domain"))?.unwrap_or_default(),
            outbound_proxy: fields.text(&key("outboundProxy"))?,
            port: fields.port(&key("port"))?,
            register: fields.flag(&key("registerRequired"), true)?,
            login,
        }),
    };
    let token = match fields.text("token")? {
        Some(token) => Some(token),
        None => fields.text("authToken")?,
    };
    Ok(ClientMessage::Connect(Box::new(Login {
        account,
        token,
        page_url: fields.text("pageUrl")?,
        app_key: fields.text("appKey")?,
        visible_name: fields.text("visibleName")?,
        takes_offers: prefix.is_empty() || fields.flag("remoteOffers", false)?,
    })))
}

fn call(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    Ok(ClientMessage::Call(NewCall {
        call_id: fields.text("callId")?,
        callee: fields.text("callee")?,
        visible_name: fields.text("visibleName")?,
        has_video: fields.flag("hasVideo", false)?,
        sdp: fields.sdp()?,
        token: fields.text("token")?,
    }))
}

fn hangup(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    let sip_status = match fields.object.get("sipStatus").and_then(Value::as_u64) {
        None => None,
        Some(status @ 400..700) => u16::try_from(status).ok(),
        Some(_) => return Err(FrameError::Malformed("sipStatus is not from 400 to 699")),
    };
    // WCS 3 sends the bare identifier.
    let call_id = match fields.bare.take() {
        Some(call_id) => call_id,
        None => fields.call_id()?,
    };
    Ok(ClientMessage::Hangup { call_id, sip_status })
}

fn dtmf(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    let digits = fields.text("dtmf")?.ok_or(FrameError::Malformed("dtmf is missing"))?.to_ascii_uppercase();
    let valid = |digit: char| digit.is_ascii_digit() || "*#ABCD".contains(digit);
    if digits.len() > MAX_DIGITS || !digits.chars().all(valid) {
        return Err(FrameError::Malformed("dtmf holds something else than digits, or too many"));
    }
    let method = match fields.text("type")?.as_deref() {
        None | Some("RFC2833") => DtmfMethod::Rfc2833,
        Some("INFO") => DtmfMethod::Info,
        Some("INFO_RELAY") => DtmfMethod::InfoRelay,
        Some(_) => return Err(FrameError::Malformed("the type of dtmf is unknown")),
    };
    Ok(ClientMessage::Dtmf { call_id: fields.call_id()?, digits, method })
}

/// The argument of a message. Reading a field takes it out, so that a password is in no second place.
struct Fields {
    object: Map<String, Value>,
    /// The argument where it is a text.
    bare: Option<String>,
}

impl Fields {
    fn new(argument: Value) -> Fields {
        match argument {
            Value::Object(object) => Fields { object, bare: None },
            Value::String(text) if !text.is_empty() && text.len() <= MAX_NAME => {
                Fields { object: Map::new(), bare: Some(text) }
            }
            _ => Fields { object: Map::new(), bare: None },
        }
    }

    /// A text, or a number in its place; `None` where it is missing, null or empty.
    fn text(&mut self, key: &str) -> Result<Option<String>, FrameError> {
        match self.object.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_NAME => {
                Ok(Some(text).filter(|text| !text.is_empty()))
            }
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(FrameError::Malformed("a field is no text, or too long")),
        }
    }

    fn call_id(&mut self) -> Result<String, FrameError> {
        self.text("callId")?.ok_or(FrameError::Malformed("callId is missing"))
    }

    fn sdp(&mut self) -> Result<String, FrameError> {
        match self.object.remove("sdp") {
            Some(Value::String(sdp)) if sdp.len() <= MAX_SDP && !sdp.is_empty() => Ok(sdp),
            Some(_) => Err(FrameError::Malformed("sdp is no text, empty or too long")),
            None => Err(FrameError::Malformed("sdp is missing")),
        }
    }

    /// A port, as a number or as the text of an input field.
    fn port(&mut self, key: &str) -> Result<Option<u16>, FrameError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match text.trim().parse() {
            Ok(0) | Err(_) => Err(FrameError::Malformed("the port is malformed")),
            Ok(port) => Ok(Some(port)),
        }
    }

    fn flag(&mut self, key: &str, default: bool) -> Result<bool, FrameError> {
        match self.object.remove(key) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            Some(_) => Err(FrameError::Malformed("a field is neither true nor false")),
        }
    }
}
