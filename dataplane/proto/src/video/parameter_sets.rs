//! The H.264 parameter sets of a stream, kept to be sent again before a key frame that comes without them: a phone that
//! joins late, or lost them, decodes nothing until it has them.

use super::bits::Bits;
use super::h264::{self, ParameterSet, STAP_A};
use super::limits::{MAX_PARAMETER_SET, MAX_PARAMETER_SETS};

/// The newest parameter sets of one stream. Its memory is taken when it is made.
#[derive(Debug)]
pub struct ParameterSets {
    /// In the order in which they first came.
    kept: Box<[Kept; MAX_PARAMETER_SETS]>,
    count: usize,
    /// The time stamp of the picture before which both came in the stream itself.
    complete_at: Option<u32>,
    /// The time stamp of the picture before which they were last asked for.
    repeated_at: Option<u32>,
    sequence_set_at: Option<u32>,
}

/// One parameter set.
#[derive(Clone, Copy, Debug)]
struct Kept {
    set: ParameterSet,
    number: u32,
    len: usize,
    unit: [u8; MAX_PARAMETER_SET],
}

impl Default for ParameterSets {
    fn default() -> ParameterSets {
        let empty = Kept { set: ParameterSet::Sequence, number: 0, len: 0, unit: [0; MAX_PARAMETER_SET] };
        ParameterSets {
            kept: Box::new([empty; MAX_PARAMETER_SETS]),
            count: 0,
            complete_at: None,
            repeated_at: None,
            sequence_set_at: None,
        }
    }
}

impl ParameterSets {
    /// Takes note of a payload: keeps the parameter sets that it carries. Says whether a key frame begins with it whose
    /// parameter sets did not come before it and are kept: then [`ParameterSets::write`] what is to be sent first. It
    /// says so once for each picture.
    pub fn note(&mut self, timestamp: u32, payload: &[u8]) -> bool {
        let contents = h264::inspect(payload);
        if contents.sequence_set || contents.picture_set {
            h264::units(payload).for_each(|unit| self.keep(unit));
        }
        if contents.sequence_set {
            self.sequence_set_at = Some(timestamp);
        }
        if contents.picture_set && self.sequence_set_at == Some(timestamp) {
            self.complete_at = Some(timestamp);
        }
        let is_needed = contents.key_frame
            && self.complete_at != Some(timestamp)
            && self.repeated_at != Some(timestamp)
            && self.is_complete();
        if is_needed {
            self.repeated_at = Some(timestamp);
        }
        is_needed
    }

    /// Forgets everything: another stream comes.
    pub fn forget(&mut self) {
        self.count = 0;
        (self.complete_at, self.repeated_at, self.sequence_set_at) = (None, None, None);
    }

    /// How many payloads [`ParameterSets::write`] can write: one STAP-A, or, without aggregation, one for each set.
    pub fn payloads(&self, aggregated: bool) -> usize {
        if aggregated { usize::from(self.count > 0) } else { self.count }
    }

    /// Writes the `number`th payload, from 0, in front of `buffer`; returns its length. With packetization mode 0
    /// (RFC 6184 section 6.2) nothing may be aggregated. `None` if there is none or it does not fit.
    pub fn write(&self, aggregated: bool, number: usize, buffer: &mut [u8]) -> Option<usize> {
        if !aggregated {
            let unit = self.units().nth(number)?;
            buffer.get_mut(..unit.len())?.copy_from_slice(unit);
            return Some(unit.len());
        }
        if number > 0 || self.count == 0 {
            return None;
        }
        // RFC 6184 section 5.7: the aggregate is as important as its most important unit (NRI).
        let importance = self.units().filter_map(|unit| unit.first()).map(|first| first & 0x60).max()?;
        *buffer.first_mut()? = importance | STAP_A;
        let mut len = 1;
        for unit in self.units() {
            let size = u16::try_from(unit.len()).ok()?;
            buffer.get_mut(len..len + 2)?.copy_from_slice(&size.to_be_bytes());
            buffer.get_mut(len + 2..len + 2 + unit.len())?.copy_from_slice(unit);
            len += 2 + unit.len();
        }
        Some(len)
    }

    /// Sequence parameter sets first: the others refer to them.
    fn units(&self) -> impl Iterator<Item = &[u8]> {
        let of = |set| self.kept.iter().take(self.count).filter(move |kept| kept.set == set);
        of(ParameterSet::Sequence)
            .chain(of(ParameterSet::Picture))
            .filter_map(|kept| kept.unit.get(..kept.len))
    }

    fn is_complete(&self) -> bool {
        let has = |set| self.kept.iter().take(self.count).any(|kept| kept.set == set);
        has(ParameterSet::Sequence) && has(ParameterSet::Picture)
    }

    /// Keeps a parameter set in the place of the one with its number. One that is too long, and one too many, is not
    /// kept: a decoder gets it from the stream or not at all.
    fn keep(&mut self, unit: &[u8]) {
        let Some(set) = ParameterSet::of(unit) else { return };
        let Some(number) = number(set, unit) else { return };
        let known = self.kept.iter().take(self.count);
        let place = known.into_iter().position(|kept| (kept.set, kept.number) == (set, number));
        let Some(kept) = self.kept.get_mut(place.unwrap_or(self.count)) else { return };
        let Some(room) = kept.unit.get_mut(..unit.len()) else { return };
        room.copy_from_slice(unit);
        (kept.set, kept.number, kept.len) = (set, number, unit.len());
        self.count = self.count.max(place.map_or(self.count + 1, |place| place + 1));
    }
}

/// The number of a parameter set (ITU-T H.264 sections 7.3.2.1.1 and 7.3.2.2): behind profile, constraints and level in
/// a sequence parameter set, at once in a picture parameter set.
fn number(set: ParameterSet, unit: &[u8]) -> Option<u32> {
    let coded = unit.get(match set {
        ParameterSet::Sequence => 4..,
        ParameterSet::Picture => 1..,
    })?;
    // Section 7.4.2: no set has a higher one.
    let highest = match set {
        ParameterSet::Sequence => 31,
        ParameterSet::Picture => 255,
    };
    Bits::new(coded).unsigned().filter(|number| *number <= highest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEQUENCE: [u8; 6] = [0x67, 0x42, 0xe0, 0x1f, 0x96, 0x54];
    const PICTURE: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];
    const KEY: [u8; 3] = [0x65, 0x88, 0x84];

    fn written(sets: &ParameterSets, aggregated: bool) -> Vec<Vec<u8>> {
        let mut buffer = [0; 256];
        let payloads = 0..sets.payloads(aggregated);
        payloads
            .map(|number| {
                let len = sets.write(aggregated, number, &mut buffer).unwrap();
                buffer[..len].to_vec()
            })
            .collect()
    }

    #[test]
    fn sets_that_came_once_are_repeated_before_each_key_frame_without_them() {
        let mut sets = ParameterSets::default();
        assert!(!sets.note(0, &KEY), "none is known");
        assert!(!sets.note(3000, &SEQUENCE));
        assert!(!sets.note(3000, &PICTURE));
        assert!(!sets.note(3000, &KEY), "they came with it");
        assert!(!sets.note(6000, &[0x41, 1]));
        assert!(sets.note(9000, &KEY));
        assert!(!sets.note(9000, &KEY), "its second slice");
        assert!(sets.note(12_000, &[0x7c, 0x85, 1]), "a key frame in fragments");
        let aggregate = [&[0x78, 0, 6][..], &SEQUENCE, &[0, 4], &PICTURE].concat();
        assert_eq!(written(&sets, true), [aggregate]);
        assert_eq!(written(&sets, false), [SEQUENCE.to_vec(), PICTURE.to_vec()]);
        sets.forget();
        assert!(!sets.note(15_000, &KEY));
        assert_eq!(sets.payloads(true), 0);
    }

    #[test]
    fn a_set_takes_the_place_of_the_one_with_its_number() {
        let mut sets = ParameterSets::default();
        // 0x96 begins with 1: number 0. 0x4c begins with 010: number 1.
        let newer = [0x67, 0x42, 0xe0, 0x28, 0x96, 0x55, 0x01];
        let other = [0x67, 0x42, 0xe0, 0x28, 0x4c, 0x56];
        let aggregate =
            [&[0x78, 0, 6][..], &SEQUENCE, &[0, 7], &newer, &[0, 4], &PICTURE, &[0, 6], &other].concat();
        sets.note(0, &aggregate);
        assert_eq!(written(&sets, false), [newer.to_vec(), other.to_vec(), PICTURE.to_vec()]);
    }

    #[test]
    fn the_number_is_read_as_the_standard_codes_it() {
        let picture = |coded: &[u8]| number(ParameterSet::Picture, &[&[0x68], coded].concat());
        assert_eq!(picture(&[0b1000_0000]), Some(0));
        assert_eq!(picture(&[0b0101_1111]), Some(1));
        assert_eq!(picture(&[0b0111_0000]), Some(2));
        assert_eq!(picture(&[0b0010_0000]), Some(3));
        assert_eq!(picture(&[0b0000_0000, 0b1000_0000, 0b0000_0000]), Some(255));
        assert_eq!(picture(&[]), None);
        assert_eq!(picture(&[0, 0, 0, 0]), None);
    }

    #[test]
    fn what_is_too_long_or_one_too_many_is_not_kept() {
        let mut sets = ParameterSets::default();
        let mut long = vec![0x67, 0x42, 0xe0, 0x1f, 0x96];
        long.resize(MAX_PARAMETER_SET + 1, 0);
        sets.note(0, &long);
        assert_eq!(sets.payloads(false), 0);
        for bits in 0u8..32 {
            // 000001 and 5 bits more: numbers from 31.
            sets.note(0, &[0x68, 0b0000_0100 | bits >> 3, bits << 5 | 0x10]);
        }
        assert_eq!(sets.payloads(false), MAX_PARAMETER_SETS);
    }

    proptest! {
        #[test]
        fn what_is_written_are_units_that_came(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..24), 0..12)
        ) {
            let mut sets = ParameterSets::default();
            let mut came = Vec::new();
            for (timestamp, mut payload) in (0..).zip(payloads) {
                if let Some(first) = payload.first_mut() {
                    *first = [0x67, 0x68, 0x78, 0x65][usize::from(*first & 3)];
                }
                sets.note(timestamp, &payload);
                came.extend(h264::units(&payload).map(<[u8]>::to_vec));
            }
            for unit in written(&sets, false) {
                prop_assert!(came.contains(&unit));
            }
        }
    }
}
