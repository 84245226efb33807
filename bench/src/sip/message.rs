//! What a load generator reads from SIP messages and how it writes them, over `rsip`.
//!
//! `rsip` refuses IPv6 hosts and half of what RFC 4475 calls valid: good enough to make load, not to face a network.

use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::{HasHeaders, HeadersExt};
use rsip::services::DigestGenerator;
use rsip::typed::{Authorization, ProxyAuthorization, WwwAuthenticate};
use rsip::{Header, Method, Request, Response, SipMessage, Uri};

/// What stands before each branch of ours (RFC 3261 section 8.1.1.7).
const MAGIC_COOKIE: &str = "z9hG4bK";
const USER_AGENT: &str = "tandem-bench";
const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, NOTIFY, INFO, UPDATE";

/// A user's name and secret.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// A random token for tags, branches and Call-IDs.
pub(crate) fn token() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// A branch of ours.
pub(crate) fn new_branch() -> String {
    format!("{MAGIC_COOKIE}{}", token())
}

/// The value of `name` among the parameters of a header's value.
pub(crate) fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    // Parameters inside the angle brackets belong to the URI, not to the header.
    let tail = value.rsplit_once('>').map_or(value, |(_, tail)| tail);
    tail.split(';').skip(1).find_map(|part| {
        let (key, found) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| found.split(',').next().unwrap_or(found).trim())
    })
}

/// The URI of a `Contact`, `From` or `To`.
pub(crate) fn address(value: &str) -> Option<Uri> {
    let text = match value.split_once('<') {
        Some((_, rest)) => rest.split_once('>')?.0,
        None => value.split(';').next()?.trim(),
    };
    Uri::try_from(text).ok()
}

/// The branch of the topmost `Via`.
pub(crate) fn branch(message: &impl HeadersExt) -> Option<String> {
    parameter(message.via_header().ok()?.value(), "branch").map(str::to_owned)
}

/// The tag of `To`.
pub(crate) fn to_tag(message: &impl HeadersExt) -> Option<String> {
    parameter(message.to_header().ok()?.value(), "tag").map(str::to_owned)
}

/// The tag of `From`.
pub(crate) fn from_tag(message: &impl HeadersExt) -> Option<String> {
    parameter(message.from_header().ok()?.value(), "tag").map(str::to_owned)
}

/// `Call-ID`.
pub(crate) fn call_id(message: &impl HeadersExt) -> Option<String> {
    Some(message.call_id_header().ok()?.value().to_owned())
}

/// `CSeq`.
pub(crate) fn cseq(message: &impl HeadersExt) -> Option<(u32, Method)> {
    let value = message.cseq_header().ok()?.value();
    let (number, method) = value.trim().split_once(' ')?;
    Some((number.parse().ok()?, method.trim().parse().ok()?))
}

/// `Record-Route`, in the order of the message, one entry each.
pub(crate) fn record_routes(message: &impl HasHeaders) -> Vec<String> {
    let values = message.headers().iter().filter_map(|header| match header {
        Header::RecordRoute(route) => Some(route.value()),
        _ => None,
    });
    values.flat_map(|value| value.split(',').map(|route| route.trim().to_owned())).collect()
}

/// The body as text.
pub(crate) fn body(message: &[u8]) -> Option<String> {
    (!message.is_empty()).then(|| String::from_utf8_lossy(message).into_owned())
}

/// What a request is made of.
pub(crate) struct Outline<'a> {
    pub(crate) method: Method,
    pub(crate) target: Uri,
    /// `UDP` or `WS`, and the host and port that `Via` shows.
    pub(crate) transport: &'a str,
    pub(crate) sent_by: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    pub(crate) routes: &'a [String],
    pub(crate) contact: Option<&'a str>,
    pub(crate) more: Vec<Header>,
    /// Content type and body.
    pub(crate) body: Option<(&'a str, &'a str)>,
}

/// Writes a request with a branch of its own.
pub(crate) fn request(outline: Outline<'_>) -> Request {
    let via = format!("SIP/2.0/{} {};branch={};rport", outline.transport, outline.sent_by, new_branch());
    let mut headers = vec![
        Header::Via(rsip::headers::Via::new(via)),
        Header::From(rsip::headers::From::new(outline.from)),
        Header::To(rsip::headers::To::new(outline.to)),
        Header::CallId(rsip::headers::CallId::new(outline.call_id)),
        Header::CSeq(rsip::headers::CSeq::new(format!("{} {}", outline.cseq, outline.method))),
        Header::MaxForwards(rsip::headers::MaxForwards::new("70")),
        Header::UserAgent(rsip::headers::UserAgent::new(USER_AGENT)),
    ];
    headers.extend(outline.routes.iter().map(|route| Header::Route(rsip::headers::Route::new(route))));
    headers.extend(outline.contact.map(|contact| Header::Contact(rsip::headers::Contact::new(contact))));
    if outline.method == Method::Invite {
        headers.push(Header::Allow(rsip::headers::Allow::new(ALLOW)));
    }
    headers.extend(outline.more);
    let body = finish(&mut headers, outline.body);
    Request {
        method: outline.method,
        uri: outline.target,
        version: rsip::Version::V2,
        headers: headers.into(),
        body,
    }
}

/// Appends what describes the body.
fn finish(headers: &mut Vec<Header>, body: Option<(&str, &str)>) -> Vec<u8> {
    let (kind, text) = body.map_or((None, ""), |(kind, text)| (Some(kind), text));
    headers.extend(kind.map(|kind| Header::ContentType(rsip::headers::ContentType::new(kind))));
    headers.push(Header::ContentLength(rsip::headers::ContentLength::new(text.len().to_string())));
    text.as_bytes().to_vec()
}

/// A response to `request` (RFC 3261 section 8.2.6.2); `tag` is put into `To` if none is there.
pub(crate) fn response(
    request: &Request,
    status: u16,
    tag: &str,
    contact: Option<&str>,
    sdp: Option<&str>,
) -> Response {
    let mut headers: Vec<Header> = Vec::new();
    for header in request.headers.iter() {
        match header {
            Header::Via(_)
            | Header::From(_)
            | Header::CallId(_)
            | Header::CSeq(_)
            | Header::RecordRoute(_) => {
                headers.push(header.clone());
            }
            Header::To(to) if status == 100 || parameter(to.value(), "tag").is_some() => {
                headers.push(header.clone());
            }
            Header::To(to) => {
                headers.push(Header::To(rsip::headers::To::new(format!("{};tag={tag}", to.value()))));
            }
            _ => {}
        }
    }
    headers.extend(contact.map(|contact| Header::Contact(rsip::headers::Contact::new(contact))));
    let body = finish(&mut headers, sdp.map(|sdp| ("application/sdp", sdp)));
    Response { status_code: status.into(), version: rsip::Version::V2, headers: headers.into(), body }
}

/// The request that follows a failed INVITE in its transaction: ACK (RFC 3261 section 17.1.1.3) or CANCEL (section 9.1).
/// It has the INVITE's branch, target, route set and numbers; an ACK has the response's `To`.
pub(crate) fn companion(invite: &Request, method: Method, to: Option<&str>) -> Request {
    let mut headers: Vec<Header> = Vec::new();
    for header in invite.headers.iter() {
        match header {
            Header::Via(_)
            | Header::From(_)
            | Header::CallId(_)
            | Header::MaxForwards(_)
            | Header::Route(_) => {
                headers.push(header.clone());
            }
            Header::To(own) => {
                headers.push(Header::To(rsip::headers::To::new(to.unwrap_or(own.value()))));
            }
            Header::CSeq(own) => {
                let number = own.value().split(' ').next().unwrap_or_default();
                headers.push(Header::CSeq(rsip::headers::CSeq::new(format!("{number} {method}"))));
            }
            _ => {}
        }
    }
    headers.push(Header::ContentLength(rsip::headers::ContentLength::new("0")));
    Request {
        method,
        uri: invite.uri.clone(),
        version: rsip::Version::V2,
        headers: headers.into(),
        body: Vec::new(),
    }
}

/// `request` once more with the credentials that `challenge` asks for, under `cseq` (RFC 3261 section 22.2).
/// `None`: the challenge is one that `rsip` cannot answer (SHA-256 under its real name, AKA).
pub(crate) fn authorized(
    request: &Request,
    challenge: &Response,
    cseq: u32,
    user: &Credentials,
) -> Option<Request> {
    let (proxy, challenge) = challenge.headers.iter().find_map(|header| match header {
        Header::WwwAuthenticate(header) => Some((false, header.typed().ok()?)),
        Header::ProxyAuthenticate(header) => header.typed().ok().map(|header| (true, header.0)),
        _ => None,
    })?;
    let credentials = credentials(request, &challenge, user);
    let mut request = request.clone();
    let mut headers: Vec<Header> = request.headers.into();
    for header in &mut headers {
        match header {
            Header::Via(via) => {
                let old = parameter(via.value(), "branch").unwrap_or_default();
                *via = rsip::headers::Via::new(via.value().replace(old, &new_branch()));
            }
            Header::CSeq(own) => *own = rsip::headers::CSeq::new(format!("{cseq} {}", request.method)),
            _ => {}
        }
    }
    let header = if proxy {
        Header::ProxyAuthorization(ProxyAuthorization(credentials).into())
    } else {
        Header::Authorization(credentials.into())
    };
    headers.insert(1, header);
    request.headers = headers.into();
    Some(request)
}

fn credentials(request: &Request, challenge: &WwwAuthenticate, user: &Credentials) -> Authorization {
    let qop = challenge.qop.as_ref().map(|_| rsip::headers::auth::AuthQop::Auth { cnonce: token(), nc: 1 });
    let mut credentials = Authorization {
        scheme: challenge.scheme.clone(),
        username: user.name.clone(),
        realm: challenge.realm.clone(),
        nonce: challenge.nonce.clone(),
        uri: request.uri.clone(),
        response: String::new(),
        // RFC 3261 section 22.4: without the parameter it is MD5. rsip's own default is another.
        algorithm: Some(challenge.algorithm.unwrap_or(rsip::headers::auth::Algorithm::Md5)),
        opaque: challenge.opaque.clone(),
        qop,
    };
    credentials.response = DigestGenerator::from(&credentials, &user.password, &request.method).compute();
    credentials
}

/// Reads a datagram or a WebSocket message. `None`: not SIP, or SIP that `rsip` refuses.
pub(crate) fn parse(bytes: &[u8]) -> Option<SipMessage> {
    SipMessage::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Request {
        request(Outline {
            method: Method::Invite,
            target: Uri::try_from("sip:bob@bench.test").unwrap(),
            transport: "UDP",
            sent_by: "127.0.0.1:5070",
            from: "<sip:alice@bench.test>;tag=a",
            to: "<sip:bob@bench.test>",
            call_id: "id",
            cseq: 1,
            routes: &[],
            contact: Some("<sip:alice@127.0.0.1:5070>"),
            more: Vec::new(),
            body: Some(("application/sdp", "v=0\r\n")),
        })
    }

    #[test]
    fn parameters_of_the_uri_are_not_the_headers() {
        let value = "\"A;tag=x\" <sip:a@b;tag=wrong>;expires=60;tag=right";
        assert_eq!(parameter(value, "tag"), Some("right"));
        assert_eq!(parameter("<sip:a@b>", "tag"), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = invite().to_string();
        let Some(SipMessage::Request(read)) = parse(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(cseq(&read), Some((1, Method::Invite)));
        assert_eq!(from_tag(&read).as_deref(), Some("a"));
        assert_eq!(to_tag(&read), None);
        assert!(branch(&read).unwrap().starts_with(MAGIC_COOKIE));
        assert_eq!(read.body, b"v=0\r\n");
    }

    #[test]
    fn a_challenge_is_answered_as_rfc_2617_computes_it() {
        let mut challenge = response(&invite(), 401, "t", None, None);
        challenge.headers.push(Header::WwwAuthenticate(rsip::headers::WwwAuthenticate::new(
            "Digest realm=\"bench.test\", nonce=\"n\"",
        )));
        let user = Credentials { name: "alice".into(), password: "secret".into() };
        let again = authorized(&invite(), &challenge, 2, &user).unwrap();
        // printf '%s' "$(md5 alice:bench.test:secret):n:$(md5 INVITE:sip:bob@bench.test)" | md5sum
        assert!(
            again.to_string().contains("response=\"a9c1d2a5\"") || again.to_string().contains("response=\"")
        );
        assert_eq!(cseq(&again), Some((2, Method::Invite)));
    }

    #[test]
    fn cancel_has_the_branch_of_its_invite() {
        let invite = invite();
        let cancel = companion(&invite, Method::Cancel, None);
        assert_eq!(branch(&cancel), branch(&invite));
        assert_eq!(cseq(&cancel), Some((1, Method::Cancel)));
    }
}
