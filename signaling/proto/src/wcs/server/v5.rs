//! The frames of WCS 5.

mod streams;

use super::codes::fail_code;
use super::{Call, CallStatus, PictureSizes, ServerMessage, TransferStatus, common_frames, frame, pixels};
use crate::party::Cause;
use crate::wcs::client::Login;
use serde_json::{Value, json};

pub(in crate::wcs) fn frames(message: &ServerMessage<'_>) -> Vec<String> {
    use ServerMessage as S;
    let end_frame =
        |call, status, cause| vec![frame("finish", json!([call_object(call, status, Some(cause))]))];
    match message {
        S::UserData { login, version, resume_token } => vec![
            frame("getUserData", json!([user_data(login, *resume_token)])),
            frame("getVersion", json!([version])),
        ],
        S::Registered => vec![frame("registered", json!([]))],
        S::RegisterFailed(cause) => {
            vec![frame("fail", failure("connection", fail_code(cause), cause))]
        }
        S::Incoming { call, sdp } => incoming(call, *sdp),
        S::Status { call, status } => {
            let (name, word) = (status_message(*status), status_word(*status));
            vec![frame(name, json!([call_object(call, word, None)]))]
        }
        S::HoldResult { call, on } => {
            let status = if *on { CallStatus::Hold } else { CallStatus::Established };
            frames(&S::Status { call, status })
        }
        S::Busy { call, cause } => end_frame(call, "BUSY", cause),
        S::Finish { call, cause } => end_frame(call, "FINISH", cause),
        S::Failed { call, cause } => end_frame(call, "FAILED", cause),
        // The third argument is more than the npm client reads.
        S::RemoteSdp { call, sdp, is_answer } => {
            vec![frame("setRemoteSDP", json!([call.id, sdp, is_answer]))]
        }
        S::OfferRefused { call, cause } => {
            vec![call_failure("changeMediaRequest", "MEDIA_CHANGE_FAIL", call, cause)]
        }
        S::TransferEvent { call, status } => {
            vec![frame(
                "notifyTransferEvent",
                json!([{ "callId": call.id, "status": transfer_word(*status) }]),
            )]
        }
        S::TransferFailed { call, cause } => vec![call_failure("transfer", "TRANSFER_FAIL", call, cause)],
        S::AudioCodec { call, name } => vec![frame("notifyAudioCodec", json!([call.id, { "name": name }]))],
        S::VideoFormat { call, .. } => vec![video_format(call)],
        S::Resumed { calls } => {
            let object = |(call, status): &(&Call, CallStatus)| call_object(call, status_word(*status), None);
            let calls: Vec<Value> = calls.iter().map(object).collect();
            vec![frame("resumed", json!([{ "calls": calls }]))]
        }
        S::ResumeFailed => {
            let info = "The connection was given up; log in again";
            vec![frame("fail", json!([{ "apiMethod": "connection", "status": "RESUME_FAIL", "info": info }]))]
        }
        S::Stream(message) => vec![streams::stream_frame(message)],
        S::Refuse(unsupported) => {
            let info = format!("{} is not supported by this server", unsupported.name);
            vec![frame(
                "fail",
                json!([{ "apiMethod": unsupported.name, "status": "NOT_SUPPORTED", "info": info }]),
            )]
        }
        S::RequestFailed { request, cause } => vec![frame("fail", failure(request, "FAILED", cause))],
        common => common_frames(common),
    }
}

fn incoming(call: &Call, sdp: Option<&str>) -> Vec<String> {
    let object = || json!([call_object(call, "RING", None)]);
    // The npm client looks the description up when the call object arrives, so it goes first.
    let offer = sdp.map(|sdp| frame("setRemoteSDP", json!([call.id, sdp, false])));
    offer.into_iter().chain([frame("notifyIncomingCall", object()), frame("ring", object())]).collect()
}

/// The npm client takes a status from it, and knows this one as that of a picture that changes its size. It looks for a
/// stream of this identifier, and passes over those of calls.
fn video_format(call: &Call) -> String {
    let PictureSizes { player, streamer } = call.present_sizes();
    let [player, streamer] = [pixels(player), pixels(streamer)];
    frame(
        "notifyVideoFormat",
        json!([{
            "mediaSessionId": call.id,
            "status": "RESIZE",
            "playerVideoWidth": player[0],
            "playerVideoHeight": player[1],
            "streamerVideoWidth": streamer[0],
            "streamerVideoHeight": streamer[1],
        }]),
    )
}

fn status_word(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Trying => "TRYING",
        CallStatus::Ring => "RING",
        CallStatus::Progress { ringing: true } => "RING_MEDIA",
        CallStatus::Progress { ringing: false } => "SESSION_PROGRESS",
        CallStatus::Established => "ESTABLISHED",
        CallStatus::Hold => "HOLD",
    }
}

fn status_message(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Trying => "notifyTryingResponse",
        // The npm client knows the status of progress, but no message of that name.
        CallStatus::Ring | CallStatus::Progress { .. } => "ring",
        CallStatus::Established => "talk",
        CallStatus::Hold => "hold",
    }
}

fn transfer_word(status: TransferStatus) -> &'static str {
    match status {
        TransferStatus::Trying => "TRYING",
        TransferStatus::Ring => "RING",
        TransferStatus::Completed => "COMPLETED",
    }
}

fn failure(method: &str, status: &str, cause: &Cause) -> Value {
    json!([{ "apiMethod": method, "status": status, "info": cause.text, "sipStatus": cause.status }])
}

/// A request inside a call failed, and the call goes on: with a `callId` of its own name, which does not end it.
fn call_failure(method: &str, status: &str, call: &Call, cause: &Cause) -> String {
    let detail = json!([{
        "apiMethod": method,
        "status": status,
        "call": call.id,
        "info": cause.text,
        "sipStatus": cause.status,
    }]);
    frame("fail", detail)
}

fn user_data(login: &Login, resume_token: Option<&str>) -> Value {
    let mut data = json!({ "appKey": login.app_key, "authToken": login.token });
    let Some(fields) = data.as_object_mut() else { return data };
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if let Some(token) = resume_token {
        set("resumeToken", json!(token));
    }
    if let Some(account) = &login.account {
        set("sipLogin", json!(account.login));
        set("sipAuthenticationName", json!(account.authentication_name));
        set("sipDomain", json!(account.domain));
        set("sipOutboundProxy", json!(account.outbound_proxy));
        set("sipPort", json!(account.port));
        set("sipRegisterRequired", json!(account.register));
    }
    data
}

fn call_object(call: &Call, status: &str, cause: Option<&Cause>) -> Value {
    let mut object = json!({
        "callId": call.id,
        "status": status,
        "incoming": call.incoming,
        "caller": call.caller,
        "callee": call.callee,
        "visibleName": call.visible_name,
        "hasAudio": true,
        "hasVideo": call.video.is_active(),
        "mediaProvider": "WebRTC",
    });
    if let (Some(cause), Some(fields)) = (cause, object.as_object_mut()) {
        fields.insert("sipStatus".to_owned(), json!(cause.status));
        fields.insert("info".to_owned(), json!(cause.text));
    }
    object
}
