//! The figures of a suite: by case, by what was measured, by relay, each over the rounds.

use crate::measure::machine;
use crate::measure::report;
use crate::measure::spread::Spread;
use serde::{Deserialize, Serialize};

/// One figure of one relay in one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    /// What the relay did.
    pub(crate) case: String,
    /// What was measured, with its unit.
    pub(crate) figure: String,
    /// The relay.
    pub(crate) relay: String,
    /// A value for each round.
    pub(crate) rounds: Vec<f64>,
    /// Which rounds something else disturbed.
    pub(crate) disturbed: Vec<bool>,
}

impl Series {
    /// Median, least and greatest over the rounds.
    pub(crate) fn spread(&self) -> Spread {
        Spread::of(self.rounds.iter().copied())
    }

    /// How many rounds were disturbed.
    pub(crate) fn disturbances(&self) -> usize {
        self.disturbed.iter().filter(|disturbed| **disturbed).count()
    }
}

/// All figures of a suite.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// In the order in which they were first measured.
    pub(crate) series: Vec<Series>,
}

impl Figures {
    /// Adds one round's value.
    pub(crate) fn add(&mut self, case: &str, figure: &str, relay: &str, value: f64, disturbed: bool) {
        let mut known = self.series.iter_mut();
        let found =
            known.find(|series| series.case == case && series.figure == figure && series.relay == relay);
        match found {
            Some(series) => {
                series.rounds.push(value);
                series.disturbed.push(disturbed);
            }
            None => self.series.push(Series {
                case: case.to_owned(),
                figure: figure.to_owned(),
                relay: relay.to_owned(),
                rounds: vec![value],
                disturbed: vec![disturbed],
            }),
        }
    }

    /// The series of each case and figure, relays beside each other, the first as the one that is compared.
    pub(crate) fn groups(&self) -> Vec<Vec<&Series>> {
        let mut groups: Vec<Vec<&Series>> = Vec::new();
        for series in &self.series {
            let same = |group: &&mut Vec<&Series>| {
                group.first().is_some_and(|first| first.case == series.case && first.figure == series.figure)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(series),
                None => groups.push(vec![series]),
            }
        }
        groups
    }

    /// Rows for a table: case, figure, relay, median with least and greatest, the first relay's median as a share of
    /// this one's, disturbed rounds.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let heads = ["case", "figure", "relay", "median (min to max)", "ratio", "disturbed"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        for group in self.groups() {
            let first = group.first().map_or(f64::NAN, |series| series.spread().median);
            for (index, series) in group.iter().enumerate() {
                let spread = series.spread();
                let ratio = first / spread.median;
                let comparable = index > 0 && ratio.is_finite();
                rows.push(vec![
                    series.case.clone(),
                    series.figure.clone(),
                    series.relay.clone(),
                    spread.to_string(),
                    if comparable { format!("{ratio:.2}") } else { String::new() },
                    format!("{} of {}", series.disturbances(), series.rounds.len()),
                ]);
            }
        }
        rows
    }

    /// The table as text.
    pub(crate) fn table(&self) -> String {
        report::table(&self.rows())
    }

    /// The suite's JSON line.
    pub(crate) fn json(&self, suite: &str) -> serde_json::Value {
        serde_json::json!({
            "suite": suite, "kernel": machine::kernel(), "machine": machine::name(), "series": self.series,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_relay_is_compared_with_the_others() {
        let mut figures = Figures::default();
        for (relay, value) in [("tandem", 2.0), ("rtpengine", 4.0), ("tandem", 3.0), ("rtpengine", 5.0)] {
            figures.add("RTP to RTP", "us", relay, value, value > 4.0);
        }
        let rows = figures.rows();
        assert_eq!(rows[2][2..], ["rtpengine", "5.00 (4.00 to 5.00)", "0.60", "1 of 2"]);
        assert_eq!(rows.len(), 3);
    }
}
