//! Offers and answers.

use super::call::{Call, CallKey, Dialogue};
use super::codecs;
use super::dataplane::{Purpose, note};
use super::media::{Media, Rules, index};
use super::operation::{Asker, Task};
use super::rewrite::{Rewritten, rewrite};
use super::{Relay, Timer};
use crate::ng::Reply;
use crate::ng::body::Text;
use crate::ng::request::{Exchange, Flag, IceMode, Names, Options, Verb};
use std::time::Instant;
use tandem_control::{Request, Side};

/// Where an offer or answer belongs.
struct Place {
    call: CallKey,
    dialogue: u32,
    side: Side,
    /// The dialogue begins with this offer.
    is_new: bool,
}

impl Relay {
    /// An offer or an answer.
    pub(super) fn exchange(&mut self, now: Instant, asker: Asker, exchange: &Exchange, verb: Verb) {
        if exchange.options.flags.has(Flag::Fragment) {
            return self.fragment(&asker, &exchange.names);
        }
        let malformed = |error: &dyn std::fmt::Display| Reply::Error(format!("cannot read the SDP: {error}"));
        let text = match std::str::from_utf8(&exchange.sdp) {
            Ok(text) => text,
            Err(error) => return self.reply(&asker, &malformed(&error)),
        };
        let text = match Text::parse(text) {
            Ok(text) => text,
            Err(error) => return self.reply(&asker, &malformed(&error)),
        };
        if exchange.options.flags.has(Flag::LoopProtect) && text.is_marked() {
            return self.reply(
                &asker,
                &Reply::Sdp { sdp: exchange.sdp.clone(), warning: None, recordings: Vec::new() },
            );
        }
        let place = match verb {
            Verb::Answer => self.place_of_answer(&exchange.names),
            _ => self.place_of_offer(now, exchange),
        };
        let place = match place {
            Ok(place) => place,
            Err(reply) => return self.reply(&asker, &reply),
        };
        match self.rewrite(now, &place, &text, exchange, verb) {
            Ok(rewritten) => self.carry_on(now, asker, place, exchange, rewritten, verb),
            Err(reason) => {
                if place.is_new {
                    self.drop_dialogue(now, place.call, place.dialogue);
                }
                self.reply(&asker, &Reply::Error(reason));
                self.next_of_backlog(now, place.call);
            }
        }
    }

    /// A fragment of trickle ICE (RFC 8840). We are a lite agent (RFC 8445 section 2.5): it is the peer who checks, so
    /// that nothing of its candidates must be known, and ours was complete. It is consumed, not passed on.
    fn fragment(&mut self, asker: &Asker, names: &Names) {
        let reply = match self.by_id.contains_key(names.call_id.as_str()) {
            true => Reply::Done { warning: None },
            false => Relay::unknown_call(names),
        };
        self.reply(asker, &reply);
    }

    fn place_of_answer(&mut self, names: &Names) -> Result<Place, Reply> {
        let key = self.by_id.get(names.call_id.as_str()).copied();
        let Some((key, call)) = key.and_then(|key| Some((key, self.calls.get(&key)?))) else {
            return Err(Relay::unknown_call(names));
        };
        match call.find_answer(names) {
            Some((dialogue, side)) => Ok(Place { call: key, dialogue, side, is_new: false }),
            None => Err(Reply::Error("no offer was made that this could answer".to_owned())),
        }
    }

    fn place_of_offer(&mut self, now: Instant, exchange: &Exchange) -> Result<Place, Reply> {
        let names = &exchange.names;
        let known = self.by_id.get(names.call_id.as_str()).copied();
        if let Some((call, found)) =
            known.and_then(|key| Some((key, self.calls.get(&key)?.find_offer(names)?)))
        {
            return Ok(Place { call, dialogue: found.0, side: found.1, is_new: false });
        }
        // Modules send an offer on to another engine for these reasons only.
        let limit = |reason: &str| match exchange.options.supports_load_limit {
            true => Reply::LoadLimit(reason.to_owned()),
            false => Reply::Error(reason.to_owned()),
        };
        if self.dataplane.hello().is_none() {
            self.counters.calls_refused += 1;
            return Err(limit(Reply::NO_PORTS));
        }
        if known.is_none() && self.calls.len() >= self.settings.limits.calls {
            self.counters.calls_refused += 1;
            return Err(limit(Reply::SESSION_LIMIT));
        }
        let unix = self.unix(now);
        let key = known.unwrap_or_else(|| self.add_call(&names.call_id, unix));
        let dialogue = self.calls.get_mut(&key).and_then(|call| call.add_dialogue(names, unix));
        match dialogue {
            Some(dialogue) => Ok(Place { call: key, dialogue, side: Side::A, is_new: true }),
            None => Err(Reply::Error("too many branches in one call".to_owned())),
        }
    }

    fn add_call(&mut self, id: &str, unix: u64) -> CallKey {
        let key = CallKey(self.next_call);
        self.next_call += 1;
        self.counters.calls_made += 1;
        self.by_id.insert(id.into(), key);
        self.calls.insert(key, Call::new(id, unix));
        key
    }

    /// Reads and rewrites the description, and changes the dialogue accordingly.
    fn rewrite(
        &mut self,
        now: Instant,
        place: &Place,
        text: &Text<'_>,
        exchange: &Exchange,
        verb: Verb,
    ) -> Result<Rewritten, String> {
        let unix = self.unix(now);
        let fingerprint = self.dataplane.hello().map(|hello| hello.fingerprint).unwrap_or_default();
        let gone = || "the call is gone".to_owned();
        let call = self.calls.get_mut(&place.call).ok_or_else(gone)?;
        call.last_signal = unix;
        let dialogue = call.dialogue_mut(place.dialogue).ok_or_else(gone)?;
        let mut rules = Rules {
            options: &exchange.options,
            interfaces: &self.settings.interfaces,
            opus: self.settings.opus,
            fingerprint,
            random: &mut *self.random,
        };
        rewrite(dialogue, place.side, text, &mut rules, verb).map_err(|error| error.to_string())
    }

    /// The description is rewritten: what remains is the dataplane's part.
    fn carry_on(
        &mut self,
        now: Instant,
        asker: Asker,
        place: Place,
        exchange: &Exchange,
        rewritten: Rewritten,
        verb: Verb,
    ) {
        let Rewritten { draft, mut warnings } = rewritten;
        warnings.extend(not_carried_out(&exchange.options).map(str::to_owned));
        warnings.extend(self.record_call(now, place.call, &exchange.options));
        for warning in &warnings {
            self.warn_once(&format!("NG: {warning}"));
        }
        let unix = self.unix(now);
        let until = now + self.settings.timers.offer;
        let Some(call) = self.calls.get_mut(&place.call) else { return };
        let Some(dialogue) = call.dialogue_mut(place.dialogue) else { return };
        let before = dialogue.timer.take();
        dialogue.is_deleted = false;
        let label = exchange.options.label.as_deref().map(Box::from);
        let party = &mut dialogue.parties[index(place.side)];
        party.label = label.or(party.label.take());
        if verb == Verb::Answer {
            dialogue.is_answered = true;
            dialogue.set_tag(place.side, exchange.names.to_tag.as_deref().unwrap_or_default(), unix);
        } else {
            dialogue.offerer = place.side;
            if !dialogue.is_answered {
                dialogue.timer = Some((until, Timer::Offer(place.call, place.dialogue)));
            }
        }
        let wanted = wanted(dialogue, &self.settings.interfaces, verb);
        let timer = dialogue.timer;
        if let Some(before) = before {
            self.timers.remove(&before);
        }
        self.timers.extend(timer);
        let warning = (!warnings.is_empty()).then(|| warnings.join("; "));
        let task = Task::Exchange {
            dialogue: place.dialogue,
            side: place.side.other(),
            draft,
            warning,
            is_new: place.is_new,
        };
        let requests = self.requests(now, &place, wanted, &exchange.names);
        self.begin(place.call, asker, task, requests.len());
        if requests.is_empty() {
            self.complete(now, place.call);
        }
        for (request, purpose) in requests {
            self.ask(now, request, purpose);
        }
        self.restock(now);
        if verb == Verb::Answer {
            self.record_agreed(now, place.call);
        }
    }

    /// What the dataplane must be asked for; sessions that are reserved are not among it.
    fn requests(
        &mut self,
        now: Instant,
        place: &Place,
        wanted: Vec<Wanted>,
        names: &Names,
    ) -> Vec<(Request, Purpose)> {
        let mut requests = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let (section, ports) = match wanted {
                Wanted::Create { section, ports } => (section, ports),
                Wanted::Configure(request) => {
                    requests.push((request, Purpose::Step(place.call)));
                    continue;
                }
            };
            let note = note(&names.call_id, &names.from_tag);
            let dialogue = self.calls.get_mut(&place.call).and_then(|call| call.dialogue_mut(place.dialogue));
            let media = dialogue.and_then(|dialogue| dialogue.sections.get_mut(section)?.as_mut());
            let Some((media, ready)) = media.and_then(|media| Some((media, self.reserve.take(now, &ports)?)))
            else {
                let purpose = Purpose::Create { call: place.call, dialogue: place.dialogue, section };
                requests.push((self.create(ports, note), purpose));
                continue;
            };
            media.session = Some(ready.session);
            media.local = Some(ready.local);
            media.note = Some(note);
            self.sessions.insert(ready.session, place.call);
        }
        requests
    }
}

/// What was asked for and is not done.
fn not_carried_out(options: &Options) -> impl Iterator<Item = &'static str> {
    let relay = options.ice == Some(IceMode::ForceRelay);
    [
        relay.then_some("ICE=force-relay is carried out as ICE=force"),
        options.tos.map(|_| "TOS is not set for one call"),
        codecs::unused_bitrate(&options.codecs).then_some("the bit rate can be set for Opus only"),
        (!options.sdes.parameters.is_empty()).then_some("SRTP is always encrypted and authenticated here"),
    ]
    .into_iter()
    .flatten()
}

/// What the dataplane is asked for.
enum Wanted {
    Create { section: usize, ports: [tandem_control::PortRequest; 2] },
    Configure(Request),
}

/// An offer needs the ports of new sections. What it says takes effect with its answer (RFC 3264 section 8): if it is
/// rejected, the session goes on as it was.
fn wanted(dialogue: &mut Dialogue, interfaces: &[crate::ng::Interface], verb: Verb) -> Vec<Wanted> {
    let sections = dialogue.sections.iter_mut().enumerate();
    let media = sections.filter_map(|(section, media)| Some((section, media.as_deref_mut()?)));
    media.filter_map(|(section, media)| wanted_of(section, media, interfaces, verb)).collect()
}

fn wanted_of(
    section: usize,
    media: &mut Media,
    interfaces: &[crate::ng::Interface],
    verb: Verb,
) -> Option<Wanted> {
    match (media.session, verb) {
        (None, Verb::Offer) => Some(Wanted::Create { section, ports: media.port_requests(interfaces)? }),
        (Some(session), Verb::Answer) => {
            let legs = Box::new(media.configs());
            let note = media.note.take();
            Some(Wanted::Configure(Request::Configure { session, legs, note }))
        }
        _ => None,
    }
}
