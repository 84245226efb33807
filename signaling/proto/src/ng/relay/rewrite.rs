//! One description, section by section: what its writer says becomes the dialogue's, what the other party is told is
//! written.

use super::call::Dialogue;
use super::media::{Media, Rules, index};
use super::origin::Origin;
use crate::ng::Interface;
use crate::ng::body::{Draft, Kind, Peer, Protocol, Section, SectionPlan, SessionPlan, Text};
use crate::ng::request::{AddressFamily, Flag, Options, Verb};
use crate::sdp::{SdpError, not_acceptable};
use std::borrow::Cow;
use std::net::IpAddr;
use tandem_control::Side;

/// What came of it.
pub(super) struct Rewritten {
    pub draft: Draft,
    /// What was not carried out.
    pub warnings: Vec<String>,
}

/// Takes the description of the party on `side`.
///
/// # Errors
/// [`SdpError`]; the dialogue is as it was, as far as it matters.
pub(super) fn rewrite(
    dialogue: &mut Dialogue,
    side: Side,
    text: &Text<'_>,
    rules: &mut Rules<'_>,
    verb: Verb,
) -> Result<Rewritten, SdpError> {
    let mut warnings = unknown_interfaces(rules);
    let mut plans = Vec::with_capacity(text.sections.len());
    for (number, section) in text.sections.iter().enumerate() {
        let slot = slot(dialogue, number);
        let plan = match Protocol::parse(section.protocol) {
            Some(protocol) if section.media == "audio" && section.port != 0 => {
                relay(slot, side, text, section, protocol, rules, verb)?
            }
            protocol => {
                if section.port != 0 {
                    let what = if protocol.is_some() { section.media } else { section.protocol };
                    let what: String = what.chars().take(40).collect();
                    warnings.push(format!("sections of {what} are refused: only audio over RTP is relayed"));
                }
                if let Some(media) = slot {
                    media.close();
                }
                SectionPlan::Refused
            }
        };
        plans.push(generate_mid(plan, number, rules.options));
    }
    if verb == Verb::Offer
        && plans.iter().all(|plan| matches!(plan, SectionPlan::Refused))
        && text.sections.iter().any(|section| section.port != 0)
    {
        return not_acceptable("no section of the offer is audio over RTP");
    }
    let draft = write(dialogue, side, text, rules, &plans);
    Ok(Rewritten { draft, warnings })
}

/// The place of a section; an offer may add sections (RFC 3264 section 8.1).
fn slot(dialogue: &mut Dialogue, number: usize) -> &mut Option<Box<Media>> {
    if dialogue.sections.len() <= number {
        dialogue.sections.resize_with(number + 1, || None);
    }
    &mut dialogue.sections[number]
}

fn relay<'a>(
    slot: &mut Option<Box<Media>>,
    side: Side,
    text: &Text<'a>,
    section: &Section<'a>,
    protocol: Protocol,
    rules: &mut Rules<'_>,
    verb: Verb,
) -> Result<SectionPlan<'a>, SdpError> {
    let peer = Peer::read(text, section, protocol)?;
    if verb == Verb::Answer {
        let Some(media) = slot.as_mut().filter(|media| media.session.is_some()) else {
            return not_acceptable("the answer has a section that was not offered");
        };
        return Ok(SectionPlan::Relayed(Box::new(media.answer(side, peer, rules)?)));
    }
    if let Some(media) = slot {
        return Ok(SectionPlan::Relayed(Box::new(media.offer(side, peer, rules)?)));
    }
    let [near, far] = interfaces(rules.interfaces, rules.options, peer.address)?;
    let mut media = Box::new(Media::new(if side == Side::A { [near, far] } else { [far, near] }, rules.opus));
    let relayed = media.offer(side, peer, rules)?;
    *slot = Some(media);
    Ok(SectionPlan::Relayed(Box::new(relayed)))
}

/// The interfaces towards the offerer and towards the other party: by name and family as far as there are such, else the
/// first of the family, else the first.
fn interfaces(all: &[Interface], options: &Options, offerer: Option<IpAddr>) -> Result<[usize; 2], SdpError> {
    let near_is_v4 = offerer.is_none_or(|ip| ip.is_ipv4());
    let far_is_v4 = match (options.address_family, options.media_address) {
        (Some(AddressFamily::Ip4), _) => true,
        (Some(AddressFamily::Ip6), _) => false,
        (None, Some(ip)) => ip.is_ipv4(),
        (None, None) => near_is_v4,
    };
    let pick = |name: Option<&str>, is_v4: bool| {
        let of_family = |one: &Interface| one.local.is_ipv4() == is_v4;
        let named = |one: &Interface| name.is_some_and(|name| one.name == name);
        let first = |is: &dyn Fn(&Interface) -> bool| all.iter().position(is);
        first(&|one| named(one) && of_family(one))
            .or_else(|| first(&named))
            .or_else(|| first(&of_family))
            .or(if all.is_empty() { None } else { Some(0) })
    };
    let name = |at: usize| options.direction.as_ref().map(|names| names[at].as_str());
    match (pick(name(0), near_is_v4), pick(name(1), far_is_v4)) {
        (Some(near), Some(far)) => Ok([near, far]),
        _ => not_acceptable("no interface is configured"),
    }
}

/// As rtpengine does, a name that nobody gave means the default; but it is said.
fn unknown_interfaces(rules: &Rules<'_>) -> Vec<String> {
    let names = rules.options.direction.iter().flatten();
    let unknown = names.filter(|name| rules.interfaces.iter().all(|one| one.name != **name));
    unknown
        .map(|name| {
            let name: String = name.chars().take(64).collect();
            format!("no interface is named {name:?}: the first of its address family is used")
        })
        .collect()
}

/// The flag `generate-mid`: sections without an identification tag get their number.
fn generate_mid<'a>(mut plan: SectionPlan<'a>, number: usize, options: &Options) -> SectionPlan<'a> {
    if let SectionPlan::Relayed(relayed) = &mut plan
        && relayed.mid.is_none()
        && options.flags.has(Flag::GenerateMid)
    {
        relayed.mid = Some(Cow::Owned(number.to_string()));
    }
    plan
}

/// Writes what the other party is told.
fn write(
    dialogue: &mut Dialogue,
    side: Side,
    text: &Text<'_>,
    rules: &Rules<'_>,
    plans: &[SectionPlan<'_>],
) -> Draft {
    let options = rules.options;
    let replace = &options.replace;
    let relayed = plans.iter().find_map(|plan| match plan {
        SectionPlan::Relayed(relayed) => Some(relayed),
        SectionPlan::Refused => None,
    });
    let first = rules.interfaces.first().map(|interface| interface.advertised);
    let address = match relayed {
        Some(relayed) => relayed.connection,
        None => options.media_address.or(first),
    };
    let of_kind = |kind: Kind| text.session().iter().find(move |line| line.kind == kind);
    let origin = of_kind(Kind::Origin).map(|line| line.value).unwrap_or_default();
    let name = text.session().iter().find_map(|line| line.text.strip_prefix("s=")).unwrap_or("-");
    let party = &mut dialogue.parties[index(side.other())];
    let mut session = SessionPlan {
        connection: address,
        origin: None,
        name: None,
        ice_lite: relayed.is_some_and(|relayed| relayed.ice.is_some()),
        strip_extmap: options.flags.has(Flag::StripExtmap),
        mark: options.flags.has(Flag::LoopProtect),
    };
    let at = options.media_address.or(relayed.and_then(|relayed| relayed.connection)).or(first);
    let replaces_address = at.filter(|_| replace.origin || replace.origin_full);
    if !Origin::is_kept(replace) {
        session.origin = replaces_address.map(|at| Cow::Owned(crate::ng::body::origin_at(origin, at)));
        return Draft::write(text, &session, plans);
    }
    let kept = party.origin.get_or_insert_with(|| Box::new(Origin::new(origin, name)));
    let name = kept.name.clone();
    session.name = replace.session_name.then_some(&*name);
    session.origin = Some(Cow::Owned(kept.value(origin, replaces_address, replace)));
    let draft = Draft::write(text, &session, plans);
    if !kept.changes(&draft, replace) {
        return draft;
    }
    session.origin = Some(Cow::Owned(kept.value(origin, replaces_address, replace)));
    let draft = Draft::write(text, &session, plans);
    kept.remember(&draft);
    draft
}
