//! Which streams of H.264 a receiver decodes, as far as their parameters tell (RFC 6184 section 8).

/// What a profile-level-id is where a description has none: the Baseline profile at level 1 (RFC 6184 section 8.1).
pub(crate) const DEFAULT_PROFILE_LEVEL_ID: [u8; 3] = [0x42, 0x00, 0x0A];
/// The level of [`Profile::canonical`]: 3.1, which has 720p.
const CANONICAL_LEVEL: u8 = 31;
/// The most characters of described parameter sets that are passed on: those of an encoder have less than a hundred.
const MAX_PARAMETER_SETS: usize = 512;

/// The sub-profiles of RFC 6184 section 8.1, table 5, as far as cameras encode them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Constrained Baseline.
    ConstrainedBaseline,
    /// Baseline.
    Baseline,
    /// Main.
    Main,
    /// Constrained High (H.264 section A.2.4.2).
    ConstrainedHigh,
    /// High.
    High,
}

impl Profile {
    /// The profile of a profile-level-id; `None`: one that is not forwarded.
    pub(crate) fn of(id: [u8; 3]) -> Option<Profile> {
        let [profile_idc, profile_iop, _] = id;
        // The constraint_set flags, the first in the highest bit.
        let (set0, set1) = (profile_iop & 0x80 != 0, profile_iop & 0x40 != 0);
        match profile_idc {
            0x42 if set1 => Some(Profile::ConstrainedBaseline),
            0x42 => Some(Profile::Baseline),
            0x4D if set0 => Some(Profile::ConstrainedBaseline),
            0x4D => Some(Profile::Main),
            0x58 if set0 && set1 => Some(Profile::ConstrainedBaseline),
            0x64 if profile_iop & 0x0C == 0x0C => Some(Profile::ConstrainedHigh),
            0x64 => Some(Profile::High),
            _ => None,
        }
    }

    /// Names what can be forwarded from one side to the other: profile-level-ids with the same canonical one.
    ///
    /// Baseline counts as Constrained Baseline: what it has beyond that (flexible macroblock ordering, redundant slices)
    /// no encoder of a telephone or a browser uses, and many telephones leave out the flag that tells the two apart.
    pub(crate) fn canonical(self) -> [u8; 3] {
        let [profile_idc, profile_iop] = match self {
            Profile::ConstrainedBaseline | Profile::Baseline => [0x42, 0xE0],
            Profile::Main => [0x4D, 0x00],
            Profile::ConstrainedHigh => [0x64, 0x0C],
            Profile::High => [0x64, 0x00],
        };
        [profile_idc, profile_iop, CANONICAL_LEVEL]
    }
}

/// The parameter sets that a description has for a stream (`sprop-parameter-sets`, RFC 6184 section 8.1): Base64 with
/// commas between. `None`: they are something else, or too long to be passed on.
pub(crate) fn read_parameter_sets(text: &str) -> Option<&str> {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b',');
    Some(text).filter(|text| (1..=MAX_PARAMETER_SETS).contains(&text.len()) && text.bytes().all(is_base64))
}

/// Six hexadecimal digits.
pub(crate) fn read_profile_level_id(text: &str) -> Option<[u8; 3]> {
    let number = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 6)?;
    let [_, profile_idc, profile_iop, level_idc] = number.to_be_bytes();
    Some([profile_idc, profile_iop, level_idc])
}

/// The profile-level-id of an answer: the profile that was offered, at the level that the far side decodes; not above the
/// offered one unless both sides said that the levels may differ (RFC 6184 section 8.2.2).
pub(crate) fn answered(offered: [u8; 3], far: [u8; 3], may_differ: bool) -> [u8; 3] {
    let higher = rank(far) > rank(offered);
    if higher && !may_differ {
        return offered;
    }
    let [profile_idc, mut profile_iop, level_idc] = offered;
    let [_, far_iop, far_level] = far;
    // The flag that makes level 11 into 1b goes with the level.
    if [level_idc, far_level].contains(&11) && profile_idc != 0x64 {
        profile_iop = (profile_iop & !LEVEL_1B) | (far_iop & LEVEL_1B);
    }
    [profile_idc, profile_iop, far_level]
}

/// constraint_set3: with level_idc 11 it means level 1b, which is below 1.1 (H.264 section A.3.1).
const LEVEL_1B: u8 = 0x10;

/// Orders levels.
fn rank([profile_idc, profile_iop, level_idc]: [u8; 3]) -> u16 {
    let is_1b = match profile_idc {
        0x64 => level_idc == 9,
        _ => level_idc == 11 && profile_iop & LEVEL_1B != 0,
    };
    if is_1b { 105 } else { u16::from(level_idc) * 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_told_apart_as_table_5_has_them() {
        let of = |text: &str| Profile::of(read_profile_level_id(text).unwrap());
        assert_eq!(of("42e01f"), Some(Profile::ConstrainedBaseline));
        assert_eq!(of("42C00D"), Some(Profile::ConstrainedBaseline));
        assert_eq!(of("4d8014"), Some(Profile::ConstrainedBaseline));
        assert_eq!(of("42801f"), Some(Profile::Baseline));
        assert_eq!(of("4d001f"), Some(Profile::Main));
        assert_eq!(of("640c1f"), Some(Profile::ConstrainedHigh));
        assert_eq!(of("64001f"), Some(Profile::High));
        assert_eq!(of("f4001f"), None, "High 4:4:4 is not forwarded");
        for malformed in ["42e01", "42e01f0", "4ze01f", ""] {
            assert_eq!(read_profile_level_id(malformed), None);
        }
    }

    #[test]
    fn an_answer_goes_above_the_offered_level_only_where_both_allow_that() {
        let id = |text: &str| read_profile_level_id(text).unwrap();
        assert_eq!(answered(id("42e01f"), id("42800d"), false), id("42e00d"));
        assert_eq!(answered(id("42e00d"), id("42801f"), false), id("42e00d"));
        assert_eq!(answered(id("42e00d"), id("42801f"), true), id("42e01f"));
        // Level 1b is below 1.1.
        assert_eq!(answered(id("42e00b"), id("42f00b"), false), id("42f00b"));
        assert_eq!(answered(id("42f00b"), id("42e00b"), false), id("42f00b"));
    }
}
