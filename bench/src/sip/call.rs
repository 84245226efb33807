//! A call as its dialog sees it (RFC 3261 section 12).

use super::message;
use rsip::headers::UntypedHeader;
use rsip::message::HeadersExt;
use rsip::{Request, Uri};
use std::net::SocketAddr;

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Our INVITE is out; nothing but 100 came back.
    Calling,
    /// Our INVITE had a provisional response.
    Proceeding,
    /// An INVITE of the peer waits for our answer.
    Offered,
    Up,
    /// Our BYE is out.
    Leaving,
}

/// One call of an agent.
pub(crate) struct Call {
    pub(crate) user: usize,
    pub(crate) state: State,
    pub(crate) call_id: String,
    /// `From` of our requests, with our tag.
    pub(crate) local: String,
    pub(crate) local_tag: String,
    /// `To` of our requests; it has the peer's tag once the dialog is there.
    pub(crate) remote: String,
    /// Where requests go: always there where the dialog's first message went or came from.
    pub(crate) peer: SocketAddr,
    pub(crate) target: Uri,
    pub(crate) routes: Vec<String>,
    pub(crate) cseq: u32,
    /// Our INVITE as it was sent last.
    pub(crate) invite: Option<Request>,
    /// The peer's INVITE or UPDATE that is not answered yet, and where it came from.
    pub(crate) offered: Option<(Request, SocketAddr)>,
    /// The key of the server transaction that waits for an ACK.
    pub(crate) unacknowledged: Option<String>,
    /// Our ACK of the last 2xx, for its retransmissions, and its `CSeq`.
    pub(crate) ack: Option<(u32, Vec<u8>)>,
    /// The caller wants out, but RFC 3261 section 9.1 has CANCEL wait for a provisional response.
    pub(crate) cancelled: bool,
}

impl Call {
    /// A call of ours that has not been sent yet.
    pub(crate) fn outgoing(user: usize, local: &str, target: Uri, peer: SocketAddr) -> Call {
        let local_tag = message::token();
        Call {
            user,
            state: State::Calling,
            call_id: message::token(),
            local: format!("{local};tag={local_tag}"),
            local_tag,
            remote: format!("<{target}>"),
            peer,
            target,
            routes: Vec::new(),
            cseq: 1,
            invite: None,
            offered: None,
            unacknowledged: None,
            ack: None,
            cancelled: false,
        }
    }

    /// A call of a peer (section 12.1.1). `None`: it lacks what a dialog needs.
    pub(crate) fn incoming(user: usize, invite: &Request, peer: SocketAddr) -> Option<Call> {
        let local_tag = message::token();
        let contact = invite.contact_header().ok()?;
        Some(Call {
            user,
            state: State::Offered,
            call_id: message::call_id(invite)?,
            local: format!("{};tag={local_tag}", invite.to_header().ok()?.value()),
            local_tag,
            remote: invite.from_header().ok()?.value().to_owned(),
            peer,
            target: message::address(contact.value())?,
            routes: message::record_routes(invite),
            cseq: 1,
            invite: None,
            offered: Some((invite.clone(), peer)),
            unacknowledged: None,
            ack: None,
            cancelled: false,
        })
    }

    /// Learns the peer's half of the dialog from a response to our INVITE (section 12.1.2).
    pub(crate) fn learn(&mut self, response: &impl HeadersExt) {
        if let Ok(to) = response.to_header() {
            self.remote = to.value().to_owned();
        }
        if let Some(target) =
            response.contact_header().ok().and_then(|contact| message::address(contact.value()))
        {
            self.target = target;
        }
        let mut routes = message::record_routes(response);
        routes.reverse();
        if !routes.is_empty() {
            self.routes = routes;
        }
    }

    /// What tells this dialog from others: the Call-ID and our tag.
    pub(crate) fn key(&self) -> (String, String) {
        (self.call_id.clone(), self.local_tag.clone())
    }
}
