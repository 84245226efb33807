//! How late packets come: a histogram that forgets, and the delay that most of them need.

use crate::limits::MAX_PLAYOUT_DELAY;

/// The width of a bin, in microseconds.
const BIN: i64 = 5000;
const BINS: usize = (MAX_PLAYOUT_DELAY.as_micros() as i64 / BIN) as usize;
/// What part of the packets must come in time.
const IN_TIME: f32 = 0.99;
/// How much more a packet weighs than the one before: after 500 packets, ten seconds of speech, it weighs half.
const GROWTH: f32 = 1.0014;
/// A weight at which all are scaled down.
const HEAVY: f32 = 1e6;
/// How many packets the shortest transit is looked for in, twice: it must follow clocks that drift apart.
const WINDOW: u32 = 250;

/// The delays of a stream, in microseconds. A *transit* is an arrival less a media time: their origins differ, so only
/// differences mean something.
#[derive(Clone, Debug)]
pub(super) struct Delays {
    bins: [f32; BINS],
    weight: f32,
    total: f32,
    /// The shortest transits of the window of now and of the one before.
    shortest: [i64; 2],
    seen: u32,
    wanted: i64,
}

impl Default for Delays {
    fn default() -> Delays {
        Delays { bins: [0.0; BINS], weight: 1.0, total: 0.0, shortest: [i64::MAX; 2], seen: 0, wanted: BIN }
    }
}

impl Delays {
    /// Takes the transit of one packet.
    pub(super) fn observe(&mut self, transit: i64) {
        if self.seen == WINDOW {
            self.shortest = [i64::MAX, self.shortest[0]];
            self.seen = 0;
        }
        self.seen += 1;
        self.shortest[0] = self.shortest[0].min(transit);
        let late = ((transit - self.shortest()) / BIN).clamp(0, BINS as i64 - 1) as usize;
        if let Some(bin) = self.bins.get_mut(late) {
            *bin += self.weight;
        }
        self.total += self.weight;
        self.weight *= GROWTH;
        if self.weight > HEAVY {
            self.bins.iter_mut().for_each(|bin| *bin /= HEAVY);
            self.total /= HEAVY;
            self.weight /= HEAVY;
        }
        self.wanted = self.percentile();
    }

    /// The transit of the fastest packets of late.
    pub(super) fn shortest(&self) -> i64 {
        let shortest = self.shortest[0].min(self.shortest[1]);
        if shortest == i64::MAX { 0 } else { shortest }
    }

    /// How much longer than that a packet must be waited for.
    pub(super) fn wanted(&self) -> i64 {
        self.wanted
    }

    fn percentile(&self) -> i64 {
        let mut later = self.total * (1.0 - IN_TIME);
        for (bin, weight) in self.bins.iter().enumerate().rev() {
            later -= weight;
            if later < 0.0 {
                return (bin as i64 + 1) * BIN;
            }
        }
        BIN
    }
}
