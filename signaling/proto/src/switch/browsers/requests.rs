//! What browsers ask for, each message to whom it concerns.

use super::BrowserId;
use crate::party::{Cause, DigitFormat, Signal};
use crate::switch::calls::Endpoint;
use crate::switch::transfer::TransferTarget;
use crate::switch::{Output, Switch};
use crate::wcs::{
    ClientMessage, DtmfMethod, MessageState, OutgoingMessage, ServerMessage, Subscribe, Subscription,
};
use std::time::Instant;

impl Switch {
    pub(super) fn browser_requests(&mut self, now: Instant, id: BrowserId, message: ClientMessage) {
        let endpoint = |call_id| Endpoint::Browser(id, call_id);
        if !self.token_allows(id, &message) {
            let cause = Cause::new(403, "A call button cannot do that");
            return self.say(id, &ServerMessage::RequestFailed { request: "token", cause: &cause });
        }
        match message {
            ClientMessage::Connect(login) => self.log_in(now, id, &login),
            ClientMessage::Resume { token, received } => self.browser_returns(now, id, &token, received),
            ClientMessage::Bye => self.browser_says_bye(now, id),
            ClientMessage::Call(call) => self.browser_calls(now, id, call),
            ClientMessage::Answer { call_id, sdp } => self.browser_answers(now, id, call_id, sdp),
            ClientMessage::Offer { call_id, sdp } => self.browser_offers(now, id, call_id, sdp),
            ClientMessage::Hangup { call_id, sip_status } => {
                self.browser_hangs_up(now, id, call_id, sip_status);
            }
            ClientMessage::Hold { call_id, on } => self.browser_holds(now, id, &call_id, on),
            ClientMessage::Transfer { call_id, target, replaces } => {
                let target = match (target, replaces) {
                    (_, Some(other)) => TransferTarget::Call(endpoint(other)),
                    (target, None) => TransferTarget::Typed(target.unwrap_or_default()),
                };
                self.endpoint_transfer(now, &endpoint(call_id), target);
            }
            ClientMessage::Dtmf { call_id, digits, method } => {
                self.browser_sends_digits(now, &endpoint(call_id), &digits, method);
            }
            ClientMessage::SendInfo { call_id, content_type, body } => {
                let info = Signal::Info { content_type, body: body.into_bytes() };
                self.endpoint_signal(now, &endpoint(call_id), info);
            }
            ClientMessage::Message(message) => self.browser_sends_message(now, id, &message),
            ClientMessage::NotificationResult { id: message, is_ok } => {
                self.browser_answers_message(now, id, &message, is_ok);
            }
            ClientMessage::Subscribe(subscribe) => self.browser_wants_state(now, id, &subscribe),
            ClientMessage::Xcap { url } => self.browser_wants_document(id, &url),
            ClientMessage::Data { operation, payload } => self.browser_sends_data(id, operation, &payload),
            ClientMessage::UpdateCallToVideo { call_id } => {
                if let Err(cause) = self.endpoint_wants_video(now, &endpoint(call_id)) {
                    let request = "updateCallToVideo";
                    self.say(id, &ServerMessage::RequestFailed { request, cause: &cause });
                }
            }
            ClientMessage::Stream(request) => self.browser_asks_stream(now, id, request),
            ClientMessage::Ping => self.say(id, &ServerMessage::Pong),
            ClientMessage::UseProxy(_) | ClientMessage::Pong | ClientMessage::Ignored => {}
            ClientMessage::Unsupported(message) => self.say(id, &ServerMessage::Refuse(&message)),
        }
    }

    fn browser_says_bye(&mut self, now: Instant, id: BrowserId) {
        let connection = self.browsers.get(&id).and_then(|browser| browser.connection);
        self.log_off(now, id);
        if let Some(connection) = connection {
            self.browser_by_connection.remove(&connection);
            self.outputs.push_back(Output::Close { connection });
        }
    }

    fn browser_sends_digits(&mut self, now: Instant, endpoint: &Endpoint, digits: &str, method: DtmfMethod) {
        let by_message = match method {
            DtmfMethod::Rfc2833 => None,
            DtmfMethod::Info => Some(DigitFormat::Plain),
            DtmfMethod::InfoRelay => Some(DigitFormat::Relay),
        };
        for digit in digits.chars() {
            self.endpoint_digit(now, endpoint, digit, by_message);
        }
    }

    /// Sends a message to each of its recipients, who may be named in either place.
    fn browser_sends_message(&mut self, now: Instant, id: BrowserId, message: &OutgoingMessage) {
        let to = Some(&message.to).filter(|to| !to.is_empty());
        for to in to.into_iter().chain(message.recipients.iter().filter(|each| Some(*each) != to)) {
            let result = self.browser_message(now, id, message, to);
            if let Err(cause) = result {
                let (state, cause) = (MessageState::Failed, Some(&cause));
                self.say(id, &ServerMessage::MessageState { id: &message.id, to, state, cause });
            }
        }
    }

    fn browser_wants_state(&mut self, now: Instant, id: BrowserId, subscribe: &Subscribe) {
        if let Err(cause) = self.browser_subscribes(now, id, subscribe) {
            let ended = Subscription {
                event: subscribe.event.clone(),
                to: subscribe.to.clone().unwrap_or_default(),
                expires: 0,
                status: "terminated",
                body: String::new(),
            };
            self.say(id, &ServerMessage::Subscription(&ended));
            self.say(id, &ServerMessage::RequestFailed { request: "subscribe", cause: &cause });
        }
    }
}
