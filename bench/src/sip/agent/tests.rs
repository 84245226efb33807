use super::*;
use std::time::Duration;

const SDP_TEXT: &str = "v=0\r\n";

fn agent(port: u16, other: u16, name: &str) -> Agent {
    Agent::new(Settings {
        server: SocketAddr::from(([127, 0, 0, 1], other)),
        transport: "UDP",
        host: format!("127.0.0.1:{port}"),
        domain: "bench.test".into(),
        users: vec![Credentials { name: name.into(), password: "secret".into() }],
    })
}

/// Two agents that are each other's server, in virtual time.
struct Pair {
    alice: Agent,
    bob: Agent,
    now: Instant,
    /// The datagram with this number is lost.
    lose: Option<usize>,
    sent: usize,
}

impl Pair {
    fn new(lose: Option<usize>) -> Pair {
        Pair { alice: agent(1, 2, "alice"), bob: agent(2, 1, "bob"), now: Instant::now(), lose, sent: 0 }
    }

    /// Carries everything over, with time standing still.
    fn carry(&mut self) {
        loop {
            let (to_bob, to_alice) = (self.alice.poll_datagram(), self.bob.poll_datagram());
            if to_bob.is_none() && to_alice.is_none() {
                return;
            }
            for (datagram, is_to_bob) in [(to_bob, true), (to_alice, false)] {
                let Some(datagram) = datagram else { continue };
                self.sent += 1;
                if self.lose == Some(self.sent) {
                    continue;
                }
                let agent = if is_to_bob { &mut self.bob } else { &mut self.alice };
                let from = SocketAddr::from(([127, 0, 0, 1], if is_to_bob { 1 } else { 2 }));
                agent.handle(self.now, from, &datagram.bytes);
            }
        }
    }

    fn wait(&mut self, length: Duration) {
        let end = self.now + length;
        self.carry();
        while let Some(at) = [self.alice.next_timeout(), self.bob.next_timeout()]
            .into_iter()
            .flatten()
            .min()
            .filter(|at| *at <= end)
        {
            self.now = self.now.max(at);
            self.alice.handle_timeout(self.now);
            self.bob.handle_timeout(self.now);
            self.carry();
        }
        self.now = end;
    }

    /// Alice calls, Bob answers; their numbers of the call.
    fn talk(&mut self) -> (u32, u32) {
        let hers = self.alice.call(self.now, 0, "bob", SDP_TEXT).unwrap();
        self.wait(Duration::from_secs(1));
        let Some(Event::Incoming { call: his, .. }) = self.bob.poll_event() else { panic!("no call") };
        self.bob.ring(self.now, his);
        self.bob.answer(self.now, his, SDP_TEXT);
        self.wait(Duration::from_secs(1));
        (hers, his)
    }
}

fn events(agent: &mut Agent) -> Vec<Event> {
    std::iter::from_fn(|| agent.poll_event()).collect()
}

#[test]
fn a_call_is_set_up_and_ended_whatever_datagram_is_lost() {
    for lose in 0..12 {
        let mut pair = Pair::new(Some(lose));
        let (hers, his) = pair.talk();
        pair.wait(Duration::from_secs(2));
        let said = events(&mut pair.alice);
        assert!(
            said.iter().any(|event| matches!(event, Event::Answered { sdp: Some(_), .. })),
            "{lose}: {said:?}"
        );
        assert_eq!(events(&mut pair.bob), [Event::Acknowledged { call: his }], "{lose}");
        pair.alice.bye(pair.now, hers);
        pair.wait(Duration::from_secs(40));
        assert_eq!(events(&mut pair.alice), [Event::Ended { call: hers, cause: Cause::LocalBye }], "{lose}");
        assert_eq!(events(&mut pair.bob), [Event::Ended { call: his, cause: Cause::RemoteBye }], "{lose}");
        assert!(pair.alice.calls.is_empty() && pair.bob.by_dialog.is_empty());
    }
}

#[test]
fn a_cancelled_call_ends_on_both_sides() {
    let mut pair = Pair::new(None);
    let hers = pair.alice.call(pair.now, 0, "bob", SDP_TEXT).unwrap();
    pair.alice.cancel(pair.now, hers);
    pair.wait(Duration::from_secs(1));
    assert_eq!(events(&mut pair.alice), [Event::Ended { call: hers, cause: Cause::Cancelled }]);
    assert!(matches!(
        events(&mut pair.bob)[..],
        [Event::Incoming { .. }, Event::Ended { cause: Cause::Cancelled, .. }]
    ));
}

#[test]
fn a_cancel_that_comes_too_late_hangs_up() {
    let mut pair = Pair::new(None);
    let hers = pair.alice.call(pair.now, 0, "bob", SDP_TEXT).unwrap();
    pair.wait(Duration::from_millis(10));
    let Some(Event::Incoming { call: his, .. }) = pair.bob.poll_event() else { panic!("no call") };
    pair.bob.answer(pair.now, his, SDP_TEXT);
    pair.alice.cancel(pair.now, hers);
    pair.wait(Duration::from_secs(1));
    assert!(events(&mut pair.alice).contains(&Event::Ended { call: hers, cause: Cause::LocalBye }));
    assert!(events(&mut pair.bob).contains(&Event::Ended { call: his, cause: Cause::RemoteBye }));
}

#[test]
fn a_call_is_offered_anew() {
    let mut pair = Pair::new(None);
    let (hers, his) = pair.talk();
    events(&mut pair.alice);
    events(&mut pair.bob);
    pair.alice.reinvite(pair.now, hers, "v=1\r\n");
    pair.carry();
    assert_eq!(events(&mut pair.bob), [Event::Offered { call: his, sdp: Some("v=1\r\n".into()) }]);
    pair.bob.answer(pair.now, his, "v=2\r\n");
    pair.carry();
    assert_eq!(events(&mut pair.alice), [Event::Reanswered { call: hers, sdp: Some("v=2\r\n".into()) }]);
    assert_eq!(events(&mut pair.bob), [Event::Acknowledged { call: his }]);
}

#[test]
fn silence_is_a_timeout() {
    let mut pair = Pair::new(None);
    let hers = pair.alice.call(pair.now, 0, "bob", SDP_TEXT).unwrap();
    while pair.alice.poll_datagram().is_some() {}
    let mut sent = 1;
    while let Some(at) = pair.alice.next_timeout().filter(|at| *at < pair.now + Duration::from_secs(33)) {
        pair.alice.handle_timeout(at);
        while pair.alice.poll_datagram().is_some() {
            sent += 1;
        }
    }
    // RFC 3261 section 17.1.1.2: at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 seconds.
    assert_eq!(sent, 7);
    assert_eq!(events(&mut pair.alice), [Event::Ended { call: hers, cause: Cause::Timeout }]);
}
