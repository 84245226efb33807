//! The frames of a Speex payload (RFC 5574 section 3.3), counted before libspeex sees them: it reads on past the end of a
//! payload that is cut short, and writes a line to standard error about each corrupt one.

/// Bits of a narrowband frame by its mode (The Speex Codec Manual, table 9.1), with the wideband bit and the mode.
const NARROW_BITS: [usize; 9] = [5, 43, 119, 160, 220, 300, 364, 492, 79];
/// Bits of a higher band's layer by its mode (table 10.1), with the wideband bit and the mode.
const LAYER_BITS: [usize; 5] = [4, 36, 112, 192, 352];
/// Layers above a narrowband frame: to 16 and to 32 kHz.
const MAX_LAYERS: usize = 2;

/// Modes that are no frames: a message in the band, and the end of the payload (section 5.5 of the manual).
const MODE_IN_BAND: usize = 14;
const MODE_TERMINATOR: usize = 15;

/// A reader of bits, the most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// The next `count` bits, which stay; `None` if there are not so many.
    fn peek(&self, count: usize) -> Option<usize> {
        (count <= self.left()).then(|| {
            (self.at..self.at + count).fold(0, |value, bit| {
                let byte = self.bytes.get(bit / 8).copied().unwrap_or_default();
                value << 1 | usize::from(byte >> (7 - bit % 8) & 1)
            })
        })
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        (count <= self.left()).then(|| self.at += count)
    }
}

/// The number of frames in a payload; `None` if it holds none, or anything that is neither a frame nor padding.
pub(super) fn frames(payload: &[u8]) -> Option<usize> {
    let mut bits = Bits { bytes: payload, at: 0 };
    let (mut frames, mut layers) = (0, MAX_LAYERS);
    // A layer needs four bits to be known, a frame five; what is less is padding.
    while let Some(head) = bits.peek(4) {
        if head & 8 != 0 {
            if layers == MAX_LAYERS {
                return None;
            }
            layers += 1;
            bits.skip(*LAYER_BITS.get(head & 7)?)?;
            continue;
        }
        match bits.peek(5) {
            None | Some(MODE_TERMINATOR) => break,
            Some(MODE_IN_BAND) => bits.skip(in_band_bits(bits.peek(9)? & 15))?,
            Some(mode) => {
                bits.skip(*NARROW_BITS.get(mode)?)?;
                (frames, layers) = (frames + 1, 0);
            }
        }
    }
    (frames > 0).then_some(frames)
}

/// The bits of a message in the band (the manual's table 5.1), with its head of nine.
fn in_band_bits(code: usize) -> usize {
    9 + match code {
        0..2 => 1,
        2..8 => 4,
        8..10 => 8,
        10..12 => 16,
        12..14 => 32,
        _ => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits from their text, padded as RFC 5574 section 3.3 has it: a zero, then ones.
    fn payload(bits: &str) -> Vec<u8> {
        let mut bits = bits.to_owned();
        if !bits.len().is_multiple_of(8) {
            bits.push('0');
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        bits.as_bytes()
            .chunks(8)
            .map(|byte| byte.iter().fold(0, |value, bit| value << 1 | (bit & 1)))
            .collect()
    }

    fn frame(mode: usize) -> String {
        format!("{mode:05b}{}", "1".repeat(NARROW_BITS[mode] - 5))
    }

    fn layer(mode: usize) -> String {
        format!("1{mode:03b}{}", "1".repeat(LAYER_BITS[mode] - 4))
    }

    #[test]
    fn whole_frames_are_counted_in_every_mode() {
        for mode in 0..NARROW_BITS.len() {
            for count in 1..4 {
                assert_eq!(frames(&payload(&frame(mode).repeat(count))), Some(count), "mode {mode}");
            }
            for layer_mode in 0..LAYER_BITS.len() {
                let both = frame(mode) + &layer(layer_mode);
                assert_eq!(frames(&payload(&both.repeat(3))), Some(3), "mode {mode}, {layer_mode}");
            }
        }
    }

    #[test]
    fn messages_and_the_terminator_are_no_frames() {
        let message = "01110".to_owned() + "0101" + "1111";
        assert_eq!(frames(&payload(&(message.clone() + &frame(5)))), Some(1));
        assert_eq!(frames(&payload(&message)), None);
        assert_eq!(frames(&payload(&(frame(5) + "01111" + &"1".repeat(40)))), Some(1));
        assert_eq!(frames(&payload("01111")), None);
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_refused() {
        let whole = payload(&frame(5));
        assert_eq!(frames(&whole[..whole.len() - 1]), None);
        assert_eq!(frames(&payload(&(frame(5) + &frame(7)[..400]))), None);
        assert_eq!(frames(&payload("01001")), None, "a reserved mode");
        assert_eq!(frames(&payload(&(frame(5) + "1111"))), None, "a layer of a reserved mode");
        assert_eq!(frames(&payload(&(layer(1) + &frame(5)))), None, "a layer above nothing");
        assert_eq!(frames(&payload(&(frame(1) + &layer(1).repeat(3)))), None, "three layers");
        assert_eq!(frames(&[]), None);
    }
}
