//! The size of the pictures that one peer sends, as its key frames say, and when somebody is to be told of it.

use std::time::Instant;

use tandem_control::PictureSize;

use super::limits::PICTURE_SIZE_INTERVAL;

/// The size of one stream's pictures.
#[derive(Debug, Default)]
pub struct PictureSizes {
    known: Option<PictureSize>,
    /// The extended sequence number of the packet that said so.
    said_at: u64,
    told: Option<PictureSize>,
    told_at: Option<Instant>,
}

impl PictureSizes {
    /// A packet came, in its turn or late, with its extended sequence number and what it says. `is_fresh`: a new run of
    /// the stream begins with it.
    pub fn arrived(&mut self, index: u64, is_fresh: bool, size: Option<PictureSize>) {
        if is_fresh {
            self.said_at = 0;
        }
        // What was sent again may be older than what is known.
        if let Some(size) = size.filter(|_| index >= self.said_at) {
            (self.known, self.said_at) = (Some(size), index);
        }
    }

    /// The size of the newest pictures.
    pub fn known(&self) -> Option<PictureSize> {
        self.known
    }

    /// The size, if it is to be told now: it is another one than was told, and that was a while ago.
    pub fn tell(&mut self, now: Instant) -> Option<PictureSize> {
        let news = self.known.filter(|size| self.told != Some(*size))?;
        if self.told_at.is_some_and(|at| now < at + PICTURE_SIZE_INTERVAL) {
            return None;
        }
        (self.told, self.told_at) = (Some(news), Some(now));
        Some(news)
    }

    /// Somebody else listens: the size is told again.
    pub fn tell_again(&mut self) {
        self.told = None;
    }

    /// No pictures come any more.
    pub fn forget(&mut self) {
        (self.known, self.told) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn size(width: u16) -> Option<PictureSize> {
        PictureSize::new(width, 480)
    }

    #[test]
    fn a_size_is_told_once_and_when_it_changes() {
        let now = Instant::now();
        let mut sizes = PictureSizes::default();
        assert_eq!(sizes.tell(now), None);
        sizes.arrived(10, true, None);
        assert_eq!(sizes.tell(now), None);
        sizes.arrived(11, false, size(640));
        assert_eq!(sizes.tell(now), size(640));
        let later = now + PICTURE_SIZE_INTERVAL;
        sizes.arrived(12, false, size(640));
        assert_eq!(sizes.tell(later), None, "the same");
        sizes.arrived(13, false, size(320));
        assert_eq!((sizes.tell(later), sizes.known()), (size(320), size(320)));
        sizes.tell_again();
        assert_eq!(sizes.tell(later + PICTURE_SIZE_INTERVAL), size(320), "to somebody else");
        sizes.forget();
        assert_eq!((sizes.tell(later + 2 * PICTURE_SIZE_INTERVAL), sizes.known()), (None, None));
    }

    #[test]
    fn however_often_it_changes_it_is_told_at_intervals_and_in_the_end() {
        let start = Instant::now();
        let mut sizes = PictureSizes::default();
        let mut told = Vec::new();
        for millisecond in 0..3000 {
            sizes.arrived(millisecond, false, size(100 + millisecond as u16));
            told.extend(sizes.tell(start + Duration::from_millis(millisecond)));
        }
        assert_eq!(told, [size(100), size(1100), size(2100)].map(Option::unwrap));
        assert_eq!(sizes.tell(start + 3 * PICTURE_SIZE_INTERVAL), size(3099));
    }

    #[test]
    fn what_comes_late_says_nothing_new() {
        let mut sizes = PictureSizes::default();
        sizes.arrived(1000, true, size(640));
        sizes.arrived(990, false, size(320));
        assert_eq!(sizes.known(), size(640));
        sizes.arrived(5, true, None);
        sizes.arrived(6, false, size(320));
        assert_eq!(sizes.known(), size(320), "another run");
    }
}
