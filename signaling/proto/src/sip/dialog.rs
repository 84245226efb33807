//! Dialogs (RFC 3261 section 12): what two user agents share, and how requests inside it are addressed.

use super::{Contacts, HeaderName, Headers, Method, NameAddr, Request, Response, Uri};
use crate::transport::Flow;

/// One dialog, early or confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// Our address with our tag.
    pub local: NameAddr,
    /// The peer's address with its tag (without one: a peer of RFC 2543).
    pub remote: NameAddr,
    /// The number of our last request.
    pub local_cseq: u32,
    /// The number of the peer's last request.
    pub remote_cseq: Option<u32>,
    /// The peer's Contact.
    pub remote_target: Uri,
    /// The route set, in the order our requests take it.
    pub routes: Vec<NameAddr>,
    /// The path our requests take, instead of finding the next hop (RFC 5626 section 5.3, RFC 7118).
    pub flow: Option<Flow>,
    /// The UDP port that the account has for itself; `None`: the common one.
    pub port: Option<u16>,
}

/// The peer's Contact.
fn contact(headers: &Headers) -> Option<Uri> {
    match headers.contacts() {
        Ok(Contacts::List(list)) => list.into_iter().next().map(|contact| contact.uri),
        _ => None,
    }
}

impl Dialog {
    /// The dialog that a response with a To tag makes for the client (section 12.1.2). Without a Contact in the
    /// response, which a provisional response may lack, requests go to the Request-URI.
    pub fn of_client(request: &Request, response: &Response) -> Option<Dialog> {
        let mut routes = response.headers.record_routes().ok()?;
        routes.reverse();
        Some(Dialog {
            call_id: request.headers.call_id().ok()?.to_owned(),
            local: request.headers.from().ok()?,
            remote: response.headers.to().ok()?,
            local_cseq: request.headers.cseq().ok()?.0,
            remote_cseq: None,
            remote_target: contact(&response.headers).unwrap_or_else(|| request.uri.clone()),
            routes,
            flow: None,
            port: None,
        })
    }

    /// The dialog that our response with this tag makes for the server (section 12.1.1). None: the request lacks a
    /// Contact.
    pub fn of_server(request: &Request, tag: &str) -> Option<Dialog> {
        let mut local = request.headers.to().ok()?;
        local.set_tag(tag);
        Some(Dialog {
            call_id: request.headers.call_id().ok()?.to_owned(),
            local,
            remote: request.headers.from().ok()?,
            local_cseq: 0,
            remote_cseq: Some(request.headers.cseq().ok()?.0),
            remote_target: contact(&request.headers)?,
            routes: request.headers.record_routes().ok()?,
            flow: None,
            port: None,
        })
    }

    /// Our tag.
    pub fn local_tag(&self) -> &str {
        self.local.tag().unwrap_or_default()
    }

    /// The peer's tag.
    pub fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or_default()
    }

    /// A target refresh request or its response came: the peer's Contact is the new target (section 12.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.remote_target = target;
        }
    }

    /// The final response may carry another route set than the provisional before (section 13.2.2.4).
    pub fn recompute_routes(&mut self, response: &Response) {
        if let Ok(mut routes) = response.headers.record_routes() {
            routes.reverse();
            self.routes = routes;
        }
    }

    /// Whether a request of the peer's is in order (section 12.2.2); takes its number.
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return false;
        }
        self.remote_cseq = Some(number);
        true
    }

    /// A request inside the dialog with the next number (section 12.2.1.1), without Via and Contact.
    pub fn request(&mut self, method: Method, max_forwards: u8) -> Request {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.request_numbered(method, self.local_cseq, max_forwards)
    }

    /// The ACK of the INVITE with this number (section 13.2.2.4).
    pub fn ack(&self, invite_cseq: u32, max_forwards: u8) -> Request {
        self.request_numbered(Method::Ack, invite_cseq, max_forwards)
    }

    fn request_numbered(&self, method: Method, number: u32, max_forwards: u8) -> Request {
        let mut headers = Headers::new();
        headers.push(HeaderName::MaxForwards, max_forwards);
        let uri = match self.strict_router() {
            // Section 12.2.1.1: a strict router's URI goes into the Request-URI, and the target to the route's end.
            Some(router) => {
                for route in self.routes.iter().skip(1) {
                    headers.push(HeaderName::Route, route);
                }
                headers.push(HeaderName::Route, NameAddr::new(self.remote_target.clone()));
                router.clone()
            }
            None => {
                for route in &self.routes {
                    headers.push(HeaderName::Route, route);
                }
                self.remote_target.clone()
            }
        };
        headers.push(HeaderName::From, &self.local);
        headers.push(HeaderName::To, &self.remote);
        headers.push(HeaderName::CallId, &self.call_id);
        headers.push(HeaderName::CSeq, format_args!("{number} {method}"));
        Request { method, uri, headers, body: Vec::new() }
    }

    /// The URI whose servers the next request goes to: the first route's, or the target's.
    pub fn next_hop(&self) -> &Uri {
        self.routes.first().map_or(&self.remote_target, |route| &route.uri)
    }

    fn strict_router(&self) -> Option<&Uri> {
        let first = &self.routes.first()?.uri;
        let loose = first.as_sip().is_some_and(super::SipUri::is_loose_router);
        (!loose).then_some(first)
    }
}
