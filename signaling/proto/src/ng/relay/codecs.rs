//! Which payload types each side of a relayed section is told of.

mod options;

pub(super) use options::{is_transcodable, opus_encoding, packet_times, unused_bitrate};

use crate::ng::body::{Added, Format};
use crate::ng::request::{CodecOptions, CodecSpec};
use options::transcoded;
use tandem_control::{Codec, MAX_PAYLOAD_TYPES, PayloadType};

/// The dynamic payload types (RFC 3551 section 6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// A set of payload type numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers(u128);

impl Numbers {
    fn insert(&mut self, number: u8) {
        self.0 |= 1 << (number & 127);
    }

    fn has(self, number: u8) -> bool {
        self.0 & (1 << (number & 127)) != 0
    }
}

/// What becomes of the codecs of an offer.
#[derive(Clone, Debug, Default)]
pub(super) struct Offered {
    /// What the offerer can be sent, with its numbers.
    pub theirs: Vec<PayloadType>,
    /// Those of them that its answer may have although the other side does not take them.
    pub accepted: Numbers,
    /// What the other side is offered.
    pub ours: Vec<PayloadType>,
    /// Those of them that the offerer did not offer.
    pub added: Vec<Added>,
}

/// What becomes of the codecs of an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered {
    /// What the answerer can be sent, with its numbers.
    pub theirs: Vec<PayloadType>,
    /// What the offerer is answered, with its own numbers.
    pub ours: Vec<PayloadType>,
    /// The answerer's numbers, and those that they get.
    pub numbers: Vec<(u8, u8)>,
    /// Those of `ours` that the answer does not have.
    pub added: Vec<PayloadType>,
}

/// How a codec option treats one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is offered on.
    Kept,
    /// It is not offered on, but the offerer may use it.
    Hidden,
    /// As if it had not been offered.
    Gone,
}

/// Plans the offer to the other side. `running` is what that side uses already: its numbers are kept, and so is a codec
/// that is in use (RFC 3264 section 8.3.2).
pub(super) fn offer(
    formats: &[Format<'_>],
    options: &CodecOptions,
    accepts_all: bool,
    running: &[PayloadType],
) -> Offered {
    let mut fates: Vec<(&Format<'_>, PayloadType, Fate)> = formats
        .iter()
        .filter_map(|format| Some((format, format.payload()?, fate(format, options))))
        .collect();
    let keeps = |fates: &[(&Format<'_>, PayloadType, Fate)]| {
        fates.iter().any(|(_, payload, fate)| *fate == Fate::Kept && is_speech(payload))
    };
    let adds = options.transcode.iter().any(|spec| transcoded(spec).is_some());
    if !keeps(&fates) && !adds {
        // rtpengine's rule: who strips everything strips nothing.
        fates.iter_mut().for_each(|(.., fate)| *fate = Fate::Kept);
    }
    fates.truncate(MAX_PAYLOAD_TYPES);
    let mut offered = Offered::default();
    for (format, payload, fate) in &fates {
        if *fate == Fate::Gone {
            continue;
        }
        let named = || options.accept.iter().any(|spec| spec.is_all() || format.is_meant(spec));
        // Telephone events must be meant by their name: what has none gets tones in the audio.
        let mut lists = [&options.accept, &options.mask, &options.consume].into_iter().flatten();
        let accepted = match is_event(payload) {
            true => lists.any(CodecSpec::is_events),
            false => *fate == Fate::Hidden || accepts_all || named(),
        };
        if accepted {
            offered.accepted.insert(payload.number);
        }
        offered.theirs.push(payload.clone());
        if *fate == Fate::Kept {
            offered.ours.push(payload.clone());
        }
    }
    order(&mut offered.ours, formats, &options.offer);
    let can_transcode = offered.theirs.iter().any(is_transcodable);
    if can_transcode {
        for (codec, clock, parameters) in options.transcode.iter().filter_map(transcoded) {
            add(&mut offered, codec, clock, parameters, running);
        }
        let in_use = running.iter().find(|payload| is_speech(payload)).filter(|one| is_transcodable(one));
        if let Some(in_use) = in_use.filter(|in_use| !offered.ours.iter().any(|one| is_same(one, in_use))) {
            add(&mut offered, in_use.codec, in_use.clock, None, running);
            let at = offered.ours.iter().position(|one| is_same(one, in_use));
            offered.ours[..=at.unwrap_or(0)].rotate_right(1);
        }
        let wanted = options.transcode.iter().any(CodecSpec::is_events);
        add_events(&mut offered, running, wanted);
    }
    offered.ours.truncate(MAX_PAYLOAD_TYPES);
    offered
}

fn fate(format: &Format<'_>, options: &CodecOptions) -> Fate {
    let names = |list: &[CodecSpec]| list.iter().any(|spec| format.is_meant(spec));
    let all = |list: &[CodecSpec]| list.iter().any(CodecSpec::is_all);
    let full = |list: &[CodecSpec]| list.iter().any(|spec| spec.name.eq_ignore_ascii_case("full"));
    if names(&options.ignore) {
        return Fate::Gone;
    }
    if names(&options.except) || names(&options.offer) {
        return Fate::Kept;
    }
    // What `all` took away comes back where it is to be transcoded to; what was named, or `full`, does not.
    let is_target = names(&options.transcode);
    let takes = |list: &[CodecSpec]| names(list) || (all(list) && (full(list) || !is_target));
    if takes(&options.strip) {
        Fate::Gone
    } else if takes(&options.mask) || takes(&options.consume) {
        Fate::Hidden
    } else {
        Fate::Kept
    }
}

/// Puts the codecs first that `offer` lists, in its order.
fn order(payloads: &mut [PayloadType], formats: &[Format<'_>], offer: &[CodecSpec]) {
    if offer.is_empty() {
        return;
    }
    payloads.sort_by_key(|payload| {
        let format = formats.iter().find(|format| format.number == payload.number);
        let rank = |format: &Format<'_>| offer.iter().position(|spec| format.is_meant(spec));
        format.and_then(rank).unwrap_or(usize::MAX)
    });
}

fn add(offered: &mut Offered, codec: Codec, clock: u32, parameters: Option<String>, running: &[PayloadType]) {
    if offered.ours.iter().any(|one| one.codec.same_coding(codec) && one.clock == clock) {
        return;
    }
    let is_it = |one: &PayloadType| one.codec.same_coding(codec) && one.clock == clock;
    let is_free = |number: u8| {
        let mut known = offered.theirs.iter().chain(&offered.ours).chain(running);
        known.all(|one| one.number != number || is_it(one))
    };
    let known = running.iter().find(|one| is_it(one));
    let usual = crate::sdp::codecs::usual_number(codec, clock);
    let number = known
        .map(|known| known.number)
        .into_iter()
        .chain([usual])
        .chain(DYNAMIC)
        .find(|number| is_free(*number));
    // A codec with a static number can do without a map, but not with the number of another codec.
    let Some(number) = number else { return };
    let payload = PayloadType { number, codec, clock };
    let events = offered.ours.iter().position(|one| !is_speech(one)).unwrap_or(offered.ours.len());
    offered.ours.insert(events, payload.clone());
    offered.added.push(Added { payload, parameters });
}

/// Telephone events are in the clock of the speech beside them (RFC 4733 section 2.1): each clock that is offered has them,
/// if the offerer has any, or if they are `wanted`: made of the tones in its audio.
fn add_events(offered: &mut Offered, running: &[PayloadType], wanted: bool) {
    if !wanted && (offered.added.is_empty() || !offered.theirs.iter().any(is_event)) {
        return;
    }
    let added = offered.added.iter().map(|added| &added.payload);
    let kept = offered.ours.iter().filter(|_| wanted);
    let clocks: Vec<u32> = added.chain(kept).filter(|one| is_speech(one)).map(|one| one.clock).collect();
    for clock in clocks {
        let before = offered.ours.len();
        add(offered, Codec::TelephoneEvent, clock, None, running);
        // `add` puts speech before events; an event goes last.
        if offered.ours.len() > before {
            let at = offered.ours.iter().position(|one| is_event(one) && one.clock == clock);
            if let Some(event) = at.map(|at| offered.ours.remove(at)) {
                offered.ours.push(event);
            }
        }
    }
}

/// Plans the answer to the offerer. `theirs` and `accepted` are of its [`Offered`], `ours` what the answerer was offered.
/// `None`: there is no common codec.
pub(super) fn answer(
    formats: &[Format<'_>],
    ours: &[PayloadType],
    theirs: &[PayloadType],
    accepted: Numbers,
    single: bool,
) -> Option<Answered> {
    let is_offered = |payload: &PayloadType| ours.iter().any(|one| is_same(one, payload));
    let mut answered = Answered::default();
    for payload in formats.iter().filter_map(Format::payload).filter(is_offered) {
        if answered.theirs.len() < MAX_PAYLOAD_TYPES {
            answered.theirs.push(payload);
        }
    }
    for payload in &answered.theirs {
        let of_offer = theirs.iter().find(|one| is_same(one, payload));
        let Some(one) = of_offer.filter(|one| !answered.ours.contains(one)) else { continue };
        answered.ours.push(one.clone());
        answered.numbers.push((payload.number, one.number));
    }
    if answered.theirs.iter().any(is_transcodable) {
        let common = answered.ours.iter().any(is_speech);
        let wanted = |one: &&PayloadType| is_transcodable(one) && (!common || accepted.has(one.number));
        let listed = answered.ours.clone();
        let extra = theirs.iter().filter(wanted).filter(|one| !listed.contains(one));
        // Without a common codec the offerer's first choice, and what it was promised.
        let extra = extra.enumerate().filter(|(index, one)| *index == 0 || accepted.has(one.number));
        let extra: Vec<PayloadType> = extra.map(|(_, one)| one.clone()).collect();
        let events = answered.ours.iter().position(|one| !is_speech(one)).unwrap_or(answered.ours.len());
        answered.ours.splice(events..events, extra.iter().cloned());
        answered.added = extra;
    }
    if !answered.ours.iter().any(is_speech) {
        return None;
    }
    answer_events(&mut answered, theirs, accepted);
    if single {
        keep_first(&mut answered);
    }
    Some(answered)
}

/// What is transcoded towards the offerer has telephone events in its own clock, where both sides have events at all. Events
/// that it may use although the answerer takes none become tones there.
fn answer_events(answered: &mut Answered, theirs: &[PayloadType], accepted: Numbers) {
    if !answered.theirs.iter().any(is_event) {
        for event in theirs.iter().filter(|one| is_event(one) && accepted.has(one.number)) {
            answered.ours.push(event.clone());
            answered.added.push(event.clone());
        }
        return;
    }
    let speech = |one: &&PayloadType| is_speech(one);
    let clocks: Vec<u32> = answered.ours.iter().filter(speech).map(|one| one.clock).collect();
    let has_event = answered.ours.iter().any(is_event);
    let events = theirs.iter().filter(|one| is_event(one));
    let wanted = events.filter(|event| clocks.contains(&event.clock) || !has_event);
    for event in wanted {
        if !answered.ours.contains(event) && (has_event || !answered.ours.iter().any(is_event)) {
            answered.ours.push(event.clone());
            answered.added.push(event.clone());
        }
    }
}

/// One speech codec, and the events that go with it.
fn keep_first(answered: &mut Answered) {
    let Some(first) = answered.ours.iter().find(|one| is_speech(one)).cloned() else { return };
    answered.ours.retain(|one| *one == first || (is_event(one) && one.clock == first.clock));
    let Answered { ours, numbers, added, .. } = answered;
    numbers.retain(|(_, to)| ours.iter().any(|one| one.number == *to));
    added.retain(|one| ours.contains(one));
}

/// Whether both are one coding with one clock.
pub(super) fn is_same(one: &PayloadType, other: &PayloadType) -> bool {
    one.codec.same_coding(other.codec) && one.clock == other.clock
}

fn is_speech(payload: &PayloadType) -> bool {
    !matches!(payload.codec, Codec::TelephoneEvent | Codec::ComfortNoise)
}

/// Whether it is telephone events.
pub(super) fn is_event(payload: &PayloadType) -> bool {
    payload.codec == Codec::TelephoneEvent
}
