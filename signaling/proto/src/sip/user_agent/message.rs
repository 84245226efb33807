//! MESSAGE requests of ours (RFC 3428), each outside any dialog.

use super::challenge::Guard;
use super::outgoing::{Draft, Hop, Outcome, Purpose};
use super::uac::loose;
use super::{MessageHandle, UaEvent, UserAgent};
use crate::sip::auth::Credentials;
use crate::sip::{HeaderName, Method, NameAddr, Request, Uri};
use crate::transport::Flow;
use std::time::Instant;

/// A message to be sent.
#[derive(Clone)]
pub struct PageMessage {
    /// The Request-URI.
    pub target: Uri,
    /// The outbound proxy, as a preloaded route.
    pub route: Option<Uri>,
    /// Send along a client's own path, instead of finding the target.
    pub via: Option<Flow>,
    /// The account's own UDP port, where it has one.
    pub port: Option<u16>,
    /// The sender; a tag is added.
    pub from: NameAddr,
    /// The recipient.
    pub to: NameAddr,
    /// Content-Type, with its parameters.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
    /// Answers the provider's challenges. Never given for messages to anyone else (attacks.md row 11).
    pub credentials: Option<Credentials>,
    /// More header fields.
    pub headers: Vec<(HeaderName, String)>,
}

/// What people write to each other stays out of logs.
impl std::fmt::Debug for PageMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageMessage").field("target", &self.target).finish_non_exhaustive()
    }
}

impl UserAgent {
    /// Sends a message. [`UaEvent::MessageDone`] tells what came of it.
    pub fn send_message(&mut self, now: Instant, message: PageMessage) -> MessageHandle {
        let handle = MessageHandle(self.next_id());
        let next_hop = message.route.clone().unwrap_or_else(|| message.target.clone());
        let guard = message.credentials.map(|credentials| Guard::new(credentials, &next_hop));
        let (call_id, tag) = (self.token(), self.token());
        let mut request = Request::new(Method::Message, message.target);
        let headers = &mut request.headers;
        if let Some(route) = &message.route {
            headers.push(HeaderName::Route, loose(route));
        }
        headers.push(HeaderName::MaxForwards, 70);
        let mut from = message.from;
        from.set_tag(&tag);
        headers.push(HeaderName::From, from);
        headers.push(HeaderName::To, message.to);
        headers.push(HeaderName::CallId, call_id);
        headers.push(HeaderName::CSeq, "1 MESSAGE");
        headers.push(HeaderName::ContentType, message.content_type);
        for (name, value) in message.headers {
            headers.push(name, value);
        }
        request.body = message.body;
        // RFC 3428 section 4: a MESSAGE makes no dialog, and has no Contact.
        let hop = message.via.map_or(Hop::to(next_hop, message.port), Hop::Flow);
        let draft = Draft { purpose: Purpose::Message(handle), request, hop, contact_user: None, guard };
        self.send_request(now, draft);
        handle
    }

    pub(super) fn message_outcome(&mut self, handle: MessageHandle, outcome: &Outcome) {
        // RFC 3428 section 4: provisional responses say nothing.
        if matches!(outcome, Outcome::Response(response) if response.is_provisional()) {
            return;
        }
        self.events.push_back(UaEvent::MessageDone { handle, cause: outcome.cause() });
    }
}
