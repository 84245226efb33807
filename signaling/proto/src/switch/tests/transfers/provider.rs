//! Transfers by those who are at a provider, of its accounts here.

use super::super::lines::{PROVIDER, accept, line, provider};
use super::*;
use crate::settings::Settings;
use crate::sip::{NameAddr, Uri};
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
    let mut invite =
        phone.request(Method::Invite, &contact, &format!("<sip:{user}@{PROVIDER}>"), Some(samples::SIPP));
    let from = invite.headers.get(HeaderName::From).unwrap().replace(DOMAIN, PROVIDER);
    invite.headers.set(HeaderName::From, from);
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

    /// The telephone calls another account too, which another browser has logged in with; what names that call in a
    /// Refer-To, and the 2xx.
    fn calls_another(&mut self) -> (ConnectionId, String, Response) {
        let (page, _, ok) = called(&mut self.bench, &mut self.phone, (2, "2002"));
        (page, format!("<sip:2002@{PROVIDER}?Replaces={}>", replaces_of(&ok)), ok)
    }

    /// The telephone answers what is sent to it; these requests.
    fn answers_all(&mut self, got: Vec<Message>) -> Vec<Request> {
        let mut all = Vec::new();
        let mut came = VecDeque::from(got);
        while let Some(message) = came.pop_front() {
            if let Message::Request(request) = message {
                came.extend(self.phone.answer(&mut self.bench, &request, 200, None));
                all.push(request);
            }
        }
        all
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

#[test]
fn a_telephone_of_the_provider_joins_two_accounts() {
    let mut at = AtProvider::talking(accepting);
    let (other, refer_to, _) = at.calls_another();
    assert_eq!(at.bench.near, Some(Near::Session(SessionId(1))), "both calls are one telephone's");
    let got = at.refers(&refer_to);
    assert_eq!(statuses(&got), [202]);
    let came = at.answers_all(got);
    let of =
        |method: Method| came.iter().filter(|request| request.method == method).collect::<Vec<&Request>>();
    assert_eq!(text(&of(Method::Notify).last().unwrap().body).trim_end(), "SIP/2.0 200 OK");
    assert_eq!(of(Method::Bye).len(), 2, "it is in neither call any more");
    assert_eq!(at.bench.swaps, [((SessionId(1), Side::B), (SessionId(2), Side::A))]);
    assert_eq!(at.bench.sessions.len(), 1);
    at.bench.take_frames(other);
    let call = at.bench.switch.calls.entries.values().next().unwrap();
    assert_eq!(call.plan.remotes, [None, None], "nobody of the provider is in it");
    let frames = at.bench.take_frames(at.page);
    assert!(!names(&frames).contains(&"finish".to_owned()), "{frames:?}");
    at.bench.input(Input::WcsClosed { connection: other });
    at.bench.pass(Duration::from_secs(31));
    assert_eq!(names(&at.bench.take_frames(at.page)).last().unwrap(), "finish");
    at.bench.assert_clean();
}

#[test]
fn only_calls_of_one_telephone_of_the_provider_can_be_joined() {
    let mut at = AtProvider::talking(|_| {});
    let (_, refer_to, _) = at.calls_another();
    assert_eq!(at.bench.near, None);
    assert_eq!(statuses(&at.refers(&refer_to)), [403], "unless it is switched on");

    let mut at = AtProvider::talking(accepting);
    let first = std::mem::replace(&mut at.phone, Phone::new("desk", Transport::Udp, 50, samples::SIPP));
    let (_, refer_to, _) = at.calls_another();
    assert_eq!(at.bench.near, None, "another one there");
    at.phone = first;
    assert_eq!(statuses(&at.refers(&refer_to)), [403], "nor has it the other's calls");
}

#[test]
fn who_a_provider_says_is_calling_is_believed_of_its_own_users() {
    let remote = |bench: &Bench, uri: &str| {
        let home = PROVIDER.parse().unwrap();
        bench.switch.remote(&home, &NameAddr::new(uri.parse::<Uri>().unwrap()))
    };
    let bench = Bench::changed(accepting);
    let desk = format!("sip:desk@{PROVIDER}:5070;user=phone");
    let desk_there = AddressOfRecord { user: "desk".to_owned(), domain: PROVIDER.to_owned() };
    assert_eq!(remote(&bench, &desk), Some(desk_there));
    for uri in ["sip:desk@192.0.2.51", "tel:+15551234", "sip:192.0.2.50", "sip:Anonymous@192.0.2.50"] {
        assert_eq!(remote(&bench, uri), None, "{uri}");
    }
    assert_eq!(remote(&Bench::new(), &desk), None, "unless it may transfer");
}
