//! How a browser's page talks to a gateway: SIP over WebSocket, the Web Call Server protocol, or Janus's own.

mod janus;
mod sip;
mod wcs;

use crate::sip::event::Cause;
use clap::ValueEnum;
use std::time::Instant;

/// The protocol of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// RFC 7118.
    Sip,
    /// Web Call Server 5.
    Wcs,
    /// Janus with its SIP plugin.
    Janus,
}

impl Protocol {
    /// What the WebSocket asks for.
    pub(crate) fn subprotocol(self) -> Option<&'static str> {
        match self {
            Protocol::Sip => Some("sip"),
            Protocol::Wcs => None,
            Protocol::Janus => Some("janus-protocol"),
        }
    }

    /// A page of this protocol.
    pub(crate) fn page(self, account: Account) -> Box<dyn Page> {
        match self {
            Protocol::Sip => Box::new(sip::SipPage::new(account)),
            Protocol::Wcs => Box::new(wcs::WcsPage::new(account)),
            Protocol::Janus => Box::new(janus::JanusPage::new(account)),
        }
    }
}

/// Who a page is.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) domain: String,
}

/// What a page learns.
#[derive(Debug)]
pub(crate) enum Signal {
    /// Logged in: calls may be made.
    Ready,
    Incoming {
        sdp: String,
    },
    Ringing,
    /// The gateway's answer; more than one is possible (early media).
    Answer {
        sdp: String,
    },
    /// The call is up.
    Up,
    Ended {
        cause: Cause,
    },
    /// Login failed.
    Failed {
        cause: Cause,
    },
    /// Logged off.
    Closed,
}

/// One page without I/O: texts of a WebSocket in and out.
pub(crate) trait Page {
    /// The WebSocket is open: log in.
    fn open(&mut self, now: Instant);
    fn call(&mut self, now: Instant, target: &str, offer: &str);
    /// Answers the call that came in.
    fn answer(&mut self, now: Instant, sdp: &str);
    fn hang_up(&mut self, now: Instant);
    /// Logs off.
    fn close(&mut self, now: Instant);
    fn on_text(&mut self, now: Instant, text: &str);
    fn on_time(&mut self, now: Instant);
    fn next_timeout(&self) -> Option<Instant>;
    fn poll_text(&mut self) -> Option<String>;
    fn poll_signal(&mut self) -> Option<Signal>;
}
