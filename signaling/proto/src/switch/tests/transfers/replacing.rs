//! INVITEs that take the place of a party (RFC 3891).

use super::*;

/// An INVITE of this telephone that replaces alice's side of her call to bob.
fn replacing(
    three: &mut Three,
    by: fn(&mut Three) -> &mut Phone,
    more: &[(HeaderName, &str)],
) -> Vec<Message> {
    let replaces = replaces_of(&three.ok).replace("%40", "@").replace("%3B", ";").replace("%3D", "=");
    let mut bench = std::mem::replace(&mut three.bench, Bench::without_dataplane());
    let phone = by(three);
    let (uri, sdp) = ("sip:bob@tandem.test", phone.sdp.clone());
    phone.new_call();
    let mut invite = phone.request(Method::Invite, uri, &format!("<{uri}>"), Some(&sdp));
    invite.headers.push(HeaderName::Replaces, replaces);
    for (name, value) in more {
        invite.headers.push(name.clone(), *value);
    }
    let (_, got) = phone.authenticated(&mut bench, invite);
    three.bench = bench;
    got
}

#[test]
fn a_user_goes_on_at_another_telephone() {
    let mut three = Three::talking();
    let mut other = Phone::new("alice", Transport::Udp, 50, samples::BARESIP);
    other.register(&mut three.bench);
    std::mem::swap(&mut three.carol, &mut other);
    let got = replacing(&mut three, |three| &mut three.carol, &[]);
    let ok = responses(&got).pop().unwrap();
    assert_eq!(ok.status, 200);
    three.carol.acknowledge(&mut three.bench, &ok, None);
    three.alice_is_hung_up();
    assert!(three.bench.take(three.bob.flow.remote).is_empty(), "bob notices nothing");
    three.assert_joined();
    let bye = three.carol.inside(Method::Bye, &ok, None);
    three.carol.send(&mut three.bench, bye);
    three.bob_is_hung_up();
    three.bench.assert_clean();
}

#[test]
fn whom_the_party_sends_may_take_its_place_and_nobody_else() {
    let mut three = Three::talking();
    let got = replacing(&mut three, |three| &mut three.carol, &[]);
    assert_eq!(statuses(&got), [403]);
    let referred = [(HeaderName::ReferredBy, "<sip:bob@tandem.test>")];
    let got = replacing(&mut three, |three| &mut three.carol, &referred);
    assert_eq!(statuses(&got), [403], "the other party of the call cannot give alice's place away");
    let referred = [(HeaderName::ReferredBy, "<sip:alice@tandem.test>")];
    let got = replacing(&mut three, |three| &mut three.carol, &referred);
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
