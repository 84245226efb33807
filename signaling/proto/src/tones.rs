//! The tones of call progress by country, as ITU-T E.180 Supplement 2 (various tones used in national networks) lists
//! them: what a caller hears of us where the far side sends no early media.

use tandem_control::{ToneStep, Tones};

/// What a tone tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The callee is being alerted.
    RingBack,
    /// The callee is in another call.
    Busy,
    /// The call cannot be made.
    Congestion,
}

/// A country with tones of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(&'static Row);

/// One country: its ISO 3166 code in lower case (and `uk`), and its cadences.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    code: &'static str,
    ring_back: &'static [ToneStep],
    busy: &'static [ToneStep],
    congestion: &'static [ToneStep],
}

/// A tone of one frequency.
const fn one(hertz: u16, on_ms: u16, off_ms: u16) -> ToneStep {
    two(hertz, 0, on_ms, off_ms)
}

/// A tone of two. E.180's `a x b`, one that is modulated by another, is the two side bands `a - b` and `a + b`.
const fn two(low: u16, high: u16, on_ms: u16, off_ms: u16) -> ToneStep {
    ToneStep { hertz: [low, high], on_ms, off_ms }
}

static COUNTRIES: [Row; 16] = [
    Row {
        code: "de",
        ring_back: &[one(425, 1_000, 4_000)],
        busy: &[one(425, 480, 480)],
        congestion: &[one(425, 240, 240)],
    },
    Row {
        code: "at",
        ring_back: &[one(420, 1_000, 5_000)],
        busy: &[one(420, 400, 400)],
        congestion: &[one(420, 200, 200)],
    },
    Row {
        code: "ch",
        ring_back: &[one(425, 1_000, 4_000)],
        busy: &[one(425, 500, 500)],
        congestion: &[one(425, 200, 200)],
    },
    Row {
        code: "fr",
        ring_back: &[one(440, 1_500, 3_500)],
        busy: &[one(440, 500, 500)],
        congestion: &[one(440, 250, 250)],
    },
    Row {
        code: "uk",
        ring_back: &[two(400, 450, 400, 200), two(400, 450, 400, 2_000)],
        busy: &[one(400, 375, 375)],
        congestion: &[one(400, 400, 350), one(400, 225, 525)],
    },
    Row {
        code: "us",
        ring_back: &[two(440, 480, 2_000, 4_000)],
        busy: &[two(480, 620, 500, 500)],
        congestion: &[two(480, 620, 250, 250)],
    },
    Row {
        code: "es",
        ring_back: &[one(425, 1_500, 3_000)],
        busy: &[one(425, 200, 200)],
        congestion: &[one(425, 200, 200), one(425, 200, 200), one(425, 200, 600)],
    },
    Row {
        code: "it",
        ring_back: &[one(425, 1_000, 4_000)],
        busy: &[one(425, 500, 500)],
        congestion: &[one(425, 200, 200)],
    },
    Row {
        code: "nl",
        ring_back: &[one(425, 1_000, 4_000)],
        busy: &[one(425, 500, 500)],
        congestion: &[one(425, 250, 250)],
    },
    Row {
        code: "pl",
        ring_back: &[one(425, 1_000, 4_000)],
        busy: &[one(425, 500, 500)],
        congestion: &[one(425, 500, 500)],
    },
    Row {
        code: "ru",
        ring_back: &[one(425, 800, 3_200)],
        busy: &[one(425, 350, 350)],
        congestion: &[one(425, 175, 175)],
    },
    Row {
        code: "jp",
        // 400 x 16.
        ring_back: &[two(384, 416, 1_000, 2_000)],
        busy: &[one(400, 500, 500)],
        congestion: &[one(400, 500, 500)],
    },
    Row {
        code: "cn",
        ring_back: &[one(450, 1_000, 4_000)],
        busy: &[one(450, 350, 350)],
        congestion: &[one(450, 700, 700)],
    },
    Row {
        code: "in",
        // 400 x 25.
        ring_back: &[two(375, 425, 400, 200), two(375, 425, 400, 2_000)],
        busy: &[one(400, 750, 750)],
        congestion: &[one(400, 250, 250)],
    },
    Row {
        code: "au",
        // 425 x 25.
        ring_back: &[two(400, 450, 400, 200), two(400, 450, 400, 2_000)],
        busy: &[one(425, 375, 375)],
        congestion: &[one(425, 375, 375)],
    },
    Row {
        code: "br",
        ring_back: &[one(425, 1_000, 4_000)],
        busy: &[one(425, 250, 250)],
        congestion: &[one(425, 250, 250), one(425, 750, 250)],
    },
];

impl Country {
    /// The country of a code of two letters, in either case; `gb` is `uk`.
    pub fn find(code: &str) -> Option<Country> {
        let code = if code.eq_ignore_ascii_case("gb") { "uk" } else { code };
        COUNTRIES.iter().find(|row| row.code.eq_ignore_ascii_case(code)).map(Country)
    }

    /// Every code.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        COUNTRIES.iter().map(|row| row.code)
    }

    /// The cadence of a tone.
    pub fn tones(self, progress: Progress) -> Tones {
        let steps = match progress {
            Progress::RingBack => self.0.ring_back,
            Progress::Busy => self.0.busy,
            Progress::Congestion => self.0.congestion,
        };
        Tones { steps: steps.to_vec() }
    }
}

impl Default for Country {
    fn default() -> Country {
        Country(&COUNTRIES[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_control::MAX_TONE_STEPS;

    #[test]
    fn every_country_has_tones_that_the_dataplane_plays() {
        for code in Country::codes() {
            let country = Country::find(code).unwrap();
            for progress in [Progress::RingBack, Progress::Busy, Progress::Congestion] {
                let Tones { steps } = country.tones(progress);
                assert!((1..=MAX_TONE_STEPS).contains(&steps.len()), "{code}");
                for step in steps {
                    let [low, high] = step.hertz;
                    assert!((200..=3_400).contains(&low), "{code}: {low} Hz");
                    assert!(high == 0 || (low..=3_400).contains(&high), "{code}: {high} Hz");
                    assert!(step.on_ms >= 100 && step.off_ms >= 100, "{code}");
                }
            }
        }
    }

    #[test]
    fn countries_are_found_by_their_codes() {
        assert_eq!(Country::find("DE"), Some(Country::default()));
        assert_eq!(Country::find("gb"), Country::find("uk"));
        assert_eq!(Country::find("xx"), None);
    }
}
