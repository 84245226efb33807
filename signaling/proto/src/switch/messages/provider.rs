//! Messages of browsers: into mailboxes, or by their providers; and what providers send them.

use super::mailbox::{Letter, Origin, Storage};
use super::{ANSWER_WITHIN, Sent, Shown, check_content, is_typing_notice};
use crate::messaging::{CPIM, Cpim, IMDN, MessageId, Notification, Status, UnixSeconds, Wanted};
use crate::party::Cause;
use crate::sip::auth::Credentials;
use crate::sip::user_agent::{PageMessage, RequestHandle};
use crate::sip::{HeaderName, NameAddr, Request, Uri, default_reason};
use crate::switch::browsers::BrowserId;
use crate::switch::{Switch, Timer};
use std::time::Instant;

/// Who hears what becomes of a browser's message: the browser, the identifier it gave, the recipient as it typed it.
pub(in crate::switch) type Receipt = (BrowserId, String, String);

/// The way to a provider: the Request-URI, the route, the account's own port, the credentials.
pub(in crate::switch) type ProviderWay = (Uri, Option<Uri>, Option<u16>, Option<Credentials>);

impl Switch {
    /// The time on the wall.
    pub(in crate::switch) fn messages_clock(&self, now: Instant) -> UnixSeconds {
        self.messages.clock(now)
    }

    /// A message of a local user's browser to a local user.
    ///
    /// # Errors
    /// Why it cannot be sent.
    pub(in crate::switch) fn post_for_browser(
        &mut self,
        now: Instant,
        receipt: Receipt,
        from: NameAddr,
        to: &Uri,
        (content_type, body): (String, Vec<u8>),
    ) -> Result<(), Cause> {
        let to = self.local_user(to);
        let to = to.ok_or_else(|| Cause::new(403, "Messages to this domain are not allowed here"))?;
        check_content(&content_type, &body)?;
        let (browser, message, typed) = receipt;
        self.tell_sent(browser, &message, &typed);
        if is_typing_notice(&content_type, &body) {
            self.tell_outcome(browser, &message, &typed, &Cause::new(200, default_reason(200)));
            return Ok(());
        }
        let letter = Letter {
            id: self.message_id(),
            from,
            content_type,
            body,
            received: self.messages.clock(now),
            until: now + self.settings.messages.keep,
            origin: Origin::Browser { browser, message, to: typed },
            storage: Storage::None,
        };
        self.post(now, to, letter);
        Ok(())
    }

    /// A message of a provider's user, by the provider. Without a receipt it is one of ours, and nobody hears of it.
    ///
    /// # Errors
    /// Why it cannot be sent.
    pub(in crate::switch) fn send_by_provider(
        &mut self,
        now: Instant,
        receipt: Option<Receipt>,
        from: NameAddr,
        way: ProviderWay,
        (content_type, body): (String, Vec<u8>),
    ) -> Result<(), Cause> {
        check_content(&content_type, &body)?;
        let (target, route, port, credentials) = way;
        let to = NameAddr::new(target.clone());
        let headers = Vec::new();
        let message = PageMessage {
            target,
            route,
            via: None,
            port,
            from,
            to,
            content_type,
            body,
            credentials,
            headers,
        };
        let handle = self.user_agent.send_message(now, message);
        let purpose = match receipt {
            Some((browser, message, to)) => {
                self.tell_sent(browser, &message, &to);
                Sent::Provider { browser, message, to }
            }
            None => Sent::Notification,
        };
        self.messages.sent.insert(handle, purpose);
        Ok(())
    }

    /// A MESSAGE to the Contact that we registered for a browser: only the provider knows that address.
    pub(super) fn message_from_provider(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        request: &Request,
        browser: BrowserId,
    ) {
        let content_type = request.headers.get(HeaderName::ContentType).unwrap_or_default();
        if let Err(cause) = check_content(content_type, &request.body) {
            return self.refuse(now, handle, request, cause.status, &cause.text);
        }
        if is_typing_notice(content_type, &request.body) {
            return self.refuse(now, handle, request, 200, "");
        }
        let Ok(from) = request.headers.from() else { return self.refuse(now, handle, request, 400, "") };
        let id = self.message_id();
        match self.show_message(browser, id, &from, (content_type, &request.body), None) {
            Ok(true) => {
                self.timers.insert((now + ANSWER_WITHIN, Timer::Message(id)));
                let request = Box::new(request.clone());
                self.messages.shown.insert(id, Shown { browser, handle, request });
            }
            Ok(false) => self.refuse(now, handle, request, 200, ""),
            Err(cause) => self.refuse(now, handle, request, cause.status, &cause.text),
        }
    }

    /// The browser took, or refused, a message of its provider's.
    pub(super) fn provider_message_taken(&mut self, now: Instant, id: MessageId, is_ok: bool) {
        let Some(Shown { browser, handle, request }) = self.messages.shown.remove(&id) else { return };
        self.refuse(now, handle, &request, if is_ok { 200 } else { 488 }, "");
        if is_ok {
            self.notify_by_provider(now, browser, &request);
        }
    }

    /// Tells the sender of a provider's message that it was delivered, if it asked for that: the browser cannot.
    fn notify_by_provider(&mut self, now: Instant, browser: BrowserId, request: &Request) {
        let Ok(wrapper) = Cpim::parse(&request.body) else { return };
        let is_wrapped =
            request.headers.content_type().ok().flatten().is_some_and(|kind| kind.media_type == CPIM);
        let Some(message_id) = wrapper.message_id.filter(|_| is_wrapped && wrapper.wanted.delivered) else {
            return;
        };
        let Ok(sender) = request.headers.from() else { return };
        let Some((from, way)) = self.way_by_provider(browser, &sender.uri) else { return };
        let wall = self.messages.clock(now);
        let notification = Notification { message_id: message_id.to_owned(), status: Status::Delivered };
        let document = notification.write(&from.uri.to_string(), wall);
        let wrapper = Cpim {
            from: &format!("<{}>", from.uri),
            to: &format!("<{}>", sender.uri),
            message_id: Some(&self.message_id().to_string()),
            wanted: Wanted::default(),
            content_type: IMDN,
            content: document.as_bytes(),
        };
        let body = wrapper.write(wall);
        // It is small and well-formed, so nothing is wrong with it.
        let _ = self.send_by_provider(now, None, from, way, (CPIM.to_owned(), body));
    }
}
