//! What an RTP payload of H.264 carries (RFC 6184): enough to know key frames and parameter sets, nothing of pictures.

/// NAL unit types (ITU-T H.264 table 7-1, RFC 6184 table 1).
const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETER_SET: u8 = 7;
const PICTURE_PARAMETER_SET: u8 = 8;
pub(super) const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_B: u8 = 29;

/// What a payload carries, as far as repair needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The beginning of a slice of an IDR picture: a decoder can begin here, if it has the parameter sets.
    pub key_frame: bool,
    /// A sequence parameter set.
    pub sequence_set: bool,
    /// A picture parameter set.
    pub picture_set: bool,
}

/// Which of the two parameter sets a NAL unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterSet {
    /// A sequence parameter set.
    Sequence,
    /// A picture parameter set.
    Picture,
}

impl ParameterSet {
    /// What the NAL unit is, if it is one.
    pub fn of(unit: &[u8]) -> Option<ParameterSet> {
        match kind(*unit.first()?) {
            SEQUENCE_PARAMETER_SET => Some(ParameterSet::Sequence),
            PICTURE_PARAMETER_SET => Some(ParameterSet::Picture),
            _ => None,
        }
    }
}

/// The type of a NAL unit, of its first byte (RFC 6184 section 1.3).
pub(super) fn kind(first: u8) -> u8 {
    first & 0x1f
}

/// The whole NAL units of a payload: the only one, or those of a STAP-A. None of a fragment, and none behind a length
/// that points outside.
pub fn units(payload: &[u8]) -> Units<'_> {
    match payload.first().map(|&first| kind(first)) {
        Some(1..=23) => Units { single: Some(payload), aggregated: &[] },
        Some(STAP_A) => Units { single: None, aggregated: payload.get(1..).unwrap_or_default() },
        _ => Units { single: None, aggregated: &[] },
    }
}

/// See [`units`].
#[derive(Clone, Debug)]
pub struct Units<'a> {
    single: Option<&'a [u8]>,
    aggregated: &'a [u8],
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(unit) = self.single.take() {
            return Some(unit);
        }
        // RFC 6184 section 5.7.1: each unit stands behind its size in 16 bits.
        let (size, rest) = self.aggregated.split_first_chunk::<2>()?;
        let (unit, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
        self.aggregated = rest;
        (!unit.is_empty()).then_some(unit)
    }
}

/// Looks into a payload. What is malformed has no contents.
pub fn inspect(payload: &[u8]) -> Contents {
    let mut contents = Contents::default();
    // RFC 6184 section 5.8: behind the FU indicator the FU header has the start bit and the unit's type.
    if let [indicator, header, ..] = payload
        && matches!(kind(*indicator), FU_A | FU_B)
    {
        contents.key_frame = header & 0x80 != 0 && kind(*header) == IDR_SLICE;
        return contents;
    }
    for unit in units(payload) {
        contents.key_frame |= unit.first().is_some_and(|&first| kind(first) == IDR_SLICE);
        match ParameterSet::of(unit) {
            Some(ParameterSet::Sequence) => contents.sequence_set = true,
            Some(ParameterSet::Picture) => contents.picture_set = true,
            None => {}
        }
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn single_units_are_known_by_their_type() {
        let key = Contents { key_frame: true, ..Contents::default() };
        assert_eq!(inspect(&[0x65, 0x88]), key);
        assert_eq!(inspect(&[0x41, 0x9a]), Contents::default());
        assert_eq!(inspect(&[0x67, 1]), Contents { sequence_set: true, ..Contents::default() });
        assert_eq!(inspect(&[0x68, 1]), Contents { picture_set: true, ..Contents::default() });
        assert_eq!(inspect(&[]), Contents::default());
    }

    #[test]
    fn only_the_first_fragment_begins_a_key_frame() {
        assert!(inspect(&[0x7c, 0x85, 1]).key_frame);
        assert!(!inspect(&[0x7c, 0x05, 1]).key_frame);
        assert!(!inspect(&[0x7c, 0x45, 1]).key_frame, "the last one does not either");
        assert!(!inspect(&[0x7c, 0x81, 1]).key_frame, "of another picture");
        assert!(inspect(&[0x7d, 0x85, 0, 1, 1]).key_frame, "FU-B");
    }

    #[test]
    fn an_aggregate_has_what_its_units_are() {
        let aggregate = [0x78, 0, 2, 0x67, 9, 0, 1, 0x68, 0, 3, 0x65, 1, 2];
        let all = Contents { key_frame: true, sequence_set: true, picture_set: true };
        assert_eq!(inspect(&aggregate), all);
        let found: Vec<_> = units(&aggregate).collect();
        assert_eq!(found, [&[0x67, 9][..], &[0x68], &[0x65, 1, 2]]);
        // A length that points outside ends it.
        assert_eq!(units(&aggregate[..12]).count(), 2);
        assert_eq!(units(&[0x78, 0, 0, 0, 1, 0x65]).count(), 0);
    }

    proptest! {
        #[test]
        fn any_payload_is_looked_into(payload in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = inspect(&payload);
            for unit in units(&payload) {
                prop_assert!(!unit.is_empty() && unit.len() <= payload.len());
            }
        }
    }
}
