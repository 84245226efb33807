//! SIP over WebSocket (RFC 7118), by the generator's own user agent.

use super::{Account, Page, Signal};
use crate::sip::agent::{Agent, Settings};
use crate::sip::event::Event;
use crate::sip::message::{self, Credentials};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

const EXPIRES: u32 = 3600;
/// A WebSocket has one peer: the agent's addresses mean nothing.
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// One page.
pub(super) struct SipPage {
    agent: Agent,
    call: Option<u32>,
    signals: VecDeque<Signal>,
}

impl SipPage {
    pub(super) fn new(account: Account) -> SipPage {
        let agent = Agent::new(Settings {
            server: SERVER,
            transport: "WS",
            // RFC 7118 section 5: a browser knows no address of its own.
            host: format!("{}.invalid", message::token()),
            domain: account.domain,
            users: vec![Credentials { name: account.name, password: account.password }],
        });
        SipPage { agent, call: None, signals: VecDeque::new() }
    }

    fn on_events(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            let is_ours = |call| self.call == Some(call);
            match event {
                Event::Registered { .. } => self.signals.push_back(Signal::Ready),
                Event::Unregistered { .. } => self.signals.push_back(Signal::Closed),
                Event::RegistrationFailed { cause, .. } => self.signals.push_back(Signal::Failed { cause }),
                Event::Incoming { call, sdp, .. } => match (self.call, sdp) {
                    (None, Some(sdp)) => {
                        self.call = Some(call);
                        self.signals.push_back(Signal::Incoming { sdp });
                    }
                    _ => self.agent.refuse(now, call, 486),
                },
                Event::Progress { call, sdp } if is_ours(call) => {
                    self.signals.push_back(Signal::Ringing);
                    self.signals.extend(sdp.map(|sdp| Signal::Answer { sdp }));
                }
                Event::Answered { call, sdp } if is_ours(call) => {
                    self.signals.extend(sdp.map(|sdp| Signal::Answer { sdp }));
                    self.signals.push_back(Signal::Up);
                }
                Event::Acknowledged { call } if is_ours(call) => self.signals.push_back(Signal::Up),
                Event::Ended { call, cause } if is_ours(call) => {
                    self.call = None;
                    self.signals.push_back(Signal::Ended { cause });
                }
                _ => {}
            }
        }
    }
}

impl Page for SipPage {
    fn open(&mut self, now: Instant) {
        self.agent.register(now, 0, EXPIRES);
    }

    fn call(&mut self, now: Instant, target: &str, offer: &str) {
        match self.agent.call(now, 0, target, offer) {
            Ok(call) => self.call = Some(call),
            Err(cause) => self.signals.push_back(Signal::Ended { cause }),
        }
    }

    fn answer(&mut self, now: Instant, sdp: &str) {
        if let Some(call) = self.call {
            self.agent.answer(now, call, sdp);
        }
    }

    fn hang_up(&mut self, now: Instant) {
        if let Some(call) = self.call {
            self.agent.bye(now, call);
        }
    }

    fn close(&mut self, now: Instant) {
        self.agent.register(now, 0, 0);
    }

    fn on_text(&mut self, now: Instant, text: &str) {
        self.agent.handle(now, SERVER, text.as_bytes());
        self.on_events(now);
    }

    fn on_time(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.on_events(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.agent.next_timeout()
    }

    fn poll_text(&mut self) -> Option<String> {
        let datagram = self.agent.poll_datagram()?;
        String::from_utf8(datagram.bytes).ok()
    }

    fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }
}
