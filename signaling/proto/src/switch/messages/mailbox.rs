//! The messages that wait for each user, in the order they came.

use crate::messaging::{CPIM, Cpim, KeptMessage, MessageId, UnixSeconds, Wanted};
use crate::party::Cause;
use crate::registrar::AddressOfRecord;
use crate::settings::MessageRules;
use crate::sip::user_agent::{MessageHandle, RequestHandle};
use crate::sip::{NameAddr, Response, Uri};
use crate::switch::browsers::BrowserId;
use crate::transport::Flow;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Who waits to hear what becomes of a message.
#[derive(Debug)]
pub(super) enum Origin {
    /// Whoever sent a SIP request; the response to it, but for its status.
    Request(RequestHandle, Box<Response>),
    /// A browser: the identifier it gave, and the recipient as it typed it.
    Browser { browser: BrowserId, message: String, to: String },
    /// Nobody: it was told already, or the message is one of ours.
    Nobody,
}

/// Where a message is beside here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// Nowhere.
    None,
    /// On its way to the disk.
    Writing,
    /// On the disk.
    Kept,
}

/// A message to a user.
pub(super) struct Letter {
    pub(super) id: MessageId,
    pub(super) from: NameAddr,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
    pub(super) received: UnixSeconds,
    /// Until when it may wait.
    pub(super) until: Instant,
    pub(super) origin: Origin,
    pub(super) storage: Storage,
}

/// What people write to each other stays out of logs.
impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter").field("id", &self.id).field("storage", &self.storage).finish_non_exhaustive()
    }
}

impl Letter {
    /// The wrapper that it came in, if it did.
    pub(super) fn wrapper(&self) -> Option<Cpim<'_>> {
        let is_wrapped = media_type(&self.content_type) == CPIM;
        is_wrapped.then(|| Cpim::parse(&self.body).ok()).flatten()
    }

    /// What its sender wants to be notified of, and the identifier that notifications name.
    pub(super) fn wanted(&self) -> Option<(String, Wanted)> {
        let wrapper = self.wrapper()?;
        Some((wrapper.message_id?.to_owned(), wrapper.wanted))
    }

    pub(super) fn to_kept(&self, to: &AddressOfRecord, until: UnixSeconds) -> KeptMessage {
        KeptMessage {
            id: self.id,
            to: to.clone(),
            from: self.from.clone(),
            content_type: self.content_type.clone(),
            body: self.body.clone(),
            received: self.received,
            until,
        }
    }
}

/// The type of a Content-Type, in lower case and without parameters.
pub(super) fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// One place where a user can be reached.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reach {
    /// A telephone or a browser that speaks SIP.
    Contact(Box<Uri>, Flow),
    /// A browser on the WCS protocol.
    Browser(BrowserId),
}

/// How a message fares at one place.
#[derive(Debug)]
pub(super) enum Fare {
    /// It was sent by SIP; whether without its wrapper.
    Sent(MessageHandle, bool),
    /// A browser was told, and has until then to say that it took it.
    Shown(Instant),
    /// It was taken. True: we speak for the recipient when it comes to notifications.
    Taken(bool),
    /// It was not.
    Refused(Cause),
}

/// The first message of a mailbox, at every place where its user can be reached.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) letter: MessageId,
    pub(super) places: Vec<(Reach, Fare)>,
}

/// What an attempt has come to.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is not over.
    Open,
    /// One place took it. True: we speak for the recipient.
    Taken(bool),
    /// Nobody could be reached who might take it: it waits.
    Waits,
    /// Whoever could be reached will not have it.
    Refused(Cause),
}

/// Failures that may be over the next time: those of the way there, not of the message.
fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 430 | 480 | 500 | 503 | 504)
}

impl Attempt {
    pub(super) fn verdict(&self) -> Verdict {
        let taken = self.places.iter().find_map(|(_, fare)| match fare {
            Fare::Taken(for_recipient) => Some(*for_recipient),
            _ => None,
        });
        if let Some(for_recipient) = taken {
            return Verdict::Taken(for_recipient);
        }
        let mut refusal = None;
        for (_, fare) in &self.places {
            match fare {
                Fare::Sent(..) | Fare::Shown(_) => return Verdict::Open,
                Fare::Refused(cause) if is_temporary(cause.status) => refusal = Some(None),
                Fare::Refused(cause) => {
                    refusal.get_or_insert(Some(cause.clone()));
                }
                Fare::Taken(_) => {}
            }
        }
        // Where one place might take it later, it waits for that one.
        refusal.flatten().map_or(Verdict::Waits, Verdict::Refused)
    }
}

/// The messages of one user.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub(super) letters: VecDeque<Letter>,
    /// How the first one fares.
    pub(super) attempt: Option<Attempt>,
}

/// All mailboxes that are not empty.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    pub(super) boxes: HashMap<AddressOfRecord, Mailbox>,
    owners: HashMap<MessageId, AddressOfRecord>,
}

impl Mailboxes {
    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether one more may be put into the mailbox of a user.
    pub(super) fn has_room(&self, to: &AddressOfRecord, rules: &MessageRules) -> bool {
        let of_user = self.boxes.get(to).map_or(0, |mailbox| mailbox.letters.len());
        of_user < rules.per_user && self.len() < rules.total
    }

    /// Puts a message behind the others.
    pub(super) fn put(&mut self, to: AddressOfRecord, letter: Letter) {
        self.owners.insert(letter.id, to.clone());
        self.boxes.entry(to).or_default().letters.push_back(letter);
    }

    /// Whose a message is.
    pub(super) fn owner(&self, id: MessageId) -> Option<AddressOfRecord> {
        self.owners.get(&id).cloned()
    }

    pub(super) fn letter_mut(&mut self, id: MessageId) -> Option<&mut Letter> {
        let to = self.owners.get(&id)?;
        self.boxes.get_mut(to)?.letters.iter_mut().find(|letter| letter.id == id)
    }

    /// Takes a message out; an attempt at it is over.
    pub(super) fn take(&mut self, id: MessageId) -> Option<(AddressOfRecord, Letter)> {
        let to = self.owners.remove(&id)?;
        let mailbox = self.boxes.get_mut(&to)?;
        let index = mailbox.letters.iter().position(|letter| letter.id == id)?;
        let letter = mailbox.letters.remove(index)?;
        mailbox.attempt.take_if(|attempt| attempt.letter == id);
        if mailbox.letters.is_empty() {
            self.boxes.remove(&to);
        }
        Some((to, letter))
    }

    /// The messages that have waited for long enough.
    pub(super) fn lapsed(&self, now: Instant) -> Vec<MessageId> {
        let letters = self.boxes.values().flat_map(|mailbox| &mailbox.letters);
        letters.filter(|letter| letter.until <= now).map(|letter| letter.id).collect()
    }

    /// Gives back memory that was needed in busier times.
    pub(super) fn shrink(&mut self) {
        crate::table::shrink(&mut self.boxes);
        crate::table::shrink(&mut self.owners);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(fares: Vec<Fare>) -> Attempt {
        let reach = || Reach::Contact(Box::new("sip:a@192.0.2.1".parse().unwrap()), flow());
        Attempt { letter: MessageId(1), places: fares.into_iter().map(|fare| (reach(), fare)).collect() }
    }

    fn flow() -> Flow {
        let address = "192.0.2.1:5060".parse().unwrap();
        let transport = crate::transport::Transport::Udp;
        Flow { transport, local: address, remote: address, connection: None }
    }

    #[test]
    fn an_attempt_is_over_when_one_place_took_the_message_or_none_will() {
        let refused = |status| Fare::Refused(Cause::new(status, ""));
        let sent = || Fare::Sent(MessageHandle(1), false);
        let cases = [
            (vec![], Verdict::Waits),
            (vec![sent()], Verdict::Open),
            (vec![sent(), Fare::Taken(true)], Verdict::Taken(true)),
            (vec![sent(), refused(488)], Verdict::Open),
            (vec![refused(488), refused(415)], Verdict::Refused(Cause::new(488, ""))),
            (vec![refused(488), refused(408)], Verdict::Waits),
            (vec![refused(503), refused(603)], Verdict::Waits),
            (vec![refused(408), Fare::Taken(false)], Verdict::Taken(false)),
        ];
        for (fares, verdict) in cases {
            let attempt = attempt(fares);
            assert_eq!(attempt.verdict(), verdict, "{attempt:?}");
        }
    }

    #[test]
    fn mailboxes_are_bounded_for_each_and_for_all() {
        let rules = MessageRules { per_user: 2, total: 3, ..MessageRules::default() };
        let user = |name: &str| AddressOfRecord { user: name.to_owned(), domain: "example.com".to_owned() };
        let letter = |id| Letter {
            id: MessageId(id),
            from: NameAddr::new(user("carol").uri().unwrap()),
            content_type: "text/plain".to_owned(),
            body: Vec::new(),
            received: UnixSeconds::default(),
            until: Instant::now(),
            origin: Origin::Nobody,
            storage: Storage::None,
        };
        let mut mailboxes = Mailboxes::default();
        let (alice, bob) = (user("alice"), user("bob"));
        for id in 0..2 {
            assert!(mailboxes.has_room(&alice, &rules));
            mailboxes.put(alice.clone(), letter(id));
        }
        assert!(!mailboxes.has_room(&alice, &rules));
        assert!(mailboxes.has_room(&bob, &rules));
        mailboxes.put(bob.clone(), letter(2));
        assert!(!mailboxes.has_room(&bob, &rules), "three are all");
        assert_eq!(mailboxes.take(MessageId(0)).unwrap().0, alice);
        assert!(mailboxes.has_room(&alice, &rules) && mailboxes.take(MessageId(0)).is_none());
        assert_eq!(mailboxes.owner(MessageId(1)), Some(alice));
        assert_eq!(mailboxes.lapsed(Instant::now()).len(), 2);
    }
}
