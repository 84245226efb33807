//! What the server says, in either generation.

mod codes;
pub(super) mod v3;
pub(super) mod v5;

use super::client::{Login, Unsupported};
use super::stream::StreamMessage;
use super::video::{PictureSizes, VideoState};
use crate::party::Cause;
use serde_json::{Value, json};
use tandem_control::PictureSize;

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
    /// Its video, as the client sees it.
    pub video: VideoState,
    /// The sizes of the pictures that came last.
    pub sizes: PictureSizes,
}

impl Call {
    /// The sizes of the pictures that go now.
    fn present_sizes(&self) -> PictureSizes {
        PictureSizes {
            player: self.sizes.player.filter(|_| self.video.is_shown()),
            streamer: self.sizes.streamer.filter(|_| self.video.is_sent()),
        }
    }
}

/// Where a call that is not over stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStatus {
    /// It is on its way.
    Trying,
    /// The callee is alerted.
    Ring,
    /// The callee is heard before the answer; `ringing`: it is alerted too (180), and no announcement (183).
    Progress {
        /// See above.
        ringing: bool,
    },
    /// It is answered.
    Established,
    /// It is on hold, by either side.
    Hold,
}

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStatus {
    /// The target is called.
    Trying,
    /// It is alerted.
    Ring,
    /// The far end talks to it; the call of the client ends.
    Completed,
}

/// What became of a message that the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// It is on its way, or kept for a recipient who is away.
    Sent,
    /// The far end, or its server, took it.
    Accepted,
    /// It was refused.
    Failed,
    /// It was shown to the recipient (RFC 5438).
    Delivered,
    /// It could not be shown.
    DeliveryFailed,
    /// Delivery reports, or the message, are not allowed there.
    DeliveryForbidden,
    /// The recipient's side had an error of its own.
    DeliveryError,
}

/// A message to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingMessage {
    /// The server's identifier, which [`super::ClientMessage::NotificationResult`] brings back.
    pub id: String,
    /// The sender's address or user name.
    pub from: String,
    /// The recipient's.
    pub to: String,
    /// Its text.
    pub body: String,
    /// The type of the text.
    pub content_type: String,
    /// When it was sent, in seconds since 1970, where it waited for the client.
    pub sent_at: Option<u64>,
}

/// The state of a subscription, as a NOTIFY brought it (RFC 6665).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The event package.
    pub event: String,
    /// Whose state; empty: the client's own.
    pub to: String,
    /// Seconds that are left.
    pub expires: u32,
    /// `active`, `pending` or `terminated`.
    pub status: &'static str,
    /// The document: `application/reginfo+xml`, `application/dialog-info+xml` or `application/pidf+xml`.
    pub body: String,
}

/// Something to tell a client.
#[derive(Clone, Debug)]
pub enum ServerMessage<'a> {
    /// The login was understood, and is tried: `getUserData` and `getVersion`. WCS 3 clients give the registration 15
    /// seconds from here.
    UserData {
        /// What the client said; its password is not told back.
        login: &'a Login,
        /// The product and its version.
        version: &'a str,
        /// What takes up this login on another connection.
        resume_token: Option<&'a str>,
    },
    /// The account is registered (or ready, where none was asked for; clients of WCS 5 that asked for none are not told).
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
    /// A call stands so now; send [`ServerMessage::RemoteSdp`] before [`CallStatus::Progress`] and the first
    /// [`CallStatus::Established`].
    Status {
        /// The call.
        call: &'a Call,
        /// Where it stands.
        status: CallStatus,
    },
    /// The client put a call on hold, or took it back.
    HoldResult {
        /// The call.
        call: &'a Call,
        /// Whether it is on hold.
        on: bool,
    },
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
    /// A new offer of the client was refused; the call goes on as it was.
    OfferRefused {
        /// The call.
        call: &'a Call,
        /// Why.
        cause: &'a Cause,
    },
    /// A transfer makes progress.
    TransferEvent {
        /// The call that is transferred.
        call: &'a Call,
        /// How it stands.
        status: TransferStatus,
    },
    /// A transfer failed; the call goes on.
    TransferFailed {
        /// The call.
        call: &'a Call,
        /// Why.
        cause: &'a Cause,
    },
    /// What became of a message of the client's.
    MessageState {
        /// The client's identifier of it.
        id: &'a str,
        /// The recipient that this is about.
        to: &'a str,
        /// What became of it.
        state: MessageState,
        /// Why it failed.
        cause: Option<&'a Cause>,
    },
    /// A message came in; the client says by [`super::ClientMessage::NotificationResult`] that it has it.
    IncomingMessage(&'a IncomingMessage),
    /// The state of a subscription.
    Subscription(&'a Subscription),
    /// The document that [`super::ClientMessage::Xcap`] asked for.
    XcapResponse(&'a str),
    /// What became of [`super::ClientMessage::Data`].
    DataStatus {
        /// The client's identifier of it.
        operation: &'a str,
        /// Why the application did not get it, or did not take it.
        cause: Option<&'a Cause>,
    },
    /// The operator's application says something to the client.
    Data {
        /// What it answers.
        operation: &'a str,
        /// Whatever client and application have agreed on.
        payload: &'a Value,
    },
    /// The codec of the call's audio, once it is agreed and when it changes.
    AudioCodec {
        /// The call.
        call: &'a Call,
        /// See [`crate::settings::CodecName::encoding`].
        name: &'a str,
    },
    /// The size of the call's pictures became known, or another one.
    VideoFormat {
        /// The call.
        call: &'a Call,
        /// Where it stands.
        status: CallStatus,
    },
    /// The provider asked by OPTIONS whether the client is there.
    Options,
    /// What is left of the user's money, as the provider counts it.
    Balance(f64),
    /// A connection was taken up; these calls are still there, with the state of each.
    Resumed {
        /// The calls.
        calls: &'a [(&'a Call, CallStatus)],
    },
    /// There is nothing to take up: the client must log in.
    ResumeFailed,
    /// Something of a stream.
    Stream(StreamMessage<'a>),
    /// Asks whether the client is there.
    Ping,
    /// Answers [`super::ClientMessage::Ping`].
    Pong,
    /// Says that a message is not carried out.
    Refuse(&'a Unsupported),
    /// Says that a message of this name failed.
    RequestFailed {
        /// Its name.
        request: &'static str,
        /// Why.
        cause: &'a Cause,
    },
}

impl MessageState {
    /// Its name in either generation.
    fn word(self) -> &'static str {
        match self {
            MessageState::Sent => "SENT",
            MessageState::Accepted => "ACCEPTED",
            MessageState::Failed => "FAILED",
            MessageState::Delivered => "IMDN_DELIVERED",
            MessageState::DeliveryFailed => "IMDN_FAILED",
            MessageState::DeliveryForbidden => "IMDN_FORBIDDEN",
            MessageState::DeliveryError => "IMDN_ERROR",
        }
    }
}

fn frame(message: &str, data: Value) -> String {
    // Clients of WCS 5 read `data[0]` of every message, so it is never left out.
    json!({ "message": message, "data": data }).to_string()
}

/// The width and the height of pictures, in pixels. What is not known is 0.
fn pixels(size: Option<PictureSize>) -> [u16; 2] {
    size.map_or([0, 0], |size| [size.width, size.height])
}

/// The last argument of most messages of WCS 3 is the SIP message behind them. It is left empty: it names the
/// provider's inner addresses, and no client needs it.
const NO_SIP: &str = "";

/// What WCS 3 defined, and clients of WCS 5 that ask for it are told in the same form.
fn common_frames(message: &ServerMessage<'_>) -> Vec<String> {
    use ServerMessage as S;
    match message {
        S::MessageState { id, to, state, cause } => {
            let mut message = json!({ "id": id, "to": to, "state": state.word() });
            if let (Some(cause), Some(fields)) = (cause, message.as_object_mut()) {
                fields.insert("sipStatus".to_owned(), json!(cause.status));
                fields.insert("info".to_owned(), json!(cause.text));
            }
            vec![frame("notifyMessage", json!([message, null, NO_SIP]))]
        }
        S::IncomingMessage(message) => {
            let mut object = json!({
                "id": message.id,
                "from": message.from,
                "to": message.to,
                "body": message.body,
                "contentType": message.content_type,
                "state": "RECEIVED",
            });
            if let (Some(time), Some(fields)) = (message.sent_at, object.as_object_mut()) {
                // JavaScript's clock counts milliseconds.
                fields.insert("date".to_owned(), json!(time.saturating_mul(1_000)));
            }
            let result = json!({ "id": message.id, "status": "" });
            vec![frame("notifyMessage", json!([object, result, NO_SIP]))]
        }
        S::Subscription(subscription) => vec![frame(
            "notifySubscription",
            json!([{
                "event": subscription.event,
                "to": subscription.to,
                "expires": subscription.expires,
                "status": subscription.status,
                "requestBody": subscription.body,
            }, NO_SIP]),
        )],
        S::DataStatus { operation, cause } => {
            let status = if cause.is_none() { "ACCEPTED" } else { "FAILED" };
            let info = cause.map(|cause| &cause.text);
            let status = json!([{ "operationId": operation, "status": status, "info": info }]);
            vec![frame("DataStatusEvent", status)]
        }
        S::Data { operation, payload } => {
            vec![frame("OnDataEvent", json!([{ "operationId": operation, "payload": payload }]))]
        }
        S::XcapResponse(document) => vec![frame("notifyXcapResponse", json!([document]))],
        S::Balance(amount) => vec![frame("notifyBalance", json!([amount, NO_SIP]))],
        S::Options => vec![frame("notifyOptions", json!([NO_SIP]))],
        S::Ping => vec![frame("ping", json!([]))],
        S::Pong => vec![frame("pong", json!([]))],
        _ => Vec::new(),
    }
}
