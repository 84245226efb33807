//! Messages of browsers, and to them.

use super::calls::short_name;
use super::{Account, BrowserId};
use crate::messaging::{CPIM, Cpim, IMDN, MessageId, Notification, Status, UnixSeconds, Wanted};
use crate::party::Cause;
use crate::registrar::AddressOfRecord;
use crate::sip::{Host, NameAddr, Uri};
use crate::switch::Switch;
use crate::switch::calls::Target;
use crate::switch::identity::clean;
use crate::switch::messages::ProviderWay;
use crate::wcs::{self, IncomingMessage, MessageState, OutgoingMessage, ServerMessage};
use std::time::Instant;

/// What is in a message, as far as a browser can be shown it.
enum Content {
    /// A text, with its type.
    Text(String, String),
    /// What became of a message of its own.
    Notification(Notification),
}

impl Switch {
    /// Sends a browser's message to one recipient, as typed. What becomes of it is told as message states.
    ///
    /// # Errors
    /// Why it cannot be sent: to be told as the state `FAILED`.
    pub(super) fn browser_message(
        &mut self,
        now: Instant,
        id: BrowserId,
        message: &OutgoingMessage,
        to: &str,
    ) -> Result<(), Cause> {
        let logged_out = || Cause::new(403, "Log in first");
        let browser = self.browsers.get(&id).ok_or_else(logged_out)?;
        let account = browser.account.clone().ok_or_else(logged_out)?;
        let home = browser.home().ok_or_else(logged_out)?;
        let recipient = wcs::callee_uri(to, home, None)
            .map_err(|error| Cause::new(484, format!("Nobody can be written to so: {error}")))?;
        let visible_name = browser.visible_name.clone();
        let (sender, configured) = match &account {
            Account::Local(aor) => (aor.uri().ok_or_else(logged_out)?, self.users.get(aor)),
            Account::Provider(account) => (account.uri.clone(), None),
        };
        let display_name = visible_name.or(configured.and_then(|user| user.display_name.clone()));
        let display_name = display_name.as_deref().and_then(clean);
        let from = NameAddr { display_name, ..NameAddr::new(sender) };
        let wall = self.messages_clock(now);
        let content = content(self.message_id(), message, &from.uri, &recipient, wall);
        match account {
            Account::Local(_) => {
                let receipt = (id, message.id.clone(), to.to_owned());
                self.post_for_browser(now, receipt, from, &recipient, content)
            }
            Account::Provider(_) => {
                let receipt = (id, message.id.clone(), to.to_owned());
                let (_, way) = self.way_by_provider(id, &recipient).ok_or_else(logged_out)?;
                self.send_by_provider(now, Some(receipt), from, way, content)
            }
        }
    }

    /// The address of a browser's user at its provider, and the way to somebody else by that provider.
    pub(in crate::switch) fn way_by_provider(
        &self,
        browser: BrowserId,
        to: &Uri,
    ) -> Option<(NameAddr, ProviderWay)> {
        let Some(Account::Provider(account)) = &self.browsers.get(&browser)?.account else { return None };
        let Target::Provider { uri, route, port, credentials, .. } = self.provider_target(account, to).target
        else {
            return None;
        };
        let from = NameAddr::new(account.uri.clone());
        Some((from, (uri, route, port, Some(*credentials))))
    }

    /// The user of a browser, and whom it wants to watch: itself, where it names nobody.
    ///
    /// # Errors
    /// Nobody is logged in, or nobody can be watched there.
    pub(in crate::switch) fn watched_by_browser(
        &self,
        id: BrowserId,
        to: Option<&str>,
    ) -> Result<(AddressOfRecord, AddressOfRecord), Cause> {
        let browser = self.browsers.get(&id).ok_or_else(|| Cause::new(403, "Log in first"))?;
        let user = match &browser.account {
            Some(Account::Local(aor)) => aor.clone(),
            Some(Account::Provider(_)) => {
                return Err(Cause::new(489, "Only users of this server can be watched"));
            }
            None => return Err(Cause::new(403, "Log in first")),
        };
        let Some(to) = to else { return Ok((user.clone(), user)) };
        let home = browser.home().ok_or_else(|| Cause::new(403, "Log in first"))?;
        let uri = wcs::callee_uri(to, home, None).map_err(|error| Cause::new(484, error.to_string()))?;
        let watched = self.local_user(&uri);
        let watched = watched.ok_or_else(|| Cause::new(404, "Only users of this server can be watched"))?;
        Ok((user, watched))
    }

    /// A browser is there (again): it gets what waits for its user.
    pub(in crate::switch) fn deliver_to_browser(&mut self, now: Instant, id: BrowserId) {
        let account = self.browsers.get(&id).and_then(|browser| browser.account.clone());
        if let Some(Account::Local(aor)) = account {
            self.deliver_waiting(now, &aor);
        }
    }

    /// Shows a message to a browser, under this identifier. `Ok(true)`: the browser is to say that it took it. `waited`:
    /// when it came, if it had to wait.
    ///
    /// # Errors
    /// The browser is gone, or cannot be shown content of this type.
    pub(in crate::switch) fn show_message(
        &mut self,
        browser: BrowserId,
        id: MessageId,
        from: &NameAddr,
        (content_type, body): (&str, &[u8]),
        waited: Option<UnixSeconds>,
    ) -> Result<bool, Cause> {
        let gone = || Cause::new(480, "The recipient's browser is gone");
        let home = self.browsers.get(&browser).and_then(super::Browser::home).ok_or_else(gone)?;
        let sender = short_name(&from.uri, &home);
        let (content_type, body) = match read(content_type, body)? {
            Content::Text(content_type, text) => (content_type, text),
            Content::Notification(notification) => {
                self.tell_notification(browser, &sender, &notification);
                return Ok(false);
            }
        };
        let message = IncomingMessage {
            id: id.to_string(),
            from: sender,
            to: self.browsers.get(&browser).map(|browser| user_of(browser, &home)).unwrap_or_default(),
            body,
            content_type,
            sent_at: waited.map(UnixSeconds::get),
        };
        if self.browsers.get_mut(&browser).is_some_and(|browser| browser.back.note_shown(id)) {
            self.say(browser, &ServerMessage::IncomingMessage(&message));
        }
        Ok(true)
    }

    /// A browser took, or refused, what it was shown under this identifier.
    pub(super) fn browser_answers_message(
        &mut self,
        now: Instant,
        browser: BrowserId,
        message: &str,
        is_ok: bool,
    ) {
        let Some(id) = MessageId::parse(message) else { return };
        if let Some(browser) = self.browsers.get_mut(&browser) {
            browser.back.note_taken(id);
        }
        self.browser_took_message(now, browser, id, is_ok);
    }

    /// Tells a browser that a message of its own is on its way.
    pub(in crate::switch) fn tell_sent(&mut self, browser: BrowserId, id: &str, to: &str) {
        self.say(browser, &ServerMessage::MessageState { id, to, state: MessageState::Sent, cause: None });
    }

    /// Tells a browser what became of a message of its own.
    pub(in crate::switch) fn tell_outcome(&mut self, browser: BrowserId, id: &str, to: &str, cause: &Cause) {
        let (state, cause) = match cause.status {
            200..300 => (MessageState::Accepted, None),
            _ => (MessageState::Failed, Some(cause)),
        };
        self.say(browser, &ServerMessage::MessageState { id, to, state, cause });
    }

    fn tell_notification(&mut self, browser: BrowserId, to: &str, notification: &Notification) {
        let state = match notification.status {
            Status::Delivered | Status::Displayed => MessageState::Delivered,
            Status::Failed => MessageState::DeliveryFailed,
            Status::Forbidden => MessageState::DeliveryForbidden,
            Status::Error => MessageState::DeliveryError,
            // It is still on its way.
            Status::Processed | Status::Stored => return,
        };
        if let Some(id) = client_id(&notification.message_id) {
            self.say(browser, &ServerMessage::MessageState { id: &id, to, state, cause: None });
        }
    }
}

/// The name that a browser's user goes by at home.
fn user_of(browser: &super::Browser, home: &Host) -> String {
    match &browser.account {
        Some(Account::Local(aor)) => aor.user.clone(),
        Some(Account::Provider(account)) => short_name(&Uri::Sip(account.uri.clone()), home),
        None => String::new(),
    }
}

/// The Content-Type and the body of a browser's message. One that asks for notifications is wrapped, and its Message-ID
/// is a random part, which makes it unique (RFC 5438 section 6.3), and the client's identifier: so a notification finds
/// the client's message however much later it comes.
fn content(
    id: MessageId,
    message: &OutgoingMessage,
    from: &Uri,
    to: &Uri,
    wall: UnixSeconds,
) -> (String, Vec<u8>) {
    let is_bare = message.content_type.eq_ignore_ascii_case("text/plain");
    let content_type =
        if is_bare { "text/plain;charset=utf-8".to_owned() } else { message.content_type.clone() };
    let body = message.body.as_bytes();
    if !message.delivery_notification {
        return (content_type, body.to_vec());
    }
    let wrapper = Cpim {
        from: &format!("<{from}>"),
        to: &format!("<{to}>"),
        message_id: Some(&message_id(id, &message.id)),
        wanted: Wanted { delivered: true, failed: true },
        content_type: &content_type,
        content: body,
    };
    (CPIM.to_owned(), wrapper.write(wall))
}

/// `RANDOM-CLIENT`, the client's part in hexadecimal digits: it may hold anything.
fn message_id(id: MessageId, client: &str) -> String {
    let client: String = client.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{id}-{client}")
}

/// The client's part of a Message-ID of ours.
fn client_id(message_id: &str) -> Option<String> {
    let (_, digits) = message_id.split_once('-').filter(|(random, _)| MessageId::parse(random).is_some())?;
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

/// What a browser can be shown of a message: texts, and notifications, wrapped or not.
fn read(content_type: &str, body: &[u8]) -> Result<Content, Cause> {
    let unfit = || Cause::new(415, "The recipient's browser shows texts only");
    let media_type = |text: &str| text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let (kind, body) = match media_type(content_type) {
        kind if kind == CPIM => {
            let wrapper = Cpim::parse(body).map_err(|_| unfit())?;
            (wrapper.media_type(), wrapper.content)
        }
        kind => (kind, body),
    };
    if kind == IMDN {
        return Notification::parse(body).map(Content::Notification).ok_or_else(unfit);
    }
    if !kind.starts_with("text/") {
        return Err(unfit());
    }
    Ok(Content::Text(kind, String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_notification_finds_the_clients_identifier(client in ".{0,40}", id in any::<u128>()) {
            prop_assert_eq!(client_id(&message_id(MessageId(id), &client)), Some(client));
        }

        #[test]
        fn any_identifier_is_read_without_a_panic(text in ".{0,80}", tail in "[0-9a-fé-]{0,9}") {
            let _ = client_id(&text);
            let _ = client_id(&format!("{}-{tail}", MessageId(7)));
        }
    }

    #[test]
    fn identifiers_of_others_are_none_of_ours() {
        for text in ["", "34jk324j", "34jk-6162", &format!("{}-6", MessageId(1)).replace("-6", "-zz")] {
            assert_eq!(client_id(text), None, "{text}");
        }
    }
}
