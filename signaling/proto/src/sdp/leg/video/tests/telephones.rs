//! What telephones describe, and browsers do not.

use super::*;

const SETS: &str = "Z0LgH9oC0D0B,aM4G4g==";

/// A telephone with this behind what it says of its H.264 in packetization mode 1.
fn with_parameter(parameter: &str) -> String {
    telephone().replace(
        "packetization-mode=1;profile-level-id=42e01f",
        &format!("packetization-mode=1;profile-level-id=42e01f;{parameter}"),
    )
}

/// The line of our H.264 in packetization mode 1.
fn line_of_mode_1(text: &str) -> &str {
    text.lines().find(|line| line.contains("packetization-mode=1")).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn parameter_sets_that_a_telephone_describes_reach_the_browser() {
    let described = with_parameter(&format!("sprop-parameter-sets={SETS}"));
    let expected = format!(";sprop-parameter-sets={SETS}");
    let (_, _, offer) = offered(&described, Kind::WebRtc);
    assert!(line_of_mode_1(&offer).ends_with(&expected), "{offer}");
    assert_eq!(offer.matches("sprop").count(), 1, "its mode 0 has none");

    let (mut caller, mut callee, offer) = offered(&browser(), Kind::Rtp);
    assert!(!offer.contains("sprop"), "a browser describes none");
    let (_, _, answer) = answered(&mut caller, &mut callee, &described);
    assert!(line_of_mode_1(&answer).ends_with(&expected), "{answer}");
}

#[test]
fn parameter_sets_that_are_none_are_not_passed_on() {
    for value in ["", "Z0LgH9oC 0D0B", "Z0L\"a=inactive", &"Z".repeat(600)] {
        let (_, _, offer) = offered(&with_parameter(&format!("sprop-parameter-sets={value}")), Kind::WebRtc);
        assert!(!offer.contains("sprop"), "{offer}");
    }
}

#[test]
fn limits_by_tmmbr_are_for_telephones_that_know_them() {
    let (mut caller, mut callee, offer) = offered(&browser(), Kind::Rtp);
    assert!(has_line(video_of(&offer), "a=rtcp-fb:* ccm tmmbr"), "{offer}");
    let (browser_leg, telephone_leg, answer) = answered(&mut caller, &mut callee, &telephone());
    assert!(!answer.contains("tmmbr"), "a browser has REMB: {answer}");
    assert!(!browser_leg.video.unwrap().feedback.tmmbr && !telephone_leg.video.unwrap().feedback.tmmbr);

    let knows = telephone().replace("a=rtcp-fb:* nack pli\r\n", "a=rtcp-fb:* ccm tmmbr smaxpr=120\r\n");
    let (mut caller, mut callee, _) = offered(&browser(), Kind::Rtp);
    let (_, telephone_leg, _) = answered(&mut caller, &mut callee, &knows);
    assert!(telephone_leg.video.unwrap().feedback.tmmbr);
}
