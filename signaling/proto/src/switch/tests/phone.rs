//! Telephones around the switch, and what is said to them.

use super::super::*;
use super::bench::{Bench, DOMAIN, PASSWORD};
use crate::sip::auth::{Credentials, DigestClient, Secret};
use crate::sip::{HeaderName, Message, Method, NameAddr, Request, Response, Uri, reply};
use crate::transport::Transport;

/// A SIP client.
pub(super) struct Phone {
    pub(super) user: String,
    pub(super) flow: Flow,
    pub(super) password: String,
    pub(super) sdp: String,
    cseq: u32,
    calls: u32,
}

impl Phone {
    pub(super) fn new(user: &str, transport: Transport, host: u8, sdp: &str) -> Phone {
        let remote = SocketAddr::new(format!("192.0.2.{host}").parse().unwrap(), 5_060);
        let connection = (transport != Transport::Udp).then_some(ConnectionId(host.into()));
        let flow = Flow { transport, local: "10.0.0.1:5060".parse().unwrap(), remote, connection };
        Phone {
            user: user.to_owned(),
            flow,
            password: PASSWORD.to_owned(),
            sdp: sdp.to_owned(),
            cseq: 0,
            calls: 0,
        }
    }

    /// What follows belongs to another call.
    pub(super) fn new_call(&mut self) {
        self.calls += 1;
    }

    pub(super) fn contact(&self) -> NameAddr {
        NameAddr::new(format!("sip:{}@{}", self.user, self.flow.remote).parse::<Uri>().unwrap())
    }

    pub(super) fn request(&mut self, method: Method, uri: &str, to: &str, sdp: Option<&str>) -> Request {
        self.cseq += 1;
        let mut request = Request::new(method.clone(), uri.parse().unwrap());
        let headers = &mut request.headers;
        let via = format!(
            "SIP/2.0/{} {};branch=z9hG4bK{}{}",
            self.flow.transport.via_name(),
            self.flow.remote,
            self.user,
            self.cseq
        );
        headers.push(HeaderName::Via, via);
        headers.push(HeaderName::MaxForwards, 70);
        headers.push(HeaderName::From, format!("<sip:{}@{DOMAIN}>;tag=f{}", self.user, self.calls));
        headers.push(HeaderName::To, to);
        headers.push(HeaderName::CallId, format!("{}-{}@{}", self.user, self.calls, self.flow.remote));
        headers.push(HeaderName::CSeq, format!("{} {method}", self.cseq));
        headers.push(HeaderName::Contact, self.contact());
        if let Some(sdp) = sdp {
            headers.push(HeaderName::ContentType, "application/sdp");
            request.body = sdp.as_bytes().to_vec();
        }
        request
    }

    pub(super) fn send(&self, bench: &mut Bench, message: impl Into<Message>) -> Vec<Message> {
        bench.input(Input::Sip { flow: self.flow, bytes: message.into().to_bytes() });
        bench.take(self.flow.remote)
    }

    /// Sends a request, answers its challenge, and returns what came in the end, and the request as it was sent last.
    pub(super) fn authenticated(&mut self, bench: &mut Bench, request: Request) -> (Request, Vec<Message>) {
        let got = self.send(bench, request.clone());
        let challenge = responses(&got).into_iter().find(|each| matches!(each.status, 401 | 407));
        let Some(challenge) = challenge else { return (request, got) };
        if request.method == Method::Invite {
            self.acknowledge_failure(bench, &request, &challenge);
        }
        let secret = Secret::Password(self.password.clone().into());
        let mut client = DigestClient::new(Credentials { username: self.user.clone(), secret, realm: None });
        client.challenged(&challenge).unwrap();
        self.cseq += 1;
        let mut again = request;
        let via = again.headers.get(HeaderName::Via).unwrap().to_owned() + "a";
        again.headers.set(HeaderName::Via, via);
        again.headers.set(HeaderName::CSeq, format!("{} {}", self.cseq, again.method));
        client.authorize(&mut again, "cnonce");
        let got = self.send(bench, again.clone());
        (again, got)
    }

    pub(super) fn acknowledge_failure(&self, bench: &mut Bench, invite: &Request, response: &Response) {
        let mut ack = Request::new(Method::Ack, invite.uri.clone());
        for name in [HeaderName::Via, HeaderName::MaxForwards, HeaderName::From, HeaderName::CallId] {
            ack.headers.push(name.clone(), invite.headers.get(name).unwrap());
        }
        ack.headers.push(HeaderName::To, response.headers.get(HeaderName::To).unwrap());
        let (number, _) = invite.headers.cseq().unwrap();
        ack.headers.push(HeaderName::CSeq, format!("{number} ACK"));
        self.send(bench, ack);
    }

    pub(super) fn register(&mut self, bench: &mut Bench) {
        self.calls += 1;
        let to = format!("<sip:{}@{DOMAIN}>", self.user);
        let request = self.request(Method::Register, &format!("sip:{DOMAIN}"), &to, None);
        let (_, got) = self.authenticated(bench, request);
        assert_eq!(statuses(&got), [200]);
        // What waited for the user comes with the login.
        let requests = got.into_iter().filter(|message| matches!(message, Message::Request(_)));
        bench.sip.extend(requests.map(|request| (self.flow.remote, request)));
    }

    /// Calls somebody of the domain.
    pub(super) fn call(&mut self, bench: &mut Bench, callee: &str) -> (Request, Vec<Message>) {
        let sdp = self.sdp.clone();
        self.call_with(bench, callee, Some(&sdp))
    }

    pub(super) fn call_with(
        &mut self,
        bench: &mut Bench,
        callee: &str,
        sdp: Option<&str>,
    ) -> (Request, Vec<Message>) {
        self.calls += 1;
        let uri = format!("sip:{callee}@{DOMAIN}");
        let request = self.request(Method::Invite, &uri, &format!("<{uri}>"), sdp);
        self.authenticated(bench, request)
    }

    /// The ACK to a 2xx.
    pub(super) fn acknowledge(&mut self, bench: &mut Bench, ok: &Response, sdp: Option<&str>) {
        let (number, _) = ok.headers.cseq().unwrap();
        let mut ack = self.inside(Method::Ack, ok, sdp);
        ack.headers.set(HeaderName::CSeq, format!("{number} ACK"));
        self.send(bench, ack);
    }

    /// A request inside the dialog that a 2xx to us made.
    pub(super) fn inside(&mut self, method: Method, ok: &Response, sdp: Option<&str>) -> Request {
        let crate::sip::Contacts::List(contacts) = ok.headers.contacts().unwrap() else {
            panic!("no contact")
        };
        let to = ok.headers.get(HeaderName::To).unwrap().to_owned();
        self.request(method, &contacts[0].uri.to_string(), &to, sdp)
    }

    /// A request inside the dialog that an INVITE to us made.
    pub(super) fn inside_of(&mut self, method: Method, invite: &Request, sdp: Option<&str>) -> Request {
        let crate::sip::Contacts::List(contacts) = invite.headers.contacts().unwrap() else {
            panic!("no contact")
        };
        let mut request = self.request(method, &contacts[0].uri.to_string(), "<sip:replaced@below>", sdp);
        let mut from = invite.headers.to().unwrap();
        from.set_tag(&format!("t-{}", self.user));
        request.headers.set(HeaderName::From, from);
        request.headers.set(HeaderName::To, invite.headers.get(HeaderName::From).unwrap());
        request.headers.set(HeaderName::CallId, invite.headers.call_id().unwrap());
        request
    }

    /// Answers an INVITE or another request that came to us.
    pub(super) fn answer(
        &self,
        bench: &mut Bench,
        request: &Request,
        status: u16,
        sdp: Option<&str>,
    ) -> Vec<Message> {
        let mut response = reply(request, status, "");
        let mut to = response.headers.to().unwrap();
        if to.tag().is_none() {
            to.set_tag(&format!("t-{}", self.user));
        }
        response.headers.set(HeaderName::To, to);
        response.headers.push(HeaderName::Contact, self.contact());
        if let Some(sdp) = sdp {
            response.headers.push(HeaderName::ContentType, "application/sdp");
            response.body = sdp.as_bytes().to_vec();
        }
        self.send(bench, response)
    }
}

pub(super) fn responses(messages: &[Message]) -> Vec<Response> {
    let response = |message: &Message| match message {
        Message::Response(response) => Some(response.clone()),
        Message::Request(_) => None,
    };
    messages.iter().filter_map(response).collect()
}

pub(super) fn statuses(messages: &[Message]) -> Vec<u16> {
    responses(messages).iter().map(|response| response.status).collect()
}

pub(super) fn request_of(messages: &[Message], method: Method) -> Request {
    let request = messages.iter().find_map(|message| match message {
        Message::Request(request) if request.method == method => Some(request.clone()),
        _ => None,
    });
    request.unwrap_or_else(|| panic!("no {method} in {messages:?}"))
}

pub(super) fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap()
}
