//! Calls, their parties and branches; how they end; a dataplane that is slow, refuses or goes away.

use super::*;
use tandem_control::{EventKind, Refusal};

const OK: &str = "ok";

#[test]
fn a_re_invite_of_the_callee_swaps_the_tags_and_keeps_the_ports() {
    let mut bench = Bench::new();
    let first = bench.offer(samples::BARESIP, json!({}));
    bench.answer_with(samples::SIPP, json!({}));
    let held = samples::SIPP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap");
    let tags = json!({ "from-tag": "b", "to-tag": "a" });
    let offer = bench.offer(&held, tags.clone());
    assert!(offer.contains("m=audio 30004 ") && offer.contains("a=sendonly"), "{offer}");
    let legs = &bench.session().legs;
    assert!(legs[1].audio.may_send, "an offer alone changes nothing");
    let answer = bench.answer_with(&samples::BARESIP.replace("sendrecv", "recvonly"), tags);
    assert!(answer.contains("m=audio 30006 ") && answer.contains("a=recvonly"), "{answer}");
    let [a, b] = &bench.session().legs;
    assert!(a.audio.may_send && !a.audio.may_receive && b.audio.may_receive && !b.audio.may_send);
    let again = bench.offer(samples::BARESIP, json!({ "to-tag": "b" }));
    assert_eq!(again, first);
    bench.ask(&request("delete", "", json!({ "from-tag": "b", "to-tag": "a" })));
    bench.assert_clean();
}

#[test]
fn an_offer_that_is_sent_again_goes_on_with_its_ports() {
    let mut bench = Bench::new();
    let first = bench.offer(samples::BARESIP, json!({}));
    assert_eq!(bench.offer(samples::BARESIP, json!({})), first);
    assert_eq!(bench.sessions.len(), 1);
}

#[test]
fn branches_of_a_fork_have_sessions_of_their_own() {
    let mut bench = Bench::new();
    let one = bench.offer(samples::BARESIP, json!({ "via-branch": "v1" }));
    let two = bench.offer(samples::BARESIP, json!({ "via-branch": "v2" }));
    assert_ne!(one, two);
    assert_eq!(bench.sessions.len(), 2);
    let answer = bench.answer_with(samples::SIPP, json!({ "via-branch": "v2", "to-tag": "b2" }));
    assert!(answer.contains("m=audio 30008 "), "{answer}");
    // The other branch is given up by its own delete; then the answered one goes on alone.
    bench.ask(&request("delete", "", json!({ "via-branch": "v1" })));
    assert_eq!(bench.sessions.len(), 1);
    let held = samples::BARESIP.replace("sendrecv", "inactive");
    let offer = bench.offer(&held, json!({ "to-tag": "b2", "via-branch": "v9" }));
    assert!(offer.contains("m=audio 30010 "), "{offer}");
    bench.ask(&request("delete", "", json!({ "from-tag": "b2", "to-tag": "a" })));
    bench.assert_clean();
}

#[test]
fn of_several_answers_the_last_one_counts() {
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({}));
    bench.answer_with(samples::SIPP, json!({ "to-tag": "early" }));
    bench.answer_with(&samples::SIPP.replace("192.0.2.30", "192.0.2.31"), json!({ "to-tag": "late" }));
    assert_eq!(bench.session().legs[1].remote.unwrap().rtp.ip(), IpAddr::from([192, 0, 2, 31]));
    // Both tags are known from now on.
    for tag in ["early", "late"] {
        bench.offer(samples::BARESIP, json!({ "to-tag": tag }));
    }
    assert_eq!(bench.sessions.len(), 1);
}

#[test]
fn an_answer_without_an_offer_is_refused() {
    let mut bench = Bench::new();
    let reply = bench.ask(&request("answer", samples::SIPP, json!({})));
    assert_eq!(reply["error-reason"], "Unknown call-id \"call\"");
    bench.offer(samples::BARESIP, json!({}));
    let reply = bench.ask(&request("answer", samples::SIPP, json!({ "from-tag": "x" })));
    assert_eq!(reply["result"], "error");
}

#[test]
fn an_unknown_call_is_deleted_with_a_warning_or_fatally() {
    let mut bench = Bench::new();
    let reply = bench.ask(&request("delete", "", json!({})));
    assert_eq!((reply["result"].as_str(), reply["warning"].is_string()), (Some(OK), true));
    let reply = bench.ask(&request("delete", "", json!({ "flags": ["fatal"] })));
    assert_eq!(reply["result"], "error");
    bench.assert_clean();
}

#[test]
fn a_delete_may_wait_and_an_offer_takes_it_back() {
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({}));
    bench.answer_with(samples::SIPP, json!({}));
    let reply = bench.ask(&request("delete", "", json!({ "delete-delay": 30 })));
    assert_eq!(reply["totals"]["RTP"]["packets"], 90);
    bench.pass(Duration::from_secs(20));
    bench.offer(samples::BARESIP, json!({ "to-tag": "b" }));
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.sessions.len(), 1);
    bench.ask(&request("delete", "", json!({ "delete-delay": 30 })));
    bench.pass(Duration::from_secs(31));
    bench.assert_clean();
}

#[test]
fn an_offer_that_nobody_answers_and_a_call_without_media_end() {
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({}));
    bench.pass(Duration::from_secs(301));
    bench.assert_clean();
    bench.offer(samples::BARESIP, json!({}));
    bench.answer_with(samples::SIPP, json!({}));
    bench.pass(Duration::from_secs(301));
    let session = *bench.sessions.keys().next().unwrap();
    bench.event(session, EventKind::MediaTimeout);
    assert!(bench.warnings[0].contains("no media for 60 s"), "{:?}", bench.warnings);
    bench.assert_clean();
}

#[test]
fn the_limit_of_calls_is_told_in_the_words_that_modules_know() {
    let mut bench = Bench::new();
    for call in ["1", "2", "3"] {
        bench.offer(samples::SIPP, json!({ "call-id": call }));
    }
    let reply = bench.ask(&request("offer", samples::SIPP, json!({})));
    assert_eq!(reply["error-reason"], "Parallel session limit reached");
    let reply = bench.ask(&request("offer", samples::SIPP, json!({ "supports": ["load limit"] })));
    assert_eq!(reply["result"], "load limit");
    // Calls that are there go on.
    bench.offer(samples::SIPP, json!({ "call-id": "2" }));
}

#[test]
fn refusals_of_the_dataplane_are_told_and_leave_nothing() {
    let mut bench = Bench::new();
    bench.refusal = Some(Refusal::OutOfPorts);
    let reply = bench.ask(&request("offer", samples::SIPP, json!({})));
    assert_eq!(reply["error-reason"], "Ran out of ports");
    bench.assert_clean();
    bench.refusal = Some(Refusal::TooManySessions);
    let reply = bench.ask(&request("offer", samples::SIPP, json!({})));
    assert_eq!(reply["error-reason"], "Parallel session limit reached");
    bench.assert_clean();
}

#[test]
fn a_session_that_a_busy_dataplane_did_not_delete_is_deleted_later() {
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({}));
    bench.refusal = Some(Refusal::Busy);
    bench.ask(&request("delete", "", json!({})));
    assert_eq!((bench.sessions.len(), bench.relay.sessions.len()), (1, 0));
    bench.refusal = Some(Refusal::Busy);
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.sessions.len(), 1, "it is still busy");
    bench.pass(Duration::from_secs(6));
    bench.assert_clean();
}

#[test]
fn what_comes_while_a_call_is_busy_waits_its_turn() {
    let mut bench = Bench::new();
    bench.is_slow = true;
    bench.send(&request("offer", samples::BARESIP, json!({})));
    bench.send(&request("delete", "", json!({})));
    bench.send(&request("offer", samples::SIPP, json!({})));
    assert!(bench.replies.is_empty());
    bench.catch_up();
    let results: Vec<_> = bench.replies.iter().map(|(_, reply)| reply["result"].clone()).collect();
    assert_eq!(results, [OK, OK, OK]);
    assert_eq!(bench.sessions.len(), 1);
    for _ in 0..20 {
        bench.is_slow = true;
        bench.send(&request("query", "", json!({})));
    }
    assert_eq!(bench.replies.len(), 3 + 3, "the backlog is bounded");
    bench.catch_up();
    bench.ask(&request("delete", "", json!({})));
    bench.assert_clean();
}

#[test]
fn a_silent_dataplane_is_not_waited_for_without_end() {
    let mut bench = Bench::new();
    bench.is_slow = true;
    bench.send(&request("offer", samples::BARESIP, json!({})));
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.replies.pop().unwrap().1["result"], "error");
    bench.catch_up();
    bench.assert_clean();
}

#[test]
fn without_a_dataplane_modules_are_sent_on_to_another_engine() {
    let mut bench = Bench::with(settings());
    let reply = bench.ask(&request("offer", samples::BARESIP, json!({})));
    assert_eq!(reply["error-reason"], "Ran out of ports");
    bench.assert_clean();
}

#[test]
fn a_restarted_dataplane_has_lost_its_calls_and_a_restarted_relay_ends_its_orphans() {
    let mut bench = Bench::new();
    bench.offer(samples::BARESIP, json!({}));
    bench.input(Input::DataplaneDown);
    bench.sessions.clear();
    bench.up();
    bench.assert_clean();

    bench.offer(samples::BARESIP, json!({}));
    let mut after = Bench::with(settings());
    after.sessions = std::mem::take(&mut bench.sessions);
    let session = after.sessions.values_mut().next().unwrap();
    let (ports, legs) = (session.ports, session.legs.clone());
    after.sessions.insert(SessionId(99), Session { ports, legs, note: b"the switch's".to_vec() });
    after.up();
    after.pass(Duration::from_secs(29));
    assert_eq!(after.sessions.len(), 2);
    after.pass(Duration::from_secs(2));
    assert_eq!(after.sessions.keys().collect::<Vec<_>>(), [&SessionId(99)]);
}

#[test]
fn a_retransmission_gets_the_reply_that_there_was() {
    let mut bench = Bench::new();
    let request = request("offer", samples::BARESIP, json!({}));
    let bytes = format!("same {request}").into_bytes();
    let send = |bench: &mut Bench| {
        let (from, framing) = (client(), crate::ng::Framing::Cookie);
        bench.input(Input::Request { from, framing, bytes: bytes.clone() });
    };
    bench.is_slow = true;
    send(&mut bench);
    send(&mut bench);
    assert!(bench.replies.is_empty());
    bench.catch_up();
    send(&mut bench);
    assert_eq!(bench.replies.len(), 2);
    assert_eq!(bench.replies[0].1, bench.replies[1].1);
    assert_eq!(bench.sessions.len(), 1);
}
