//! A controlling peer in a few lines, and what it may do to the agent.

use super::*;
use crate::stun::MAX_REPLY;
use aws_lc_rs::hmac;

const A: &str = "192.0.2.1:1000";
const B: &str = "[2001:db8::2]:2000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ice(ufrag: &str) -> Ice {
    let password = format!("password-of-{ufrag}-1234567890");
    Ice { local: IceCredentials { ufrag: ufrag.into(), password }, remote: None }
}

/// What a check carries.
#[derive(Clone, Copy)]
struct Check {
    ufrag: &'static str,
    nominate: bool,
    priority: u32,
    controlled: bool,
    unknown: bool,
}

const CHECK: Check =
    Check { ufrag: "first", nominate: false, priority: 100, controlled: false, unknown: false };
const NOMINATION: Check = Check { nominate: true, ..CHECK };

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
    let length = (message.len() - 20) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

impl Check {
    fn unsigned(self) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
        message.extend([7; 12]);
        attribute(&mut message, 0x0006, format!("{}:peer", self.ufrag).as_bytes());
        attribute(&mut message, 0x0024, &self.priority.to_be_bytes());
        attribute(&mut message, if self.controlled { 0x8029 } else { 0x802A }, &[9; 8]);
        if self.nominate {
            attribute(&mut message, 0x0025, &[]);
        }
        if self.unknown {
            attribute(&mut message, 0x0099, &[1]);
        }
        message
    }

    fn signed(self, password: &str) -> Vec<u8> {
        let mut message = self.unsigned();
        let length = (message.len() - 20 + 24) as u16;
        message[2..4].copy_from_slice(&length.to_be_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        let tag = hmac::sign(&key, &message);
        attribute(&mut message, 0x0008, tag.as_ref());
        message
    }

    fn message(self) -> Vec<u8> {
        self.signed(&ice(self.ufrag).local.password)
    }
}

/// An agent with a clock.
struct Bench {
    agent: IceLite,
    now: Instant,
    reply: [u8; MAX_REPLY],
}

impl Bench {
    fn new() -> Bench {
        let now = Instant::now();
        Bench { agent: IceLite::new(now, &ice("first")), now, reply: [0; MAX_REPLY] }
    }

    fn after(&mut self, milliseconds: u64) -> &mut Bench {
        self.now += Duration::from_millis(milliseconds);
        self
    }

    fn raw(&mut self, source: &str, packet: &[u8]) -> IceOutcome {
        self.agent.receive(self.now, address(source), packet, &mut self.reply).unwrap()
    }

    fn check(&mut self, source: &str, check: Check) -> IceOutcome {
        self.raw(source, &check.message())
    }

    fn selected(&self) -> Option<String> {
        self.agent.selected().map(|address| address.to_string())
    }

    fn error_code(&self) -> u16 {
        assert_eq!(self.reply[..2], [0x01, 0x11]);
        assert_eq!(self.reply[20..22], [0, 9], "ERROR-CODE comes first");
        u16::from(self.reply[26]) * 100 + u16::from(self.reply[27])
    }
}

#[test]
fn a_check_validates_and_a_nomination_selects() {
    let mut bench = Bench::new();
    assert_eq!(bench.agent.consent_expires(), None);
    let outcome = bench.check(A, CHECK);
    assert!(outcome.validated && !outcome.selected_changed && outcome.reply_len > 20);
    assert!(bench.agent.is_validated(address(A)) && !bench.agent.is_validated(address(B)));
    assert_eq!(bench.selected(), None);
    assert_eq!(bench.agent.destination(), Some(address(A)));
    assert!(bench.check(B, NOMINATION).selected_changed);
    assert_eq!(bench.selected().as_deref(), Some(B));
    assert!(!bench.check(B, NOMINATION).selected_changed);
}

#[test]
fn without_the_password_nothing_is_validated() {
    let mut bench = Bench::new();
    let outcome = bench.raw(A, &NOMINATION.signed("guess"));
    assert_eq!((outcome.validated, outcome.rejected), (false, Some(StunError::Integrity)));
    assert_eq!(bench.error_code(), 401);
    let outcome = bench.raw(A, &NOMINATION.unsigned());
    assert_eq!((outcome.validated, outcome.rejected), (false, Some(StunError::Unauthenticated)));
    assert_eq!(bench.error_code(), 400);
    let outcome = bench.check(A, Check { ufrag: "stranger", ..NOMINATION });
    assert_eq!((outcome.validated, outcome.rejected), (false, Some(StunError::UnknownUser)));
    assert_eq!(bench.error_code(), 401);
    assert!(!bench.agent.is_validated(address(A)));
    assert_eq!(bench.selected(), None);
}

#[test]
fn a_controlled_peer_and_unknown_attributes_are_refused() {
    let mut bench = Bench::new();
    let outcome = bench.check(A, Check { controlled: true, ..NOMINATION });
    assert_eq!(outcome.rejected, Some(StunError::RoleConflict));
    assert_eq!(bench.error_code(), 487);
    let outcome = bench.check(A, Check { unknown: true, ..NOMINATION });
    assert_eq!(outcome.rejected, Some(StunError::UnknownAttribute));
    assert_eq!(bench.error_code(), 420);
    assert!(!bench.agent.is_validated(address(A)));
}

#[test]
fn of_aggressive_nominations_the_highest_priority_wins() {
    let mut bench = Bench::new();
    bench.check(A, Check { priority: 50, ..NOMINATION });
    assert!(bench.after(20).check(B, Check { priority: 90, ..NOMINATION }).selected_changed);
    assert!(!bench.after(20).check(A, Check { priority: 50, ..NOMINATION }).selected_changed);
    assert_eq!(bench.selected().as_deref(), Some(B));
}

#[test]
fn a_lower_priority_takes_over_when_the_other_is_silent() {
    let mut bench = Bench::new();
    bench.check(A, Check { priority: 90, ..NOMINATION });
    assert!(!bench.after(2_900).check(B, Check { priority: 50, ..NOMINATION }).selected_changed);
    assert!(bench.after(200).check(B, Check { priority: 50, ..NOMINATION }).selected_changed);
}

#[test]
fn consent_lasts_thirty_seconds_from_the_last_check_on_the_pair_in_use() {
    let mut bench = Bench::new();
    bench.check(A, NOMINATION);
    let granted = bench.now;
    assert_eq!(bench.agent.consent_expires(), Some(granted + CONSENT));
    bench.after(10_000).check(B, CHECK);
    bench.raw(A, &CHECK.signed("guess"));
    assert_eq!(bench.agent.consent_expires(), Some(granted + CONSENT));
    bench.check(A, CHECK);
    assert_eq!(bench.agent.consent_expires(), Some(granted + Duration::from_secs(10) + CONSENT));
}

#[test]
fn a_restart_keeps_the_old_pair_until_the_new_one_is_nominated() {
    let second = Check { ufrag: "second", priority: 1, ..NOMINATION };
    let mut bench = Bench::new();
    bench.check(A, NOMINATION);
    bench.agent.update(bench.now, &ice("second"));
    assert!(bench.agent.has_local_ufrag("first") && bench.agent.has_local_ufrag("second"));
    assert!(bench.check(A, NOMINATION).validated, "the old credentials still work");
    assert!(bench.check(B, Check { nominate: false, ..second }).validated);
    assert_eq!(bench.selected().as_deref(), Some(A));
    assert!(bench.check(B, second).selected_changed, "whatever its priority");
    assert!(!bench.agent.is_validated(address(A)));
    assert_eq!(bench.check(A, NOMINATION).rejected, Some(StunError::UnknownUser));
    assert_eq!(bench.selected().as_deref(), Some(B));
}

#[test]
fn two_restarts_in_a_row_keep_what_works() {
    let mut bench = Bench::new();
    bench.check(A, NOMINATION);
    bench.agent.update(bench.now, &ice("second"));
    bench.agent.update(bench.now, &ice("third"));
    assert!(bench.check(A, CHECK).validated);
    assert!(!bench.agent.has_local_ufrag("second"));
    assert!(bench.check(B, Check { ufrag: "third", ..NOMINATION }).selected_changed);
}

#[test]
fn the_same_description_again_changes_nothing() {
    let mut bench = Bench::new();
    bench.check(A, NOMINATION);
    let expires = bench.agent.consent_expires();
    let remote = ice("peer").local;
    bench.after(1_000);
    bench.agent.update(bench.now, &Ice { remote: Some(remote), ..ice("first") });
    assert_eq!(bench.agent.consent_expires(), expires);
    assert!(!bench.agent.has_local_ufrag("peer"));
}

#[test]
fn validated_addresses_are_bounded_and_the_selected_one_stays() {
    let mut bench = Bench::new();
    bench.check(A, NOMINATION);
    for port in 0..100 {
        bench.after(1).check(&format!("192.0.2.9:{}", 1000 + port), CHECK);
    }
    assert_eq!(bench.agent.validated.len(), MAX_VALIDATED);
    assert!(bench.agent.is_validated(address(A)));
    assert!(bench.agent.is_validated(address("192.0.2.9:1099")));
    assert!(!bench.agent.is_validated(address("192.0.2.9:1000")));
}

/// An independent, full and controlling agent: the `is` crate, of str0m.
struct FullAgent {
    agent: is::IceAgent,
    local: SocketAddr,
    remote: SocketAddr,
}

impl FullAgent {
    fn new(ice: &Ice) -> FullAgent {
        let (local, remote) = (address("192.0.2.7:5000"), address("192.0.2.99:6000"));
        let mut agent = is::IceAgent::new(is::IceCreds::new());
        agent.set_controlling(true);
        agent.add_local_candidate(is::Candidate::host(local, "udp").unwrap());
        agent.add_remote_candidate(is::Candidate::host(remote, "udp").unwrap());
        let mut full = FullAgent { agent, local, remote };
        full.set_remote(ice);
        full
    }

    fn set_remote(&mut self, ice: &Ice) {
        let IceCredentials { ufrag, password } = &ice.local;
        self.agent.set_remote_credentials(is::IceCreds { ufrag: ufrag.clone(), pass: password.clone() });
    }

    /// Lets both talk until the full agent is done, or time is up.
    fn run(&mut self, bench: &mut Bench) -> bool {
        for _ in 0..200 {
            self.agent.handle_timeout(bench.now);
            while let Some(transmit) = self.agent.poll_transmit() {
                let source = self.local.to_string();
                let outcome = bench.raw(&source, &transmit.contents);
                assert_eq!(outcome.rejected, None);
                let reply = &bench.reply[..outcome.reply_len];
                let message = is::stun::StunMessage::parse(reply).unwrap();
                let proto = is::Protocol::Udp;
                let packet =
                    is::stun::StunPacket { proto, source: self.remote, destination: self.local, message };
                assert!(self.agent.handle_packet(bench.now, packet), "our answer is believed");
            }
            while self.agent.poll_event().is_some() {}
            if self.agent.state() == is::IceConnectionState::Completed && bench.agent.selected().is_some() {
                return true;
            }
            bench.after(50);
        }
        false
    }
}

#[test]
fn an_independent_full_agent_connects() {
    let mut bench = Bench::new();
    let mut full = FullAgent::new(&ice("first"));
    assert!(full.run(&mut bench));
    assert_eq!(bench.agent.selected(), Some(full.local));
}
