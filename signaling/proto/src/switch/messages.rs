//! Messages in page mode (RFC 3428): from whom to whom, and what becomes of them.
//!
//! A message to a user of a local domain goes into the user's mailbox, and from there, in order, to every place where
//! the user can be reached. The first place that takes it ends its way, and the sender hears 200. Where nobody takes it, it
//! is kept on disk until the user logs in, and the sender hears 202 once it is there.

mod delivery;
mod mailbox;
mod notifying;
mod provider;

use super::{Output, Switch, Timer};
use crate::messaging::{CPIM, Cpim, KeptMessage, MessageId, UnixSeconds, is_typing};
use crate::party::Cause;
use crate::registrar::AddressOfRecord;
use crate::sip::auth::Challenger;
use crate::sip::user_agent::{MessageHandle, RequestHandle};
use crate::sip::{HeaderName, NameAddr, Request, default_reason, reply};
use crate::switch::browsers::BrowserId;
use crate::switch::identity::clean;
use crate::transport::Flow;
use mailbox::{Letter, Mailboxes, Origin, Storage, media_type};
pub(super) use provider::ProviderWay;
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

/// Bytes of the body of a message.
const MAX_BODY: usize = 16_384;
/// Bytes of a Content-Type.
const MAX_CONTENT_TYPE: usize = 256;
/// How long a sender waits for the recipient; after it the message is kept. RFC 3428 section 7: non-INVITE transactions
/// "must be answered immediately"; a sender's own patience ends after 32 seconds (timer F).
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The messages on their way.
#[derive(Debug, Default)]
pub(super) struct Messages {
    mailboxes: Mailboxes,
    /// What our MESSAGE requests are for.
    sent: HashMap<MessageHandle, Sent>,
    /// Requests of providers whose message was shown to a browser, by the identifier that it was shown under.
    shown: HashMap<MessageId, Shown>,
    /// A moment, and what the clock on the wall showed then.
    clock: Option<(Instant, UnixSeconds)>,
}

/// What a MESSAGE request of ours is for.
#[derive(Debug)]
enum Sent {
    /// The first message of a mailbox.
    Letter(MessageId),
    /// A message of a browser's to its provider: the client's identifier, and the recipient as typed.
    Provider { browser: BrowserId, message: String, to: String },
    /// A notification, of which nobody wants to hear more.
    Notification,
}

/// A message of a provider's that a browser was shown.
#[derive(Debug)]
struct Shown {
    browser: BrowserId,
    handle: RequestHandle,
    request: Box<Request>,
}

impl Messages {
    /// How many messages wait.
    pub(super) fn waiting(&self) -> usize {
        self.mailboxes.len()
    }

    pub(super) fn shrink(&mut self) {
        self.mailboxes.shrink();
        crate::table::shrink(&mut self.sent);
        crate::table::shrink(&mut self.shown);
    }

    /// The time on the wall; 1970 where nobody has said what it is.
    fn clock(&self, now: Instant) -> UnixSeconds {
        let (then, time) = self.clock.unwrap_or((now, UnixSeconds::default()));
        time.after(now.saturating_duration_since(then))
    }
}

impl Switch {
    /// Says what time it is, and gives back the messages that were kept when the process ended. Call it before anything
    /// else happens.
    pub fn restore_messages(&mut self, now: Instant, wall: SystemTime, mut kept: Vec<KeptMessage>) {
        let wall = UnixSeconds::from(wall);
        self.messages.clock = Some((now, wall));
        kept.sort_by_key(|message| (message.received, message.id));
        for message in kept {
            let letter = Letter {
                id: message.id,
                from: message.from,
                content_type: message.content_type,
                body: message.body,
                received: message.received,
                until: now + message.until.since(wall),
                origin: Origin::Nobody,
                storage: Storage::Kept,
            };
            self.messages.mailboxes.put(message.to, letter);
        }
    }

    /// A MESSAGE outside a dialog (RFC 3428 section 7).
    pub(super) fn message(&mut self, now: Instant, handle: RequestHandle, flow: Flow, request: &Request) {
        let called = request.uri.as_sip().and_then(|uri| uri.user_name());
        let browser = called.and_then(|user| self.browser_by_contact.get(&user).copied());
        if let Some(browser) = browser {
            return self.message_from_provider(now, handle, request, browser);
        }
        let domain = self.domain_of_sender(request);
        let Some(user) = self.authenticate(now, handle, &flow, request, Challenger::Proxy, &domain) else {
            return;
        };
        match self.checked_letter(now, handle, request, &user) {
            Ok(Some((to, letter))) => self.post(now, to, letter),
            Ok(None) => self.refuse(now, handle, request, 200, ""),
            Err(cause) => self.refuse(now, handle, request, cause.status, &cause.text),
        }
    }

    /// The letter that a user's MESSAGE is, and whom it is for. `None`: it says nothing that is passed on.
    fn checked_letter(
        &mut self,
        now: Instant,
        handle: RequestHandle,
        request: &Request,
        user: &AddressOfRecord,
    ) -> Result<Option<(AddressOfRecord, Letter)>, Cause> {
        let from = request.headers.from().ok();
        if from.as_ref().and_then(|from| self.local_user(&from.uri)).as_ref() != Some(user) {
            return Err(Cause::new(403, "From is not your address"));
        }
        let to = self.local_user(&request.uri);
        let to = to.ok_or_else(|| Cause::new(403, "Messages to this domain are not allowed here"))?;
        let content_type = request.headers.get(HeaderName::ContentType).unwrap_or_default();
        check_content(content_type, &request.body)?;
        if is_typing_notice(content_type, &request.body) {
            return Ok(None);
        }
        let mut sender = user.uri().map(NameAddr::new).ok_or_else(|| Cause::new(403, "Forbidden"))?;
        let configured = self.users.get(user).and_then(|user| user.display_name.clone());
        let name = from.and_then(|from| from.display_name).or(configured);
        sender.display_name = name.as_deref().and_then(clean);
        // RFC 3428 section 4: a message may say itself how long it is worth anything.
        let worth = request.headers.expires().ok().flatten().map(u64::from).map(Duration::from_secs);
        let keep = worth.map_or(self.settings.messages.keep, |worth| worth.min(self.settings.messages.keep));
        let response = Box::new(reply(request, 200, default_reason(200)));
        let letter = Letter {
            id: self.message_id(),
            from: sender,
            content_type: content_type.to_owned(),
            body: request.body.clone(),
            received: self.messages.clock(now),
            until: now + keep,
            origin: Origin::Request(handle, response),
            storage: Storage::None,
        };
        Ok(Some((to, letter)))
    }

    /// Puts a message into a mailbox, and sends it on its way.
    fn post(&mut self, now: Instant, to: AddressOfRecord, letter: Letter) {
        let refusal = if !self.users.contains_key(&to) {
            Some(Cause::new(404, format!("There is no user {}", to.user)))
        } else if !self.messages.mailboxes.has_room(&to, &self.settings.messages) {
            self.counters.messages_refused += 1;
            Some(Cause::new(480, format!("Too many messages wait for {}", to.user)))
        } else {
            None
        };
        if let Some(cause) = refusal {
            return self.answer_sender(now, letter.origin, &cause);
        }
        self.timers.insert((now + ANSWER_WITHIN, Timer::Message(letter.id)));
        self.messages.mailboxes.put(to.clone(), letter);
        self.deliver_waiting(now, &to);
    }

    /// Tells the sender what became of its message.
    fn answer_sender(&mut self, now: Instant, origin: Origin, cause: &Cause) {
        match origin {
            Origin::Request(handle, mut response) => {
                response.status = cause.status;
                let phrase = Some(cause.text.as_str()).filter(|text| !text.is_empty());
                phrase.unwrap_or(default_reason(cause.status)).clone_into(&mut response.reason);
                self.user_agent.respond(now, handle, *response);
            }
            Origin::Browser { browser, message, to } => self.tell_outcome(browser, &message, &to, cause),
            Origin::Nobody => {}
        }
    }

    /// The store has a message, or could not take it.
    pub(super) fn message_kept(&mut self, now: Instant, id: MessageId, is_kept: bool) {
        let Some(letter) = self.messages.mailboxes.letter_mut(id) else { return };
        if !is_kept {
            self.counters.messages_refused += 1;
            letter.storage = Storage::None;
            return self.finish(now, id, &Cause::new(500, "The message could not be kept"), false);
        }
        letter.storage = Storage::Kept;
        self.counters.messages_kept += 1;
        match std::mem::replace(&mut letter.origin, Origin::Nobody) {
            // A browser hears more of it as long as it is there.
            origin @ Origin::Browser { .. } => letter.origin = origin,
            origin => self.answer_sender(now, origin, &Cause::new(202, default_reason(202))),
        }
    }

    /// A message whose sender has waited for long enough is kept, and browsers that never said that they took it have not.
    pub(super) fn message_timeout(&mut self, now: Instant, id: MessageId) {
        if let Some(shown) = self.messages.shown.remove(&id) {
            return self.refuse(
                now,
                shown.handle,
                &shown.request,
                480,
                "The browser did not take the message",
            );
        }
        let Some(to) = self.messages.mailboxes.owner(id) else { return };
        self.keep(now, &to, id);
        self.give_up_browsers(now, &to, |until| until <= now);
    }

    /// Messages that nobody fetched in time.
    pub(super) fn expire_messages(&mut self, now: Instant) {
        for id in self.messages.mailboxes.lapsed(now) {
            self.counters.messages_expired += 1;
            self.finish(now, id, &Cause::new(480, "The recipient was away for too long"), false);
        }
        self.messages.shrink();
    }

    /// Puts a message on disk, if it is not there yet and may be.
    fn keep(&mut self, now: Instant, to: &AddressOfRecord, id: MessageId) {
        let wall = self.messages.clock(now);
        let Some(letter) = self.messages.mailboxes.letter_mut(id) else { return };
        if letter.storage != Storage::None {
            return;
        }
        let left = letter.until.saturating_duration_since(now);
        if left.is_zero() {
            return self.finish(now, id, &Cause::new(480, format!("{} is not logged in", to.user)), false);
        }
        letter.storage = Storage::Writing;
        let kept = Box::new(letter.to_kept(to, wall.after(left)));
        self.outputs.push_back(Output::KeepMessage(kept));
    }

    pub(super) fn message_id(&mut self) -> MessageId {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        MessageId(u128::from_be_bytes(bytes))
    }
}

/// What every message must hold to.
fn check_content(content_type: &str, body: &[u8]) -> Result<(), Cause> {
    if body.len() > MAX_BODY {
        return Err(Cause::new(413, "The message is too large"));
    }
    let is_type = media_type(content_type).split_once('/').is_some_and(|(kind, sub)| {
        let token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        token(kind) && token(sub)
    });
    if !is_type || content_type.len() > MAX_CONTENT_TYPE {
        return Err(Cause::new(415, "The type of the message is missing or malformed"));
    }
    Ok(())
}

/// Whether a message only says that somebody types (RFC 3994), wrapped or not: it is taken and goes no further.
fn is_typing_notice(content_type: &str, body: &[u8]) -> bool {
    let media_type = media_type(content_type);
    let inner = (media_type == CPIM).then(|| Cpim::parse(body).ok()).flatten();
    is_typing(&media_type) || inner.is_some_and(|message| is_typing(&message.media_type()))
}
