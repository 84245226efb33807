//! The bits of an H.264 NAL unit, as its syntax is written in ITU-T H.264 section 7.3.

/// Reads bits from the front. Once they have run out, every further reading has none.
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    rest: std::slice::Iter<'a, u8>,
    byte: u8,
    /// How many bits of `byte` are not read yet.
    left: u8,
    /// Bytes of zero in front of what comes.
    zeros: u8,
}

impl<'a> Bits<'a> {
    /// The bits of a NAL unit behind some of its whole bytes, of which the last was not zero.
    pub fn new(coded: &'a [u8]) -> Bits<'a> {
        Bits { rest: coded.iter(), byte: 0, left: 0, zeros: 0 }
    }

    /// u(1).
    pub fn flag(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.byte = self.next_byte()?;
            self.left = 8;
        }
        self.left -= 1;
        Some(self.byte >> self.left & 1 == 1)
    }

    /// ue(v), section 9.1: as many zeros as bits follow the first one.
    pub fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            // More would be no number of 32 bits.
            if zeros > 31 {
                return None;
            }
        }
        let mut coded: u64 = 1;
        for _ in 0..zeros {
            coded = coded << 1 | u64::from(self.flag()?);
        }
        u32::try_from(coded - 1).ok()
    }

    /// se(v), section 9.1.1: 0, 1, -1, 2, -2, ...
    pub fn signed(&mut self) -> Option<i32> {
        let number = self.unsigned()?;
        let size = i32::try_from(number.div_ceil(2)).ok()?;
        Some(if number % 2 == 1 { size } else { -size })
    }

    /// Section 7.4.1: a 3 behind two zeros is no data (emulation_prevention_three_byte).
    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = *self.rest.next()?;
        if self.zeros >= 2 && byte == 3 {
            self.zeros = 0;
            byte = *self.rest.next()?;
        }
        self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        Some(byte)
    }
}

/// Writes what [`Bits`] reads.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Writing(Vec<bool>);

#[cfg(test)]
impl Writing {
    pub(super) fn flag(mut self, flag: bool) -> Writing {
        self.0.push(flag);
        self
    }

    pub(super) fn unsigned(mut self, number: u32) -> Writing {
        let coded = u64::from(number) + 1;
        let len = 64 - coded.leading_zeros();
        self.0.extend(std::iter::repeat_n(false, len as usize - 1));
        self.0.extend((0..len).rev().map(|bit| coded >> bit & 1 == 1));
        self
    }

    pub(super) fn signed(self, number: i32) -> Writing {
        let size = number.unsigned_abs() * 2;
        self.unsigned(if number > 0 { size - 1 } else { size })
    }

    /// Behind `coded`, with the bytes that section 7.4.1 puts in.
    pub(super) fn behind(self, mut coded: Vec<u8>) -> Vec<u8> {
        for bits in self.0.chunks(8) {
            let byte = (0..8).fold(0, |byte, bit| byte << 1 | u8::from(bits.get(bit) == Some(&true)));
            if byte <= 3 && coded.ends_with(&[0, 0]) {
                coded.push(3);
            }
            coded.push(byte);
        }
        coded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_as_the_standard_codes_them() {
        // Table 9-2: 1, 010, 011, 00100, and the beginning of another.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010]);
        let read: Vec<_> = std::iter::from_fn(|| bits.unsigned()).collect();
        assert_eq!(read, [0, 1, 2, 3]);
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let read: Vec<_> = std::iter::from_fn(|| bits.signed()).take(5).collect();
        assert_eq!(read, [0, 1, -1, 2, -2], "table 9-3");
    }

    #[test]
    fn the_largest_number_has_31_zeros() {
        // 31 zeros, and 32 bits of one; no byte of it is an emulation_prevention_three_byte.
        let largest = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Bits::new(&largest).unsigned(), Some(u32::MAX - 1));
        assert_eq!(Bits::new(&largest).signed(), Some(-i32::MAX));
        assert_eq!(Bits::new(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]).unsigned(), None);
    }

    #[test]
    fn a_three_behind_two_zeros_is_no_data() {
        let ones = |coded: &[u8]| {
            let mut bits = Bits::new(coded);
            std::iter::from_fn(|| bits.flag()).filter(|flag| *flag).count()
        };
        assert_eq!(ones(&[0, 0, 3, 1]), 1);
        assert_eq!(ones(&[0, 0, 3, 0, 0, 3, 1]), 1);
        assert_eq!(ones(&[0, 3, 0, 3, 1]), 5, "not behind one zero");
        assert_eq!(ones(&[0, 0, 3, 3]), 2, "only one of them");
        assert_eq!(ones(&[0, 0, 3]), 0);
    }

    proptest! {
        /// What is written by the definition is read again.
        #[test]
        fn numbers_come_back(numbers in proptest::collection::vec(0..u32::MAX, 0..20)) {
            let written = numbers.iter().fold(Writing::default(), |written, number| written.unsigned(*number));
            let coded = written.behind(Vec::new());
            let mut bits = Bits::new(&coded);
            for number in numbers {
                prop_assert_eq!(bits.unsigned(), Some(number));
            }
        }
    }
}
