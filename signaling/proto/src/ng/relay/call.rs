//! A call: the dialogues of one Call-ID, and who of their parties is meant.

use super::Timer;
use super::media::Media;
use super::operation::{Asker, Operation};
use super::origin::Origin;
use super::recording::Recording;
use crate::ng::request::{self, Command, Names};
use std::collections::VecDeque;
use std::time::Instant;
use tandem_control::{SessionId, Side};

/// The most dialogues of one call: branches of a forked INVITE.
pub(super) const MAX_DIALOGUES: usize = 32;
/// The most tags that one dialogue's answerer may have had: several answers of a fork.
const MAX_ALIASES: usize = 16;

/// Names a call within the relay; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CallKey(pub u64);

/// See the module.
#[derive(Debug)]
pub(super) struct Call {
    pub id: Box<str>,
    /// Seconds since 1970.
    pub created: u64,
    pub last_signal: u64,
    pub dialogues: Vec<Dialogue>,
    /// What is being carried out. There is one at a time; what comes meanwhile waits.
    pub operation: Option<Operation>,
    pub backlog: VecDeque<(Asker, Command)>,
    /// It is to be recorded.
    pub recording: Option<Recording>,
    next_dialogue: u32,
}

/// One party with one other: the side A is who offered first.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// Names it within its call; never used twice.
    pub id: u32,
    pub parties: [Party; 2],
    /// Other tags that the answerer had.
    aliases: Vec<Box<str>>,
    via_branch: Option<Box<str>>,
    /// A slot for each section of the descriptions; `None`: it is refused.
    pub sections: Vec<Option<Box<Media>>>,
    /// Who made the offer that is or was open last.
    pub offerer: Side,
    pub is_answered: bool,
    /// It is deleted, and lives only until its delay has passed.
    pub is_deleted: bool,
    /// What will end it, unless something happens before.
    pub timer: Option<(Instant, Timer)>,
}

/// One party of a dialogue.
#[derive(Clone, Debug, Default)]
pub(super) struct Party {
    /// Its tag; empty as long as it is not known.
    pub tag: Box<str>,
    pub label: Option<Box<str>>,
    /// When it was first seen, in seconds since 1970.
    pub created: u64,
    /// What stays the same in the descriptions that it is told.
    pub origin: Option<Box<Origin>>,
}

impl Call {
    pub(super) fn new(id: &str, created: u64) -> Call {
        Call {
            id: id.into(),
            created,
            last_signal: created,
            dialogues: Vec::new(),
            operation: None,
            backlog: VecDeque::new(),
            recording: None,
            next_dialogue: 0,
        }
    }

    pub(super) fn dialogue(&self, id: u32) -> Option<&Dialogue> {
        self.dialogues.iter().find(|dialogue| dialogue.id == id)
    }

    pub(super) fn dialogue_mut(&mut self, id: u32) -> Option<&mut Dialogue> {
        self.dialogues.iter_mut().find(|dialogue| dialogue.id == id)
    }

    /// The dialogue that an offer is made in, and the side that makes it. `None`: it begins a new one.
    ///
    /// With both tags they say it, whoever of the two called (RFC 3261 section 12). Without a to-tag it is the first
    /// INVITE, or one that is sent anew after a challenge or to the next target: that goes on with the ports that
    /// are there, unless a via-branch says that it is another branch of a fork.
    pub(super) fn find_offer(&self, names: &Names) -> Option<(u32, Side)> {
        let from = names.from_tag.as_str();
        if let Some(to) = names.to_tag.as_deref() {
            let both =
                |dialogue: &Dialogue| dialogue.side_of(from).filter(|_| dialogue.side_of(to).is_some());
            if let Some(found) = self.newest(both) {
                return Some(found);
            }
        }
        let branch = names.via_branch.as_deref();
        let known_to = names.to_tag.is_some();
        self.newest(|dialogue| {
            let side = dialogue.side_of(from)?;
            let same_branch = branch.is_none() || dialogue.via_branch.as_deref() == branch;
            // A party that is known by its tag alone may still be offered to another one.
            let is_open = dialogue.parties[1].tag.is_empty() || !known_to;
            (same_branch && is_open).then_some(side)
        })
    }

    /// The dialogue whose open offer an answer belongs to, and the side that answers: an exact match of the tags, or
    /// of the via-branch, or the one that has no other party yet.
    pub(super) fn find_answer(&self, names: &Names) -> Option<(u32, Side)> {
        let from = names.from_tag.as_str();
        let to = names.to_tag.as_deref().unwrap_or_default();
        let offers = |dialogue: &Dialogue| dialogue.side_of(from).filter(|side| *side == dialogue.offerer);
        let by_tags = |dialogue: &Dialogue| {
            let side = offers(dialogue)?;
            (dialogue.side_of(to) == Some(side.other())).then_some(side.other())
        };
        let by_branch = |dialogue: &Dialogue| {
            let side = offers(dialogue)?;
            let same = names.via_branch.is_some() && dialogue.via_branch == boxed(&names.via_branch);
            same.then_some(side.other())
        };
        let unanswered = |dialogue: &Dialogue| {
            let side = offers(dialogue)?;
            dialogue.parties[side.other() as usize].tag.is_empty().then_some(side.other())
        };
        let any = |dialogue: &Dialogue| offers(dialogue).map(Side::other);
        self.newest(by_tags)
            .or_else(|| self.newest(by_branch))
            .or_else(|| self.newest(unanswered))
            .or_else(|| self.newest(any))
    }

    fn newest(&self, side: impl Fn(&Dialogue) -> Option<Side>) -> Option<(u32, Side)> {
        self.dialogues.iter().rev().find_map(|dialogue| Some((dialogue.id, side(dialogue)?)))
    }

    /// A new dialogue of the party that is named by the from-tag; `None` where there are too many.
    pub(super) fn add_dialogue(&mut self, names: &Names, now: u64) -> Option<u32> {
        if self.dialogues.len() >= MAX_DIALOGUES {
            return None;
        }
        let id = self.next_dialogue;
        self.next_dialogue = self.next_dialogue.wrapping_add(1);
        let party = |tag: &str| Party { tag: tag.into(), created: now, ..Party::default() };
        self.dialogues.push(Dialogue {
            id,
            parties: [party(&names.from_tag), party(names.to_tag.as_deref().unwrap_or_default())],
            aliases: Vec::new(),
            via_branch: boxed(&names.via_branch),
            sections: Vec::new(),
            offerer: Side::A,
            is_answered: false,
            is_deleted: false,
            timer: None,
        });
        Some(id)
    }

    /// The dialogues that a delete or a query means: with a via-branch only that one, where it is known; else by the tags
    /// that are given. A party that hangs up takes with it what it had offered and nobody answered.
    pub(super) fn named(&self, names: &Names, with_to_tag: bool) -> Vec<u32> {
        let ids = |is: &dyn Fn(&Dialogue) -> bool| -> Vec<u32> {
            self.dialogues.iter().filter(|dialogue| is(dialogue)).map(|dialogue| dialogue.id).collect()
        };
        let from = names.from_tag.as_str();
        let to = names.to_tag.as_deref().filter(|_| with_to_tag);
        if from.is_empty() && to.is_none() {
            return ids(&|_| true);
        }
        if names.via_branch.is_some() && to.is_none() {
            let branch = boxed(&names.via_branch);
            let of_branch = ids(&|dialogue| dialogue.via_branch == branch);
            if !of_branch.is_empty() {
                return of_branch;
            }
        }
        let Some(to) = to else { return ids(&|dialogue| dialogue.side_of(from).is_some()) };
        let has_both = |dialogue: &Dialogue| {
            dialogue.side_of(to).is_some() && (from.is_empty() || dialogue.side_of(from).is_some())
        };
        if !self.dialogues.iter().any(has_both) {
            return ids(&|dialogue| dialogue.side_of(from).is_some() && !dialogue.is_answered);
        }
        ids(&|dialogue| has_both(dialogue) || (!dialogue.is_answered && dialogue.side_of(from).is_some()))
    }
}

impl Dialogue {
    /// The side with this tag.
    pub(super) fn side_of(&self, tag: &str) -> Option<Side> {
        if tag.is_empty() {
            return None;
        }
        let [a, b] = &self.parties;
        if *a.tag == *tag {
            Some(Side::A)
        } else if *b.tag == *tag || self.aliases.iter().any(|alias| **alias == *tag) {
            Some(Side::B)
        } else {
            None
        }
    }

    /// Whether a command means the party on `side`.
    pub(super) fn is_meant(&self, side: Side, party: &request::Party) -> bool {
        match party {
            request::Party::All => true,
            request::Party::Tag(tag) => self.side_of(tag) == Some(side),
            request::Party::Label(label) => self.parties[side as usize].label.as_deref() == Some(label),
            request::Party::Address(ip) => self
                .sections
                .iter()
                .flatten()
                .any(|media| media.leg(side).place.remote.is_some_and(|remote| remote.rtp.ip() == *ip)),
        }
    }

    /// The party on `side` gave this tag. Of several answers to one offer (RFC 3261 section 12.1) the last one counts; the
    /// others' tags are remembered, as requests may still name them.
    pub(super) fn set_tag(&mut self, side: Side, tag: &str, now: u64) {
        let party = &mut self.parties[side as usize];
        if *party.tag == *tag || tag.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut party.tag, tag.into());
        if before.is_empty() {
            party.created = now;
        } else if self.aliases.len() < MAX_ALIASES {
            self.aliases.push(before);
        }
    }

    /// Its sessions.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sections.iter().flatten().filter_map(|media| media.session)
    }
}

fn boxed(text: &Option<String>) -> Option<Box<str>> {
    text.as_deref().map(Box::from)
}
