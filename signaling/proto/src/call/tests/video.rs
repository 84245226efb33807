use super::*;
use crate::settings::{MediaProfile, VideoProfile};
use std::sync::Arc;
use tandem_control::{LegConfig, StreamPorts};

fn browser_offer() -> String {
    samples::CHROMIUM.replace("BUNDLE 0", "BUNDLE 0 1") + samples::CHROMIUM_CAMERA
}

fn telephone() -> String {
    format!("{}{}", samples::BARESIP, samples::BARESIP_CAMERA)
}

fn offer(sdp: &str) -> Signal {
    Signal::Offer { sdp: Some(sdp.into()), update: false }
}

fn offer_answer(sdp: &str) -> Signal {
    Signal::OfferAnswer { sdp: sdp.into() }
}

fn ports(port: u16) -> StreamPorts {
    let at = |port| format!("10.0.0.1:{port}").parse().unwrap();
    StreamPorts { rtp: at(port), rtcp: at(port + 1) }
}

/// The description that a party is sent last.
fn told(who: Who, actions: &[Action]) -> String {
    let sdp = signals_to(who, actions).into_iter().rev().find_map(|signal| match signal {
        Signal::Offer { sdp: Some(sdp), .. } | Signal::OfferAnswer { sdp } => Some(text(&sdp)),
        _ => None,
    });
    sdp.unwrap_or_else(|| panic!("no description for {who:?} in {actions:?}"))
}

fn last_config(side: Side, actions: &[Action]) -> LegConfig {
    let config = actions.iter().rev().find_map(|action| match action {
        Action::Configure { side: of, leg, .. } if *of == side => Some(LegConfig::clone(leg)),
        _ => None,
    });
    config.unwrap_or_else(|| panic!("{side:?} was not configured"))
}

impl Bench {
    fn add_ports(&mut self, side: Side, ports: Option<StreamPorts>) -> Vec<Action> {
        self.call.video_added(self.now, SessionId(1), side, ports, &mut *self.random);
        self.actions()
    }
}

/// A browser that talks to a telephone, without video yet.
fn talking() -> Bench {
    Bench::talking(samples::CHROMIUM, Kind::Rtp, samples::BARESIP).0
}

#[test]
fn a_call_with_video_begins_with_ports_for_it() {
    let mut bench = Bench::new(Some(&browser_offer()), &[Kind::Rtp]);
    let ports = [
        PortRequest { address: LOCAL, kind: PortKind::Shared, video: false },
        PortRequest { address: LOCAL, kind: PortKind::Own, video: true },
    ];
    assert_eq!(bench.actions(), [Action::Create { branch: 0, ports }]);
    let local = [local(40_000), LocalPorts { video: Some(self::ports(41_002)), ..local(41_000) }];
    bench.sessions.push(SessionId(1));
    bench.call.created(0, SessionId(1), local, &mut *bench.random);
    let actions = bench.actions();
    let [Action::Invite { sdp, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert!(text(sdp).contains("m=video 41002 RTP/AVP "));
    let actions = bench.signal(Who::Callee(0), Signal::Answer { sdp: Some(telephone().into()) });
    let (browser, telephone) = (last_config(Side::A, &actions), last_config(Side::B, &actions));
    assert!(browser.video.is_some_and(|video| video.transport.is_none()));
    assert!(telephone.video.is_some_and(|video| video.transport.is_some()));
}

#[test]
fn a_browser_adds_video_and_drops_it() {
    let mut bench = talking();
    for round in 0..2 {
        let mut actions = bench.signal(Who::Caller, offer(&browser_offer()));
        if round == 0 {
            assert_eq!(actions, [Action::AddVideo { session: SessionId(1), side: Side::B }]);
            actions = bench.add_ports(Side::B, Some(ports(41_002)));
        }
        assert!(told(Who::Callee(0), &actions).contains("m=video 41002 "));
        let actions = bench.signal(Who::Callee(0), offer_answer(&telephone()));
        assert!(told(Who::Caller, &actions).contains("a=group:BUNDLE 0 1"));
        assert!(last_config(Side::A, &actions).video.is_some());
        assert!(last_config(Side::B, &actions).video.is_some());

        let dropped =
            samples::CHROMIUM.to_owned() + &samples::CHROMIUM_CAMERA.replace("m=video 9", "m=video 0");
        let actions = bench.signal(Who::Caller, offer(&dropped));
        assert!(told(Who::Callee(0), &actions).contains("m=video 0 "));
        let refused = format!("{}m=video 0 RTP/AVP 97\r\n", samples::BARESIP);
        let actions = bench.signal(Who::Callee(0), offer_answer(&refused));
        assert!(last_config(Side::A, &actions).video.is_none());
    }
}

#[test]
fn a_telephone_adds_video_and_the_browser_takes_it() {
    let mut bench = talking();
    let actions = bench.signal(Who::Callee(0), offer(&telephone()));
    assert_eq!(actions, [Action::AddVideo { session: SessionId(1), side: Side::B }]);
    let actions = bench.add_ports(Side::B, Some(ports(41_002)));
    let sdp = told(Who::Caller, &actions);
    assert!(sdp.contains("a=group:BUNDLE 0 1") && sdp.contains("m=video 40000 UDP/TLS/RTP/SAVPF "), "{sdp}");
    // A browser without a camera watches.
    let number = sdp[sdp.find("m=video").unwrap()..].split(' ').nth(3).unwrap().to_owned();
    let camera = samples::CHROMIUM_CAMERA.replace("a=sendrecv", "a=recvonly").replace("108", &number);
    let answer = browser_answer().replace("BUNDLE 0", "BUNDLE 0 1") + &camera.replace("actpass", "active");
    let actions = bench.signal(Who::Caller, offer_answer(&answer));
    assert!(told(Who::Callee(0), &actions).contains("a=recvonly"));
    let video = last_config(Side::A, &actions).video.unwrap();
    assert!(video.may_send && !video.may_receive);
}

#[test]
fn video_that_the_other_side_cannot_have_is_refused_and_the_call_goes_on() {
    // No ports.
    let mut bench = talking();
    bench.signal(Who::Caller, offer(&browser_offer()));
    let actions = bench.add_ports(Side::B, None);
    let sdp = told(Who::Callee(0), &actions);
    assert!(!sdp.contains("m=video"), "it was never offered any: {sdp}");
    let actions = bench.signal(Who::Callee(0), offer_answer(samples::BARESIP));
    assert!(told(Who::Caller, &actions).contains("m=video 0 "));
    assert!(bench.call.ended().is_none());

    // A party that takes no offers in mid-call.
    let mut page = party(Kind::WebRtc);
    page.takes_offers = false;
    let (mut bench, _) =
        Bench::of(Some(samples::BARESIP), party(Kind::Rtp), &[page]).answered(&browser_answer());
    let actions = bench.signal(Who::Caller, offer(&telephone()));
    assert!(told(Who::Caller, &actions).contains("m=video 0 "));
    assert_eq!(signals_to(Who::Callee(0), &actions), []);

    // Switched off.
    let off = MediaProfile {
        video: VideoProfile { codecs: Vec::new(), ..VideoProfile::default() },
        ..MediaProfile::default()
    };
    let mut phone = party(Kind::Rtp);
    phone.profile = Arc::new(off);
    let mut bench = Bench::of(Some(&browser_offer()), party(Kind::WebRtc), &[phone]);
    assert!(
        matches!(&bench.actions()[..], [Action::Create { ports, .. }] if ports.iter().all(|each| !each.video))
    );
}

#[test]
fn hold_holds_video_too() {
    let mut bench = talking();
    bench.signal(Who::Caller, offer(&browser_offer()));
    bench.add_ports(Side::B, Some(ports(41_002)));
    bench.signal(Who::Callee(0), offer_answer(&telephone()));
    let actions = bench.signal(Who::Caller, Signal::Hold { on: true });
    assert_eq!(told(Who::Callee(0), &actions).matches("a=inactive").count(), 2);
    let held = telephone().replace("a=sendrecv", "a=inactive");
    let actions = bench.signal(Who::Callee(0), offer_answer(&held));
    let video = last_config(Side::A, &actions).video.unwrap();
    assert!(!video.may_send && !video.may_receive);
    let actions = bench.signal(Who::Caller, Signal::Hold { on: false });
    assert_eq!(told(Who::Callee(0), &actions).matches("a=sendrecv").count(), 2);
    let actions = bench.signal(Who::Callee(0), offer_answer(&telephone()));
    let video = last_config(Side::A, &actions).video.unwrap();
    assert!(video.may_send && video.may_receive);
}

#[test]
fn a_caller_that_was_answered_early_without_video_is_offered_it_later() {
    let mut caller = tones::caller_of_tones();
    caller.kind = Kind::WebRtc;
    let mut bench = Bench::of(Some(&browser_offer()), caller, &[party(Kind::WebRtc)]);
    bench.actions();
    bench.create(0);
    let actions = bench.signal(Who::Callee(0), Signal::Progress { status: 180, sdp: None });
    let early = signals_to(Who::Caller, &actions);
    assert!(
        matches!(&early[..], [Signal::Progress { sdp: Some(sdp), .. }] if text(sdp).contains("m=video 0 "))
    );
    let answer = browser_offer().replace("setup:actpass", "setup:active");
    let actions = bench.signal(Who::Callee(0), Signal::Answer { sdp: Some(answer.into()) });
    assert!(told(Who::Caller, &actions).contains("m=video 40000 "));
}

#[test]
fn a_telephone_is_offered_what_is_switched_on_when_the_browser_wants_video_and_cannot_offer_it() {
    let mut bench = talking();
    bench.call.want_video(Who::Caller, &mut *bench.random).unwrap();
    assert_eq!(bench.actions(), [Action::AddVideo { session: SessionId(1), side: Side::B }]);
    let actions = bench.add_ports(Side::B, Some(ports(41_002)));
    let sdp = told(Who::Callee(0), &actions);
    assert!(sdp.contains("m=video 41002 RTP/AVP ") && sdp.contains("packetization-mode=0;"), "{sdp}");
    let actions = bench.signal(Who::Callee(0), offer_answer(&telephone()));
    assert!(last_config(Side::B, &actions).video.is_some());
    let sdp = told(Who::Caller, &actions);
    assert!(sdp.contains("m=video 40000 UDP/TLS/RTP/SAVPF "), "{sdp}");

    // There are no ports.
    let mut bench = talking();
    bench.call.want_video(Who::Caller, &mut *bench.random).unwrap();
    bench.actions();
    let actions = bench.add_ports(Side::B, None);
    assert!(matches!(&signals_to(Who::Caller, &actions)[..], [Signal::OfferReject(_)]));
    assert_eq!(signals_to(Who::Callee(0), &actions), []);
    assert!(bench.call.want_video(Who::Caller, &mut *bench.random).is_err(), "nor will there be");
}
