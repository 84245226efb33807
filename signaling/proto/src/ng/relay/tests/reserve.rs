//! Sessions that are made ahead of the offers that will need them.

use super::*;
use crate::ng::Reply;
use tandem_control::{Message, Refusal};

/// Offers in one moment after which sessions are reserved.
const MANY: usize = 200;

/// Calls that come and go.
fn come_and_go(bench: &mut Bench, calls: usize) {
    for _ in 0..calls {
        bench.offer(samples::BARESIP, json!({}));
        bench.answer_with(samples::SIPP, json!({}));
        bench.ask(&request("delete", "", json!({})));
    }
}

/// Like the usual bench, after many offers.
fn busy() -> Bench {
    let mut bench = Bench::new();
    come_and_go(&mut bench, MANY);
    assert!(bench.relay.reserve.len() > 8, "{:?}", bench.relay.reserve);
    assert_eq!(bench.sessions.len(), bench.relay.reserve.len());
    bench
}

#[test]
fn few_offers_reserve_nothing() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        come_and_go(&mut bench, 4);
        bench.pass(Duration::from_millis(1_100));
    }
    bench.assert_clean();
}

#[test]
fn a_session_that_is_ready_serves_an_offer_without_waiting() {
    let mut bench = busy();
    bench.is_slow = true;
    let offer = bench.offer(samples::BARESIP, json!({}));
    bench.catch_up();
    let answer = bench.answer_with(samples::SIPP, json!({}));
    let (id, _) = bench.relay.sessions.iter().next().unwrap();
    let session = &bench.sessions[id];
    assert_eq!(session.note, b"ng\0call\0a");
    assert_eq!(session.legs[0].remote.unwrap().rtp, "192.0.2.20:10018".parse().unwrap());
    let ports = [30_000 + 4 * id.0, 30_002 + 4 * id.0];
    assert!(offer.contains(&format!("m=audio {} ", ports[1])), "{offer}");
    assert!(answer.contains(&format!("m=audio {} ", ports[0])), "{answer}");
    bench.ask(&request("delete", "", json!({})));
    // Nobody calls any more: everything is given back.
    bench.pass(Duration::from_secs(3));
    bench.assert_clean();
}

#[test]
fn kinds_of_ports_are_kept_apart_and_without_one_that_fits_the_dataplane_is_asked() {
    let mut bench = busy();
    bench.is_slow = true;
    bench.send(&request("offer", samples::BARESIP, json!({ "direction": ["priv", "priv"] })));
    assert!(bench.replies.is_empty());
    bench.catch_up();
    let offer = sdp_of(&bench.replies.pop().unwrap().1);
    assert!(offer.contains("c=IN IP4 10.0.0.2"), "{offer}");
    bench.ask(&request("delete", "", json!({})));
    bench.pass(Duration::from_secs(3));
    bench.assert_clean();
}

#[test]
fn a_full_dataplane_gets_back_what_is_reserved() {
    let mut bench = busy();
    bench.refusal = Some(Refusal::OutOfPorts);
    let priv_only = json!({ "direction": ["priv", "priv"] });
    let reply = bench.ask(&request("offer", samples::BARESIP, priv_only));
    assert_eq!(reply["error-reason"], Reply::NO_PORTS);
    assert_eq!((bench.relay.reserve.len(), bench.sessions.len()), (0, 0));
    bench.pass(Duration::from_secs(3));
    bench.assert_clean();
}

#[test]
fn a_refusal_stops_reserving_for_a_while() {
    let mut bench = busy();
    bench.is_slow = true;
    let mut offers = 0;
    while bench.held.is_empty() {
        offers += 1;
        bench.offer(samples::BARESIP, json!({ "call-id": "other", "via-branch": format!("v{offers}") }));
    }
    for frame in std::mem::take(&mut bench.held) {
        let refused = Err(Refusal::TooManySessions);
        bench.input(Input::Dataplane(Message::Reply { id: frame.id, result: refused }));
    }
    bench.offer(samples::BARESIP, json!({ "call-id": "other", "via-branch": "last" }));
    assert!(bench.held.is_empty(), "{:?}", bench.held);
}

#[test]
fn what_a_lost_connection_had_reserved_is_deleted_with_the_orphans() {
    let mut bench = busy();
    let left = bench.sessions.len();
    bench.input(Input::DataplaneDown);
    assert_eq!(bench.relay.reserve.len(), 0);
    bench.up();
    assert_eq!(bench.sessions.len(), left);
    // New ones beside them are not taken for orphans.
    come_and_go(&mut bench, MANY);
    bench.pass(Duration::from_secs(40));
    bench.assert_clean();
    assert_eq!(bench.relay.counters.orphans_deleted, left as u64);
}
