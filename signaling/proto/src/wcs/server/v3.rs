//! The frames of WCS 3.

use super::codes::{call_fail_code, fail_code};
use super::{Call, CallStatus, NO_SIP, PictureSizes, ServerMessage, common_frames, frame, pixels};
use crate::wcs::client::Account;
use serde_json::{Value, json};

pub(in crate::wcs) fn frames(message: &ServerMessage<'_>) -> Vec<String> {
    use ServerMessage as S;
    let call_frame =
        |name, call, state, sip_state| frame(name, json!([call_object(call, state, sip_state), NO_SIP]));
    let remote_sdp = |call: &Call, state, sdp: &str, is_initiator: bool| {
        frame("setRemoteSDP", json!([call_object(call, state, 0), sdp, is_initiator, NO_SIP]))
    };
    match message {
        S::UserData { login, version, .. } => vec![
            frame("getUserData", json!([user_data(login.account.as_ref())])),
            frame("getVersion", json!([version])),
        ],
        S::Registered => vec![frame("registered", json!([NO_SIP]))],
        S::RegisterFailed(cause) => vec![frame("fail", json!([fail_code(cause), cause.text]))],
        S::Incoming { call, sdp } => {
            let offer = sdp.map(|sdp| remote_sdp(call, "RING", sdp, false));
            offer.into_iter().chain([call_frame("ring", call, "RING", 180)]).collect()
        }
        // WCS 3 has no message for it; the call object makes its first appearance with `ring`.
        S::Status { status: CallStatus::Trying, .. } => Vec::new(),
        S::Status { call, status } => {
            let (state, sip_state) = state(*status);
            vec![call_frame(status_message(*status), call, state, sip_state)]
        }
        S::HoldResult { call, on } => {
            let status = if *on { CallStatus::Hold } else { CallStatus::Established };
            let mut result = vec![frame("callbackHold", json!([call.id, on]))];
            result.extend(frames(&S::Status { call, status }));
            result
        }
        S::Busy { call, cause } => vec![call_frame("busy", call, "BUSY", cause.status)],
        S::Finish { call, cause } => vec![call_frame("finish", call, "FINISH", cause.status)],
        S::Failed { call, cause } => vec![
            frame("fail", json!([call_fail_code(cause), cause.text])),
            call_frame("finish", call, "FINISH", cause.status),
        ],
        S::RemoteSdp { call, sdp, is_answer } => vec![remote_sdp(call, "TALK", sdp, *is_answer)],
        S::OfferRefused { cause, .. } | S::TransferFailed { cause, .. } | S::RequestFailed { cause, .. } => {
            vec![frame("fail", json!([call_fail_code(cause), cause.text]))]
        }
        // There is no message for it; `finish` follows.
        S::TransferEvent { .. } => Vec::new(),
        S::AudioCodec { name, .. } => vec![frame("notifyAudioCodec", json!([{ "name": name }]))],
        // The call object has the sizes.
        S::VideoFormat { call, status } => {
            let (state, sip_state) = state(*status);
            vec![frame("notifyVideoFormat", json!([call_object(call, state, sip_state)]))]
        }
        S::Refuse(unsupported) => {
            vec![frame(
                "fail",
                json!(["NOT_SUPPORTED", format!("{} is not supported by this server", unsupported.name)]),
            )]
        }
        // Clients of WCS 3 cannot resume.
        S::Resumed { .. } | S::ResumeFailed => Vec::new(),
        common => common_frames(common),
    }
}

fn status_message(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Trying | CallStatus::Ring => "ring",
        CallStatus::Progress { .. } => "sessionProgress",
        CallStatus::Established => "talk",
        CallStatus::Hold => "hold",
    }
}

/// The state of a call, and the status of the SIP message that brought it there.
fn state(status: CallStatus) -> (&'static str, u16) {
    match status {
        CallStatus::Trying | CallStatus::Ring => ("RING", 180),
        CallStatus::Progress { ringing: true } => ("SESSION_PROGRESS", 180),
        CallStatus::Progress { ringing: false } => ("SESSION_PROGRESS", 183),
        CallStatus::Established => ("TALK", 200),
        CallStatus::Hold => ("HOLD", 200),
    }
}

fn user_data(account: Option<&Account>) -> Value {
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

fn call_object(call: &Call, state: &str, sip_state: u16) -> Value {
    let other = if call.incoming { &call.caller } else { &call.callee };
    let (name_callee, name_caller) =
        if call.incoming { ("", call.visible_name.as_str()) } else { (call.visible_name.as_str(), "") };
    let PictureSizes { player, streamer } = call.present_sizes();
    let [player, streamer] = [pixels(player), pixels(streamer)];
    json!({
        "id": call.id,
        "state": state,
        "incoming": call.incoming,
        "callee": call.callee,
        "caller": call.caller,
        "anotherSideUser": other,
        "visibleNameCallee": name_callee,
        "visibleNameCaller": name_caller,
        "isVideoCall": call.video.is_active(),
        "state_video": call.video.word(),
        "sip_state": sip_state,
        "playerVideoWidth": player[0],
        "playerVideoHeight": player[1],
        "streamerVideoWidth": streamer[0],
        "streamerVideoHeight": streamer[1],
    })
}
