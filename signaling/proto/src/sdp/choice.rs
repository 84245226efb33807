//! Which codecs each side of a call is given. Every codec can be transcoded to every other, so that the order is all
//! that is to be chosen: one codec end to end before two, then as the configuration prefers.

use crate::settings::CodecName;

/// What is offered to the called side: of the codecs that it may have (`allowed`, in the configured order) first those
/// that the caller has too, so that one codec can go end to end, then the others.
pub fn offer_codecs(caller: &[CodecName], allowed: &[CodecName]) -> Vec<CodecName> {
    let (common, transcoded): (Vec<CodecName>, Vec<CodecName>) =
        allowed.iter().partition(|codec| caller.contains(codec));
    if caller.is_empty() { Vec::new() } else { [common, transcoded].concat() }
}

/// What the caller is answered: the first of the called side's codecs that the caller offered, else the one that the
/// configuration prefers (`allowed`) of those that it offered. `None`: one of them has no codec.
pub fn answer_codec(caller: &[CodecName], allowed: &[CodecName], called: &[CodecName]) -> Option<CodecName> {
    let common = called.iter().find(|codec| caller.contains(codec));
    let transcoded = || allowed.iter().find(|codec| caller.contains(codec) && !called.is_empty());
    common.or_else(transcoded).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use CodecName::{G722, G729, Opus, Pcma, Pcmu};

    #[test]
    fn what_can_go_end_to_end_is_offered_first_and_the_order_is_the_configured_one() {
        assert_eq!(offer_codecs(&[Opus, G722, Pcma], &[Pcmu, Pcma, G722]), [Pcma, G722, Pcmu]);
        assert_eq!(offer_codecs(&[Opus], &[G729, Pcmu]), [G729, Pcmu]);
        assert_eq!(offer_codecs(&[], &[Pcmu]), []);
    }

    #[test]
    fn the_answer_keeps_one_codec_end_to_end_where_it_can() {
        assert_eq!(answer_codec(&[Opus, Pcmu, Pcma], &[Opus, Pcmu, Pcma], &[Pcma, Pcmu]), Some(Pcma));
        assert_eq!(answer_codec(&[Opus, G722], &[G722, Opus], &[Pcmu]), Some(G722));
        assert_eq!(answer_codec(&[Opus], &[Opus], &[]), None);
        assert_eq!(answer_codec(&[], &[Opus], &[Pcmu]), None);
    }
}
