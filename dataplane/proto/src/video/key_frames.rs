//! The key frames that are asked of one sender: for whoever needs one to see anything, and no oftener than the sender
//! can bear (attacks.md row 6: a request is small, a key frame is not).

use std::time::Instant;

use super::limits::{KEY_FRAME_INTERVAL, MAX_KEY_FRAME_ASKS};

/// What one sender is asked for.
#[derive(Debug, Default)]
pub struct KeyFrames {
    wanted: bool,
    asked_at: Option<Instant>,
    asks: u8,
    /// The number of the request that is open, as RFC 5104 counts them.
    number: u8,
    /// The newest number of the requests that came by FIR.
    commanded: Option<(u32, u8)>,
    /// Key frames that came.
    pub received: u64,
}

impl KeyFrames {
    /// Somebody needs a key frame.
    pub fn want(&mut self) {
        if !self.wanted {
            // RFC 5104 section 4.3.1.1: the number grows with each new request and stays in its repetitions.
            self.number = self.number.wrapping_add(1);
        }
        self.wanted = true;
        self.asks = 0;
    }

    /// A receiver demands one by FIR. RFC 5104 section 4.3.1.2: one with the number of the one before is a repetition,
    /// and to be ignored.
    pub fn demand(&mut self, from: u32, number: u8) {
        if self.commanded.replace((from, number)) != Some((from, number)) {
            self.want();
        }
    }

    /// A key frame has begun.
    pub fn arrived(&mut self) {
        self.wanted = false;
        self.received += 1;
    }

    /// Whether one is still waited for.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// The number of the request that is to be sent now.
    pub fn ask(&mut self, now: Instant) -> Option<u8> {
        if self.next_timeout(now)? > now {
            return None;
        }
        self.asked_at = Some(now);
        self.asks += 1;
        Some(self.number)
    }

    /// When [`KeyFrames::ask`] has something.
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let is_open = self.wanted && self.asks < MAX_KEY_FRAME_ASKS;
        is_open.then(|| self.asked_at.map_or(now, |at| at + KEY_FRAME_INTERVAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_repeated_until_a_key_frame_comes() {
        let now = Instant::now();
        let mut frames = KeyFrames::default();
        assert_eq!(frames.ask(now), None);
        frames.want();
        assert_eq!(frames.ask(now), Some(1));
        assert_eq!(frames.ask(now), None);
        assert_eq!(frames.next_timeout(now), Some(now + KEY_FRAME_INTERVAL));
        assert_eq!(frames.ask(now + KEY_FRAME_INTERVAL), Some(1), "the same request");
        frames.arrived();
        assert_eq!(frames.ask(now + 2 * KEY_FRAME_INTERVAL), None);
        frames.want();
        assert_eq!(frames.ask(now + 2 * KEY_FRAME_INTERVAL), Some(2));
    }

    #[test]
    fn however_many_want_one_it_is_asked_for_at_intervals() {
        let start = Instant::now();
        let mut frames = KeyFrames::default();
        let mut asks = 0;
        for millisecond in 0..3000 {
            frames.want();
            asks += u32::from(frames.ask(start + std::time::Duration::from_millis(millisecond)).is_some());
            if millisecond % 7 == 0 {
                frames.arrived();
            }
        }
        assert_eq!(asks, 10);
    }

    #[test]
    fn a_sender_that_sends_none_is_left_alone() {
        let mut now = Instant::now();
        let mut frames = KeyFrames::default();
        frames.want();
        let mut asks = 0;
        while let Some(due) = frames.next_timeout(now) {
            now = due;
            asks += u8::from(frames.ask(now).is_some());
        }
        assert_eq!(asks, MAX_KEY_FRAME_ASKS);
    }

    #[test]
    fn a_repeated_demand_is_no_new_one() {
        let now = Instant::now();
        let mut frames = KeyFrames::default();
        frames.demand(1, 7);
        assert!(frames.ask(now).is_some());
        frames.arrived();
        frames.demand(1, 7);
        assert!(!frames.is_wanted());
        frames.demand(1, 8);
        assert!(frames.is_wanted());
    }
}
