//! Janus' WebSocket API with its SIP plugin: a session, a handle, a guest who calls SIP addresses.

use super::{Account, Page, Signal};
use crate::sip::event::Cause;
use crate::sip::message::token;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Janus forgets a session that is silent for 60 seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// What a `success` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Session,
    Handle,
    Nothing,
}

/// One page.
pub(super) struct JanusPage {
    account: Account,
    waiting: Waiting,
    session: u64,
    handle: u64,
    keep_alive: Option<Instant>,
    hanging_up: bool,
    texts: VecDeque<String>,
    signals: VecDeque<Signal>,
}

impl JanusPage {
    pub(super) fn new(account: Account) -> JanusPage {
        JanusPage {
            account,
            waiting: Waiting::Nothing,
            session: 0,
            handle: 0,
            keep_alive: None,
            hanging_up: false,
            texts: VecDeque::new(),
            signals: VecDeque::new(),
        }
    }

    fn send(&mut self, mut message: Value) {
        message["transaction"] = json!(token());
        if self.session != 0 {
            message["session_id"] = json!(self.session);
        }
        if self.handle != 0 {
            message["handle_id"] = json!(self.handle);
        }
        self.texts.push_back(message.to_string());
    }

    fn ask(&mut self, body: Value, jsep: Option<Value>) {
        let mut message = json!({ "janus": "message", "body": body });
        if let Some(jsep) = jsep {
            message["jsep"] = jsep;
        }
        self.send(message);
    }

    fn on_success(&mut self, now: Instant, message: &Value) {
        let Some(id) = message["data"]["id"].as_u64() else { return };
        match self.waiting {
            Waiting::Session => {
                self.session = id;
                self.keep_alive = Some(now + KEEP_ALIVE);
                self.waiting = Waiting::Handle;
                self.send(json!({ "janus": "attach", "plugin": "janus.plugin.sip" }));
            }
            Waiting::Handle => {
                self.handle = id;
                self.waiting = Waiting::Nothing;
                let address = format!("sip:{}@{}", self.account.name, self.account.domain);
                // A guest: no registrar stands behind Janus in this measurement.
                self.ask(json!({ "request": "register", "type": "guest", "username": address }), None);
            }
            Waiting::Nothing => {}
        }
    }

    fn on_event(&mut self, message: &Value) {
        let data = &message["plugindata"]["data"];
        if data.get("error").is_some() {
            self.signals.push_back(Signal::Ended { cause: Cause::Status(500) });
            return;
        }
        let result = &data["result"];
        let name = result["event"].as_str().unwrap_or_default();
        let sdp = message["jsep"]["sdp"].as_str().map(str::to_owned);
        if let Some(sdp) = sdp {
            self.signals.push_back(Signal::Answer { sdp });
        }
        match name {
            "registered" => self.signals.push_back(Signal::Ready),
            "registration_failed" => self.signals.push_back(Signal::Failed { cause: Cause::Credentials }),
            "ringing" | "progress" => self.signals.push_back(Signal::Ringing),
            "accepted" => self.signals.push_back(Signal::Up),
            "hangup" => {
                let code = result["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(200);
                let cause = match (self.hanging_up, code) {
                    (true, _) => Cause::LocalBye,
                    (false, 200) => Cause::RemoteBye,
                    (false, code) => Cause::Status(code),
                };
                self.signals.push_back(Signal::Ended { cause });
            }
            _ => {}
        }
    }
}

impl Page for JanusPage {
    fn open(&mut self, _now: Instant) {
        self.waiting = Waiting::Session;
        self.send(json!({ "janus": "create" }));
    }

    fn call(&mut self, _now: Instant, target: &str, offer: &str) {
        self.hanging_up = false;
        self.ask(json!({ "request": "call", "uri": target }), Some(json!({ "type": "offer", "sdp": offer })));
        // The offer had all candidates.
        self.send(json!({ "janus": "trickle", "candidate": { "completed": true } }));
    }

    fn answer(&mut self, _now: Instant, sdp: &str) {
        self.ask(json!({ "request": "accept" }), Some(json!({ "type": "answer", "sdp": sdp })));
    }

    fn hang_up(&mut self, _now: Instant) {
        self.hanging_up = true;
        self.ask(json!({ "request": "hangup" }), None);
    }

    fn close(&mut self, _now: Instant) {
        self.keep_alive = None;
        self.handle = 0;
        self.send(json!({ "janus": "destroy" }));
        self.signals.push_back(Signal::Closed);
    }

    fn on_text(&mut self, now: Instant, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return };
        match message["janus"].as_str() {
            Some("success") => self.on_success(now, &message),
            Some("event") => self.on_event(&message),
            Some("error") if self.handle == 0 => {
                self.signals.push_back(Signal::Failed { cause: Cause::Status(500) });
            }
            _ => {}
        }
    }

    fn on_time(&mut self, now: Instant) {
        if self.keep_alive.is_some_and(|at| at <= now) {
            self.keep_alive = Some(now + KEEP_ALIVE);
            self.send(json!({ "janus": "keepalive" }));
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.keep_alive
    }

    fn poll_text(&mut self) -> Option<String> {
        self.texts.pop_front()
    }

    fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }
}
