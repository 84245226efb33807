//! What the server says, in either generation.

use super::client::{Account, Login, Unsupported};
use crate::party::Cause;
use serde_json::{Value, json};

/// What both generations tell a client of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its identifier, the client's where the client gave one.
    pub id: String,
    /// Whether the client is called.
    pub incoming: bool,
    /// The caller's address or user name.
    pub caller: String,
    /// The callee's.
    pub callee: String,
    /// The far end's name for people; empty where it has none.
    pub visible_name: String,
}

/// Something to tell a client.
#[derive(Clone, Debug)]
pub enum ServerMessage<'a> {
    /// The login was understood, and is tried: `getUserData` and `getVersion`. WCS 3 clients give the registration 15
    /// seconds from here.
    UserData {
        /// What the client said; its password is not told back.
        login: &'a Login,
        /// The account that is used, where the login held a token only.
        account: Option<&'a Account>,
        /// The product and its version.
        version: &'a str,
    },
    /// The account is registered (or ready, where no registration was asked for).
    Registered,
    /// The login failed, or the registration was lost.
    RegisterFailed(&'a Cause),
    /// A call came in. Without SDP the client's [`super::ClientMessage::Answer`] brings the offer, but the npm client of
    /// WCS 5 refuses to answer such a call: better make an offer for it.
    Incoming {
        /// The call.
        call: &'a Call,
        /// Its offer.
        sdp: Option<&'a str>,
    },
    /// The call is on its way.
    Trying(&'a Call),
    /// The callee is alerted.
    Ring(&'a Call),
    /// The callee is heard before the answer; send [`ServerMessage::RemoteSdp`] before it.
    SessionProgress(&'a Call),
    /// The call is answered; send [`ServerMessage::RemoteSdp`] before it.
    Talk(&'a Call),
    /// The callee is busy; the call is over.
    Busy {
        /// The call.
        call: &'a Call,
        /// What the far end said.
        cause: &'a Cause,
    },
    /// Either side hung up; the call is over.
    Finish {
        /// The call.
        call: &'a Call,
        /// Why.
        cause: &'a Cause,
    },
    /// The call could not be made or kept; it is over.
    Failed {
        /// The call.
        call: &'a Call,
        /// Why.
        cause: &'a Cause,
    },
    /// A description from the far end.
    RemoteSdp {
        /// The call.
        call: &'a Call,
        /// The description.
        sdp: &'a str,
        /// True: the answer to the client's offer. False: an offer, which the client answers by
        /// [`super::ClientMessage::Answer`].
        is_answer: bool,
    },
    /// Asks whether the client is there.
    Ping,
    /// Answers [`super::ClientMessage::Ping`].
    Pong,
    /// Says that a message is not carried out.
    Refuse(&'a Unsupported),
}

fn frame(message: &str, data: Value) -> String {
    // Clients of WCS 5 read `data[0]` of every message, so it is never left out.
    json!({ "message": message, "data": data }).to_string()
}

/// The words of WCS 3 for a status of SIP (or one of ours of the same meaning).
fn fail_code(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => "AUTHENTICATION_FAIL",
        402 => "PAYMENT_REQUIRED",
        404 | 410 | 480 | 604 => "USER_NOT_AVAILABLE",
        408 | 503 | 504 => "REGISTER_EXPIRE",
        416 | 478 | 484 | 502 => "WRONG_SIPPROVIDER_ADDRESS",
        _ => "INTERNAL_SIP_ERROR",
    }
}

/// The same for a call: a call's timeout says nothing of the registration.
fn call_fail_code(status: u16) -> &'static str {
    match status {
        408 | 503 | 504 => "USER_NOT_AVAILABLE",
        status => fail_code(status),
    }
}

pub(super) fn frames_v5(message: &ServerMessage<'_>) -> Vec<String> {
    use ServerMessage as S;
    let call_frame = |name, call, status| vec![frame(name, json!([call_v5(call, status, None)]))];
    let end_frame = |call, status, cause| vec![frame("finish", json!([call_v5(call, status, Some(cause))]))];
    match message {
        S::UserData { login, account, version } => vec![
            frame("getUserData", json!([user_data_v5(login, account.or(login.account.as_ref()))])),
            frame("getVersion", json!([version])),
        ],
        S::Registered => vec![frame("registered", json!([]))],
        S::RegisterFailed(cause) => vec![frame(
            "fail",
            json!([{
                "apiMethod": "connection",
                "status": fail_code(cause.status),
                "info": cause.text,
                "sipStatus": cause.status,
            }]),
        )],
        S::Incoming { call, sdp } => {
            // The npm client looks the description up when the call object arrives, so it goes first.
            let mut frames = Vec::with_capacity(3);
            if let Some(sdp) = sdp {
                frames.push(frame("setRemoteSDP", json!([call.id, sdp])));
            }
            frames.push(frame("notifyIncomingCall", json!([call_v5(call, "RING", None)])));
            frames.push(frame("ring", json!([call_v5(call, "RING", None)])));
            frames
        }
        S::Trying(call) => call_frame("notifyTryingResponse", call, "TRYING"),
        S::Ring(call) => call_frame("ring", call, "RING"),
        // The npm client knows the status, but no message of that name.
        S::SessionProgress(call) => call_frame("ring", call, "SESSION_PROGRESS"),
        S::Talk(call) => call_frame("talk", call, "ESTABLISHED"),
        S::Busy { call, cause } => end_frame(call, "BUSY", cause),
        S::Finish { call, cause } => end_frame(call, "FINISH", cause),
        S::Failed { call, cause } => end_frame(call, "FAILED", cause),
        // The npm client takes two; whether it is an answer is for Tandem's own page.
        S::RemoteSdp { call, sdp, is_answer } => {
            vec![frame("setRemoteSDP", json!([call.id, sdp, is_answer]))]
        }
        S::Ping => vec![frame("ping", json!([]))],
        S::Pong => vec![frame("pong", json!([]))],
        S::Refuse(unsupported) => vec![refuse_v5(unsupported)],
    }
}

fn user_data_v5(login: &Login, account: Option<&Account>) -> Value {
    let mut data = json!({ "appKey": login.app_key, "authToken": login.token });
    if let (Some(account), Some(fields)) = (account, data.as_object_mut()) {
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        set("sipLogin", json!(account.login));
        set("sipAuthenticationName", json!(account.authentication_name));
        set("sipDomain", json!(account.domain));
        set("sipOutboundProxy", json!(account.outbound_proxy));
        set("sipPort", json!(account.port));
        set("sipRegisterRequired", json!(account.register));
    }
    data
}

fn call_v5(call: &Call, status: &str, cause: Option<&Cause>) -> Value {
    let mut object = json!({
        "callId": call.id,
        "status": status,
        "incoming": call.incoming,
        "caller": call.caller,
        "callee": call.callee,
        "visibleName": call.visible_name,
        "hasAudio": true,
        "hasVideo": false,
        "mediaProvider": "WebRTC",
    });
    if let (Some(cause), Some(fields)) = (cause, object.as_object_mut()) {
        fields.insert("sipStatus".to_owned(), json!(cause.status));
        fields.insert("info".to_owned(), json!(cause.text));
    }
    object
}

/// Each kind of request has its own answer in the npm client; the promise behind it is settled.
fn refuse_v5(unsupported: &Unsupported) -> String {
    let (name, reference) = (unsupported.name, &unsupported.reference);
    let info = format!("{name} is not supported by this server");
    match name {
        "publishStream" | "playStream" | "unPublishStream" | "stopStream" | "snapshot"
        | "sendStreamEvent" => frame(
            "notifyStreamStatusEvent",
            json!([{ "mediaSessionId": reference, "status": "FAILED", "info": info }]),
        ),
        "availableStream" => {
            frame("availableStream", json!([{ "id": reference, "status": false, "info": info }]))
        }
        "sendData" => {
            frame("DataStatusEvent", json!([{ "operationId": reference, "status": "FAILED", "info": info }]))
        }
        _ => frame("fail", json!([{ "apiMethod": name, "status": "NOT_SUPPORTED", "info": info }])),
    }
}

/// The last argument of most messages of WCS 3 is the SIP message behind them. It is left empty: it names the
/// provider's inner addresses, and no client needs it.
const NO_SIP: &str = "";

pub(super) fn frames_v3(message: &ServerMessage<'_>) -> Vec<String> {
    use ServerMessage as S;
    let call_frame =
        |name, call, state, sip_state| vec![frame(name, json!([call_v3(call, state, sip_state), NO_SIP]))];
    let remote_sdp = |call: &Call, state, sdp: &str, is_initiator: bool| {
        frame("setRemoteSDP", json!([call_v3(call, state, 0), sdp, is_initiator, NO_SIP]))
    };
    match message {
        S::UserData { login, account, version } => vec![
            frame("getUserData", json!([user_data_v3(account.or(login.account.as_ref()))])),
            frame("getVersion", json!([version])),
        ],
        S::Registered => vec![frame("registered", json!([NO_SIP]))],
        S::RegisterFailed(cause) => vec![frame("fail", json!([fail_code(cause.status), cause.text]))],
        S::Incoming { call, sdp } => {
            let offer = sdp.map(|sdp| remote_sdp(call, "RING", sdp, false));
            offer.into_iter().chain(call_frame("ring", call, "RING", 180)).collect()
        }
        // WCS 3 has no message for it; the call object makes its first appearance with `ring`.
        S::Trying(_) => Vec::new(),
        S::Ring(call) => call_frame("ring", call, "RING", 180),
        S::SessionProgress(call) => call_frame("sessionProgress", call, "SESSION_PROGRESS", 183),
        S::Talk(call) => call_frame("talk", call, "TALK", 200),
        S::Busy { call, cause } => call_frame("busy", call, "BUSY", cause.status),
        S::Finish { call, cause } => call_frame("finish", call, "FINISH", cause.status),
        S::Failed { call, cause } => {
            let mut frames = vec![frame("fail", json!([call_fail_code(cause.status), cause.text]))];
            frames.extend(call_frame("finish", call, "FINISH", cause.status));
            frames
        }
        S::RemoteSdp { call, sdp, is_answer } => vec![remote_sdp(call, "TALK", sdp, *is_answer)],
        S::Ping => vec![frame("ping", json!([]))],
        S::Pong => vec![frame("pong", json!([]))],
        S::Refuse(unsupported) => {
            vec![frame(
                "fail",
                json!(["NOT_SUPPORTED", format!("{} is not supported by this server", unsupported.name)]),
            )]
        }
    }
}

fn user_data_v3(account: Option<&Account>) -> Value {
    // The client has the password; saying it again would only show it once more.
    match account {
        Some(account) => json!({
            "login": account.login,
            "password": "",
            "outboundProxy": account.outbound_proxy,
            "domain": account.domain,
            "port": account.port,
            "regRequired": account.register,
        }),
        None => json!({}),
    }
}

fn call_v3(call: &Call, state: &str, sip_state: u16) -> Value {
    let other = if call.incoming { &call.caller } else { &call.callee };
    let (name_callee, name_caller) =
        if call.incoming { ("", call.visible_name.as_str()) } else { (call.visible_name.as_str(), "") };
    json!({
        "id": call.id,
        "state": state,
        "incoming": call.incoming,
        "callee": call.callee,
        "caller": call.caller,
        "anotherSideUser": other,
        "visibleNameCallee": name_callee,
        "visibleNameCaller": name_caller,
        "isVideoCall": false,
        "state_video": "inactive",
        "sip_state": sip_state,
        "playerVideoWidth": 0,
        "playerVideoHeight": 0,
        "streamerVideoWidth": 0,
        "streamerVideoHeight": 0,
    })
}
