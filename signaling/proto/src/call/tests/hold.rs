use super::*;
use crate::sdp::Direction;

fn offers_to(who: Who, actions: &[Action]) -> Vec<String> {
    let offer = |signal: Signal| match signal {
        Signal::Offer { sdp: Some(sdp), .. } => Some(text(&sdp)),
        _ => None,
    };
    signals_to(who, actions).into_iter().filter_map(offer).collect()
}

fn is_told(who: Who, actions: &[Action], on: bool) -> bool {
    signals_to(who, actions).contains(&Signal::Hold { on })
}

/// What each side may receive and send, as last configured.
fn flows(actions: &[Action]) -> [(bool, bool); 2] {
    let of = |wanted: Side| {
        let config = actions.iter().rev().find_map(|action| match action {
            Action::Configure { side, leg, .. } if *side == wanted => Some(leg),
            _ => None,
        });
        config.map_or((false, false), |leg| (leg.audio.may_receive, leg.audio.may_send))
    };
    [of(Side::A), of(Side::B)]
}

#[test]
fn a_hold_without_a_description_is_offered_to_the_other_side_and_taken_back() {
    let (mut bench, _) = Bench::talking(samples::CHROMIUM, Kind::Rtp, samples::SIPP);
    let held = format!("{}a=inactive\r\n", samples::SIPP);
    for _ in 0..3 {
        let actions = bench.signal(Who::Caller, Signal::Hold { on: true });
        assert_eq!(flows(&actions)[0], (false, false), "what the holder says is dropped at once");
        assert!(offers_to(Who::Callee(0), &actions)[0].contains("a=inactive"));
        assert!(is_told(Who::Callee(0), &actions, true));
        let actions = bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: held.clone().into() });
        assert!(!is_told(Who::Caller, &actions, true), "the callee did not hold by answering so");
        assert_eq!(flows(&actions), [(false, false); 2]);
        bench.call.media_event(bench.now, SessionId(1), &EventKind::MediaTimeout);
        assert!(bench.call.ended().is_none(), "silence on hold is no fault");

        let actions = bench.signal(Who::Caller, Signal::Hold { on: false });
        assert!(offers_to(Who::Callee(0), &actions)[0].contains("a=sendrecv"));
        assert!(is_told(Who::Callee(0), &actions, false));
        let actions = bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: samples::SIPP.into() });
        assert_eq!(flows(&actions), [(true, true); 2]);
    }
}

#[test]
fn both_hold_and_audio_flows_only_when_both_have_taken_it_back() {
    let (mut bench, _) = Bench::talking(samples::SIPP, Kind::Rtp, samples::SIPP);
    let described = |direction: Direction| format!("{}a={}\r\n", samples::SIPP, direction.name());
    let offer = |direction| Signal::Offer { sdp: Some(described(direction).into()), update: false };
    let answer = |direction| Signal::OfferAnswer { sdp: described(direction).into() };
    bench.signal(Who::Caller, offer(Direction::SendOnly));
    bench.signal(Who::Callee(0), answer(Direction::RecvOnly));
    // The callee holds too, and cannot say more than this.
    let actions = bench.signal(Who::Callee(0), offer(Direction::Inactive));
    assert!(offers_to(Who::Caller, &actions)[0].contains("a=inactive"));
    let actions = bench.signal(Who::Caller, answer(Direction::Inactive));
    assert_eq!(flows(&actions), [(false, false); 2]);
    bench.signal(Who::Caller, offer(Direction::SendRecv));
    let actions = bench.signal(Who::Callee(0), answer(Direction::SendOnly));
    assert_eq!(flows(&actions), [(false, true), (true, false)], "the callee still holds");
    bench.signal(Who::Callee(0), offer(Direction::SendRecv));
    let actions = bench.signal(Who::Caller, answer(Direction::SendRecv));
    assert_eq!(flows(&actions), [(true, true); 2]);
}

#[test]
fn a_hold_while_an_exchange_is_open_is_offered_after_it() {
    let (mut bench, _) = Bench::talking(samples::SIPP, Kind::Rtp, samples::SIPP);
    let hold = format!("{}a=sendonly\r\n", samples::SIPP);
    bench.signal(Who::Caller, Signal::Offer { sdp: Some(hold.into()), update: false });
    let actions = bench.signal(Who::Callee(0), Signal::Hold { on: true });
    assert_eq!(offers_to(Who::Caller, &actions), Vec::<String>::new());
    let answer = format!("{}a=recvonly\r\n", samples::SIPP);
    let actions = bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: answer.into() });
    assert!(offers_to(Who::Caller, &actions)[0].contains("a=inactive"));
    assert!(is_told(Who::Caller, &actions, true) && is_told(Who::Callee(0), &actions, true));
}

#[test]
fn a_held_party_that_takes_no_offers_is_only_told() {
    let mut page = party(Kind::WebRtc);
    page.takes_offers = false;
    let (mut bench, _) =
        Bench::of(Some(samples::SIPP), party(Kind::Rtp), &[page]).answered(&browser_answer());
    let hold = format!("{}a=sendonly\r\n", samples::SIPP);
    let actions = bench.signal(Who::Caller, Signal::Offer { sdp: Some(hold.into()), update: false });
    assert!(matches!(&signals_to(Who::Caller, &actions)[..], [Signal::OfferAnswer { .. }]));
    assert_eq!(signals_to(Who::Callee(0), &actions), [Signal::Hold { on: true }]);
    assert_eq!(flows(&actions)[0], (true, false));
}

#[test]
fn who_is_held_hears_music_where_it_is_configured() {
    let profile =
        crate::settings::MediaProfile { hold_music: Some("waltz.ogg".to_owned()), ..Default::default() };
    let caller = PartyMedia { profile: profile.into(), ..party(Kind::WebRtc) };
    let (mut bench, _) =
        Bench::of(Some(samples::CHROMIUM), caller, &[party(Kind::Rtp)]).answered(samples::SIPP);
    let music = Action::PlayMusic { session: SessionId(1), side: Side::B, path: "waltz.ogg".to_owned() };
    let stop = Action::StopTone { session: SessionId(1), side: Side::B };
    for _ in 0..2 {
        let actions = bench.signal(Who::Caller, Signal::Hold { on: true });
        assert!(actions.contains(&music));
        assert!(offers_to(Who::Callee(0), &actions)[0].contains("a=sendonly"), "music is sent");
        let held = format!("{}a=recvonly\r\n", samples::SIPP);
        let actions = bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: held.into() });
        assert_eq!(flows(&actions), [(false, false), (false, true)]);
        let actions = bench.signal(Who::Caller, Signal::Hold { on: false });
        assert!(actions.contains(&stop));
        bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: samples::SIPP.into() });
    }
    // By a description too; and not to who holds as well, and would not hear it.
    let hold = samples::CHROMIUM.replace("a=sendrecv", "a=inactive");
    bench.signal(Who::Caller, Signal::Offer { sdp: Some(hold.into()), update: false });
    let both = format!("{}a=inactive\r\n", samples::SIPP);
    let actions = bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: both.into() });
    assert!(!actions.contains(&music));
}

#[test]
fn an_offer_that_meets_another_is_made_again() {
    let (mut bench, _) = Bench::talking(samples::CHROMIUM, Kind::Rtp, samples::SIPP);
    let pending = || Signal::OfferReject(Cause::new(491, "Request Pending"));
    bench.signal(Who::Caller, Signal::Hold { on: true });
    for _ in 0..2 {
        assert_eq!(offers_to(Who::Callee(0), &bench.signal(Who::Callee(0), pending())), Vec::<String>::new());
        let actions = bench.wait(Duration::from_secs(1));
        assert!(offers_to(Who::Callee(0), &actions)[0].contains("a=inactive"));
    }
    let held = format!("{}a=inactive\r\n", samples::SIPP);
    bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: held.into() });
    assert_eq!(bench.call.next_timeout(), None);
    // And not for ever.
    bench.signal(Who::Caller, Signal::Hold { on: false });
    let made = (0..100).take_while(|_| {
        bench.signal(Who::Callee(0), pending());
        !offers_to(Who::Callee(0), &bench.wait(Duration::from_secs(1))).is_empty()
    });
    assert_eq!(made.count(), 5);
    assert!(bench.call.ended().is_none());
}

#[test]
fn a_telephone_is_looked_for_anew_after_a_hold_in_which_nothing_flowed() {
    let (mut bench, _) = Bench::talking(samples::CHROMIUM, Kind::Rtp, samples::SIPP);
    let remote_of = |actions: &[Action]| {
        actions.iter().rev().find_map(|action| match action {
            Action::Configure { side: Side::B, leg, .. } => Some(leg.remote.map(|remote| remote.rtp)),
            _ => None,
        })
    };
    bench.signal(Who::Caller, Signal::Hold { on: true });
    let held = format!("{}a=inactive\r\n", samples::SIPP);
    let actions = bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: held.into() });
    assert_eq!(remote_of(&actions), Some(None));
    bench.signal(Who::Caller, Signal::Hold { on: false });
    let actions = bench.signal(Who::Callee(0), Signal::OfferAnswer { sdp: samples::SIPP.into() });
    assert_eq!(remote_of(&actions), Some(Some("192.0.2.30:6000".parse().unwrap())));
}
