//! Transfers by those who are at a provider, of its accounts here.

use super::super::lines::{PROVIDER, accept, line, provider};
use super::*;
use crate::settings::Settings;
use crate::transport::ConnectionId;

/// Somebody at the provider talks to its account `1001`, which a browser has logged in with.
struct AtProvider {
    bench: Bench,
    page: ConnectionId,
    contact: String,
    phone: Phone,
    /// Somebody else there.
    other: Phone,
    /// The 2xx that the telephone got.
    ok: Response,
}

fn accepting(settings: &mut Settings) {
    settings.providers.accept_transfers = true;
}

/// A browser logs in with an account, which somebody at the provider calls.
fn called(
    bench: &mut Bench,
    phone: &mut Phone,
    (number, user): (u64, &str),
) -> (ConnectionId, String, Response) {
    let page = bench.browser(number, user, "secret", PROVIDER);
    let contact = accept(bench, phone);
    bench.take_frames(page);
    phone.new_call();
    let invite =
        phone.request(Method::Invite, &contact, &format!("<sip:{user}@{PROVIDER}>"), Some(samples::SIPP));
    assert_eq!(statuses(&phone.send(bench, invite)), [100, 180]);
    answer(bench, page);
    let ok = responses(&bench.take(phone.flow.remote)).pop().unwrap();
    assert_eq!(ok.status, 200);
    phone.acknowledge(bench, &ok, None);
    (page, contact, ok)
}

fn answer(bench: &mut Bench, page: ConnectionId) {
    let frames = bench.take_frames(page);
    let call = frames.iter().find(|frame| frame["message"] == "notifyIncomingCall").unwrap();
    let call_id = call["data"][0]["callId"].clone();
    bench.say(page, "answer", json!({ "callId": call_id, "sdp": browser_answer() }));
    bench.take_frames(page);
}

impl AtProvider {
    fn talking(change: impl FnOnce(&mut Settings)) -> AtProvider {
        let mut bench = Bench::changed(change);
        let mut phone = provider(50);
        let (page, contact, ok) = called(&mut bench, &mut phone, (1, "1001"));
        AtProvider { bench, page, contact, phone, other: provider(51), ok }
    }

    fn refers(&mut self, refer_to: &str) -> Vec<Message> {
        let mut refer = self.phone.inside(Method::Refer, &self.ok, None);
        refer.headers.set(HeaderName::From, self.ok.headers.get(HeaderName::From).unwrap());
        refer.headers.set(HeaderName::CallId, self.ok.headers.call_id().unwrap());
        refer.headers.push(HeaderName::ReferTo, refer_to);
        self.phone.send(&mut self.bench, refer)
    }

    /// The other one there calls the account, with this value of Replaces.
    fn replaces(&mut self, replaces: &str) -> Vec<Message> {
        let to = format!("<sip:1001@{PROVIDER}>");
        self.other.new_call();
        let mut invite = self.other.request(Method::Invite, &self.contact, &to, Some(samples::SIPP));
        invite.headers.push(HeaderName::Replaces, replaces);
        self.other.send(&mut self.bench, invite)
    }

    fn is_hung_up(&mut self) {
        let bye = request_of(&self.bench.take(self.phone.flow.remote), Method::Bye);
        self.phone.answer(&mut self.bench, &bye, 200, None);
    }
}

fn value_of(ok: &Response) -> String {
    replaces_of(ok).replace("%40", "@").replace("%3B", ";").replace("%3D", "=")
}

#[test]
fn somebody_else_at_the_provider_takes_over() {
    let mut at = AtProvider::talking(|_| {});
    let replaces = value_of(&at.ok);
    let ok = responses(&at.replaces(&replaces)).pop().unwrap();
    assert_eq!(ok.status, 200);
    at.other.acknowledge(&mut at.bench, &ok, None);
    at.is_hung_up();
    assert_eq!(at.bench.take_frames(at.page), [] as [Value; 0], "the page's call goes on");
    let bye = at.other.inside(Method::Bye, &ok, None);
    assert_eq!(statuses(&at.other.send(&mut at.bench, bye)), [200]);
    assert_eq!(names(&at.bench.take_frames(at.page)).last().unwrap(), "finish");
    at.bench.assert_clean();
}

#[test]
fn only_a_call_of_the_account_that_is_called_is_taken_over() {
    let mut at = AtProvider::talking(|_| {});
    let mut phone = at.phone;
    let (_, _, other_call) = called(&mut at.bench, &mut phone, (2, "2002"));
    at.phone = phone;
    assert_eq!(statuses(&at.replaces(&value_of(&other_call))), [403]);
    assert_eq!(statuses(&at.replaces("a;to-tag=b;from-tag=c")), [481]);
    assert_eq!(statuses(&at.replaces("nonsense")), [400]);
    // Nor are calls between our own users.
    let (mut alice, bob) = phones(&mut at.bench);
    let (_, ok) = talking(&mut at.bench, &mut alice, &bob);
    assert_eq!(statuses(&at.replaces(&value_of(&ok))), [403]);
}

#[test]
fn a_telephone_of_ours_is_transferred_by_the_provider_of_its_account() {
    let mut bench = Bench::changed(|settings| {
        accepting(settings);
        settings.lines = vec![line("1001", PROVIDER, "")];
    });
    bench.pass(Duration::from_secs(1));
    let mut phone = provider(50);
    let contact = accept(&mut bench, &phone);
    let (alice, _) = phones(&mut bench);
    let to = format!("<sip:1001@{PROVIDER}>");
    let invite = phone.request(Method::Invite, &contact, &to, Some(samples::SIPP));
    phone.send(&mut bench, invite);
    let rung = request_of(&bench.take(alice.flow.remote), Method::Invite);
    alice.answer(&mut bench, &rung, 200, Some(samples::SIPP));
    let ok = responses(&bench.take(phone.flow.remote)).pop().unwrap();
    phone.acknowledge(&mut bench, &ok, None);
    bench.take(alice.flow.remote);
    let mut at = AtProvider { bench, page: ConnectionId(0), contact, phone, other: provider(51), ok };
    for elsewhere in ["<sip:3003@premium.example>", "<sip:bob@tandem.test>"] {
        assert_eq!(statuses(&at.refers(elsewhere)), [403], "{elsewhere}");
    }
    let got = at.refers(&format!("<sip:3003@{PROVIDER}>"));
    assert_eq!(statuses(&got), [202]);
    let called = request_of(&got, Method::Invite);
    assert_eq!(called.uri.to_string(), format!("sip:3003@{PROVIDER}"));
    assert_eq!(called.headers.from().unwrap().uri.to_string(), format!("sip:1001@{PROVIDER}"));
    assert_eq!(
        called.headers.get(HeaderName::ReferredBy),
        Some("<sip:provider@tandem.test>"),
        "it is the other one who asked"
    );
}

#[test]
fn a_transfer_by_the_provider_is_refused_unless_it_is_allowed() {
    let mut at = AtProvider::talking(|_| {});
    assert_eq!(statuses(&at.refers(&format!("<sip:3003@{PROVIDER}>"))), [403]);
    let mut at = AtProvider::talking(accepting);
    assert_eq!(statuses(&at.refers("<sip:3003@premium.example>")), [403]);
    // The call there that is to be replaced is none of ours: whoever is called knows it.
    let refer_to = format!("<sip:3003@{PROVIDER}?Replaces=a%40b%3Bto-tag%3Dc%3Bfrom-tag%3Dd>");
    let got = at.refers(&refer_to);
    assert_eq!(statuses(&got), [202]);
    let called = request_of(&got, Method::Invite);
    assert_eq!(called.headers.get(HeaderName::Replaces), Some("a@b;to-tag=c;from-tag=d"));
}
