//! The NG protocol's sockets: what comes in goes to the event loop, which drives the relay; replies go back the same way.
//!
//! Whoever can send a request commands every call, so each way in asks first whether the sender is allowed.

mod http;
mod line;
mod replies;
mod tcp;
mod udp;
mod websocket;

pub(crate) use replies::Replies;

use crate::config::Ng;
use crate::connection::Admission;
use crate::events::{Drop, Events};
use crate::http::Figures;
use crate::limits;
use crate::sip::udp::Udp;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What each way in needs.
pub(crate) struct Door {
    pub(crate) ng: Ng,
    pub(crate) events: Events,
    pub(crate) figures: Figures,
    /// The source addresses that may read `/metrics`.
    pub(crate) metrics: Vec<IpAddr>,
}

impl Door {
    /// Whether requests from there are taken; others are counted.
    fn admits(&self, source: IpAddr) -> bool {
        let allowed = self.ng.allows(source);
        if !allowed {
            Drop::NgForbidden.count();
        }
        allowed
    }
}

/// Everything that is listened on.
pub(crate) struct Sockets {
    pub(crate) udp: Vec<Udp>,
    pub(crate) tcp: Vec<TcpListener>,
    pub(crate) http: Vec<TcpListener>,
}

impl Sockets {
    /// Starts to serve.
    pub(crate) fn serve(self, door: Door) {
        let door = Arc::new(door);
        // One proxy may open as many as there are: those who are allowed are not each other's foes.
        let admission = Admission::new(limits::NG_CONNECTIONS, limits::NG_CONNECTIONS);
        for (number, udp) in self.udp.into_iter().enumerate() {
            tokio::spawn(udp::receive(replies::socket_id(number), udp, door.clone()));
        }
        for listener in self.tcp {
            tokio::spawn(tcp::serve(listener, admission.clone(), door.clone()));
        }
        for listener in self.http {
            tokio::spawn(http::serve(listener, admission.clone(), door.clone()));
        }
    }
}
