//! Accounts at providers: those of the configuration, ports of their own, and how many there may be.

use super::*;
use crate::settings::{Line, Settings};
use crate::sip::auth::{Credentials, Secret};
use crate::sip::user_agent::{KeepAlive, KeepAliveMethod};
use crate::sip::{SipUri, reply};

/// Where the providers of these tests are.
pub(super) const PROVIDER: &str = "192.0.2.50";
const OTHER_PROVIDER: &str = "192.0.2.51";
const CHALLENGE: &str = "Digest realm=\"provider\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

pub(super) fn line(user: &str, at: &str, prefix: &str) -> Line {
    Line {
        owner: AddressOfRecord { user: "alice".to_owned(), domain: DOMAIN.to_owned() },
        uri: SipUri::new(Some(user), at.parse().unwrap(), None),
        route: None,
        credentials: Credentials {
            username: user.to_owned(),
            secret: Secret::Password("secret".to_owned().into()),
            realm: None,
        },
        register: true,
        prefix: prefix.to_owned(),
        keep_alive: KeepAlive { method: KeepAliveMethod::Off, interval: None },
    }
}

pub(super) fn provider(host: u8) -> Phone {
    Phone::new("provider", Transport::Udp, host, samples::SIPP)
}

/// The provider accepts a REGISTER; the address that it has for the account.
pub(super) fn accept(bench: &mut Bench, provider: &Phone) -> String {
    let register = request_of(&bench.take(provider.flow.remote), Method::Register);
    let contact = register.headers.get(HeaderName::Contact).unwrap().to_owned();
    let mut response = reply(&register, 200, "OK");
    response.headers.push(HeaderName::Contact, format!("{};expires=600", contact.split(';').next().unwrap()));
    provider.send(bench, response);
    contact.trim_start_matches('<').split('>').next().unwrap().to_owned()
}

fn two_lines() -> Bench {
    let lines = vec![line("1001", PROVIDER, ""), line("2002", OTHER_PROVIDER, "9")];
    let mut bench = Bench::changed(|settings| settings.lines = lines);
    bench.pass(Duration::from_secs(1));
    bench
}

#[test]
fn a_user_with_two_accounts_is_called_at_both_and_calls_by_either() {
    let mut bench = two_lines();
    let (mut one, other) = (provider(50), provider(51));
    let contact = accept(&mut bench, &one);
    accept(&mut bench, &other);
    assert_eq!(bench.counter("provider_accounts_registered"), 2);
    let (mut alice, _) = phones(&mut bench);

    let request = one.request(Method::Invite, &contact, "<sip:1001@192.0.2.50>", Some(samples::SIPP));
    assert_eq!(statuses(&one.send(&mut bench, request)), [100]);
    let invite = request_of(&bench.take(alice.flow.remote), Method::Invite);
    assert!(invite.headers.from().unwrap().uri.to_string().contains("provider@"), "the caller is shown");
    alice.answer(&mut bench, &invite, 486, None);
    bench.take(one.flow.remote);

    for (dialled, reached, host, account) in [
        ("5551234", "sip:5551234@192.0.2.50", 50, "sip:1001@192.0.2.50"),
        ("95551234", "sip:5551234@192.0.2.51", 51, "sip:2002@192.0.2.51"),
    ] {
        alice.call(&mut bench, dialled);
        let provider = provider(host);
        let invite = request_of(&bench.take(provider.flow.remote), Method::Invite);
        assert_eq!(invite.uri.to_string(), reached);
        assert_eq!(invite.headers.from().unwrap().uri.to_string(), account);
        provider.answer(&mut bench, &invite, 404, None);
    }
    // Whoever is here is called here.
    alice.call(&mut bench, "bob");
    assert!(bench.take(one.flow.remote).is_empty() && bench.take(other.flow.remote).is_empty());
}

#[test]
fn the_accounts_of_one_user_serve_no_other() {
    let mut bench = two_lines();
    let (_, mut bob) = phones(&mut bench);
    let (_, got) = bob.call(&mut bench, "5551234");
    assert_eq!(statuses(&got), [404]);
    let page = bench.browser(1, "alice", PASSWORD, "");
    bench.take(provider(50).flow.remote);
    bench.take_frames(page);
    let callee = "sip:5551234@192.0.2.50";
    bench.say(page, "call", json!({ "callId": "c", "callee": callee, "sdp": samples::CHROMIUM }));
    assert_eq!(request_of(&bench.take(provider(50).flow.remote), Method::Invite).uri.to_string(), callee);
    bench.say(page, "call", json!({ "callId": "d", "callee": "sip:x@192.0.2.77", "sdp": samples::CHROMIUM }));
    assert_eq!(bench.take_frames(page).last().unwrap()["data"][0]["status"], "FAILED");
}

#[test]
fn an_account_that_was_refused_is_tried_again_after_half_an_hour() {
    let mut bench = Bench::changed(|settings| settings.lines = vec![line("1001", PROVIDER, "")]);
    bench.pass(Duration::from_secs(1));
    let provider = provider(50);
    let register = request_of(&bench.take(provider.flow.remote), Method::Register);
    provider.answer(&mut bench, &register, 403, None);
    bench.pass(Duration::from_secs(1_799));
    assert!(bench.take(provider.flow.remote).is_empty());
    bench.pass(Duration::from_secs(2));
    accept(&mut bench, &provider);
    assert_eq!(bench.counter("provider_accounts_registered"), 1);
}

#[test]
fn registrations_have_a_limit() {
    let mut bench = Bench::new();
    let said = |bench: &mut Bench, number| {
        let page = bench.browser(number, &format!("user{number}"), "secret", PROVIDER);
        (page, bench.take_frames(page).last().unwrap()["message"].clone())
    };
    let pages: Vec<_> = (1..=5).map(|number| said(&mut bench, number)).collect();
    assert!(pages.iter().all(|(_, last)| last != "fail"), "{pages:?}");
    assert_eq!(said(&mut bench, 6).1, "fail");
    let provider = provider(50);
    bench.take(provider.flow.remote);
    // Who leaves makes room when the registrar has answered, or was waited for.
    bench.input(Input::WcsClosed { connection: pages[0].0 });
    let register = request_of(&bench.take(provider.flow.remote), Method::Register);
    provider.answer(&mut bench, &register, 200, None);
    assert_ne!(said(&mut bench, 7).1, "fail");
}

#[test]
fn passwords_at_providers_are_not_guessed_through_us() {
    let mut bench = Bench::new();
    let provider = provider(50);
    for number in 1..=3 {
        let page = bench.browser(number, "1001", "guess", PROVIDER);
        let register = request_of(&bench.take(provider.flow.remote), Method::Register);
        let mut response = reply(&register, 401, "Unauthorized");
        response.headers.push(HeaderName::WwwAuthenticate, CHALLENGE);
        let register = request_of(&provider.send(&mut bench, response), Method::Register);
        provider.answer(&mut bench, &register, 403, None);
        bench.input(Input::WcsClosed { connection: page });
    }
    let page = bench.browser(4, "1001", "secret", PROVIDER);
    assert!(bench.take(provider.flow.remote).is_empty(), "nothing is asked");
    assert_eq!(bench.take_frames(page).last().unwrap()["message"], "fail");
    assert_eq!(bench.counter("locked_out"), 1);
}

fn ports(settings: &mut Settings) {
    settings.user_ports = Some((30_000, 30_002));
}

/// A login's REGISTER, and the port in its Via; the registrar accepts it.
fn log_in(bench: &mut Bench, number: u64) -> (ConnectionId, u16) {
    let page = bench.browser(number, &format!("user{number}"), "secret", PROVIDER);
    let provider = provider(50);
    let sent = bench.take(provider.flow.remote);
    let register = request_of(&sent, Method::Register);
    let port = register.headers.via().unwrap().port.unwrap();
    let mut response = reply(&register, 200, "OK");
    response.headers.push(HeaderName::Expires, 600);
    provider.send(bench, response);
    assert_eq!(names(&bench.take_frames(page)).last().unwrap(), "registered");
    (page, port)
}

#[test]
fn each_account_has_a_port_and_gives_it_back() {
    let mut bench = Bench::changed(ports);
    let pages: Vec<(ConnectionId, u16)> = (1..=3).map(|number| log_in(&mut bench, number)).collect();
    assert_eq!(pages.iter().map(|(_, port)| *port).collect::<Vec<_>>(), [30_000, 30_001, 30_002]);
    assert_eq!(bench.open_ports.len(), 3);
    let refused = bench.browser(4, "user4", "secret", PROVIDER);
    let frame = bench.take_frames(refused).pop().unwrap();
    assert_eq!(frame["message"], "fail");

    // A call goes from the port too.
    let provider = provider(50);
    bench.say(pages[1].0, "call", json!({ "callId": "c", "callee": "5551234", "sdp": samples::CHROMIUM }));
    let invite = request_of(&bench.take(provider.flow.remote), Method::Invite);
    assert_eq!(invite.headers.via().unwrap().port, Some(30_001));
    assert!(invite.headers.get(HeaderName::Contact).unwrap().contains(":30001"));
    provider.answer(&mut bench, &invite, 486, None);

    bench.input(Input::WcsClosed { connection: pages[1].0 });
    let register = request_of(&bench.take(provider.flow.remote), Method::Register);
    assert_eq!(register.headers.via().unwrap().port, Some(30_001), "the port still is open for this");
    provider.answer(&mut bench, &register, 200, None);
    assert_eq!(bench.open_ports.len(), 3);
    bench.pass(Duration::from_secs(71));
    assert_eq!(bench.open_ports.iter().copied().collect::<Vec<_>>(), [30_000, 30_002]);
    assert_eq!(log_in(&mut bench, 5).1, 30_001);
}

#[test]
fn a_port_of_another_program_is_passed_over() {
    let mut bench = Bench::changed(ports);
    bench.taken_ports.insert(30_000);
    assert_eq!(log_in(&mut bench, 1).1, 30_001);
    assert_eq!(log_in(&mut bench, 2).1, 30_002);
    bench.taken_ports.clear();
    bench.pass(Duration::from_secs(61));
    assert_eq!(log_in(&mut bench, 3).1, 30_000);
}

#[test]
fn ports_do_not_leak_whatever_becomes_of_the_logins() {
    let mut bench = Bench::changed(ports);
    for number in 1..=50 {
        let page = bench.browser(number, "user", "secret", PROVIDER);
        if number % 3 == 0 {
            let login = json!({ "sipLogin": "again", "sipPassword": "x", "sipDomain": PROVIDER, "sipRegisterRequired": true });
            bench.say(page, "connection", login);
        }
        if number % 2 == 0 {
            bench.take(provider(50).flow.remote);
        }
        bench.input(Input::WcsClosed { connection: page });
        bench.pass(Duration::from_secs(40));
    }
    bench.pass(Duration::from_secs(200));
    assert_eq!((bench.open_ports.len(), bench.counter("user_ports_used")), (0, 0));
    assert_eq!(bench.counter("provider_registrations"), 0);
}

#[test]
fn an_account_of_the_configuration_has_a_port_too() {
    let mut bench = Bench::changed(|settings| {
        ports(settings);
        settings.lines = vec![line("1001", PROVIDER, "")];
    });
    bench.pass(Duration::from_secs(1));
    let contact = accept(&mut bench, &provider(50));
    assert!(contact.ends_with(":30000"), "{contact}");
}

#[test]
fn a_clean_end_removes_the_bindings() {
    let mut bench = two_lines();
    let (one, other) = (provider(50), provider(51));
    let contact = accept(&mut bench, &one);
    accept(&mut bench, &other);
    bench.input(Input::Leave);
    let register = request_of(&bench.take(one.flow.remote), Method::Register);
    assert_eq!(register.headers.expires(), Ok(Some(0)));
    assert!(register.headers.get(HeaderName::Contact).unwrap().contains(&contact), "our binding alone");
    let mut challenge = reply(&register, 401, "Unauthorized");
    challenge.headers.push(HeaderName::WwwAuthenticate, CHALLENGE);
    let register = request_of(&one.send(&mut bench, challenge), Method::Register);
    one.answer(&mut bench, &register, 200, None);
    assert!(!bench.switch.has_left(), "the other one has not answered");
    // Nobody registers any more.
    let page = bench.browser(1, "late", "secret", PROVIDER);
    assert_eq!(bench.take_frames(page).last().unwrap()["message"], "fail");
    let register = request_of(&bench.take(other.flow.remote), Method::Register);
    other.answer(&mut bench, &register, 200, None);
    assert!(bench.switch.has_left());
}

#[test]
fn a_provider_that_does_not_answer_is_waited_for_in_bounds() {
    let mut bench = two_lines();
    bench.input(Input::Leave);
    bench.pass(Duration::from_secs(40));
    assert!(bench.switch.has_left());
    assert!(!Bench::new().switch.has_left(), "nobody said so");
}
