//! The Web Call Server protocol, version 5, as `@flashphoner/websdk` speaks it.

use super::{Account, Page, Signal};
use crate::sip::event::Cause;
use crate::sip::message::token;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Instant;

/// One page.
pub(super) struct WcsPage {
    account: Account,
    call: Option<String>,
    /// A description that came before the call that it belongs to.
    offer: Option<String>,
    outgoing: bool,
    texts: VecDeque<String>,
    signals: VecDeque<Signal>,
}

impl WcsPage {
    pub(super) fn new(account: Account) -> WcsPage {
        WcsPage {
            account,
            call: None,
            offer: None,
            outgoing: false,
            texts: VecDeque::new(),
            signals: VecDeque::new(),
        }
    }

    fn send(&mut self, message: &str, argument: Value) {
        self.texts.push_back(json!({ "message": message, "data": [argument] }).to_string());
    }

    fn on_message(&mut self, name: &str, data: &[Value]) {
        let call_id = data.first().and_then(|call| call["callId"].as_str());
        let is_ours = call_id.is_some() && call_id == self.call.as_deref();
        match name {
            "registered" => self.signals.push_back(Signal::Ready),
            "ping" => self.send("pong", Value::Null),
            "setRemoteSDP" => {
                let Some(sdp) = data.get(1).and_then(Value::as_str) else { return };
                if self.outgoing {
                    self.signals.push_back(Signal::Answer { sdp: sdp.to_owned() });
                } else {
                    self.offer = Some(sdp.to_owned());
                }
            }
            "notifyIncomingCall" if self.call.is_none() => {
                self.call = call_id.map(str::to_owned);
                self.outgoing = false;
                self.signals.extend(self.offer.take().map(|sdp| Signal::Incoming { sdp }));
            }
            "ring" if is_ours && self.outgoing => self.signals.push_back(Signal::Ringing),
            "talk" if is_ours => self.signals.push_back(Signal::Up),
            "finish" if is_ours => {
                self.call = None;
                let cause = match (data[0]["status"].as_str(), data[0]["sipStatus"].as_u64()) {
                    (Some("FAILED" | "BUSY"), status) => {
                        Cause::Status(status.and_then(|status| status.try_into().ok()).unwrap_or(500))
                    }
                    _ => Cause::RemoteBye,
                };
                self.signals.push_back(Signal::Ended { cause });
            }
            "fail" => {
                let status = data.first().and_then(|fail| fail["sipStatus"].as_u64());
                let status = status.and_then(|status| status.try_into().ok()).unwrap_or(500);
                self.signals.push_back(Signal::Failed { cause: Cause::Status(status) });
            }
            _ => {}
        }
    }
}

impl Page for WcsPage {
    fn open(&mut self, _now: Instant) {
        let Account { name, password, domain } = self.account.clone();
        let login = json!({
            "appKey": "defaultApp",
            "mediaProviders": ["WebRTC"],
            "keepAlive": true,
            "clientVersion": "2.0",
            "sipLogin": name,
            "sipAuthenticationName": name,
            "sipPassword": password,
            "sipDomain": domain,
            "sipOutboundProxy": domain,
            "sipPort": 5060,
            "sipRegisterRequired": true,
        });
        self.send("connection", login);
    }

    fn call(&mut self, _now: Instant, target: &str, offer: &str) {
        let id = token();
        self.call = Some(id.clone());
        self.outgoing = true;
        let call = json!({
            "callId": id,
            "incoming": false,
            "hasVideo": false,
            "hasAudio": true,
            "status": "NEW",
            "mediaProvider": "WebRTC",
            "sdp": offer,
            "caller": self.account.name,
            "callee": target,
        });
        self.send("call", call);
    }

    fn answer(&mut self, _now: Instant, sdp: &str) {
        let answer = json!({
            "callId": self.call, "hasVideo": false, "hasAudio": true, "mediaProvider": "WebRTC", "sdp": sdp,
        });
        self.send("answer", answer);
    }

    fn hang_up(&mut self, _now: Instant) {
        if self.call.is_some() {
            self.send("hangup", json!({ "callId": self.call }));
        }
    }

    fn close(&mut self, _now: Instant) {
        // Closing the WebSocket is the log-off.
        self.signals.push_back(Signal::Closed);
    }

    fn on_text(&mut self, _now: Instant, text: &str) {
        let Ok(frame) = serde_json::from_str::<Value>(text) else { return };
        let data = frame["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(name) = frame["message"].as_str() {
            self.on_message(name, data);
        }
    }

    fn on_time(&mut self, _now: Instant) {}

    fn next_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_text(&mut self) -> Option<String> {
        self.texts.pop_front()
    }

    fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }
}
