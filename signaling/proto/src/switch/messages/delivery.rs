//! The way of a mailbox's first message to its user.

use super::mailbox::{Attempt, Fare, Letter, Origin, Reach, Storage, Verdict};
use super::{ANSWER_WITHIN, Sent};
use crate::messaging::MessageId;
use crate::party::Cause;
use crate::registrar::AddressOfRecord;
use crate::sip::user_agent::{MessageHandle, PageMessage};
use crate::sip::{HeaderName, NameAddr, default_reason};
use crate::switch::browsers::BrowserId;
use crate::switch::calls::{Callee, Target};
use crate::switch::{Output, Switch, Timer};
use crate::transport::Flow;
use std::time::Instant;

impl Switch {
    /// Sends what waits for a user, the first first: the user logged in, or something new came.
    pub(in crate::switch) fn deliver_waiting(&mut self, now: Instant, to: &AddressOfRecord) {
        if !self.messages.mailboxes.boxes.contains_key(to) {
            return;
        }
        let places: Vec<Reach> = self.reachable(now, to).into_iter().filter_map(reach).collect();
        // Each turn takes one message out of the mailbox, or is the last.
        while let Some(id) = self.begin_attempt(to) {
            for reach in &places {
                self.try_place(now, to, id, reach);
            }
            if !self.conclude(now, to) {
                return;
            }
        }
    }

    /// The first message of a mailbox, and the record of how it fares.
    fn begin_attempt(&mut self, to: &AddressOfRecord) -> Option<MessageId> {
        let mailbox = self.messages.mailboxes.boxes.get_mut(to)?;
        let letter = mailbox.letters.front()?.id;
        mailbox.attempt.get_or_insert_with(|| Attempt { letter, places: Vec::new() });
        Some(letter)
    }

    /// Sends the message to one place, unless it went there already.
    fn try_place(&mut self, now: Instant, to: &AddressOfRecord, id: MessageId, reach: &Reach) {
        let Some(mailbox) = self.messages.mailboxes.boxes.get(to) else { return };
        let (Some(letter), Some(attempt)) = (mailbox.letters.front(), &mailbox.attempt) else { return };
        if attempt.places.iter().any(|(known, _)| known == reach) {
            return;
        }
        let fare = match reach {
            Reach::Contact(uri, flow) => {
                let message = page_message(letter, to, uri, *flow, false);
                let Some(message) = message else { return };
                let handle = self.user_agent.send_message(now, message);
                self.messages.sent.insert(handle, Sent::Letter(id));
                Fare::Sent(handle, false)
            }
            Reach::Browser(browser) => self.show_letter(now, to, id, *browser),
        };
        if let Fare::Shown(until) = fare {
            self.timers.insert((until, Timer::Message(id)));
        }
        let attempt = self.messages.mailboxes.boxes.get_mut(to).and_then(|mailbox| mailbox.attempt.as_mut());
        if let Some(attempt) = attempt {
            attempt.places.push((reach.clone(), fare));
        }
    }

    /// Shows the first message of a mailbox to one of the user's browsers.
    fn show_letter(&mut self, now: Instant, to: &AddressOfRecord, id: MessageId, browser: BrowserId) -> Fare {
        let mailbox = self.messages.mailboxes.boxes.get(to);
        let letter = mailbox.and_then(|mailbox| mailbox.letters.front());
        let Some(letter) = letter else { return Fare::Refused(Cause::new(480, "")) };
        let waited = (letter.storage == Storage::Kept).then_some(letter.received);
        let (from, content) = (letter.from.clone(), (letter.content_type.clone(), letter.body.clone()));
        match self.show_message(browser, id, &from, (&content.0, &content.1), waited) {
            Ok(true) => Fare::Shown(now + ANSWER_WITHIN),
            // A notification: it needs no answer.
            Ok(false) => Fare::Taken(false),
            Err(cause) => Fare::Refused(cause),
        }
    }

    /// What came of a MESSAGE request of ours.
    pub(in crate::switch) fn message_done(&mut self, now: Instant, handle: MessageHandle, cause: &Cause) {
        match self.messages.sent.remove(&handle) {
            Some(Sent::Letter(id)) => self.letter_done(now, handle, id, cause),
            Some(Sent::Provider { browser, message, to }) => {
                self.tell_outcome(browser, &message, &to, cause);
            }
            Some(Sent::Notification) | None => {}
        }
    }

    fn letter_done(&mut self, now: Instant, handle: MessageHandle, id: MessageId, cause: &Cause) {
        let Some(to) = self.messages.mailboxes.owner(id) else { return };
        let Some(mailbox) = self.messages.mailboxes.boxes.get_mut(&to) else { return };
        let (Some(letter), Some(attempt)) = (mailbox.letters.front(), mailbox.attempt.as_mut()) else {
            return;
        };
        let place = attempt.places.iter_mut().find_map(|(reach, fare)| match (&*reach, &*fare) {
            (Reach::Contact(uri, flow), Fare::Sent(sent, plain)) if *sent == handle => {
                Some((uri.clone(), *flow, *plain, fare))
            }
            _ => None,
        });
        let Some((uri, flow, was_plain, fare)) = place else { return };
        *fare = match cause.status {
            200..300 => Fare::Taken(was_plain),
            // A telephone that does not know the wrapper gets what is in it; we then speak for it.
            415 if !was_plain && letter.wrapper().is_some() => {
                match page_message(letter, &to, &uri, flow, true) {
                    Some(message) => {
                        let again = self.user_agent.send_message(now, message);
                        self.messages.sent.insert(again, Sent::Letter(id));
                        Fare::Sent(again, true)
                    }
                    None => Fare::Refused(cause.clone()),
                }
            }
            _ => Fare::Refused(cause.clone()),
        };
        if self.conclude(now, &to) {
            self.deliver_waiting(now, &to);
        }
    }

    /// A browser took, or refused, what it was shown.
    pub(in crate::switch) fn browser_took_message(
        &mut self,
        now: Instant,
        browser: BrowserId,
        id: MessageId,
        is_ok: bool,
    ) {
        if self.messages.shown.get(&id).is_some_and(|shown| shown.browser == browser) {
            return self.provider_message_taken(now, id, is_ok);
        }
        let Some(to) = self.messages.mailboxes.owner(id) else { return };
        let mailbox = self.messages.mailboxes.boxes.get_mut(&to);
        let attempt =
            mailbox.and_then(|mailbox| mailbox.attempt.as_mut()).filter(|attempt| attempt.letter == id);
        let place = attempt.and_then(|attempt| {
            attempt
                .places
                .iter_mut()
                .find(|(reach, fare)| *reach == Reach::Browser(browser) && matches!(fare, Fare::Shown(_)))
        });
        let Some((_, fare)) = place else {
            // One that comes back after a lost connection says it late, of a message that waits again.
            let is_recipient = self.browsers.get(&browser).is_some_and(|browser| browser.is_local_user(&to));
            if is_ok && is_recipient {
                self.finish(now, id, &Cause::new(200, default_reason(200)), true);
                self.deliver_waiting(now, &to);
            }
            return;
        };
        *fare = if is_ok { Fare::Taken(true) } else { Fare::Refused(Cause::new(488, default_reason(488))) };
        if self.conclude(now, &to) {
            self.deliver_waiting(now, &to);
        }
    }

    /// Browsers that have not said that they took what they were shown, and whose time `is_up`, are given up.
    pub(super) fn give_up_browsers(
        &mut self,
        now: Instant,
        to: &AddressOfRecord,
        is_up: impl Fn(Instant) -> bool,
    ) {
        let Some(mailbox) = self.messages.mailboxes.boxes.get_mut(to) else { return };
        let Some(attempt) = mailbox.attempt.as_mut() else { return };
        for (_, fare) in &mut attempt.places {
            if matches!(fare, Fare::Shown(until) if is_up(*until)) {
                *fare = Fare::Refused(Cause::new(408, "The browser did not take the message"));
            }
        }
        if self.conclude(now, to) {
            self.deliver_waiting(now, to);
        }
    }

    /// Acts on what an attempt has come to. True: the message is out of the mailbox, and the next one may go.
    fn conclude(&mut self, now: Instant, to: &AddressOfRecord) -> bool {
        let Some(mailbox) = self.messages.mailboxes.boxes.get_mut(to) else { return false };
        let Some(attempt) = &mailbox.attempt else { return false };
        let id = attempt.letter;
        match attempt.verdict() {
            Verdict::Open => false,
            Verdict::Taken(for_recipient) => {
                self.counters.messages_delivered += 1;
                self.finish(now, id, &Cause::new(200, default_reason(200)), for_recipient);
                true
            }
            Verdict::Refused(cause) => {
                self.counters.messages_refused += 1;
                self.finish(now, id, &cause, false);
                true
            }
            Verdict::Waits => {
                mailbox.attempt = None;
                // Those behind it cannot go either.
                let waiting: Vec<MessageId> = mailbox.letters.iter().map(|letter| letter.id).collect();
                for id in waiting {
                    self.keep(now, to, id);
                }
                false
            }
        }
    }

    /// A message is at its end: the sender hears how, and the store needs it no more.
    pub(super) fn finish(&mut self, now: Instant, id: MessageId, cause: &Cause, for_recipient: bool) {
        let Some((to, letter)) = self.messages.mailboxes.take(id) else { return };
        if letter.storage != Storage::None {
            self.outputs.push_back(Output::DropMessage(id));
        }
        self.notify_sender(now, &to, &letter, cause, for_recipient);
        let Letter { origin, .. } = letter;
        if !matches!(origin, Origin::Nobody) {
            self.answer_sender(now, origin, cause);
        }
    }
}

fn reach(callee: Callee) -> Option<Reach> {
    match callee.target {
        Target::Contact { uri, flow } => Some(Reach::Contact(Box::new(uri), flow)),
        Target::Browser(browser) => Some(Reach::Browser(browser)),
        _ => None,
    }
}

/// The request that takes a letter to a contact, `plain` without its wrapper.
fn page_message(
    letter: &Letter,
    to: &AddressOfRecord,
    uri: &crate::sip::Uri,
    flow: Flow,
    plain: bool,
) -> Option<PageMessage> {
    let (content_type, body) = match letter.wrapper().filter(|_| plain) {
        Some(wrapper) => (wrapper.content_type.to_owned(), wrapper.content.to_vec()),
        None => (letter.content_type.clone(), letter.body.clone()),
    };
    // RFC 3428 section 4: Date says when it was sent, which matters where it had to wait.
    let date = (letter.storage == Storage::Kept).then(|| (HeaderName::Date, letter.received.sip_date()));
    Some(PageMessage {
        target: uri.clone(),
        route: None,
        via: Some(flow),
        port: None,
        from: letter.from.clone(),
        to: NameAddr::new(to.uri()?),
        content_type,
        body,
        credentials: None,
        headers: date.into_iter().collect(),
    })
}
