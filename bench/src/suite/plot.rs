//! Plots as SVG: for each case and figure one bar a relay, from the median, with a line from the least to the greatest.

use crate::suite::figures::{Figures, Series};
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
/// Where bars begin and end; names stand to the left, values to the right.
const BARS: (f64, f64) = (120.0, 560.0);
const ROW: f64 = 18.0;
const HEAD: f64 = 26.0;
/// One colour a relay, told apart by the colour-blind too.
const COLOURS: [&str; 3] = ["#0072b2", "#e69f00", "#009e73"];

/// The plot of a suite.
pub(super) fn svg(figures: &Figures) -> String {
    let groups = figures.groups();
    let height: f64 = groups.iter().map(|group| HEAD + ROW * group.len() as f64).sum::<f64>() + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut top = 0.0;
    for group in groups {
        panel(&mut svg, &group, top);
        top += HEAD + ROW * group.len() as f64;
    }
    svg.push_str("</svg>\n");
    svg
}

/// One case and figure. Bars are drawn against the greatest value among its relays.
fn panel(svg: &mut String, group: &[&Series], top: f64) {
    let Some(first) = group.first() else { return };
    let greatest = group.iter().map(|series| series.spread().max).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| BARS.0 + (BARS.1 - BARS.0) * (value / greatest).clamp(0.0, 1.0);
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"8\" y=\"{}\" font-weight=\"bold\">{}: {}</text>",
        top + HEAD - 8.0,
        escaped(&first.case),
        escaped(&first.figure)
    );
    for (index, series) in group.iter().enumerate() {
        let (y, spread) = (top + HEAD + ROW * index as f64, series.spread());
        let (middle, colour) = (y + ROW / 2.0, COLOURS[index % COLOURS.len()]);
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{}\">{}</text><rect x=\"{}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>\
             <path d=\"M{:.1} {middle}H{:.1}\" stroke=\"black\" stroke-width=\"2\"/><text x=\"{}\" y=\"{}\">{}</text>",
            y + ROW - 5.0,
            escaped(&series.relay),
            BARS.0,
            y + 2.0,
            x(spread.median) - BARS.0,
            ROW - 4.0,
            x(spread.min),
            x(spread.max),
            BARS.1 + 8.0,
            y + ROW - 5.0,
            spread
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_ends_where_bars_end() {
        let mut figures = Figures::default();
        figures.add("a < b", "us", "tandem", 5.0, false);
        figures.add("a < b", "us", "rtpengine", 10.0, false);
        let svg = svg(&figures);
        assert!(svg.contains("width=\"220.0\"") && svg.contains("width=\"440.0\""), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.ends_with("</svg>\n"));
    }
}
