//! INVITEs that take the place of a party (RFC 3891).

use super::*;

/// An INVITE of carol's telephone, with this offer, that replaces alice's side of her call to bob.
fn replacing(three: &mut Three, offer: Option<&str>, more: &[(HeaderName, &str)]) -> Vec<Message> {
    let replaces = replaces_of(&three.ok).replace("%40", "@").replace("%3B", ";").replace("%3D", "=");
    let uri = "sip:bob@tandem.test";
    three.carol.new_call();
    let mut invite = three.carol.request(Method::Invite, uri, &format!("<{uri}>"), offer);
    invite.headers.push(HeaderName::Replaces, replaces);
    for (name, value) in more {
        invite.headers.push(name.clone(), *value);
    }
    let (_, got) = three.carol.authenticated(&mut three.bench, invite);
    got
}

/// In the place of carol's telephone there is another one of alice's.
fn with_another_telephone() -> Three {
    let mut three = Three::talking();
    three.carol = Phone::new("alice", Transport::Udp, 50, samples::BARESIP);
    three.carol.register(&mut three.bench);
    three
}

fn assert_taken_over(mut three: Three, ok: &Response) {
    three.alice_is_hung_up();
    assert!(three.bench.take(three.bob.flow.remote).is_empty(), "bob notices nothing");
    three.assert_joined();
    let bye = three.carol.inside(Method::Bye, ok, None);
    three.carol.send(&mut three.bench, bye);
    three.bob_is_hung_up();
    three.bench.assert_clean();
}

#[test]
fn a_user_goes_on_at_another_telephone() {
    let mut three = with_another_telephone();
    let ok = responses(&replacing(&mut three, Some(samples::BARESIP), &[])).pop().unwrap();
    assert_eq!(ok.status, 200);
    three.carol.acknowledge(&mut three.bench, &ok, None);
    assert_taken_over(three, &ok);
}

#[test]
fn a_telephone_that_makes_no_offer_is_made_one() {
    let mut three = with_another_telephone();
    let ok = responses(&replacing(&mut three, None, &[])).pop().unwrap();
    assert_eq!(ok.status, 200);
    assert!(text(&ok.body).contains("m=audio"), "RFC 3261 section 13.2.1: {}", text(&ok.body));
    three.carol.acknowledge(&mut three.bench, &ok, Some(samples::BARESIP));
    assert_taken_over(three, &ok);
}

#[test]
fn a_telephone_whose_late_answer_does_not_fit_ends_the_call() {
    let mut three = with_another_telephone();
    let ok = responses(&replacing(&mut three, None, &[])).pop().unwrap();
    let unknown = samples::BARESIP.replace("m=audio", "m=image");
    three.carol.acknowledge(&mut three.bench, &ok, Some(&unknown));
    three.alice_is_hung_up();
    three.bob_is_hung_up();
    // Her own BYE came with her ACK, and comes again.
    three.bench.pass(Duration::from_millis(500));
    let bye = request_of(&three.bench.take(three.carol.flow.remote), Method::Bye);
    three.carol.answer(&mut three.bench, &bye, 200, None);
    three.bench.assert_clean();
}

#[test]
fn whom_the_party_sends_may_take_its_place_and_nobody_else() {
    let mut three = Three::talking();
    let offer = Some(samples::SIPP);
    assert_eq!(statuses(&replacing(&mut three, offer, &[])), [403]);
    let referred = [(HeaderName::ReferredBy, "<sip:bob@tandem.test>")];
    let got = replacing(&mut three, offer, &referred);
    assert_eq!(statuses(&got), [403], "the other party of the call cannot give alice's place away");
    let referred = [(HeaderName::ReferredBy, "<sip:alice@tandem.test>")];
    let got = replacing(&mut three, offer, &referred);
    assert_eq!(statuses(&got), [100, 200]);
    three.alice_is_hung_up();
    three.assert_joined();
}

#[test]
fn what_names_no_answered_call_is_refused() {
    let mut three = Three::talking();
    for (replaces, status) in
        [("a;to-tag=b;from-tag=c", 481), ("nonsense", 400), ("a;to-tag=b;from-tag=c;early-only", 481)]
    {
        three.carol.new_call();
        let uri = "sip:bob@tandem.test";
        let mut invite = three.carol.request(Method::Invite, uri, &format!("<{uri}>"), Some(samples::SIPP));
        invite.headers.push(HeaderName::Replaces, replaces);
        let (invite, got) = three.carol.authenticated(&mut three.bench, invite);
        assert_eq!(statuses(&got), [status], "{replaces}");
        three.carol.acknowledge_failure(&mut three.bench, &invite, &responses(&got)[0]);
    }
    let replaces = replaces_of(&three.ok).replace("%40", "@").replace("%3B", ";").replace("%3D", "=");
    let mut other = Phone::new("alice", Transport::Udp, 50, samples::BARESIP);
    let uri = "sip:bob@tandem.test";
    let mut invite = other.request(Method::Invite, uri, &format!("<{uri}>"), Some(samples::SIPP));
    invite.headers.push(HeaderName::Replaces, format!("{replaces};early-only"));
    let (_, got) = other.authenticated(&mut three.bench, invite);
    assert_eq!(statuses(&got), [486], "it is answered");
}
