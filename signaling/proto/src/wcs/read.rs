//! Reads the frames of clients.

use super::client::{
    Account, ClientMessage, DtmfMethod, FrameError, Login, NewCall, OutgoingMessage, Subscribe, Unsupported,
};
use super::fields::Fields;
use super::{Generation, MAX_BODY, MAX_DIGITS, MAX_FRAME, MAX_RECIPIENTS, stream};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

/// Messages of the protocol that this server does not carry out.
const UNSUPPORTED: [&str; 1] = ["sessionDebug"];
/// The longest subscription that a client may ask for, in seconds: a week.
const MAX_EXPIRES: u32 = 604_800;
/// The time of a subscription that says none, in seconds.
const USUAL_EXPIRES: u32 = 3_600;
/// What a message's body is where its sender does not say.
const PLAIN_TEXT: &str = "text/plain";

#[derive(Deserialize)]
struct Frame {
    message: String,
    data: Option<Vec<Value>>,
}

/// The order of the arguments in which the oldest clients send them.
fn positions(message: &str) -> &'static [&'static str] {
    match message {
        "call" => &["callee", "visibleName", "hasVideo", "token", "inviteParameters", "sdp"],
        "answer" => &["callId", "hasVideo", "sdp"],
        "sendDtmf" => &["dtmf", "callId", "type"],
        "hold" => &["callId", "isHold"],
        "transfer" => &["callId", "callee"],
        "changeMediaRequest" => &["callId", "sdp"],
        "subscribe" => &["event", "expires"],
        "sendXcapRequest" => &["url"],
        "setUseProxy" => &["useProxy"],
        _ => &["callId"],
    }
}

/// Reads a frame; the generation where the message tells it.
pub(super) fn parse(text: &str) -> Result<(ClientMessage, Option<Generation>), FrameError> {
    if text.len() > MAX_FRAME {
        return Err(FrameError::TooLarge);
    }
    // serde_json bounds the nesting.
    let frame: Frame = serde_json::from_str(text).map_err(|_| FrameError::NoMessage)?;
    let mut fields = Fields::new(frame.data.unwrap_or_default(), positions(&frame.message));
    let message = match frame.message.as_str() {
        "connect" => return Ok((connect(&mut fields, "")?, Some(Generation::V3))),
        "connection" => return Ok((connection(&mut fields)?, Some(Generation::V5))),
        "call" => call(&mut fields)?,
        "answer" => ClientMessage::Answer { call_id: fields.call_id()?, sdp: fields.sdp()? },
        "changeMediaRequest" => ClientMessage::Offer { call_id: fields.call_id()?, sdp: fields.sdp()? },
        "updateCallToVideo" => ClientMessage::UpdateCallToVideo { call_id: fields.call_id()? },
        "hangup" => hangup(&mut fields)?,
        "hold" => ClientMessage::Hold { on: fields.flag("isHold", true)?, call_id: fields.call_id()? },
        "unhold" => ClientMessage::Hold { on: false, call_id: fields.call_id()? },
        "transfer" => transfer(&mut fields)?,
        "sendDtmf" => dtmf(&mut fields)?,
        "sendInfo" => info(&mut fields)?,
        "sendInstantMessage" => instant_message(&mut fields)?,
        "notificationResult" => ClientMessage::NotificationResult {
            id: fields.required("id", "id is missing")?,
            is_ok: fields.text("status")?.is_none_or(|status| status == "OK"),
        },
        "subscribe" => subscribe(&mut fields)?,
        "sendXcapRequest" => ClientMessage::Xcap { url: fields.required("url", "the URL is missing")? },
        "sendData" => ClientMessage::Data {
            operation: fields.required("operationId", "operationId is missing")?,
            payload: fields.value("payload"),
        },
        "setUseProxy" => ClientMessage::UseProxy(fields.flag("useProxy", true)?),
        "bye" => ClientMessage::Bye,
        "ping" | "keepAlive" => ClientMessage::Ping,
        "pong" => ClientMessage::Pong,
        "submitBugReport" | "pushLogs" => ClientMessage::Ignored,
        name => match stream::read(name, &mut fields)? {
            Some(message) => message,
            None => {
                let name = UNSUPPORTED.into_iter().find(|known| *known == name).unwrap_or("unknown");
                ClientMessage::Unsupported(Unsupported { name })
            }
        },
    };
    Ok((message, None))
}

/// `connection`, which may also take up a login again.
fn connection(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    match fields.text("resumeToken")? {
        Some(token) => {
            let received = fields.number("received", u32::MAX)?.map(u64::from);
            Ok(ClientMessage::Resume { token: Zeroizing::new(token), received })
        }
        None => connect(fields, "sip"),
    }
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
    let page_url = match fields.text("pageUrl")? {
        Some(url) => Some(url),
        // Unmodified clients of WCS 5 have no field of their own for it, but pass this object on.
        None => fields.object("custom").text("pageUrl")?,
    };
    Ok(ClientMessage::Connect(Box::new(Login {
        account,
        token,
        page_url,
        app_key: fields.text("appKey")?,
        visible_name: fields.text("visibleName")?,
        takes_offers: prefix.is_empty() || fields.flag("remoteOffers", false)?,
        resume: fields.flag("resume", false)?,
    })))
}

fn call(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    Ok(ClientMessage::Call(NewCall {
        call_id: fields.text("callId")?,
        callee: fields.text("callee")?,
        visible_name: fields.text("visibleName")?,
        has_video: fields.flag("hasVideo", false)?,
        sdp: fields.optional_sdp()?,
        token: fields.text("token")?,
    }))
}

fn hangup(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    let sip_status = match fields.number("sipStatus", 699)? {
        None => None,
        Some(status @ 400..700) => u16::try_from(status).ok(),
        Some(_) => return Err(FrameError::Malformed("sipStatus is not from 400 to 699")),
    };
    Ok(ClientMessage::Hangup { call_id: fields.call_id()?, sip_status })
}

/// The target is `target` in WCS 5 and `callee` in WCS 3; `replaces` names the other call of an attended transfer.
fn transfer(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    let target = match fields.text("target")? {
        Some(target) => Some(target),
        None => fields.text("callee")?,
    };
    let replaces = fields.text("replaces")?;
    if target.is_none() && replaces.is_none() {
        return Err(FrameError::Malformed("the target of the transfer is missing"));
    }
    Ok(ClientMessage::Transfer { call_id: fields.call_id()?, target, replaces })
}

fn dtmf(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    let digits = fields.required("dtmf", "dtmf is missing")?.to_ascii_uppercase();
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

fn info(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    Ok(ClientMessage::SendInfo {
        content_type: fields.text("contentType")?.unwrap_or_else(|| PLAIN_TEXT.to_owned()),
        body: fields.long_text("body", MAX_BODY)?.unwrap_or_default(),
        call_id: fields.call_id()?,
    })
}

fn instant_message(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    let recipients = fields.texts("recipients", MAX_RECIPIENTS)?;
    let to = fields.text("to")?;
    if to.is_none() && recipients.is_empty() {
        return Err(FrameError::Malformed("the message has no recipient"));
    }
    Ok(ClientMessage::Message(OutgoingMessage {
        id: fields.required("id", "id is missing")?,
        to: to.unwrap_or_default(),
        body: fields.long_text("body", MAX_BODY)?.unwrap_or_default(),
        content_type: fields.text("contentType")?.unwrap_or_else(|| PLAIN_TEXT.to_owned()),
        delivery_notification: fields.flag("deliveryNotification", false)?,
        recipients,
    }))
}

fn subscribe(fields: &mut Fields) -> Result<ClientMessage, FrameError> {
    Ok(ClientMessage::Subscribe(Subscribe {
        event: fields.required("event", "event is missing")?,
        expires: fields.number("expires", MAX_EXPIRES)?.unwrap_or(USUAL_EXPIRES),
        to: fields.text("to")?,
    }))
}
