//! What a sequence parameter set of H.264 says of its pictures (ITU-T H.264 section 7.3.2.1.1): their size.

use tandem_control::PictureSize;

use super::bits::Bits;
use super::h264::ParameterSet;
use super::limits::MAX_MACROBLOCKS;

/// The profiles whose sets have more to say before they come to the size.
const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// The largest num_ref_frames_in_pic_order_cnt_cycle (section 7.4.2.1.1).
const MAX_ORDER_CYCLE: u32 = 255;

/// The size of the pictures that a sequence parameter set describes, without what is to be cropped. `None`: it is
/// none, or malformed, or larger than any level allows.
pub fn picture_size(unit: &[u8]) -> Option<PictureSize> {
    if ParameterSet::of(unit)? != ParameterSet::Sequence {
        return None;
    }
    // Behind the type stand profile, constraints and level, in a byte each. No level is 0 (table A-1).
    let [_, profile, _, _, coded @ ..] = unit else { return None };
    let bits = &mut Bits::new(coded);
    bits.unsigned()?;
    let chroma = Chroma::read(*profile, bits)?;
    skip_picture_order(bits)?;
    // max_num_ref_frames, gaps_in_frame_num_value_allowed_flag.
    bits.unsigned()?;
    bits.flag()?;
    let width = macroblocks(bits.unsigned()?, 1)?;
    let units = bits.unsigned()?;
    let has_frames_only = bits.flag()?;
    // Section 7.4.2.1.1: otherwise it counts macroblocks of a field, of which a frame has two.
    let fields = if has_frames_only { 1 } else { 2 };
    let height = macroblocks(units, fields)?;
    if !has_frames_only {
        bits.flag()?;
    }
    bits.flag()?;
    if !bits.flag()? {
        return PictureSize::new(width, height);
    }
    let mut crop = |size: u16, unit: u32| {
        let hidden = bits.unsigned()?.checked_add(bits.unsigned()?)?.checked_mul(unit)?;
        size.checked_sub(u16::try_from(hidden).ok()?)
    };
    // Left and right, then top and bottom.
    let width = crop(width, chroma.width)?;
    let height = crop(height, chroma.height * fields)?;
    PictureSize::new(width, height)
}

/// Of so many macroblocks less one, in each of the fields, in pixels.
fn macroblocks(less_one: u32, fields: u32) -> Option<u16> {
    let count = less_one.checked_add(1)?.checked_mul(fields)?;
    u16::try_from(count).ok().filter(|count| *count <= MAX_MACROBLOCKS).map(|count| count * 16)
}

/// How many pixels have one sample of colour between them: SubWidthC and SubHeightC (section 6.2, table 6-1).
struct Chroma {
    width: u32,
    height: u32,
}

impl Chroma {
    /// Reads it, and what stands behind it up to log2_max_frame_num_minus4, which it leaves.
    fn read(profile: u8, bits: &mut Bits<'_>) -> Option<Chroma> {
        if !HIGH_PROFILES.contains(&profile) {
            return Some(Chroma { width: 2, height: 2 });
        }
        let format = bits.unsigned()?;
        // separate_colour_plane_flag.
        if format == 3 {
            bits.flag()?;
        }
        // bit_depth_luma_minus8, bit_depth_chroma_minus8, qpprime_y_zero_transform_bypass_flag.
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
        if bits.flag()? {
            for list in 0..if format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        let (width, height) = match format {
            1 => (2, 2),
            2 => (2, 1),
            // Without colour, or with planes of their own, one sample is one pixel.
            0 | 3 => (1, 1),
            _ => return None,
        };
        Some(Chroma { width, height })
    }
}

/// Section 7.3.2.1.1.1.
fn skip_scaling_list(bits: &mut Bits<'_>, len: usize) -> Option<()> {
    let mut scale: i32 = 8;
    for _ in 0..len {
        scale = scale.checked_add(bits.signed()?)?.rem_euclid(256);
        // The last one goes on to the end.
        if scale == 0 {
            break;
        }
    }
    Some(())
}

/// log2_max_frame_num_minus4, and how the order of pictures is coded.
fn skip_picture_order(bits: &mut Bits<'_>) -> Option<()> {
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => {
            bits.unsigned()?;
        }
        1 => {
            bits.flag()?;
            bits.signed()?;
            bits.signed()?;
            let cycle = bits.unsigned().filter(|cycle| *cycle <= MAX_ORDER_CYCLE)?;
            for _ in 0..cycle {
                bits.signed()?;
            }
        }
        2 => {}
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::bits::Writing;
    use super::*;
    use proptest::prelude::*;

    /// Sets as x264 writes them, by the profile and the size of their pictures.
    #[test]
    fn the_sets_of_an_encoder_have_the_size_that_it_was_given() {
        let baseline = [0x67, 0x42, 0xc0, 0x16, 0xd9, 0x00, 0xa0, 0x3d, 0xb0, 0x11, 0x00, 0x00, 0x03];
        let cropped = [0x67, 0x42, 0xc0, 0x0b, 0xd9, 0x01, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00];
        let main = [0x67, 0x4d, 0x40, 0x16, 0xec, 0xa0, 0x50, 0x17, 0xfc, 0xb8, 0x08, 0x80];
        let high = [0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44];
        let interlaced = [0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x04, 0x4f, 0xde, 0x02, 0x20];
        let gray = [0x67, 0x64, 0x00, 0x0a, 0xf3, 0x65, 0x1c, 0xbe, 0x32, 0x6c, 0x05, 0xb2];
        let of_422 = [0x67, 0x7a, 0x00, 0x0a, 0xbc, 0xd9, 0x47, 0x2f, 0x9a, 0x6c, 0x04, 0x40];
        let of_444 = [0x67, 0xf4, 0x00, 0x0a, 0x91, 0x9b, 0x28, 0xe5, 0xf1, 0x93, 0x60, 0x22];
        for (unit, size) in [
            (&baseline[..], (640, 480)),
            (&cropped, (320, 180)),
            (&main, (640, 360)),
            (&high, (1920, 1080)),
            (&interlaced, (1920, 1080)),
            (&gray, (101, 75)),
            (&of_422, (102, 75)),
            (&of_444, (101, 75)),
        ] {
            assert_eq!(picture_size(unit), PictureSize::new(size.0, size.1), "{size:?}");
        }
        assert_eq!(picture_size(&baseline[..7]), None, "cut off");
        assert_eq!(picture_size(&[&[0x68], &baseline[1..]].concat()), None, "another unit");
        assert_eq!(picture_size(&[]), None);
    }

    /// A set of Baseline, so many macroblocks less one large, of whose pictures so much is hidden.
    fn set(width: u32, height: u32, [left, right, top, bottom]: [u32; 4]) -> Vec<u8> {
        let head = Writing::default().unsigned(0).unsigned(0).unsigned(2).unsigned(1).flag(false);
        let size = head.unsigned(width).unsigned(height).flag(true).flag(true).flag(true);
        let cropped = size.unsigned(left).unsigned(right).unsigned(top).unsigned(bottom);
        cropped.behind(vec![0x67, 66, 0, 31])
    }

    #[test]
    fn what_cannot_be_is_no_size() {
        assert_eq!(picture_size(&set(39, 29, [0, 0, 1, 3])), PictureSize::new(640, 472));
        let largest = u32::from(MAX_MACROBLOCKS) - 1;
        let largest_size = PictureSize::new(MAX_MACROBLOCKS * 16, MAX_MACROBLOCKS * 16);
        assert_eq!(picture_size(&set(largest, largest, [0; 4])), largest_size);
        for (width, height, hidden) in [
            (largest + 1, 29, [0; 4]),
            (39, largest + 1, [0; 4]),
            (u32::MAX - 1, u32::MAX - 1, [0; 4]),
            (39, 29, [160, 160, 0, 0]),
            (39, 29, [0, 0, 100, 200]),
            (39, 29, [u32::MAX - 1, 2, 0, 0]),
            (39, 29, [u32::MAX / 2, 0, 0, 0]),
        ] {
            assert_eq!(picture_size(&set(width, height, hidden)), None, "{width} {height} {hidden:?}");
        }
    }

    /// A way of coding the order of pictures, by pic_order_cnt_type.
    fn order(written: Writing, kind: u32, numbers: &[i32]) -> Writing {
        let written = written.unsigned(4).unsigned(kind);
        match kind {
            0 => written.unsigned(2),
            1 => {
                let written = written.flag(true).signed(-3).signed(7).unsigned(numbers.len() as u32);
                numbers.iter().fold(written, |written, number| written.signed(*number))
            }
            _ => written,
        }
    }

    /// What a set of a high profile has in front of that, with scaling lists.
    fn chroma(written: Writing, format: u32, lists: &[(bool, i32)]) -> Writing {
        let written = written.unsigned(format);
        let written = if format == 3 { written.flag(false) } else { written };
        let written = written.unsigned(2).unsigned(0).flag(false).flag(true);
        let lists = (0..if format == 3 { 12 } else { 8 }).zip(lists.iter().cycle());
        lists.fold(written, |written, (number, &(is_there, delta))| {
            let written = written.flag(is_there);
            let len = if number < 6 { 16 } else { 64 };
            match (is_there, delta) {
                (false, _) => written,
                // 8 less 8 ends the list at once.
                (true, 0) => written.signed(-8),
                (true, delta) => (0..len)
                    .fold(written, |written, n| written.signed(if n % 2 == 0 { delta } else { -delta })),
            }
        })
    }

    proptest! {
        #[test]
        fn any_set_is_looked_into(mut unit in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = unit.first_mut() {
                *first = 0x67;
            }
            if let Some(size) = picture_size(&unit) {
                let largest = MAX_MACROBLOCKS * 16;
                prop_assert!((1..=largest).contains(&size.width) && (1..=largest).contains(&size.height));
            }
        }

        #[test]
        fn the_size_is_found_behind_whatever_stands_before_it(
            (profile, format) in prop_oneof![Just((77, 1)), (Just(100), 0..=1u32), Just((122, 2)), Just((244, 3))],
            lists in proptest::collection::vec((any::<bool>(), -7..7i32), 1..12),
            kind in 0..3u32,
            numbers in proptest::collection::vec(any::<i16>().prop_map(i32::from), 0..8),
            (width, height) in (0..300u32, 0..300u32),
            has_frames_only in any::<bool>(),
            hidden in proptest::collection::vec(0..3u32, 4),
        ) {
            let written = Writing::default().unsigned(31);
            let written = if profile == 77 { written } else { chroma(written, format, &lists) };
            let written = order(written, kind, &numbers).unsigned(4).flag(false);
            let written = written.unsigned(width).unsigned(height).flag(has_frames_only);
            let written = if has_frames_only { written } else { written.flag(true) };
            let written = hidden.iter().fold(written.flag(true).flag(true), |w, hidden| w.unsigned(*hidden));
            let unit = written.behind(vec![0x67, profile, 0, 40]);
            let (across, down) = [(1, 1), (2, 2), (2, 1), (1, 1)][format as usize];
            let fields = if has_frames_only { 1 } else { 2 };
            let size = PictureSize {
                width: ((width + 1) * 16 - (hidden[0] + hidden[1]) * across) as u16,
                height: ((height + 1) * 16 * fields - (hidden[2] + hidden[3]) * down * fields) as u16,
            };
            prop_assert_eq!(picture_size(&unit), Some(size));
        }
    }
}
